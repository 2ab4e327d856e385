"""How wide a typical object is: a number that people may leave to the program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QEnterEvent, QFocusEvent, QKeyEvent, QWheelEvent
from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QPushButton, QSpinBox, QWidget

from napari_unet.config import MAX_DIAMETER
from napari_unet.engine.network import DiameterSource
from napari_unet.ui.parts.text import PlainLabel, Text

if TYPE_CHECKING:
    from napari_unet.engine.network import Diameter


_SHORT = {
    DiameterSource.PAINTED: "measured",
    DiameterSource.ESTIMATED: "estimated",
    DiameterSource.GIVEN: "as given before",  # the model keeps it
}
_FIRST = 32  # pixels, where people begin while nothing is known
_TOOLTIP = (
    "Diameter of a typical object, in pixels of the image; the circle in the middle of the view is "
    "as wide. auto (0): measured on objects that you paint whole, or estimated from your strokes. "
    "By it the image is shrunk for the network, which sees objects best at about 32 px."
)


class DiameterBox(QSpinBox):
    """A diameter in pixels; 0, which is shown as "auto", leaves it to the program."""

    attended = Signal()  # people look at it, or no longer

    def __init__(self) -> None:
        super().__init__()
        self.found: float | None = None  # by the program, pixels
        self.is_hovered = False
        self.setRange(0, MAX_DIAMETER)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # not by the wheel
        self.setSpecialValueText("auto")  # the box is narrow
        self.setToolTip(_TOOLTIP)

    @property
    def given(self) -> float | None:
        """What people gave, pixels; None: it is left to the program."""
        return float(self.value()) or None

    def stepBy(self, steps: int) -> None:  # noqa: N802 Qt
        """Begin with what was found out: people correct it."""
        if self.value() == 0 and steps > 0:
            self.setValue(round(self.found or _FIRST))
        else:
            super().stepBy(steps)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802 Qt
        """Let a number take the place of the word, wherever in it the cursor is."""
        if self.value() == 0 and event is not None and event.text().isdigit():
            self.selectAll()
        super().keyPressEvent(event)

    def wheelEvent(self, event: QWheelEvent | None) -> None:  # noqa: N802 Qt
        """Let the dock scroll, unless people are at the number."""
        if event is not None and not self.hasFocus():
            event.ignore()
        else:
            super().wheelEvent(event)

    def enterEvent(self, event: QEnterEvent | None) -> None:  # noqa: N802 Qt
        """Tell that the mouse is above it."""
        super().enterEvent(event)
        self.is_hovered = True
        self.attended.emit()

    def leaveEvent(self, event: QEvent | None) -> None:  # noqa: N802 Qt
        """Tell that the mouse has left it."""
        super().leaveEvent(event)
        self.is_hovered = False
        self.attended.emit()

    def focusInEvent(self, event: QFocusEvent | None) -> None:  # noqa: N802 Qt
        """Tell that it is going to be edited."""
        super().focusInEvent(event)
        self.attended.emit()


class DiameterField:
    """Rows of a form: the number and a button to find it out; below, what was found, and in µm."""

    def __init__(self) -> None:
        self.box = DiameterBox()
        self.estimate = QPushButton("Estimate")
        self.caption = Text()
        self._label = PlainLabel("Diameter, px")
        self._row = QWidget()
        self._found: Diameter | None = None
        self._pixel: float | None = None  # side, µm
        self._has_objects = True
        self._label.setToolTip(self.box.toolTip())
        self._label.setBuddy(self.box)
        row = QHBoxLayout(self._row)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.box, stretch=1)
        row.addWidget(self.estimate)

    @property
    def pixels(self) -> float | None:
        """What was given or found out; None: nothing yet."""
        return self.box.given or self.box.found

    def add_to(self, rows: QFormLayout) -> None:
        """Add the rows to a form."""
        rows.addRow(self._label, self._row)
        rows.addRow(self.caption)

    def show_found(self, found: Diameter | None, pixel: float | None) -> None:
        """Say what was found out; `pixel` is the side of one, µm, None: unknown."""
        self.box.found = None if found is None else found.pixels
        self._found, self._pixel = found, pixel
        self.tell()

    def show(self, *, objects: bool) -> None:
        """Be there for objects; classes have no diameter."""
        self._has_objects = objects
        self._label.setVisible(objects)
        self._row.setVisible(objects)
        self.tell()

    def tell(self) -> None:
        """Say in one line what the number does not; if there is nothing, there is no line."""
        pixels, given = self.pixels, self.box.given
        parts = []
        if pixels is not None and self._pixel is not None:
            parts = [f"{pixels:.0f} px = {pixels * self._pixel:.3g} µm"]
        elif pixels is not None and given is None:
            parts = [f"{pixels:.0f} px"]
        if given is None and self._found is not None:
            parts.append(_SHORT[self._found.source])
        self.caption.setText(", ".join(parts))
        self.caption.setVisible(bool(parts) and self._has_objects)
