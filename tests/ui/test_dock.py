"""The dock widget with fake jobs: what can be pressed in each state, and what is said and kept."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels
from napari.utils.notifications import Notification, notification_manager
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QPushButton, QWidget

from napari_unet.config import NETWORKS, RECIPES, Optimiser, Task, Unpainted
from napari_unet.engine.errors import EngineError, LabelsError
from napari_unet.engine.events import (
    FinishReason,
    PlaneDone,
    SegmentDone,
    SegmentStarted,
    StepDone,
    TrainDone,
)
from napari_unet.engine.model import Model, TrainRecord
from napari_unet.ui.dock import UNetPaint
from napari_unet.ui.jobs import work
from napari_unet.ui.jobs.runner import Job, JobState
from tests.ui.conftest import endless_job, failing_job, job_of

Asked = dict[str, tuple[tuple[Any, ...], dict[str, Any]]]


@pytest.fixture
def trained(model: Model) -> TrainDone:
    record = TrainRecord(steps=9, best_step=8, seconds=1, validation_iou=0.9)
    return TrainDone(FinishReason.TIME, replace(model, record=record))


@pytest.fixture
def dock(viewer: ViewerModel, qtbot: QtBot, device_at_once: None) -> Iterator[UNetPaint]:
    dock = UNetPaint(viewer)
    qtbot.addWidget(dock)
    wait_until_idle(dock, qtbot)
    yield dock
    dock.close()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Asked]:
    """Put a fake job in the place of each named one; return what it was asked to do."""
    asked: Asked = {}

    def install(**jobs: Job) -> Asked:
        for name, job in jobs.items():

            def fake(*args: Any, name: str = name, job: Job = job, **kwargs: Any) -> Job:
                asked[name] = (args, kwargs)
                return job

            monkeypatch.setattr(work, name, fake)
        return asked

    return install


@pytest.fixture
def notified() -> Iterator[list[Notification]]:
    """Record what napari notifies of."""
    seen: list[Notification] = []
    notification_manager.notification_ready.connect(seen.append)
    yield seen
    notification_manager.notification_ready.disconnect(seen.append)


def state(dock: UNetPaint) -> JobState:
    return dock._session.runner.state


def wait_until_idle(dock: UNetPaint, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: state(dock) is JobState.IDLE)


def press(dock: UNetPaint, button: QPushButton, qtbot: QtBot) -> None:
    """Press a button and wait for the job to end."""
    assert button.isEnabled(), button.toolTip()
    with qtbot.waitSignal(dock._session.ended):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)  # type: ignore[no-untyped-call]


def enabled(dock: UNetPaint) -> set[str]:
    buttons = {
        "train": dock._train.button,
        "segment": dock._segment.button,
        "export": dock._export.button,
        "open": dock._model.open,
        "save": dock._model.save,
        "stop": dock._progress.stop,
    }
    for name, button in buttons.items():
        assert button.toolTip(), f"{name} has no tooltip"
    return {name for name, button in buttons.items() if button.isEnabled()}


def status(dock: UNetPaint) -> str:
    return str(dock._progress.status.text())


# What can be pressed


def test_it_opens_without_loading_torch() -> None:
    code = "import sys; import napari_unet.ui.dock; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_buttons_when_idle_without_a_model(dock: UNetPaint) -> None:
    assert enabled(dock) == {"train", "export", "open"}
    assert dock._segment.hint.text() == "Train on labels first, or open a model."
    assert dock._segment.button.toolTip() == dock._segment.hint.text()
    assert dock._progress.stop.toolTip() == "Nothing is running."


def test_buttons_while_running_and_cancelling(
    dock: UNetPaint, qtbot: QtBot, asked: Any, trained: TrainDone
) -> None:
    asked(train_on_labels=endless_job(StepDone(1, 0.5, 1, 0.1), last=trained))
    with qtbot.waitSignal(dock._session.runner.reported):
        dock._train.button.click()
    assert enabled(dock) == {"stop"}
    assert dock._train.hint.text() == "Training… wait, or press Stop."
    with qtbot.waitSignal(dock._session.ended):
        dock._progress.stop.click()
        assert state(dock) is JobState.CANCELLING
        assert enabled(dock) == set()
        assert "being finished" in dock._progress.stop.toolTip()
    assert enabled(dock) == {"train", "segment", "export", "open", "save"}


def test_buttons_after_a_failure(dock: UNetPaint, qtbot: QtBot, asked: Any) -> None:
    asked(train_on_labels=failing_job(EngineError("Out of memory; take a smaller patch.")))
    press(dock, dock._train.button, qtbot)
    assert enabled(dock) == {"train", "export", "open"}


def test_buttons_after_finishing(
    dock: UNetPaint, qtbot: QtBot, asked: Any, trained: TrainDone
) -> None:
    asked(train_on_labels=job_of(StepDone(1, 0.5, 1, 0.1), trained))
    press(dock, dock._train.button, qtbot)
    assert enabled(dock) == {"train", "segment", "export", "open", "save"}
    assert dock._model.text.text() == "Trained, IoU 0.900"
    assert dock._progress.bar.value() == dock._progress.bar.maximum()
    assert status(dock).startswith("Trained 9 steps")


def test_without_layers_each_button_says_what_to_do(dock: UNetPaint, viewer: ViewerModel) -> None:
    viewer.layers.clear()
    assert enabled(dock) == {"open"}
    assert dock._train.hint.text().startswith("Open an image first")
    assert dock._segment.hint.text().startswith("Open an image first")
    assert dock._export.hint.text().startswith("Nothing to export yet")
    assert not dock._form.new_labels.isEnabled()
    assert dock._form.new_labels.toolTip().startswith("Open an image first")


def test_labels_that_do_not_fit_stop_training_only(
    dock: UNetPaint, viewer: ViewerModel, labels: Labels
) -> None:
    viewer.layers.remove(labels)
    viewer.add_labels(np.zeros((64, 48), dtype=np.uint8), name="flat")
    assert enabled(dock) == {"export", "open"}
    assert "'flat' has 2 axes, but 'cells' has 3" in dock._train.hint.text()


def test_a_layer_that_moved_meanwhile_is_noticed_at_the_click(
    dock: UNetPaint, labels: Labels, asked: Any
) -> None:
    seen = asked(train_on_labels=job_of())
    labels.translate = (0, 0, 0)
    dock._train.button.click()
    assert not seen
    assert "lies elsewhere" in dock._train.hint.text()


def test_new_makes_labels_that_fit_and_picks_them(dock: UNetPaint, viewer: ViewerModel) -> None:
    dock._form.new_labels.click()
    layer = viewer.layers["cells labels"]
    assert dock._form.choices().labels == layer
    assert viewer.layers.selection.active == layer
    assert "train" in enabled(dock)


def test_without_torch_it_says_why(
    viewer: ViewerModel, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = failing_job(EngineError("PyTorch cannot be loaded (no DLL). Run doctor."))
    monkeypatch.setattr(work, "find_device", lambda: broken)
    dock = UNetPaint(viewer)
    qtbot.addWidget(dock)
    wait_until_idle(dock, qtbot)
    assert "train" not in enabled(dock)
    assert dock._train.hint.text() == "PyTorch could not be loaded; see below."
    assert "no DLL" in status(dock)
    dock.close()


def test_the_device_is_in_sight_with_its_reason_and_cure(dock: UNetPaint) -> None:
    assert dock._device.text() == "Runs on CPU, 1 threads (chosen by hand).\nFaster: buy a GPU"


# What is said


def test_a_failure_is_said_in_place_and_notified_once(
    dock: UNetPaint, qtbot: QtBot, asked: Any, notified: list[Notification]
) -> None:
    asked(train_on_labels=failing_job(LabelsError("Nothing is painted. Paint background.")))
    press(dock, dock._train.button, qtbot)
    assert status(dock) == "Nothing is painted. Paint background."
    assert [note.message for note in notified] == ["Nothing is painted. Paint background."]
    assert type(notified[0]) is Notification  # words, no traceback
    assert dock._progress.bar.minimum() < dock._progress.bar.maximum()  # the bar stands still


def test_how_to_paint_follows_task_and_unpainted(dock: UNetPaint) -> None:
    texts = set()
    for task in Task:
        for unpainted in Unpainted:
            dock._form._task.value = task
            dock._form._unpainted.value = unpainted
            texts.add(dock._form.how_to_paint.text())
    assert len(texts) == 4


# What reaches the engine


def test_training_asks_for_what_is_chosen(
    dock: UNetPaint, qtbot: QtBot, asked: Any, image: Image, labels: Labels, trained: TrainDone
) -> None:
    seen = asked(train_on_labels=job_of(trained))
    labels.paint((2, 30, 30), 4)
    dock._form._task.value = Task.CLASSES
    dock._form._unpainted.value = Unpainted.BACKGROUND
    dock._form._start.value = "2015"
    dock._form._seconds._widgets["seconds"].value = 17
    dock._form._train._widgets["sigma"].value = 3
    dock._form._augment._widgets["noise"].value = 0.1
    press(dock, dock._train.button, qtbot)
    (planes, painted), options = seen["train_on_labels"]
    recipe = RECIPES["2015"]
    assert options["start"] == NETWORKS["2015"]
    assert options["task"] is Task.CLASSES
    assert options["unpainted"] is Unpainted.BACKGROUND
    assert options["config"] == replace(
        recipe, seconds=17, sigma=3, augment=replace(recipe.augment, noise=0.1)
    )
    assert options["config"].optimiser is Optimiser.SGD
    assert options["pixel_size"] == pytest.approx((0.5, 0.25))
    whole = slice(0, 64), slice(0, 48)
    np.testing.assert_array_equal(planes.read(1, *whole)[0], image.data[1])
    np.testing.assert_array_equal(painted.read(2, *whole)[0], labels.data[2])


def test_training_again_goes_on_from_the_current_model(
    dock: UNetPaint, qtbot: QtBot, asked: Any, trained: TrainDone
) -> None:
    seen = asked(train_on_labels=job_of(trained))
    starts = []
    for start in (None, None, "light"):
        if start is not None:
            dock._form._start.value = start
        press(dock, dock._train.button, qtbot)
        starts.append(seen["train_on_labels"][1]["start"])
    assert starts == [NETWORKS["light"], trained.model, NETWORKS["light"]]


def segmentation(value: int, reason: FinishReason = FinishReason.COMPLETED) -> list[object]:
    values = np.full((64, 48), value, dtype=np.int32)
    return [
        SegmentStarted("CPU", (0, 1, 2), 3, 64),
        PlaneDone(1, values, objects=1, complete=True),
        SegmentDone(reason, (1,), 1.0),
    ]


@pytest.fixture
def with_model(dock: UNetPaint, qtbot: QtBot, asked: Any, trained: TrainDone) -> UNetPaint:
    asked(train_on_labels=job_of(trained))
    press(dock, dock._train.button, qtbot)
    return dock


def test_segmenting_fills_a_layer_and_offers_it_for_export(
    with_model: UNetPaint, viewer: ViewerModel, qtbot: QtBot, asked: Any, trained: TrainDone
) -> None:
    seen = asked(segment_stack=job_of(*segmentation(7)))
    viewer.dims.set_current_step(0, 2)
    with_model._form._objects._widgets["min_size"].value = 5
    with_model._form._tiling._widgets["rotations"].value = 7
    press(with_model, with_model._segment.button, qtbot)
    (model, planes), options = seen["segment_stack"]
    assert model is trained.model
    assert planes.count == 3
    assert options["focus"][0] == 2  # the plane on screen
    assert options["objects"].min_size == 5
    assert options["tiling"].rotations == 7
    layer = viewer.layers["cells segmentation"]
    assert (layer.data[1] == 7).all()
    assert layer.editable
    assert with_model._result.value == layer


def test_labels_are_never_segmented_into(
    with_model: UNetPaint, viewer: ViewerModel, qtbot: QtBot, asked: Any
) -> None:
    asked(segment_stack=job_of(*segmentation(7)))
    press(with_model, with_model._segment.button, qtbot)
    result = viewer.layers["cells segmentation"]
    with_model._form.choose_labels(result)  # to correct it and train on it
    press(with_model, with_model._segment.button, qtbot)
    assert len([layer for layer in viewer.layers if "segmentation" in layer.name]) == 2


def test_removing_the_result_stops_the_segmentation(
    with_model: UNetPaint, viewer: ViewerModel, qtbot: QtBot, asked: Any
) -> None:
    started, plane, done = segmentation(7)

    def job(stop: Any) -> Iterator[object]:
        yield started
        yield from endless_job(plane, last=done)(stop)

    asked(segment_stack=job)
    with qtbot.waitSignal(with_model._session.ended):
        with qtbot.waitSignal(with_model._session.result_changed):
            with_model._segment.button.click()
        viewer.layers.remove("cells segmentation")
    assert enabled(with_model) >= {"segment", "train"}


def test_export_asks_for_a_name_beside_the_image(
    dock: UNetPaint,
    image: Image,
    labels: Labels,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    proposed: list[str] = []

    def answer(_parent: Any, _title: str, proposal: str, _kind: str) -> tuple[str, str]:
        proposed.append(proposal)
        return str(tmp_path / "out"), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", answer)
    labels.paint((1, 30, 30), 4)
    press(dock, dock._export.button, qtbot)
    assert Path(proposed[0]).name == "strokes.tif"
    assert (tmp_path / "out.tif").is_file()
    assert status(dock) == f"Saved out.tif in {tmp_path}."


def test_a_cancelled_dialog_does_nothing(
    with_model: UNetPaint, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("getSaveFileName", "getOpenFileName"):
        monkeypatch.setattr(QFileDialog, name, lambda *_: ("", ""))
    for button in (with_model._export.button, with_model._model.open, with_model._model.save):
        button.click()
        assert state(with_model) is JobState.IDLE


def test_a_saved_model_can_be_opened_again(
    with_model: UNetPaint, trained: TrainDone, qtbot: QtBot, monkeypatch: Any, tmp_path: Path
) -> None:
    path = tmp_path / "hela.safetensors"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    press(with_model, with_model._model.save, qtbot)
    with_model._form._task.value = Task.CLASSES
    press(with_model, with_model._model.open, qtbot)
    assert with_model._form.choices().task is Task.OBJECTS  # the model's
    opened = with_model._session.model
    assert opened is not None
    assert opened is not trained.model
    assert opened.network == trained.model.network
    assert with_model._model.text.text() == "hela, IoU 0.900"


# Closing


def test_closing_stops_the_job_and_lets_go_of_the_viewer(
    dock: UNetPaint, viewer: ViewerModel, image: Image, qtbot: QtBot, asked: Any
) -> None:
    asked(train_on_labels=endless_job(StepDone(1, 0.5, 1, 0.1), last=StepDone(2, 0.5, 1, 0.1)))
    with qtbot.waitSignal(dock._session.runner.reported):
        dock._train.button.click()
    worker = dock._session.runner._worker
    dock.close()
    assert state(dock) is JobState.IDLE
    assert worker.wait(2)
    text = status(dock)
    viewer.layers.clear()
    viewer.add_layer(Image(np.zeros((4, 4))))
    qtbot.wait(150)
    assert status(dock) == text
    dock.close()  # twice is harmless


def connections(viewer: ViewerModel) -> int:
    events = viewer.layers.events
    emitters = [events.inserted, events.removed, events.reordered]
    emitters += [layer.events.name for layer in viewer.layers]
    return sum(len(emitter.callbacks) for emitter in emitters)


def test_no_connection_is_left_after_closing(
    viewer: ViewerModel, qtbot: QtBot, device_at_once: None
) -> None:
    before = connections(viewer)
    dock = UNetPaint(viewer)
    qtbot.addWidget(dock)
    assert connections(viewer) > before
    dock.close()
    assert connections(viewer) == before


def test_a_window_that_is_destroyed_takes_the_job_with_it(
    viewer: ViewerModel, qtbot: QtBot, asked: Any, device_at_once: None
) -> None:
    before = connections(viewer)
    window = QWidget()
    dock = UNetPaint(viewer)
    dock.setParent(window)
    wait_until_idle(dock, qtbot)
    asked(train_on_labels=endless_job(StepDone(1, 0.5, 1, 0.1), last=StepDone(2, 0.5, 1, 0.1)))
    with qtbot.waitSignal(dock._session.runner.reported):
        dock._train.button.click()
    worker = dock._session.runner._worker
    with qtbot.waitSignal(dock.destroyed):
        window.deleteLater()
    assert worker.wait(2)
    assert connections(viewer) == before


def test_a_closed_widget_is_not_kept_alive(
    viewer: ViewerModel, qtbot: QtBot, device_at_once: None
) -> None:
    dock = UNetPaint(viewer)
    wait_until_idle(dock, qtbot)
    dock.close()
    seen = weakref.ref(dock)
    del dock
    qtbot.wait(10)
    gc.collect()
    assert seen() is None
