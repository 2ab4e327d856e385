"""How wide a typical object is: a number that people may leave to the program."""

from __future__ import annotations

from qtpy.QtCore import QEvent, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QEnterEvent, QFocusEvent, QKeyEvent
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSpinBox, QWidget

from napari_unet.config import MAX_DIAMETER

_FIRST = 32  # pixels, where people begin while nothing is known
_TOOLTIP = (
    "Diameter of a typical object, in pixels of the image; the circle in the middle of the view is "
    "as wide. automatic: measured on objects that you paint whole, or estimated from your strokes. "
    "By it the image is shrunk for the network, which sees objects best at about 32 px. "
    "0: automatic."
)


class DiameterBox(QSpinBox):
    """A diameter in pixels; at 0 it says "automatic", with what was found out."""

    attended = Signal()  # people look at it, or no longer

    def __init__(self) -> None:
        super().__init__()
        self.found: float | None = None  # pixels
        self.is_hovered = False
        self.setRange(0, MAX_DIAMETER)
        self.setToolTip(_TOOLTIP)
        self.show_found(None)

    @property
    def given(self) -> float | None:
        """What people gave, pixels; None: it is left to the program."""
        return float(self.value()) or None

    def show_found(self, found: float | None) -> None:
        """Say what was found out, pixels; None: nothing."""
        self.found = found
        text = "automatic" if found is None else f"automatic: {found:.0f}"
        if text != self.specialValueText():
            self.setSpecialValueText(text)

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
    """The number, the same in µm where the image has a pixel size, and a button to find it out."""

    def __init__(self) -> None:
        super().__init__()
        self.box = DiameterBox()
        self.micrometres = QLabel()
        self.estimate = QPushButton("Estimate")
        self._pixel: float | None = None  # side, µm
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.box, stretch=1)
        row.addWidget(self.micrometres)
        row.addWidget(self.estimate)
        self.setFocusProxy(self.box)
        self.box.valueChanged.connect(self._tell_micrometres)
        self._tell_micrometres()

    @property
    def pixels(self) -> float | None:
        """What was given or found out; None: nothing yet."""
        return self.box.given or self.box.found

    def show_found(self, found: float | None, pixel: float | None) -> None:
        """Say what was found out, pixels, and the side of a pixel, µm; None: unknown."""
        self._pixel = pixel
        self.box.show_found(found)
        self._tell_micrometres()

    def _tell_micrometres(self) -> None:
        pixels, side = self.pixels, self._pixel
        text = "" if pixels is None or side is None else f"{pixels * side:.3g} µm"
        self.micrometres.setText(text)
        self.micrometres.setVisible(bool(text))
