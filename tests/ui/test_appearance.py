"""The dock can be read: on light and dark, docked and floating, at 100 % and 200 %."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.layers import Image, Labels
from pytestqt.exceptions import TimeoutError as NeverSeen
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, QRect, Qt
from qtpy.QtGui import QColor, QImage, QPalette
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QCheckBox,
    QDockWidget,
    QLabel,
    QPushButton,
    QScrollArea,
    QWidget,
)

from napari_unet.engine.events import StepDone, TrainDone, Validated
from napari_unet.ui.dock import UNetPaint
from napari_unet.ui.image.step import ImageStep
from napari_unet.ui.labels.step import LabelsStep
from napari_unet.ui.parts.folded import Folded
from napari_unet.ui.parts.ink import curve_colours
from napari_unet.ui.runner import JobState
from napari_unet.ui.train import job as train_job
from napari_unet.ui.train.pair_list import PairList
from napari_unet.ui.train.step import TrainStep
from tests.ui.conftest import Calls, endless_training, job_of
from tests.ui.pressing import LONG, begin, buttons, open_dock, step
from tests.ui.test_dock_closing import ours

pytestmark = pytest.mark.viewer

READABLE = 4.5  # contrast of text and its background: WCAG 2.2, success criterion 1.4.3
PRESSED = 3.0  # napari's own colour of a button that is pressed: 4.0 on its dark theme
NARROW = 320  # pixels
STEPS = (
    StepDone(1, 0.7, 1.0, 0.1),
    Validated(1, 1.0, 0.6, 0.5, True),
    StepDone(120, 0.25, 10.0, 0.9),
    Validated(120, 10.0, 0.2, 0.8, True),
)

Fake = Callable[..., Calls]


@pytest.fixture
def viewer(make_napari_viewer_proxy: Callable[..., Any], image: Image, labels: Labels) -> Any:
    """A real viewer that warns, and so fails, if a private attribute is touched."""
    viewer = make_napari_viewer_proxy(show=True, strict_qt="raise")
    labels.data[0, :8, :8] = 1
    labels.data[0, 20:28, 20:28] = 2
    viewer.add_layer(image)
    viewer.add_layer(labels)
    return viewer


@pytest.fixture
def dock(viewer: Any, qtbot: QtBot, device_at_once: None) -> UNetPaint:
    return open_dock(viewer, qtbot)  # goes with the viewer


@pytest.fixture
def window(viewer: Any, dock: UNetPaint) -> QDockWidget:
    """What napari puts the dock into."""
    window = viewer.window.add_dock_widget(dock, name="U-Net Paint")
    assert isinstance(window, QDockWidget)
    return window


@pytest.fixture
def full(
    dock: UNetPaint, window: QDockWidget, fake: Fake, trained: TrainDone, qtbot: QtBot
) -> UNetPaint:
    """A dock with a trained model and its plot, and everything unfolded."""
    fake(train_job, "train_on_labels", job_of(*STEPS, trained))
    with qtbot.waitSignal(dock.workbench.ended, timeout=LONG):
        buttons(dock)["train"].click()
    for folded in dock.findChildren(Folded):
        folded.fold.expand(animate=False)
    qtbot.wait(300)  # the plot is drawn at most four times a second
    return dock


@pytest.fixture
def are_in_sight(dock: UNetPaint, window: QDockWidget) -> Callable[[], bool]:
    """Tell whether the dock of a small screen shows all from its top to the button Train."""
    whole, area = window.window(), dock.findChild(QScrollArea)
    assert whole is not None
    assert area is not None
    whole.resize(1280, 720)

    def look() -> bool:
        view = area.viewport()
        assert view is not None
        first, last = step(dock, ImageStep).title, step(dock, TrainStep).action
        bottom = last.mapTo(view, QPoint(0, last.height())).y()
        return first.mapTo(view, QPoint(0, 0)).y() >= 0 and bottom <= view.height() <= 720

    return look


def test_the_first_steps_are_in_sight_on_a_small_screen(
    viewer: Any, dock: UNetPaint, are_in_sight: Callable[[], bool], labels: Labels, qtbot: QtBot
) -> None:
    train = step(dock, TrainStep)
    for theme in ("light", "dark"):
        viewer.theme = theme
        qtbot.waitUntil(are_in_sight)
    labels.data[:] = 0
    labels.refresh()
    qtbot.waitUntil(lambda: "Nothing is painted" in train.action.hint.text())
    qtbot.waitUntil(are_in_sight)
    viewer.layers.clear()
    qtbot.waitUntil(lambda: "Open an image" in train.action.hint.text())
    qtbot.waitUntil(are_in_sight)


def test_so_they_are_with_several_images_and_after_a_training(
    viewer: Any,
    dock: UNetPaint,
    are_in_sight: Callable[[], bool],
    fake: Fake,
    trained: TrainDone,
    qtbot: QtBot,
) -> None:
    for name in ("field 1 of the well", "field 2 of the well"):
        field = viewer.add_image(np.zeros((2, 44, 46), np.uint8), name=name)
        strokes = np.zeros(field.data.shape, np.int32)
        strokes[0, :8, :8], strokes[0, 20:28, 20:28] = 1, 2
        viewer.add_labels(strokes, name=f"{name} labels")
    pairs = dock.findChild(PairList)
    assert pairs is not None
    qtbot.waitUntil(lambda: len(pairs.boxes) == 3)
    for box in pairs.boxes:
        box.setChecked(True)
    qtbot.waitUntil(are_in_sight)
    fake(train_job, "train_on_labels", job_of(*STEPS, trained))
    with qtbot.waitSignal(dock.workbench.ended, timeout=LONG):
        buttons(dock)["train"].click()
    qtbot.waitUntil(lambda: "Trained" in step(dock, TrainStep).status.text())
    qtbot.waitUntil(are_in_sight)


def float_narrow(window: QDockWidget, qtbot: QtBot) -> None:
    """Let it float, as narrow as it can be."""
    window.setFloating(True)
    qtbot.wait(100)
    window.resize(1, 600)
    assert window.isFloating()
    assert window.width() <= NARROW


def texts(dock: UNetPaint) -> list[QLabel | QAbstractButton]:
    """Return what can be read: visible labels and buttons with a text."""
    found: list[QLabel | QAbstractButton] = [*dock.findChildren(QLabel)]
    found += [*dock.findChildren(QPushButton), *dock.findChildren(QCheckBox)]
    return [one for one in found if one.isVisible() and one.text().strip()]


def assert_whole(dock: UNetPaint, qtbot: QtBot) -> None:
    """Nothing is cut off, once everything has found its place."""
    qtbot.wait(100)
    with suppress(NeverSeen):
        qtbot.waitUntil(lambda: not cut_off(dock))
    assert cut_off(dock) == []
    assert numbers_cut_off(dock) == []


def cut_off(dock: UNetPaint) -> list[str]:
    """Return the texts that are not seen whole."""
    area = dock.findChild(QScrollArea)
    assert area is not None
    viewport = area.viewport()
    assert viewport is not None
    return [
        f"{one.text()}: {one.width()}×{one.height()}"
        for one in texts(dock)
        if not _fits(one) or not _is_within(one, viewport if area.isAncestorOf(one) else dock)
    ]


def numbers_cut_off(dock: UNetPaint) -> list[str]:
    """Return the texts in boxes for numbers that are not seen whole."""
    boxes = [box for box in dock.findChildren(QAbstractSpinBox) if box.isVisible()]
    fields = [(box.text(), box.lineEdit()) for box in boxes]
    return [
        f"{text}: {field.width()} of {field.fontMetrics().horizontalAdvance(text)}"
        for text, field in fields
        if field and field.width() < field.fontMetrics().horizontalAdvance(text)
    ]


def _fits(one: QLabel | QAbstractButton) -> bool:
    if isinstance(one, QLabel) and one.wordWrap():
        words = max(map(one.fontMetrics().horizontalAdvance, one.text().split()))
        return one.width() >= words and one.height() >= one.heightForWidth(one.width())
    hint = one.minimumSizeHint()
    return one.width() >= hint.width() and one.height() >= hint.height()


def _is_within(one: QWidget, outer: QWidget) -> bool:
    left = one.mapTo(outer, QPoint(0, 0)).x()
    return left >= 0 and left + one.width() <= outer.width()


def contrast(first: QColor, second: QColor) -> float:
    """Return the contrast ratio of WCAG 2.2, from 1 to 21."""
    dark, light = sorted((_luminance(first), _luminance(second)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: QColor) -> float:
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (colour.redF(), colour.greenF(), colour.blueF())
    ]
    return sum(w * v for w, v in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def seen_contrast(picture: QImage) -> float:
    """Return the contrast of the ink to the paper, which is the most frequent colour."""
    drawn = picture.convertToFormat(QImage.Format.Format_RGB32)
    bits: Any = drawn.constBits()
    bits.setsize(drawn.sizeInBytes())
    colours, pixels = np.unique(np.frombuffer(bits, np.uint32), return_counts=True)
    paper = QColor(int(colours[pixels.argmax()]))
    return max(contrast(QColor(int(colour)), paper) for colour in colours)


def pictures(dock: UNetPaint) -> Iterator[tuple[QLabel | QAbstractButton, QImage]]:
    """Yield each text with its picture, as it is in the column."""
    area = dock.findChild(QScrollArea)
    assert area is not None
    content = area.widget()
    assert content is not None
    for whole in (content, dock):
        drawn = whole.grab().toImage()
        ratio = drawn.devicePixelRatio()
        for one in texts(dock):
            if content.isAncestorOf(one) == (whole is content):
                place = one.mapTo(whole, QPoint(0, 0)) * ratio
                yield one, drawn.copy(QRect(place, one.size() * ratio))


def test_nothing_is_cut_off_docked_and_floating(
    full: UNetPaint, window: QDockWidget, qtbot: QtBot
) -> None:
    assert len(texts(full)) > 60
    assert_whole(full, qtbot)
    float_narrow(window, qtbot)
    assert_whole(full, qtbot)
    window.setFloating(False)
    assert_whole(full, qtbot)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_stands_out_from_its_background(
    viewer: Any, full: UNetPaint, theme: str, qtbot: QtBot
) -> None:
    viewer.theme = theme
    qtbot.wait(100)
    seen = {one: seen_contrast(picture) for one, picture in pictures(full) if one.isEnabled()}
    assert len(seen) > 50
    needed = {one: PRESSED if _is_pressed(one) else READABLE for one in seen}
    assert [f"{one.text()}: {seen[one]:.1f}" for one in seen if seen[one] < needed[one]] == []
    palette = full.palette()
    text, paper = (palette.color(role) for role in _INK_AND_PAPER)
    assert (text.lightness() > paper.lightness()) == (theme == "dark")
    assert all(contrast(colour, paper) >= READABLE for colour in curve_colours(text))


_INK_AND_PAPER = (QPalette.ColorRole.WindowText, QPalette.ColorRole.Window)


def _is_pressed(one: QWidget) -> bool:
    return isinstance(one, QAbstractButton) and one.isChecked()


def test_twice_as_large_it_is_as_readable(tmp_path: Path) -> None:
    if os.environ.get("QT_SCALE_FACTOR"):
        pytest.skip("this is the process that looks at it at this size")
    tests = ("test_nothing_is_cut_off", "test_every_text_stands_out", "test_the_scale_is_as_set")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *(__file__, "-k", " or ".join(tests)),
        ],
        check=False,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "QT_SCALE_FACTOR": "2"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout


def test_the_scale_is_as_set(qtbot: QtBot) -> None:
    widget = QWidget()
    qtbot.addWidget(widget)
    assert widget.devicePixelRatioF() == float(os.environ.get("QT_SCALE_FACTOR") or 1)


def test_training_and_keys_go_on_while_the_dock_floats(
    viewer: Any, dock: UNetPaint, window: QDockWidget, fake: Fake, trained: TrainDone, qtbot: QtBot
) -> None:
    fake(train_job, "train_on_labels", endless_training(STEPS[0], last=trained))
    told: list[object] = []
    dock.controls.training.reported.connect(told.append)
    line = step(dock, LabelsStep).status
    qtbot.waitUntil(lambda: "1 object" in line.text())  # counted, so that the next number is known
    begin(dock, "train", qtbot)
    for is_floating in (True, False):
        window.setFloating(is_floating)
        assert window.isFloating() == is_floating
        told.clear()
        qtbot.waitUntil(lambda: len(told) > 2)
        assert dock.workbench.runner.state is JobState.RUNNING
        assert "preview" in viewer.layers
        qtbot.keyClick(line, Qt.Key.Key_N)  # type: ignore[no-untyped-call]
        assert viewer.layers["strokes"].selected_label == 3
        viewer.layers["strokes"].selected_label = 1
    with qtbot.waitSignal(dock.workbench.ended):
        dock.progress.stop.click()
    assert dock.workbench.choices.model is trained.model


def test_a_floating_dock_that_is_closed_lets_go_of_everything(
    viewer: Any, dock: UNetPaint, window: QDockWidget, fake: Fake, trained: TrainDone, qtbot: QtBot
) -> None:
    fake(train_job, "train_on_labels", endless_training(STEPS[0], last=trained))
    runner = dock.workbench.runner
    begin(dock, "train", qtbot)
    float_narrow(window, qtbot)
    with qtbot.waitSignal(dock.destroyed):
        viewer.window.remove_dock_widget(dock)
    assert runner.state is JobState.IDLE
    assert ours(viewer.__wrapped__) == []
    assert not [one for one in QApplication.topLevelWidgets() if isinstance(one, UNetPaint)]
