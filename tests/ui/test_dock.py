"""The dock with fake jobs: what can be pressed in each state, what is said, and what is kept."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from subprocess import run
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels
from napari.utils.notifications import Notification, notification_manager
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QCoreApplication, QPointF
from qtpy.QtGui import QEnterEvent
from qtpy.QtWidgets import QFileDialog

from napari_unet.config import Task
from napari_unet.engine.errors import EngineError
from napari_unet.engine.events import StepDone, TrainDone, TrainStarted
from napari_unet.engine.network.model import Model
from napari_unet.ui.compare import job as compare_job
from napari_unet.ui.correct import job as correct_job
from napari_unet.ui.device import job as device_job
from napari_unet.ui.dock import UNetPaint
from napari_unet.ui.export import job as export_job
from napari_unet.ui.export.step import ExportStep
from napari_unet.ui.inspect import job as inspect_job
from napari_unet.ui.labels.step import LabelsStep
from napari_unet.ui.layers.geometry import placement
from napari_unet.ui.model import job as model_job
from napari_unet.ui.runner import JobState
from napari_unet.ui.segment import job as segment_job
from napari_unet.ui.segment.step import SegmentStep
from napari_unet.ui.train import job as train_job
from napari_unet.ui.train.job import TrainingBegins
from napari_unet.ui.train.step import TrainStep
from napari_unet.ui.workbench import CurrentModel
from tests.ui.conftest import (
    Calls,
    endless_training,
    failing_job,
    job_of,
    segmenting_job,
)
from tests.ui.pressing import begin, buttons, can_press, press, step

STEP = StepDone(120, 0.25, 10.0, 0.25)
Fake = Callable[..., Calls]


@pytest.fixture
def notified() -> Iterator[list[Notification]]:
    """Record what napari notifies of."""
    seen: list[Notification] = []
    notification_manager.notification_ready.connect(seen.append)
    yield seen
    notification_manager.notification_ready.disconnect(seen.append)


# What can be pressed

PAINTED = {"new labels", "train", "inspect", "measure", "export"}
WITH_MODEL = PAINTED | {"segment", "suggest"}


def test_with_nothing_open_there_is_an_example(dock: UNetPaint, viewer: ViewerModel) -> None:
    viewer.layers.clear()
    assert can_press(dock) == {"show me"}
    assert dock.progress.stop.toolTip() == "Nothing is running."


def test_with_an_image_labels_can_be_made(
    dock: UNetPaint, viewer: ViewerModel, labels: Labels, qtbot: QtBot
) -> None:
    viewer.layers.remove(labels)
    assert can_press(dock) == {"new labels"}
    assert step(dock, TrainStep).action.hint.text() == "Press New labels and paint."
    step(dock, LabelsStep).new.click()
    assert dock.workbench.choices.labels is viewer.layers.selection.active
    qtbot.waitUntil(lambda: can_press(dock) == PAINTED - {"train", "inspect"})


def test_training_waits_for_enough_paint_and_says_for_what(
    dock: UNetPaint, labels: Labels, qtbot: QtBot
) -> None:
    train = step(dock, TrainStep).action

    def says(reason: str) -> bool:
        in_sight = train.hint.text(), train.button.toolTip()
        return not train.button.isEnabled() and all(reason in text for text in in_sight)

    labels.data[:] = 0
    labels.refresh()
    qtbot.waitUntil(lambda: says("Nothing is painted yet: paint background (1)"))
    assert not buttons(dock)["inspect"].isEnabled()
    labels.paint((0, 10, 10), 2)
    qtbot.waitUntil(lambda: says("Paint some background as 1, too."))
    labels.data[1, :5] = 1  # by a script, without a word
    place = QPointF(5, 5)
    QCoreApplication.sendEvent(dock, QEnterEvent(place, place, place))
    qtbot.waitUntil(lambda: can_press(dock) == PAINTED)
    assert train.hint.text() == "You can go on painting meanwhile."
    step(dock, LabelsStep).task.value = Task.CLASSES
    assert train.button.isEnabled()
    labels.data[0] = 0
    labels.refresh()
    qtbot.waitUntil(lambda: says("Paint another class, too."))


def test_with_labels_training_can_begin(dock: UNetPaint) -> None:
    assert can_press(dock) == PAINTED
    assert step(dock, SegmentStep).hint.text() == "Train on labels first, or choose a model."


def test_labels_that_do_not_fit_are_no_hindrance_to_segment(
    with_model: UNetPaint, labels: Labels
) -> None:
    labels.translate = (0, 0, 0)
    assert can_press(with_model) == WITH_MODEL - {"train", "inspect", "suggest"}
    assert "lies elsewhere" in step(with_model, TrainStep).action.hint.text()


def test_while_training_and_stopping(
    dock: UNetPaint, fake: Fake, trained: TrainDone, qtbot: QtBot
) -> None:
    fake(train_job, "train_on_labels", endless_training(STEP, last=trained))
    begin(dock, "train", qtbot)
    assert can_press(dock) == {"new labels", "stop"}
    with qtbot.waitSignal(dock.workbench.ended):
        dock.progress.stop.click()
        assert dock.workbench.runner.state is JobState.CANCELLING
        assert can_press(dock) == {"new labels"}
        assert step(dock, TrainStep).action.hint.text() == "Training… it is being stopped."
        assert "being finished" in dock.progress.stop.toolTip()
    assert can_press(dock) == WITH_MODEL | {"keep"}


def test_after_training_the_model_is_the_one_that_segments(
    dock: UNetPaint, fake: Fake, trained: TrainDone, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    calls = fake(train_job, "train_on_labels", job_of(TrainingBegins(), STEP, trained))
    turns: list[Any] = []

    def segment(asked: list[segment_job.Turn]) -> Any:
        turns.extend(asked)
        return segmenting_job(7)(asked)

    monkeypatch.setattr(segment_job, "segment_images", segment)
    press(dock, "train", qtbot)
    assert can_press(dock) == WITH_MODEL | {"keep"}
    assert dock.progress.status.text().startswith("Trained 9 steps")
    press(dock, "segment", qtbot)
    assert turns[0].plan.model is trained.model
    press(dock, "train", qtbot)  # goes on from it
    assert calls[-1][0][1].start is trained.model


def test_a_model_of_other_channels_is_refused_before_a_press(
    with_model: UNetPaint, model: Model
) -> None:
    workbench = with_model.workbench
    coloured = replace(model, network=replace(model.network, in_channels=3))
    workbench.choose(start=CurrentModel("coloured", coloured))
    assert not can_press(with_model) & {"train", "segment", "suggest"}
    hint = step(with_model, TrainStep).action.hint.text()
    assert hint.startswith("The image has 1 channel, but the model was trained on 3; choose")
    assert step(with_model, SegmentStep).hint.text() == hint


def test_a_model_of_one_channel_learns_more_but_segments_one(
    with_model: UNetPaint, viewer: ViewerModel
) -> None:
    first = with_model.workbench.choices.images[0]
    second = viewer.add_image(first.data, name="second", **placement(first))
    with_model.workbench.choose(images=(first, second))
    assert "train" in can_press(with_model)
    assert not can_press(with_model) & {"segment", "suggest"}
    assert "train it on this image" in step(with_model, SegmentStep).hint.text()


def test_a_job_that_was_stopped_without_a_word_is_told_of_as_stopped(
    dock: UNetPaint, qtbot: QtBot
) -> None:
    def wait(stop: Callable[[], bool]) -> Iterator[object]:
        while not stop():
            yield "step"

    dock.workbench.run("Exporting", wait)
    press(dock, "stop", qtbot)
    assert dock.progress.status.text() == "Stopped."


def test_a_training_that_is_stopped_before_its_first_step_leaves_the_bar_at_rest(
    dock: UNetPaint, fake: Fake, qtbot: QtBot
) -> None:
    begun = TrainStarted("cpu", (0,), 90, (), (0, 1), 7)
    fake(train_job, "train_on_labels", endless_training(begun, last=begun))
    begin(dock, "train", qtbot)
    press(dock, "stop", qtbot)
    qtbot.wait(200)  # the panel shows ten times a second what is told
    assert dock.progress.status.text() == "Stopped before the first step."
    assert dock.progress.bar.maximum() > 0  # else it moves without an end


def test_while_segmenting_and_paused(
    with_model: UNetPaint, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    monkeypatch.setattr(segment_job, "segment_images", segmenting_job(7, hold=True))
    with qtbot.waitSignal(with_model.controls.segmentation.told):
        begin(with_model, "segment", qtbot)
    runs = {"new labels", "pause", "take", "stop"}
    assert can_press(with_model) == runs
    buttons(with_model)["pause"].click()
    assert with_model.workbench.runner.state is JobState.PAUSED
    assert can_press(with_model) == runs  # the button says Resume
    press(with_model, "stop", qtbot)
    results = {"take", "compare"}
    assert can_press(with_model) == WITH_MODEL | results | {"start over"}


def test_stopped_planes_are_kept_and_the_next_press_goes_on(
    with_model: UNetPaint, viewer: ViewerModel, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    monkeypatch.setattr(segment_job, "segment_images", segmenting_job(7, hold=True))
    begin(with_model, "segment", qtbot)
    press(with_model, "stop", qtbot)
    result = viewer.layers["cells segmentation"]
    assert result.data.max(axis=(1, 2)).tolist() == [7, 0, 0]
    assert result.editable
    assert buttons(with_model)["segment"].text() == "Continue: 2 planes left"
    monkeypatch.setattr(segment_job, "segment_images", segmenting_job(8))
    press(with_model, "segment", qtbot)
    assert result.data.max(axis=(1, 2)).tolist() == [7, 8, 8]
    assert with_model.workbench.choices.result is result
    assert step(with_model, ExportStep).result.value is result
    assert can_press(with_model) == WITH_MODEL | {"take", "compare"}


@pytest.mark.usefixtures("painted")
def test_without_torch_it_says_why_and_how_to_mend_it(
    viewer: ViewerModel, qtbot: QtBot, fake: Fake
) -> None:
    fake(device_job, "find_device", job_of(device_job.TorchMissing("no DLL", "pip install torch")))
    dock = UNetPaint(viewer)
    qtbot.addWidget(dock)
    with qtbot.waitSignal(dock.workbench.ended):
        pass
    qtbot.waitUntil(lambda: can_press(dock) == PAINTED - {"train", "inspect"})
    assert step(dock, TrainStep).action.hint.text() == "PyTorch could not be loaded; see below."
    assert "no DLL" in dock.badge.cure.text()
    assert "pip install torch" in dock.badge.cure.text()
    dock.close()


# What is said


def _export(dock: UNetPaint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answer = str(tmp_path / "out.tif"), ""
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: answer)
    buttons(dock)["export"].click()


def _open_model(dock: UNetPaint, *_: object) -> None:
    dock.controls.models.choose(model_job.ModelFile(Path("a.safetensors")))


JOBS: dict[str, tuple[Any, str, Callable[..., None]]] = {
    "train": (train_job, "train_on_labels", lambda dock, *_: buttons(dock)["train"].click()),
    "inspect": (inspect_job, "inspect_labels", lambda dock, *_: buttons(dock)["inspect"].click()),
    "segment": (segment_job, "segment_images", lambda dock, *_: buttons(dock)["segment"].click()),
    "suggest": (correct_job, "suggest_places", lambda dock, *_: buttons(dock)["suggest"].click()),
    "compare": (compare_job, "compare", lambda dock, *_: buttons(dock)["compare"].click()),
    "export": (export_job, "export_files", _export),
    "open a model": (model_job, "open_file", _open_model),
}


@pytest.mark.parametrize("job", JOBS)
def test_a_failure_is_said_in_the_footer_and_notified_once(
    job: str,
    with_model: UNetPaint,
    viewer: ViewerModel,
    notified: list[Notification],
    fake: Fake,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    truth = viewer.add_labels(np.ones((3, 64, 48), np.uint8), name="truth")
    with_model.workbench.choose(result=truth)
    before = can_press(with_model)
    module, name, start = JOBS[job]
    fake(module, name, failing_job(EngineError("Out of memory; take a smaller patch.")))
    with qtbot.waitSignal(with_model.workbench.ended):
        start(with_model, monkeypatch, tmp_path)
    assert with_model.progress.status.text() == "Out of memory; take a smaller patch."
    assert [note.message for note in notified] == ["Out of memory; take a smaller patch."]
    assert type(notified[0]) is Notification  # words, no traceback
    assert with_model.progress.bar.maximum() > 0  # stands still
    assert can_press(with_model) == before


def test_the_dialog_that_is_cancelled_does_nothing(
    dock: UNetPaint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    buttons(dock)["export"].click()
    assert dock.workbench.runner.state is JobState.IDLE


_WHO_LOADS_TORCH = """
import sys, threading
threads = []
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            threads.append(threading.current_thread())
sys.meta_path.insert(0, Watch())
from napari.components import ViewerModel
from qtpy.QtCore import QThreadPool
from qtpy.QtWidgets import QApplication
from napari_unet.ui.dock import UNetPaint
app = QApplication([])
dock = UNetPaint(ViewerModel())
dock.workbench.ended.connect(app.quit)
app.exec()
assert dock.workbench.device is not None
assert threads and threading.main_thread() not in threads
dock.close()
QThreadPool.globalInstance().waitForDone()
"""


def test_it_opens_without_loading_torch_on_the_main_thread() -> None:
    command = [sys.executable, "-c", _WHO_LOADS_TORCH]
    done = run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
