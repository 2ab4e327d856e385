"""The plots: fast, hidden until there is something to see, readable on light and dark."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QEvent, QPoint
from qtpy.QtGui import QColor, QHelpEvent, QImage, QPalette
from qtpy.QtWidgets import QToolTip, QWidget

from napari_unet.engine.events import Corrected, LabelsTaken, StepDone, Validated
from napari_unet.ui.parts.curves import ticks
from napari_unet.ui.train.plot import CorrectionsCurve, TrainingPlot, _Ink, _round_times, _short


@pytest.fixture
def plot(qtbot: QtBot) -> Iterator[TrainingPlot]:
    plot = TrainingPlot()
    qtbot.addWidget(plot)
    plot.resize(300, plot.height())
    yield plot
    plot.release()


def fill(plot: TrainingPlot, steps: int = 200) -> None:
    rng = np.random.default_rng(0)
    for step in range(1, steps + 1):
        seconds = 60 * step / steps
        loss = float(0.7 * np.exp(-seconds / 20) * rng.uniform(0.5, 1.5))
        plot.add_step(StepDone(step, loss, seconds, step / steps))
        if step % (steps // 20) == 0:
            iou = 1 - float(np.exp(-seconds / 15))
            plot.add_validation(Validated(step, seconds, loss, iou, best=seconds < 50))


def drawn(
    widget: QWidget, *, dark: bool = False
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return the pixels (Y, X, 4) of the widget on a plain background."""
    palette = QPalette()
    palette.setColor(QPalette.ColorRole.WindowText, QColor("#f0f1f2" if dark else "#3b3a39"))
    widget.setPalette(palette)
    image = QImage(widget.size(), QImage.Format.Format_RGB32)
    image.fill(QColor("#262930" if dark else "#efebe9"))
    widget.render(image, flags=QWidget.RenderFlag.DrawChildren)
    bits: Any = image.constBits()
    bits.setsize(image.sizeInBytes())
    return np.frombuffer(bytes(bits), np.uint8).reshape(image.height(), image.width(), 4)


def test_nothing_is_shown_before_there_is_something(plot: TrainingPlot) -> None:
    plot.begin()
    assert plot.isHidden()
    fill(plot, 20)
    plot._show()
    assert not plot.isHidden()


@pytest.mark.parametrize("dark", [False, True])
def test_a_refresh_with_10_000_points_takes_less_than_10_ms(plot: TrainingPlot, dark: bool) -> None:
    fill(plot, 10_000)
    took = []
    for _ in range(15):
        start = time.thread_time()
        drawn(plot, dark=dark)
        took.append(time.thread_time() - start)
    assert np.median(took) < 0.010, took


def test_both_curves_and_the_strokes_are_drawn(plot: TrainingPlot) -> None:
    fill(plot)
    plot.add_strokes(LabelsTaken(30, 9.0, (1,), 10, ()))
    without = drawn(plot)
    plot.add_strokes(LabelsTaken(100, 30.0, (1,), 10, ()))
    changed = np.flatnonzero((drawn(plot) != without).any(axis=(0, 2)))
    assert len(changed) <= 3  # one thin line
    time_axis, _, _ = plot._scales()
    assert changed.mean() == pytest.approx(time_axis.place(30), abs=1.5)
    colours = {
        QColor(*map(int, p[::-1])).hue() for p in np.unique(without[..., :3].reshape(-1, 3), axis=0)
    }
    assert any(25 <= hue <= 40 for hue in colours)  # orange: the loss
    assert any(200 <= hue <= 215 for hue in colours)  # blue: the IoU


def test_the_best_before_new_strokes_is_marked_no_more(plot: TrainingPlot) -> None:
    fill(plot)
    plot.add_strokes(LabelsTaken(200, 60.0, (1,), 10, ()))
    assert plot._best is None
    plot.add_validation(Validated(210, 63.0, 0.1, 0.8, best=True))
    assert plot._best == (63.0, 0.8)


@pytest.mark.parametrize("dark", [False, True])
def test_the_curves_stand_out_from_the_background(plot: TrainingPlot, dark: bool) -> None:
    empty = drawn(plot, dark=dark)[0, 150, :3].astype(int)
    fill(plot)
    contrast = np.abs(drawn(plot, dark=dark)[..., :3].astype(int) - empty).sum(axis=2)
    assert (contrast > 200).sum() > 300


