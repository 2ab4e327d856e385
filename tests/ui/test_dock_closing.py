"""Closing the dock: the job ends, and nothing is left of it but the layers."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from weakref import ref

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QThreadPool
from qtpy.QtWidgets import QApplication, QWidget

from napari_unet.config import Unpainted
from napari_unet.engine.events import StepDone, Stop, TrainDone
from napari_unet.ui.dock import UNetPaint
from napari_unet.ui.model.step import ModelStep
from napari_unet.ui.runner import JobState
from napari_unet.ui.segment import job as segment_job
from napari_unet.ui.train import job as train_job
from napari_unet.ui.train.job import TrainingBegins
from napari_unet.ui.train.step import TrainStep
from tests.ui.conftest import Calls, endless_training, job_of, segmenting_job
from tests.ui.pressing import begin, buttons, can_press, open_dock, press, step

STEP = StepDone(120, 0.25, 10.0, 0.25)
Fake = Callable[..., Calls]

pytestmark = pytest.mark.usefixtures("device_at_once", "painted")


class Endless:
    """A training that runs until it is stopped, and knows whether it was."""

    def __init__(self) -> None:
        self.has_ended = False

    def __call__(self, stop: Stop) -> Iterator[object]:
        yield from endless_training(STEP, last=STEP)(stop)
        self.has_ended = True


@pytest.fixture
def endless(fake: Fake) -> Endless:
    """A training that runs until it is stopped."""
    endless = Endless()
    fake(train_job, "train_on_labels", endless)
    return endless


def listeners(viewer: ViewerModel) -> list[str]:
    """Return who listens to the viewer, its parts and its layers."""
    camera = getattr(viewer, "scene", viewer).camera  # napari >= 0.9 has it in the scene
    sources = [viewer, viewer.layers, viewer.layers.selection, viewer.dims, camera]
    groups = [source.events for source in (*sources, *viewer.layers)]
    return [
        f"{name}: {_owner(callback)}"
        for group in groups
        for name, emitter in group.emitters.items()
        for callback in emitter.callbacks
    ]


def _owner(callback: Any) -> str:
    """Return the function, or the class and method, that is called."""
    if isinstance(callback, tuple):  # of a method: a weak reference to its object, and its name
        kind = type(callback[0]())
        return f"{kind.__module__}.{kind.__qualname__}.{callback[1]}"
    return f"{callback.__module__}.{getattr(callback, '__qualname__', type(callback))}"


def ours(viewer: ViewerModel) -> list[str]:
    return [listener for listener in listeners(viewer) if "napari_unet" in listener]


def use(dock: UNetPaint, fake: Fake, trained: TrainDone, qtbot: QtBot) -> None:
    """Train and segment, so that all that follows layers has some to follow."""
    fake(train_job, "train_on_labels", job_of(TrainingBegins(), STEP, trained))
    press(dock, "train", qtbot)
    press(dock, "segment", qtbot)


def test_closing_stops_the_job_and_lets_go_of_the_viewer(
    dock: UNetPaint, viewer: ViewerModel, endless: Endless, qtbot: QtBot
) -> None:
    begin(dock, "train", qtbot)
    dock.close()
    assert endless.has_ended
    assert dock.workbench.runner.state is JobState.IDLE
    said = dock.progress.status.text()
    viewer.layers.clear()
    viewer.add_layer(Image(np.zeros((4, 4))))
    qtbot.wait(150)
    assert dock.progress.status.text() == said
    dock.close()  # twice is harmless


def test_a_window_that_is_destroyed_takes_the_job_with_it(
    viewer: ViewerModel, endless: Endless, qtbot: QtBot
) -> None:
    before = listeners(viewer)
    window = QWidget()
    dock = open_dock(viewer, qtbot)
    dock.setParent(window)
    begin(dock, "train", qtbot)
    with qtbot.waitSignal(dock.destroyed):
        window.deleteLater()
    assert endless.has_ended
    viewer.layers.remove("preview")
    assert listeners(viewer) == before


def test_a_dock_that_napari_takes_out_of_its_window_closes(
    viewer: ViewerModel, endless: Endless, qtbot: QtBot
) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    dock = open_dock(viewer, qtbot)
    dock.setParent(window)
    begin(dock, "train", qtbot)
    with qtbot.waitSignal(dock.destroyed):
        dock.setParent(None)
    assert endless.has_ended
    assert ours(viewer) == []


def test_nobody_listens_to_the_viewer_after_closing(
    viewer: ViewerModel,
    fake: Fake,
    trained: TrainDone,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(segment_job, "segment_images", segmenting_job(7))
    before, keys = listeners(viewer), dict(viewer.keymap)
    dock = open_dock(viewer, qtbot)
    qtbot.addWidget(dock)
    assert ours(viewer)
    use(dock, fake, trained, qtbot)
    dock.close()
    assert ours(viewer) == []
    viewer.layers.remove("cells segmentation")
    assert listeners(viewer) == before
    assert viewer.keymap == keys


def test_a_closed_dock_is_not_kept_alive(
    viewer: ViewerModel,
    fake: Fake,
    trained: TrainDone,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(segment_job, "segment_images", segmenting_job(7))
    windows = set(QApplication.topLevelWidgets())
    dock = open_dock(viewer, qtbot)
    use(dock, fake, trained, qtbot)
    parts: list[Any] = [dock, dock.workbench, *dock.steps, *vars(dock.controls).values()]
    held = {type(part).__name__: ref(part) for part in parts}
    del parts
    dock.close()
    del dock
    pool = QThreadPool.globalInstance()
    assert pool is not None
    assert pool.waitForDone(2000)
    qtbot.wait(10)
    gc.collect()
    assert {name for name, part in held.items() if part() is not None} == set()
    assert set(QApplication.topLevelWidgets()) <= windows


def test_python_ends_in_peace_while_the_window_is_open(tmp_path: Path) -> None:
    script = """
