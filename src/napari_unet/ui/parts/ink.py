"""Drawing small plots in the colours of the window's theme."""

from __future__ import annotations

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPalette, QPen, QPolygonF
from qtpy.QtWidgets import QWidget

from napari_unet.ui.parts.curves import Scale, Series, ticks

GAP = 4
"""Pixels between a tick's text and the axis."""

_BLUE, _ORANGE = 0.58, 0.09  # hues that colour-blind people tell apart


def curve_colours(text: QColor) -> tuple[QColor, QColor]:
    """Return orange and blue beside text of this colour: as readable as text."""
    lightness = 0.68 if text.lightnessF() > 0.5 else 0.32  # on dark; on light
    orange, blue = (QColor.fromHslF(hue, 0.75, lightness) for hue in (_ORANGE, _BLUE))
    return orange, blue


def number_text(value: float, digits: int = 3) -> str:
    """Return a number with so many digits, or all of those before its point if they are more.

    Examples
    --------
    >>> [number_text(value) for value in (0.12345, 500, 50176)]
    ['0.123', '500', '50,176']
    """
    is_long = 10**digits <= abs(value) < 1e15
    return f"{value:,.0f}" if is_long else f"{value:.{digits}g}"


class Ink:
    """A painter with the colours of the widget's theme."""

    def __init__(self, widget: QWidget) -> None:
        self.painter = QPainter(widget)
        self.painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        text = widget.palette().color(QPalette.ColorRole.WindowText)
        self.orange, self.blue = curve_colours(text)
        self.text = text
        self.faint = QColor(text)
        self.faint.setAlphaF(0.25)

    def draw_values(
        self,
        scale: Scale,
        colour: QColor,
        place: float,
        side: Qt.AlignmentFlag,
        *,
        intervals: int = 2,
        percent: bool = False,
    ) -> None:
        """Write the ticks of a vertical axis to the left (right-aligned) or right of a place."""
        metrics = self.painter.fontMetrics()
        self.painter.setPen(colour)
        for value in ticks(scale.limit, intervals):
            text = f"{100 * value:.3g} %" if percent else number_text(value)
            width = metrics.horizontalAdvance(text) + 2
            left = side == Qt.AlignmentFlag.AlignRight
            x = place - GAP - width if left else place + GAP
            box = QRectF(x, scale.place(value) - metrics.height() / 2, width, metrics.height())
            self.painter.drawText(box, side | Qt.AlignmentFlag.AlignVCenter, text)

    def draw_curve(self, series: Series, x: Scale, y: Scale, colour: QColor) -> None:
        """Draw a curve, with no more points than can be seen."""
        if not len(series):
            return
        self.painter.setPen(QPen(colour, 1.5))
        points = series.thinned(max(2, round(x.end - x.start)))
        line = QPolygonF([QPointF(x.place(a), y.place(b)) for a, b in points.tolist()])
        self.painter.drawPolyline(line)

    def draw_dot(self, point: QPointF, colour: QColor) -> None:
        """Draw a dot."""
        self.painter.setPen(Qt.PenStyle.NoPen)
        self.painter.setBrush(colour)
        self.painter.drawEllipse(point, 3.5, 3.5)