def test_the_values_under_the_mouse_are_told(plot: TrainingPlot, qtbot: QtBot) -> None:
    plot.add_step(StepDone(1, 0.5, 10.0, 0.1))
    plot.add_validation(Validated(1, 10.0, 0.5, 0.25, best=True))
    plot.add_validation(Validated(9, 20.0, 0.2, 0.75, best=True))
    time_axis, _, _ = plot._scales()
    assert plot.summary(time_axis.value(time_axis.place(10))) == "10 s · loss 0.500 · IoU 0.25"
    assert plot.summary() == "20 s · loss 0.500 · IoU 0.75"
    where = QPoint(round(time_axis.place(20)), 50)
    plot.event(QHelpEvent(QEvent.Type.ToolTip, where, plot.mapToGlobal(where)))
    assert QToolTip.text() == "20 s · loss 0.500 · IoU 0.75"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is written beside the axes."""
    texts: list[str] = []

    def write(ink: Any, scale: Any, *_: Any, intervals: int = 2, percent: bool = False) -> None:
        texts.extend(f"{value:.3g}" for value in ticks(scale.limit, intervals))

    monkeypatch.setattr(_Ink, "draw_values", write)
    return texts


def test_an_axis_has_figures_once_there_is_something_on_it(
    plot: TrainingPlot, written: list[str]
) -> None:
    drawn(plot)
    assert written == []
    plot.add_validation(Validated(0, 0.5, 0.7, 0.25, best=True))
    drawn(plot)
    assert written == ["0", "0.5", "1"]  # of the IoU
    plot.add_step(StepDone(1, 0.3, 1.0, 0.1))
    written.clear()
    drawn(plot)
    assert written == ["0", "0.2", "0.4", "0", "0.5", "1"]


def test_corrections_without_a_mistake_have_an_ordinary_axis(
    qtbot: QtBot, written: list[str]
) -> None:
    curve = CorrectionsCurve()
    qtbot.addWidget(curve)
    for step in range(2):
        curve.add(Corrected(step, 1.0, 100, 0.0))
    drawn(curve._sketch)
    assert written == ["0", "1"]


def test_it_is_described_in_words(plot: TrainingPlot) -> None:
    fill(plot)
    plot._show()
    assert plot.accessibleName()
    assert plot.accessibleDescription().startswith("60 s · loss ")


def test_another_run_replaces_the_last_at_its_first_point(plot: TrainingPlot) -> None:
    fill(plot)
    plot.add_strokes(LabelsTaken(100, 30.0, (1,), 10, ()))
    plot.begin()
    assert plot.summary().startswith("60 s")
    plot.add_step(StepDone(1, 0.5, 3.0, 0.1))
    assert plot.summary() == "3 s · loss 0.500"
    assert plot._strokes == []
    assert plot._best is None


def test_it_is_redrawn_four_times_a_second_at_most(plot: TrainingPlot, qtbot: QtBot) -> None:
    shown: list[None] = []
    plot._redraw.triggered.connect(lambda: shown.append(None))
    start = time.monotonic()
    while time.monotonic() - start < 0.6:
        plot.add_step(StepDone(1, 0.5, 1.0, 0.1))
        qtbot.wait(5)
    assert 2 <= len(shown) <= 4


def test_it_does_not_widen_the_dock(plot: TrainingPlot) -> None:
    fill(plot)
    assert plot.minimumSizeHint().width() < 100
    assert plot.height() >= 110


@pytest.mark.parametrize(
    ("latest", "texts"),
    [
        (3, ["0", "1 s", "2 s", "3 s"]),
        (9, ["0", "5 s"]),
        (25, ["0", "10 s", "20 s"]),
        (60, ["0", "20 s", "40 s", "1 min"]),
        (200, ["0", "2 min"]),
        (3000, ["0", "20 min", "40 min"]),
        (30_000, ["0", "5 h"]),
    ],
)
def test_times_are_few_and_round(latest: float, texts: list[str]) -> None:
    assert [_short(seconds) for seconds in _round_times(latest)] == texts


def test_a_correction_is_told_in_words(qtbot: QtBot) -> None:
    curve = CorrectionsCurve()
    qtbot.addWidget(curve)
    assert curve.isHidden()
    curve.add(Corrected(9, 3.0, 1240, 0.31))
    curve.add(Corrected(20, 6.0, 1240, 0.08))
    assert not curve.isHidden()
    assert curve.text.text() == "Last correction: 8 % of 1,240 px were wrong."
    curve.resize(280, 80)
    assert len(np.unique(drawn(curve).reshape(-1, 4), axis=0)) > 3
    curve.clear()
    assert curve.isHidden()


def test_the_curve_falls_with_the_share_that_was_wrong(qtbot: QtBot) -> None:
    curve = CorrectionsCurve()
    qtbot.addWidget(curve)
    for wrong in (0.4, 0.2, 0.1):
        curve.add(Corrected(1, 1.0, 100, wrong))
    sketch = curve._sketch
    sketch.resize(200, 44)
    plain = drawn(sketch)[-1, -1]
    marked = (drawn(sketch) != plain).any(axis=2)
    columns = np.flatnonzero(marked[:, 60:].any(axis=0)) + 60
    first = np.flatnonzero(marked[:, columns[0]]).mean()
    last = np.flatnonzero(marked[:, columns[-1]]).mean()
    assert first < last  # from the top to the bottom


def test_the_iou_of_strokes_alone_is_named_so(plot: TrainingPlot) -> None:
    fill(plot, 20)
    named = drawn(plot)
    assert "· IoU 0.98" in plot.summary()
    plot.judge(1)
    assert "· IoU of strokes 0.98" in plot.summary()
    assert (drawn(plot) != named).any()
    plot.judge(2)
    np.testing.assert_array_equal(drawn(plot), named)
