"""How training goes: loss and IoU against time, and how much each correction changed."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QHelpEvent, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QToolTip, QVBoxLayout, QWidget
from superqt.utils import qthrottled

from napari_unet.engine.counts import duration
from napari_unet.engine.events import Corrected, LabelsTaken, StepDone, Validated
from napari_unet.engine.paint import tell_of_objects
from napari_unet.ui.parts.curves import Scale, Series, round_limit
from napari_unet.ui.parts.ink import GAP, Ink
from napari_unet.ui.parts.text import PlainLabel
from napari_unet.ui.train.job import describe_correction

_REDRAW_MS = 250
_HEIGHT = 130  # pixels
_SMOOTHING = 0.95  # about the last twenty steps
_ROUND_TIMES = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)  # seconds


class TrainingPlot(QWidget):
    """Loss (smoothed) and validation IoU against time.

    The best weights are marked with a dot, new strokes with a thin line. Hidden until there is
    something to see; redrawn at most four times a second.
    """

    def __init__(self) -> None:
        super().__init__()
        self._loss = Series(_SMOOTHING)
        self._iou = Series()
        self._best: tuple[float, float] | None = None  # seconds, IoU
        self._strokes: list[float] = []  # seconds
        self._name = "IoU"  # of what is held out
        self._is_over = False  # what comes next belongs to another run
        self._redraw = qthrottled(self._show, timeout=_REDRAW_MS)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(_HEIGHT)
        self.setAccessibleName("Plot of the training")
        self.hide()

    def begin(self) -> None:
        """Draw another run from its first point on; until then the last one stays."""
        self._is_over = True

    def judge(self, whole_objects: int | None) -> None:
        """Name what the IoU is of; of strokes alone it says nothing about outlines."""
        self._name = "IoU" if tell_of_objects(whole_objects) else "IoU of strokes"

    def add_step(self, event: StepDone) -> None:
        """Draw the loss of a step."""
        self._clear_if_over()
        self._loss.add(event.seconds, event.loss)
        self._redraw()

    def add_validation(self, event: Validated) -> None:
        """Draw an IoU; the last one whose weights are kept is marked."""
        self._clear_if_over()
        self._iou.add(event.seconds, event.iou)
        if event.best:
            self._best = event.seconds, event.iou
        self._redraw()

    def add_strokes(self, event: LabelsTaken) -> None:
        """Mark when new strokes were taken in; what was the best before may not be any more."""
        self._strokes.append(event.seconds)
        self._best = None
        self._redraw()

    def summary(self, seconds: float | None = None) -> str:
        """Return the values at a time, or the last ones, in one line."""
        points = [series.last[0] for series in (self._loss, self._iou) if len(series)]
        if not points:
            return ""
        when = max(points) if seconds is None else max(0.0, min(seconds, max(points)))
        values = [duration(when)]
        for name, series, digits in (("loss", self._loss, 3), (self._name, self._iou, 2)):
            value = series.at(when)
            values += [] if value is None else [f"{name} {value:.{digits}f}"]
        return " · ".join(values)

    def release(self) -> None:
        """Draw nothing more."""
        self._redraw.cancel()

    def event(self, event: QEvent | None) -> bool:
        """Show the values under the mouse as a tooltip."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            time, _loss, _iou = self._scales()
            text = self.summary(time.value(event.pos().x()))
            QToolTip.showText(event.globalPos(), text, self)
            return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: ARG002, N802 Qt
        """Draw axes, legend, strokes and curves."""
        time, loss, iou = self._scales()
        ink = _Ink(self)
        ink.draw_time(time, iou.start)
        if len(self._loss):
            ink.draw_values(loss, ink.loss, time.start, Qt.AlignmentFlag.AlignRight)
        if len(self._iou):
            ink.draw_values(iou, ink.iou, time.end, Qt.AlignmentFlag.AlignLeft)
        names = "loss" if len(self._loss) else "", self._name if len(self._iou) else ""
        ink.draw_legend(time, *names)
        ink.draw_strokes(self._strokes, time, iou)
        ink.draw_curve(self._loss, time, loss, ink.loss)
        ink.draw_curve(self._iou, time, iou, ink.iou)
        if self._best is not None:
            ink.draw_dot(QPointF(time.place(self._best[0]), iou.place(self._best[1])), ink.iou)
        ink.painter.end()

    def _clear_if_over(self) -> None:
        if self._is_over:
            self._loss, self._iou = Series(_SMOOTHING), Series()
            self._best, self._strokes = None, []
            self._is_over = False

    def _show(self) -> None:
        self.setVisible(len(self._loss) + len(self._iou) > 0)
        self.setAccessibleDescription(self.summary())
        self.update()

    def _scales(self) -> tuple[Scale, Scale, Scale]:
        """Return where time, loss and IoU lie."""
        line = self.fontMetrics().height()
        sides = self.fontMetrics().horizontalAdvance("0.000") + GAP
        latest = max((s.last[0] for s in (self._loss, self._iou) if len(s)), default=0.0)
        bottom, top = self.height() - line - GAP, line + 2 * GAP
        time = Scale(max(latest, 1.0), sides, max(self.width() - sides, sides + 1))
        loss = Scale(round_limit(self._loss.highest), bottom, top)
        return time, loss, Scale(1.0, bottom, top)


