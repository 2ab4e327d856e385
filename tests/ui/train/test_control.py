"""Training, started with the choices made: what reaches the job, and what becomes of its events."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels
from pytestqt.qtbot import QtBot

from napari_unet.config import NETWORKS, NetworkConfig, ObjectsConfig, Task, TrainConfig, Unpainted
from napari_unet.engine.errors import EngineError, LabelsError
from napari_unet.engine.events import (
    Corrected,
    FinishReason,
    LabelsTaken,
    PaintedPixels,
    Previewed,
    StepDone,
    TrainDone,
    TrainStarted,
    Validated,
    View,
)
from napari_unet.engine.network.model import Model
from napari_unet.engine.network.record import HeldOut, TrainRecord
from napari_unet.engine.paint import TrainingSet
from napari_unet.engine.paint.label_scheme import LabelScheme
from napari_unet.engine.training.plan import TrainingPlan
from napari_unet.ui.runner import JobEnd, JobState
from napari_unet.ui.train import job as train_job
from napari_unet.ui.train.control import Training
from napari_unet.ui.workbench import CurrentModel, Workbench
from napari_unet.ui.worker import Job
from tests.ui.conftest import CPU, endless_job, failing_job, job_of

CONFIG, OBJECTS = TrainConfig(seconds=7), ObjectsConfig(min_size=3)
STARTED = TrainStarted("CPU", (1,), 1200, (), (0, 1), 99)
BLOCK = HeldOut(0, (0, 8), (0, 8), 30)
STEP = StepDone(120, 0.2134, 10.0, 0.25)
PREVIEW = Previewed(View(1, slice(8, 24), slice(4, 20)), np.ones((16, 16), np.int32), 3, 1.0)
PAINTED = (PaintedPixels(1, (0, 0), np.zeros((4, 4), np.uint8)),)


@pytest.fixture
def trained(model: Model) -> TrainDone:
    record = TrainRecord(steps=300, best_step=280, seconds=60, validation_iou=0.834)
    return TrainDone(FinishReason.TIME, replace(model, record=record), PAINTED)


@pytest.fixture
def training(workbench: Workbench, qtbot: QtBot) -> Iterator[Training]:
    training = Training(workbench)
    yield training
    training.release()


Install = Callable[[Job], tuple[list[Any], dict[str, Any]]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a fake job in the place of training; return what it was asked to do."""

    def install(job: Job) -> tuple[list[Any], dict[str, Any]]:
        planes: list[Any] = []
        settings: dict[str, Any] = {}

        def fake(
            pairs: TrainingSet, plan: TrainingPlan, live: Any, *, lessons: Any, keeping: Any
        ) -> Job:
            planes[:] = [*pairs.images, *pairs.labels]
            settings.clear()
            settings.update({field.name: getattr(plan, field.name) for field in fields(plan)})
            settings.update(live=live, lessons=lessons)
            return job

        monkeypatch.setattr(train_job, "train_on_labels", fake)
        return planes, settings

    return install


def run(training: Training, qtbot: QtBot, **options: Any) -> JobEnd:
    with qtbot.waitSignal(training._workbench.ended) as ended:
        training.start(CONFIG, OBJECTS, **options)
    end: JobEnd = ended.args[0]
    return end


def lines(workbench: Workbench) -> list[str]:
    told: list[str] = []
    workbench.progressed.connect(lambda progress: told.append(progress.text))
    return told


def test_every_choice_reaches_the_job(
    training: Training, workbench: Workbench, asked: Install, model: Model, qtbot: QtBot
) -> None:
    planes, settings = asked(job_of())
    network = NetworkConfig(levels=3, dropout=0.25)
    workbench.choose(task=Task.CLASSES, unpainted=Unpainted.BACKGROUND)
    run(training, qtbot, network=network)
    live, (lesson,) = settings.pop("live"), settings.pop("lessons")
    assert settings.pop("objects")() == OBJECTS
    assert (lesson.image.name, lesson.image.axes, lesson.labels.name) == ("cells", "ZYX", "strokes")
    assert lesson.unpainted is Unpainted.BACKGROUND
    assert settings == {
        "start": network,
        "scheme": LabelScheme(Task.CLASSES, Unpainted.BACKGROUND),
        "config": CONFIG,
        "device": CPU,
        "known": (),
        "sizes": workbench.sizes,
    }
    assert [part.shape for part in planes] == [(64, 48), (64, 48)]
    assert planes[0].pixel_size == (0.5, 0.25)
    assert live.take_painted() == frozenset()