from napari.components import ViewerModel
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from napari_unet.ui.dock import UNetPaint

app = QApplication([])
dock = UNetPaint(ViewerModel())
dock.show()
QTest.qWait(100)  # a job is looking for the device
"""
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        check=False,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == 0, done.stderr


def test_it_opens_again_after_it_was_closed_in_mid_training(
    dock: UNetPaint,
    viewer: ViewerModel,
    labels: Labels,
    endless: Endless,
    fake: Fake,
    trained: TrainDone,
    qtbot: QtBot,
) -> None:
    begin(dock, "train", qtbot)
    dock.close()
    again = open_dock(viewer, qtbot)
    qtbot.addWidget(again)
    assert again.workbench.choices.labels is labels  # not the preview
    assert "stop" not in can_press(again)
    fake(train_job, "train_on_labels", job_of(TrainingBegins(), STEP, trained))
    press(again, "train", qtbot)
    assert [layer.name for layer in viewer.layers].count("preview") == 1
    assert buttons(again)["segment"].isEnabled()
    again.close()


def test_it_opens_again_with_the_model_that_was_trained_last(
    viewer: ViewerModel, fake: Fake, trained: TrainDone, qtbot: QtBot
) -> None:
    fake(train_job, "train_on_labels", job_of(TrainingBegins(), STEP, trained))
    first = open_dock(viewer, qtbot)
    qtbot.addWidget(first)
    press(first, "train", qtbot)
    first.workbench.choose(unpainted=Unpainted.BACKGROUND)
    first.close()
    again = open_dock(viewer, qtbot)
    qtbot.addWidget(again)
    assert again.workbench.choices.model is trained.model
    assert again.workbench.choices.unpainted is Unpainted.BACKGROUND
    assert can_press(again) >= {"keep", "segment"}
    assert step(again, ModelStep).picker.currentText() == "Trained, not kept"
    assert step(again, TrainStep).status.text() == "Trained 9 steps · IoU 0.90 · best at 8"
    again.close()
    other = open_dock(ViewerModel(), qtbot)
    qtbot.addWidget(other)
    assert other.workbench.choices.model is None  # another viewer's, another image
    other.close()
