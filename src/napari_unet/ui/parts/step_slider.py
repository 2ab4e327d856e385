"""A slider that stops at each step, between words for its two ends."""

from __future__ import annotations

from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSlider, QWidget

from napari_unet.ui.parts.text import PlainLabel


class StepSlider:
    """Holds a number, as the widgets of magicgui do.

    Parameters
    ----------
    ends
        What the lowest and the highest mean.
    low, high, step
        Its first number, its last, and what lies between two of them.
    decimals
        To which the numbers are rounded.
    tooltip
        Of all of it.
    """

    changed = Signal(float)

    def __init__(
        self,
        ends: tuple[str, str],
        low: float,
        high: float,
        step: float,
        *,
        decimals: int,
        tooltip: str = "",
    ) -> None:
        self._low = low
        self._step = step
        self._decimals = decimals
        self._slider = _Slider(Qt.Orientation.Horizontal)
        self._slider.setRange(0, round((high - low) / step))
        self._slider.setPageStep(2)
        self._slider.valueChanged.connect(self._on_moved)
        self.native = QWidget()
        self.native.setToolTip(tooltip)
        self.native.setFocusProxy(self._slider)
        self._row = QHBoxLayout(self.native)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.addWidget(PlainLabel(ends[0]))
        self._row.addWidget(self._slider, stretch=1)
        self._row.addWidget(PlainLabel(ends[1]))

    def put_before(self, label: QLabel) -> None:
        """Put its label into its row."""
        self._row.insertWidget(0, label)
        self._slider.setAccessibleName(label.text())

    @property
    def value(self) -> float:
        """The number at which it stands."""
        return round(self._low + self._step * self._slider.value(), self._decimals)

    @value.setter
    def value(self, value: float) -> None:
        self._slider.setValue(round((value - self._low) / self._step))

    def _on_moved(self) -> None:
        self.changed.emit(self.value)


class _Slider(QSlider):
    """Takes the mouse wheel only once it was clicked, so that scrolling past it changes nothing."""

    def wheelEvent(self, event: QWheelEvent | None) -> None:  # noqa: N802 Qt
        """Let the dock scroll, unless people are at the slider."""
        if event is not None and not self.hasFocus():
            event.ignore()
        else:
            super().wheelEvent(event)