class CorrectionsCurve(QWidget):
    """Share of the newly painted pixels that the model had wrong, correction by correction.

    It falls towards 0 as the model gets to know what it is to find. Hidden until there is
    a correction.
    """

    def __init__(self) -> None:
        super().__init__()
        self._series = Series()
        self.text = PlainLabel()
        self._sketch = _Sketch(self._series)
        self.text.setWordWrap(True)
        self.setToolTip(
            "Share of your new strokes that the model had wrong before it learned from them. "
            "Near 0 %: there is little left to correct."
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.text)
        column.addWidget(self._sketch)
        self.hide()

    def clear(self) -> None:
        """Forget all corrections: another network, or other labels."""
        self._series.clear()
        self.hide()

    def add(self, event: Corrected) -> None:
        """Draw one more correction."""
        self._series.add(len(self._series), event.wrong)
        self.text.setText(f"{describe_correction(event)}.")
        self._sketch.setAccessibleDescription(self.text.text())
        self._sketch.setVisible(len(self._series) > 1)  # a single point is no curve
        self._sketch.update()
        self.show()


class _Sketch(QWidget):
    """A small curve from 0 to its highest value, a dot for each point."""

    def __init__(self, series: Series) -> None:
        super().__init__()
        self._series = series
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(44)
        self.setAccessibleName("Curve of the corrections")

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: ARG002, N802 Qt
        """Draw the curve."""
        ink = _Ink(self)
        sides = self.fontMetrics().horizontalAdvance("100 %") + GAP
        height = round_limit(self._series.highest, 1)
        wrong = Scale(min(1.0, height), self.height() - 8, 8)
        number = Scale(max(len(self._series) - 1, 1), sides, self.width() - 8)
        ink.draw_values(
            wrong, ink.iou, sides, Qt.AlignmentFlag.AlignRight, intervals=1, percent=True
        )
        ink.draw_curve(self._series, number, wrong, ink.iou)
        for x, y in self._series.thinned(self.width()):
            ink.draw_dot(QPointF(number.place(x), wrong.place(y)), ink.iou)
        ink.painter.end()


class _Ink(Ink):
    """Draws what only the plot of a training has."""

    @property
    def loss(self) -> QColor:
        """Colour of the loss."""
        return self.orange

    @property
    def iou(self) -> QColor:
        """Colour of the IoU."""
        return self.blue

    def draw_time(self, time: Scale, bottom: float) -> None:
        """Draw the axis below, with a few round times."""
        self.painter.setPen(QPen(self.faint, 1))
        self.painter.drawLine(QPointF(time.start, bottom), QPointF(time.end, bottom))
        line = self.painter.fontMetrics().height()
        self.painter.setPen(self.text)
        for seconds in _round_times(time.limit):
            box = QRectF(time.place(seconds) - 40, bottom + GAP, 80, line)
            self.painter.drawText(box, Qt.AlignmentFlag.AlignCenter, _short(seconds))

    def draw_legend(self, time: Scale, loss: str, iou: str) -> None:
        """Name the curves above the ticks that are theirs."""
        box = QRectF(0, 0, time.end + time.start, self.painter.fontMetrics().height())
        if loss:
            self.painter.setPen(self.loss)
            self.painter.drawText(box, Qt.AlignmentFlag.AlignLeft, loss)
        if iou:
            self.painter.setPen(self.iou)
            self.painter.drawText(box, Qt.AlignmentFlag.AlignRight, f"● best   {iou}")

    def draw_strokes(self, strokes: list[float], time: Scale, height: Scale) -> None:
        """Draw a thin line for each time at which new strokes came in."""
        self.painter.setPen(QPen(self.text, 1, Qt.PenStyle.DotLine))
        for seconds in strokes:
            x = time.place(seconds)
            self.painter.drawLine(QPointF(x, height.start), QPointF(x, height.end))


def _round_times(latest: float) -> list[float]:
    """Return two to four round times up to the latest, 0 among them."""
    hours = round_limit(latest / 3600) / 2
    step = next((s for s in _ROUND_TIMES if latest / s <= 3), 3600 * hours)
    return [n * step for n in range(int(latest / step) + 1)]


def _short(seconds: float) -> str:
    """Return "0", "20 s", "2 min", "1 h"."""
    if seconds == 0:
        return "0"
    for unit, name in ((3600, "h"), (60, "min")):
        if seconds >= unit and seconds % unit == 0:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s" if seconds < 3600 else f"{seconds / 60:.0f} min"
