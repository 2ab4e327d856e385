"""How wide a typical object is: a number that people may leave to the program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QEnterEvent, QFocusEvent, QKeyEvent
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QSpinBox, QVBoxLayout, QWidget

from napari_unet.config import MAX_DIAMETER
from napari_unet.ui.parts.text import Text

if TYPE_CHECKING:
    from napari_unet.engine.network import Diameter

_FIRST = 32  # pixels, where people begin while nothing is known
_TOOLTIP = (
    "Diameter of a typical object, in pixels of the image; the circle in the middle of the view is "
    "as wide. automatic: measured on objects that you paint whole, or estimated from your strokes. "
    "By it the image is shrunk for the network, which sees objects best at about 32 px. "
    "0: automatic."
)


class DiameterBox(QSpinBox):
    """A diameter in pixels; at 0 it says "automatic"."""

    attended = Signal()  # people look at it, or no longer

    def __init__(self) -> None:
        super().__init__()
        self.found: float | None = None  # by the program, pixels
        self.is_hovered = False
        self.setRange(0, MAX_DIAMETER)
        self.setSpecialValueText("automatic")
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


class DiameterField(QWidget):
    """The number, a button to find it out, and below them what was found out, and µm."""

    def __init__(self) -> None:
        super().__init__()
        self.box = DiameterBox()
        self.estimate = QPushButton("Estimate")
        self.caption = Text()
        self._source = ""
        self._pixel: float | None = None  # side, µm
        row = QHBoxLayout()
        row.addWidget(self.box, stretch=1)
        row.addWidget(self.estimate)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(row)
        column.addWidget(self.caption)
        self.setFocusProxy(self.box)
        self.box.valueChanged.connect(self._tell)
        self._tell()

    @property
    def pixels(self) -> float | None:
        """What was given or found out; None: nothing yet."""
        return self.box.given or self.box.found

    def show_found(self, found: Diameter | None, pixel: float | None) -> None:
        """Say what was found out, and by what; `pixel` is the side of one, µm; None: unknown."""
        self.box.found = None if found is None else found.pixels
        self._source = "" if found is None else found.source
        self._pixel = pixel
        self._tell()

    def _tell(self) -> None:
        """Say in one line what the number does not; nothing: there is no line."""
        pixels, parts = self.pixels, []
        if pixels is not None and self.box.given is None:
            parts = [f"{pixels:.0f} px"]
        if pixels is not None and self._pixel is not None:
            parts.append(f"{pixels * self._pixel:.3g} µm")
        text = " = ".join(parts)
        if self.box.given is None and text:
            text = f"{text}, {self._source}"
        self.caption.setText(text)
        self.caption.setVisible(bool(text))
