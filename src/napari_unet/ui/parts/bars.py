"""A small plot of bars: a histogram, or one number per plane."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QEvent, QRectF, Qt
from qtpy.QtGui import QHelpEvent, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_unet.ui.parts.curves import Scale, round_limit, ticks
from napari_unet.ui.parts.ink import GAP, Ink, number_text

_HEIGHT = 120  # pixels
_MOST_BARS = 40  # of a histogram


class BarPlot(QWidget):
    """Bars side by side between two values, the same width each."""

    def __init__(self) -> None:
        super().__init__()
        self._heights = np.zeros(0)
        self._edges = (0.0, 1.0)  # of the first and the last bar
        self._whole = False  # a bar is a number, and no stretch of values
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(_HEIGHT)

    def show_histogram(self, values: npt.NDArray[Any], name: str) -> None:
        """Show how often values occur; what is no finite number does not."""
        finite = values[np.isfinite(values)].astype(np.float64)
        if not len(finite):
            self._show(np.zeros(0), (0.0, 1.0), name, whole=False)
            return
        bars = int(np.clip(np.sqrt(len(finite)), 5, _MOST_BARS))
        low, high = float(finite.min()), float(finite.max())
        if low == high:
            low, high = low - 0.5, high + 0.5
        heights, _ = np.histogram(finite, bars, (low, high))
        self._show(heights, (low, high), name, whole=False)

    def show_numbers(self, heights: npt.NDArray[Any], first: int, name: str) -> None:
        """Show a bar for each number from `first` on."""
        self._show(heights, (float(first), float(first + len(heights))), name, whole=True)

    def value_at(self, x: float) -> str:
        """Return what the bar at a place says: "12.5–13.1: 40", "plane 3: 17"."""
        if not len(self._heights):
            return ""
        place, low, high = self._place(), *self._edges
        share = np.clip((x - place.start) / (place.end - place.start), 0, 1 - 1e-9)
        bar = int(share * len(self._heights))
        height = f"{self._heights[bar]:g}"
        if self._whole:
            return f"{round(low) + bar}: {height}"
        step = (high - low) / len(self._heights)
        ends = (number_text(low + (bar + i) * step, 4) for i in (0, 1))
        return f"{'–'.join(ends)}: {height}"

    def event(self, event: QEvent | None) -> bool:
        """Show the bar under the mouse as a tooltip."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            QToolTip.showText(event.globalPos(), self.value_at(event.pos().x()), self)
            return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: ARG002, N802 Qt
        """Draw the bars, the axis below, and the ticks at the left."""
        if not len(self._heights):
            return
        ink, place = Ink(self), self._place()
        line = self.fontMetrics().height()
        limit = round_limit(float(self._heights.max()))
        height = Scale(limit, self.height() - line - GAP, line / 2)
        ink.draw_values(height, ink.text, place.start, Qt.AlignmentFlag.AlignRight)
        width = (place.end - place.start) / len(self._heights)
        ink.painter.setPen(Qt.PenStyle.NoPen)
        ink.painter.setBrush(ink.blue)
        for bar, value in enumerate(self._heights.tolist()):
            top = height.place(value)
            gap = 1 if width > 3 else 0
            box = QRectF(place.start + bar * width, top, width - gap, height.start - top)
            ink.painter.drawRect(box)
        ink.painter.setPen(QPen(ink.faint, 1))
        ink.painter.drawLine(
            *(round(x) for x in (place.start, height.start, place.end, height.start))
        )
        self._draw_ends(ink, place, height.start + GAP, line)
        ink.painter.end()

    def _draw_ends(self, ink: Ink, place: Scale, top: float, line: int) -> None:
        low, high = self._edges
        last = high - 1 if self._whole else high
        ink.painter.setPen(ink.text)
        box = QRectF(place.start, top, place.end - place.start, line)
        for value, side in ((low, Qt.AlignmentFlag.AlignLeft), (last, Qt.AlignmentFlag.AlignRight)):
            ink.painter.drawText(box, side, number_text(value, 4))

    def _show(
        self, heights: npt.NDArray[Any], edges: tuple[float, float], name: str, *, whole: bool
    ) -> None:
        self._heights, self._edges, self._whole = heights.astype(np.float64), edges, whole
        self.setAccessibleName(name)
        self.update()

    def _place(self) -> Scale:
        """Return where the bars begin and end."""
        limit = round_limit(float(self._heights.max(initial=0)))
        texts = ["0.000", *(number_text(value) for value in ticks(limit))]
        sides = max(self.fontMetrics().horizontalAdvance(text) for text in texts) + 2 + GAP
        return Scale(1.0, sides, max(self.width() - 8, sides + 1))