def test_labels_are_read_as_they_are_when_the_job_asks(
    training: Training, labels: Labels, asked: Install, qtbot: QtBot
) -> None:
    planes, _ = asked(job_of())
    run(training, qtbot)
    labels.data[2, 5, 6] = 9
    assert planes[1].read(2, slice(5, 6), slice(6, 7)) == 9


def test_it_starts_from_the_network_or_model_that_is_chosen(
    training: Training, workbench: Workbench, asked: Install, model: Model, qtbot: QtBot
) -> None:
    _, settings = asked(job_of())
    run(training, qtbot)
    assert settings["start"] == NETWORKS["light"]
    workbench.choose(start=CurrentModel("mine", model))
    run(training, qtbot, network=NETWORKS["2015"])
    assert settings["start"] is model


def test_previews_can_be_switched_off(training: Training, asked: Install, qtbot: QtBot) -> None:
    _, settings = asked(endless_job(STEP, last=STEP))
    views = []
    for preview in (True, False):
        training.start(CONFIG, OBJECTS, preview=preview)
        views.append(settings["live"].view())
        with qtbot.waitSignal(training._workbench.ended):
            training._workbench.stop()
    assert views == [View(1, slice(0, 64), slice(0, 48)), None]


def test_each_event_is_passed_on(
    training: Training, asked: Install, trained: TrainDone, qtbot: QtBot
) -> None:
    events = (
        STARTED,
        STEP,
        Validated(120, 10.0, 0.3, 0.81, best=True),
        Corrected(120, 10.0, 40, 0.5),
        LabelsTaken(120, 10.0, (1, 2), 12400, ()),
        PREVIEW,
        trained,
    )
    asked(job_of(*events))
    seen: list[object] = []
    training.reported.connect(seen.append)
    run(training, qtbot)
    assert seen == list(events)


def test_the_model_comes_onto_the_workbench(
    training: Training, workbench: Workbench, asked: Install, trained: TrainDone, qtbot: QtBot
) -> None:
    asked(job_of(STARTED, trained))
    run(training, qtbot)
    start = workbench.choices.start
    assert isinstance(start, CurrentModel)
    assert start.model is trained.model
    assert start.name.startswith("cells, trained ")
    assert start.path is None


def test_what_was_learned_is_known_to_the_next_run_on_the_same_labels(
    training: Training,
    workbench: Workbench,
    viewer: ViewerModel,
    asked: Install,
    trained: TrainDone,
    qtbot: QtBot,
) -> None:
    _, settings = asked(job_of(trained))
    known = []
    other = Labels(np.zeros((3, 64, 48), np.uint8), scale=(2, 0.5, 0.25), translate=(0, 10, 20))
    first = workbench.choices.labels
    viewer.add_layer(other)
    for choice in (
        {},
        {},
        {"labels": other},
        {"labels": first},
        {"unpainted": Unpainted.BACKGROUND},
        {},
        {"start": NETWORKS["light"]},
        {"start": CurrentModel("three classes", replace(trained.model, values=(1, 2, 3)))},
    ):
        workbench.choose(**choice)
        run(training, qtbot)
        known.append(settings["known"])
    assert known == [(), PAINTED, (), PAINTED, (), PAINTED, (), ()]


def test_labels_are_held_weakly(
    training: Training, workbench: Workbench, asked: Install, trained: TrainDone, qtbot: QtBot
) -> None:
    planes, settings = asked(job_of(trained))
    labels = Labels(np.zeros((3, 64, 48), np.uint8))
    workbench.choose(labels=labels)
    run(training, qtbot)
    assert len(training._painted) == 1
    gone = weakref.ref(labels)
    workbench.choose(labels=None)
    planes.clear()
    settings.clear()
    del labels
    gc.collect()
    assert gone() is None
    assert len(training._painted) == 0


def test_the_preview_is_shown_and_stays(
    training: Training, workbench: Workbench, asked: Install, trained: TrainDone, qtbot: QtBot
) -> None:
    asked(job_of(STARTED, PREVIEW, trained))
    run(training, qtbot)
    assert "preview" in workbench.viewer.layers


def test_what_is_held_out_of_the_chosen_labels_is_noted(
    training: Training, workbench: Workbench, labels: Labels, asked: Install, qtbot: QtBot
) -> None:
    asked(job_of(replace(STARTED, held_out=(BLOCK,)), LabelsTaken(3, 1.0, (0,), 90, (BLOCK,) * 2)))
    run(training, qtbot)
    assert workbench.held_out == 2


def test_what_is_held_out_of_others_is_not(
    training: Training, workbench: Workbench, labels: Labels, asked: Install, qtbot: QtBot
) -> None:
    asked(endless_job(replace(STARTED, held_out=(BLOCK,)), last=STEP))
    with qtbot.waitSignal(workbench.ended):
        training.start(CONFIG, OBJECTS)
        workbench.choose(labels=None)
        with qtbot.waitSignals([training.reported] * 3):
            pass
        workbench.stop()
    assert workbench.held_out is None


def test_events_of_other_jobs_are_not_taken_for_ours(
    training: Training, workbench: Workbench, trained: TrainDone, qtbot: QtBot
) -> None:
    seen: list[object] = []
    training.reported.connect(seen.append)
    with qtbot.waitSignal(workbench.ended):
        workbench.run("Comparing", job_of(trained))
    assert seen == []
    assert workbench.choices.model is None


def test_the_line_says_where_one_stands_in_every_state(
    training: Training, workbench: Workbench, asked: Install, trained: TrainDone, qtbot: QtBot
) -> None:
    asked(endless_job(STEP, last=trained))
    assert training.where() == "Not trained yet"
    training.start(CONFIG, OBJECTS)
    assert training.where() == "Training: reading the labels"
    qtbot.waitUntil(lambda: training.where() == "Training: step 120")
    workbench.runner.pause()
    assert training.where() == "Paused: step 120"
    workbench.runner.resume()
    with qtbot.waitSignal(workbench.ended) as ended:
        workbench.stop()
        assert training.where() == "Stopping: step 120"
    assert ended.args == [JobEnd.STOPPED]
    assert training.where() == "Trained 300 steps · IoU 0.83 · best at 280"
    asked(failing_job(LabelsError("Nothing is painted.")))
    assert run(training, qtbot) is JobEnd.FAILED
    assert training.where() == "Training failed."
    asked(job_of(STARTED, trained))
    assert run(training, qtbot) is JobEnd.COMPLETED
    assert training.where().startswith("Trained 300 steps")


def test_a_training_that_is_stopped_at_once_says_so(
    training: Training, workbench: Workbench, asked: Install, qtbot: QtBot
) -> None:
    asked(endless_job(STARTED, last=STARTED))
    told = lines(workbench)
    training.start(CONFIG, OBJECTS)
    with qtbot.waitSignal(workbench.ended):
        workbench.stop()
    assert told[-1] == "Stopped before the first step."
    assert training.where() == "Not trained yet"


def test_a_failure_after_some_steps_leaves_the_best_model_on_the_workbench(
    training: Training, workbench: Workbench, trained: TrainDone, asked: Install, qtbot: QtBot
) -> None:
    failed = replace(trained, reason=FinishReason.FAILED)
    asked(failing_job(EngineError("The device failed."), STARTED, STEP, failed))
    with qtbot.waitSignal(workbench.failed) as told:
        assert run(training, qtbot) is JobEnd.FAILED
    assert told.args == ["The device failed."]
    assert workbench.choices.model is trained.model
    assert training.where() == "Training failed. Trained 300 steps · IoU 0.83 · best at 280"


def test_images_that_do_not_go_together_are_told_of(
    training: Training, workbench: Workbench, asked: Install, qtbot: QtBot
) -> None:
    asked(job_of())
    flat = Image(np.zeros((20, 20), np.uint8))
    workbench.choose(images=(*workbench.choices.images, flat))
    with qtbot.waitSignal(workbench.failed):
        training.start(CONFIG, OBJECTS)
    assert not training.is_running


def test_after_release_nothing_holds_it(
    workbench: Workbench, labels: Labels, asked: Install, qtbot: QtBot
) -> None:
    asked(endless_job(STEP, last=STEP))
    before = len(labels.events.paint.callbacks)
    training = Training(workbench)
    training.start(CONFIG, OBJECTS)
    training.release()
    assert len(labels.events.paint.callbacks) == before
    with qtbot.waitSignal(workbench.ended):
        workbench.stop()
    gone = weakref.ref(training)
    del training
    gc.collect()
    assert gone() is None


def test_the_state_after_the_end_is_idle_when_the_dock_is_told(
    training: Training, workbench: Workbench, asked: Install, qtbot: QtBot
) -> None:
    asked(job_of(STARTED))
    states = []
    workbench.changed.connect(lambda: states.append((workbench.runner.state, training.is_running)))
    run(training, qtbot)
    qtbot.waitUntil(lambda: states[-1:] == [(JobState.IDLE, False)])
