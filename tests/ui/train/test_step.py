"""The step Train: every setting reaches the training, and every state says what can be done."""

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
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QPushButton

from napari_unet.config import (
    NETWORKS,
    RECIPES,
    AugmentConfig,
    Balance,
    NetworkConfig,
    ObjectsConfig,
    Optimiser,
    Sampling,
    TrainConfig,
)
from napari_unet.engine.errors import EngineError
from napari_unet.engine.events import (
    Corrected,
    FinishReason,
    LabelsTaken,
    Previewed,
    Reviewed,
    StepDone,
    TrainDone,
    TrainStarted,
    Validated,
    View,
)
from napari_unet.engine.network.model import Model
from napari_unet.engine.network.record import Diameter, DiameterSource, TrainRecord
from napari_unet.engine.paint import TrainingSet
from napari_unet.engine.training.plan import TrainingPlan
from napari_unet.ui.parts.settings import SettingWords
from napari_unet.ui.runner import JobState
from napari_unet.ui.train import job as train_job
from napari_unet.ui.train import settings as words
from napari_unet.ui.train.control import Training
from napari_unet.ui.train.preview import PreviewLayer
from napari_unet.ui.train.step import TrainStep
from napari_unet.ui.workbench import CurrentModel, Workbench
from napari_unet.ui.worker import Job
from tests.ui.conftest import endless_job, failing_job, job_of

STARTED = TrainStarted("CPU", (1,), 1200, (), (0, 1), 99)
STEP = StepDone(120, 0.2134, 10.0, 0.25)
VALIDATED = Validated(120, 10.0, 0.3, 0.81, best=True)
OBJECTS = ObjectsConfig(threshold=0.3)
BUSY = "Training… wait, or press Stop. New strokes are taken in as you paint."


@pytest.fixture
def trained(model: Model) -> TrainDone:
    record = TrainRecord(steps=300, best_step=280, seconds=60, validation_iou=0.834)
    return TrainDone(FinishReason.TIME, replace(model, record=record))


@pytest.fixture
def step(workbench: Workbench, qtbot: QtBot) -> Iterator[TrainStep]:
    training = Training(workbench)
    step = TrainStep(workbench, training, lambda: OBJECTS)
    qtbot.addWidget(step)
    workbench.changed.connect(step.refresh)
    yield step
    workbench.changed.disconnect(step.refresh)
    step.release()
    training.release()


Install = Callable[[Job], dict[str, Any]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Install:
    def install(job: Job) -> dict[str, Any]:
        settings: dict[str, Any] = {}

        def fake(
            pairs: TrainingSet, plan: TrainingPlan, live: Any, *, lessons: Any, keeping: Any
        ) -> Job:
            settings.clear()
            settings.update({field.name: getattr(plan, field.name) for field in fields(plan)})
            settings.update(live=live)
            return job

        monkeypatch.setattr(train_job, "train_on_labels", fake)
        return settings

    return install


def click(step: TrainStep, qtbot: QtBot) -> None:
    qtbot.mouseClick(step.action.button, Qt.MouseButton.LeftButton)  # type: ignore[no-untyped-call]


def train(step: TrainStep, qtbot: QtBot) -> None:
    with qtbot.waitSignal(step.workbench.ended):
        click(step, qtbot)
    qtbot.waitUntil(lambda: not step._training.is_running)


def other(value: Any, row: SettingWords) -> Any:
    """Return another value that the form can hold."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, Optimiser):
        return Optimiser.SGD
    if isinstance(value, Balance):
        return Balance.NEVER
    if isinstance(value, Sampling):
        return Sampling.PIXELS
    larger = round((value or 0) + row.step, 6)
    return larger if larger <= row.high else round(value - row.step, 6)


# Settings


@pytest.mark.parametrize("name", words.TRAIN)
def test_each_training_setting_reaches_the_job(
    step: TrainStep, asked: Install, qtbot: QtBot, name: str
) -> None:
    settings = asked(job_of())
    value = other(getattr(RECIPES["light"], name), words.TRAIN[name])
    step.settings.train._widgets[name].value = value
    train(step, qtbot)
    assert settings["config"] == replace(RECIPES["light"], **{name: value})


@pytest.mark.parametrize("name", words.AUGMENT)
def test_each_augmentation_setting_reaches_the_job(
    step: TrainStep, asked: Install, qtbot: QtBot, name: str
) -> None:
    settings = asked(job_of())
    augment = RECIPES["light"].augment
    value = other(getattr(augment, name), words.AUGMENT[name])
    step.settings.augment._widgets[name].value = value
    train(step, qtbot)
    assert settings["config"].augment == replace(augment, **{name: value})


@pytest.mark.parametrize(
    ("name", "value", "called"),
    [("levels", 3, "custom"), ("base_channels", 8, "custom"), ("dropout", 0.25, "light")],
)
def test_each_network_setting_reaches_the_job(
    step: TrainStep, asked: Install, qtbot: QtBot, name: str, value: Any, called: str
) -> None:
    settings = asked(job_of())
    step.settings.network._widgets[name].value = value
    train(step, qtbot)
    assert settings["start"] == replace(NETWORKS["light"], name=called, **{name: value})


def test_time_preview_and_objects_reach_the_job(
    step: TrainStep, asked: Install, qtbot: QtBot
) -> None:
    settings = asked(endless_job(STEP, last=STEP))
    step.settings.seconds._widgets["seconds"].value = 45
    step.preview.setChecked(False)
    click(step, qtbot)
    assert settings["config"].seconds == 45
    assert settings["objects"]() == OBJECTS
    assert settings["live"].view() is None
    with qtbot.waitSignal(step.workbench.ended):
        step.workbench.stop()
    step.preview.setChecked(True)
    click(step, qtbot)
    assert settings["live"].view() is not None
    step.preview.setChecked(False)
    assert settings["live"].view() is None  # at once
    step.preview.setChecked(True)
    assert settings["live"].view() is not None
    with qtbot.waitSignal(step.workbench.ended):
        step.workbench.stop()


def test_every_setting_of_the_configs_is_in_the_step() -> None:
    shown = {"seconds", "diameter", *words.TRAIN} | {"augment"}
    assert {field.name for field in fields(TrainConfig)} == shown
    assert {field.name for field in fields(AugmentConfig)} == set(words.AUGMENT)
    fixed = {
        "name",
        "in_channels",
        "classes",
        "shape_field",
    }  # by the choice, the image and the labels
    assert {field.name for field in fields(NetworkConfig)} - fixed == set(words.NETWORK)


def test_steps_alone_may_limit_the_training(step: TrainStep, asked: Install, qtbot: QtBot) -> None:
    settings = asked(job_of())
    step.settings.seconds._widgets["seconds"].value = 0
    with qtbot.waitSignal(step.workbench.failed) as failed:
        click(step, qtbot)
    assert failed.args == ["Set a time, or a number of steps in Advanced, to end training."]
    assert settings == {}
    step.settings.train._widgets["steps"].value = 50
    train(step, qtbot)
    assert (settings["config"].seconds, settings["config"].steps) == (None, 50)


def test_a_network_brings_its_recipe(step: TrainStep, workbench: Workbench) -> None:
    workbench.choose(start=NETWORKS["2015"])
    assert step.inspected() == (NETWORKS["2015"], RECIPES["2015"])
    workbench.choose(start=NETWORKS["light"])
    assert step.inspected() == (NETWORKS["light"], RECIPES["light"])


def test_what_was_changed_stays_on_the_same_network(
    step: TrainStep, workbench: Workbench, model: Model
) -> None:
    step.settings.train._widgets["patch"].value = 64
    step.settings.network._widgets["dropout"].value = 0.5
    workbench.choose(start=CurrentModel("mine", model))  # a light network, too
    workbench.choose(start=NETWORKS["light"])
    network, config = step.inspected()
    assert config.patch == 64
    assert network.dropout == 0.5


def test_a_model_goes_on_with_its_own_reduction_whatever_its_recipe_says(
    step: TrainStep, workbench: Workbench, model: Model
) -> None:
    network = replace(model.network, name="2015")
    older = replace(model, network=network, reduction=3)
    workbench.choose(start=CurrentModel("older", older))
    assert step.inspected()[1].reduction == 3
    step.settings.train._widgets["reduction"].value = 2
    assert step.inspected()[1].reduction == 2


def test_a_model_brings_its_network_and_recipe(
    step: TrainStep, workbench: Workbench, model: Model
) -> None:
    network = replace(model.network, name="2015")
    workbench.choose(start=CurrentModel("mine", replace(model, network=network)))
    assert step.inspected() == (network, replace(RECIPES["2015"], reduction=1))
    assert step.settings.new_network.isHidden()  # its size is what it is
    workbench.choose(start=NETWORKS["2015"])
    assert not step.settings.new_network.isHidden()


def test_a_model_goes_on_with_the_image_as_it_saw_it(
    step: TrainStep, workbench: Workbench, model: Model
) -> None:
    workbench.choose(start=CurrentModel("mine", replace(model, reduction=3)))
    assert step.inspected()[1].reduction == 3
    step.settings.train._widgets["reduction"].value = 2
    assert step.inspected()[1].reduction == 2
    workbench.choose(start=CurrentModel("bundled", replace(model, reduction=None)))
    step.settings.train._widgets["reduction"].value = 0
    assert step.inspected()[1].reduction is None


def test_defaults_are_restored_in_one_click(step: TrainStep, qtbot: QtBot) -> None:
    step.settings.train._widgets["patch"].value = 64
    step.settings.augment._widgets["noise"].value = 0.5
    (restore,) = [
        button
        for button in step.settings.advanced.findChildren(QPushButton)
        if button.text() == "Restore defaults"
    ]
    restore.click()
    assert step.settings.config() == RECIPES["light"]


# States


def test_it_says_what_is_missing(step: TrainStep, workbench: Workbench, labels: Labels) -> None:
    assert step.action.button.isEnabled()
    assert step.action.hint.text() == "You can go on painting meanwhile."
    workbench.choose(labels=None)
    assert not step.action.button.isEnabled()
    assert step.action.hint.text() == step.action.button.toolTip()
    assert "labels" in step.action.hint.text()


def test_a_run_from_click_to_model(
    step: TrainStep, workbench: Workbench, asked: Install, trained: TrainDone, qtbot: QtBot
) -> None:
    asked(endless_job(STEP, last=trained))
    assert step.status.text() == "Not trained yet"
    click(step, qtbot)
    assert step.action.hint.text() == BUSY
    assert not step.action.button.isEnabled()
    qtbot.waitUntil(lambda: step.status.text() == "Training: step 120")
    workbench.runner.pause()
    assert step.status.text() == "Paused: step 120"
    assert not step.action.button.isEnabled()
    workbench.runner.resume()
    assert step.status.text() == "Training: step 120"
    workbench.stop()
    assert workbench.runner.state is JobState.CANCELLING
    assert step.status.text() == "Stopping: step 120"
    assert not step.action.button.isEnabled()
    qtbot.waitUntil(lambda: not step._training.is_running)
    assert step.status.text() == "Trained 300 steps · IoU 0.83 · best at 280"
    assert step.action.button.isEnabled()


def test_after_a_failure_it_can_be_tried_again(
    step: TrainStep, asked: Install, trained: TrainDone, qtbot: QtBot
) -> None:
    asked(failing_job(EngineError("There is not enough memory."), STARTED, STEP))
    train(step, qtbot)
    assert step.status.text() == "Training failed."
    assert step.action.button.isEnabled()
    asked(job_of(STARTED, STEP, VALIDATED, trained))
    train(step, qtbot)
    assert step.status.text().startswith("Trained 300 steps")


def test_a_failure_is_not_told_of_another_image(
    step: TrainStep, asked: Install, workbench: Workbench, viewer: ViewerModel, qtbot: QtBot
) -> None:
    asked(failing_job(EngineError("There is not enough memory."), STARTED, STEP))
    train(step, qtbot)
    workbench.choose(images=(viewer.add_image(np.zeros((8, 8), np.uint8)),))
    assert step.status.text() == "Not trained yet"


def test_another_job_disables_it_without_a_word_about_strokes(
    step: TrainStep, workbench: Workbench, qtbot: QtBot
) -> None:
    workbench.run("Segmenting", endless_job(STEP, last=STEP))
    assert step.action.hint.text() == "Segmenting… wait, or press Stop."
    with qtbot.waitSignal(workbench.ended):
        workbench.stop()


# Plots


def test_the_run_is_drawn(step: TrainStep, asked: Install, qtbot: QtBot) -> None:
    taken = LabelsTaken(120, 10.0, (1, 2), 12400, ())
    asked(job_of(STARTED, STEP, VALIDATED, Corrected(120, 10.0, 40, 0.5), taken))
    assert step.plot.isHidden()
    assert step.corrections.isHidden()
    train(step, qtbot)
    qtbot.waitUntil(lambda: not step.plot.isHidden())
    assert step.plot.summary() == "10 s · loss 0.213 · IoU 0.81"
    assert step.plot._strokes == [10.0]
    assert step.corrections.text.text() == "Last correction: 50 % of 40 px were wrong."


def test_corrections_add_up_until_a_new_network_or_other_labels(
    step: TrainStep,
    workbench: Workbench,
    viewer: ViewerModel,
    asked: Install,
    model: Model,
    labels: Labels,
    qtbot: QtBot,
) -> None:
    asked(job_of(Corrected(120, 10.0, 40, 0.5)))
    copy = Labels(labels.data.copy(), scale=labels.scale, translate=labels.translate)
    viewer.add_layer(copy)
    points = []
    for choice in (
        {"start": CurrentModel("mine", model)},
        {},
        {"labels": copy},
        {},
        {"start": NETWORKS["light"]},
    ):
        workbench.choose(**choice)
        train(step, qtbot)
        points.append(len(step.corrections._series))
    assert points == [1, 2, 1, 2, 1]


# The window


def test_it_fits_a_narrow_dock(step: TrainStep, asked: Install, qtbot: QtBot) -> None:
    found = Diameter(57.4, DiameterSource.ESTIMATED)
    started = replace(STARTED, diameter=found)
    asked(job_of(started, STEP, VALIDATED, Corrected(120, 10.0, 40, 0.5)))
    train(step, qtbot)
    step.plot._show()
    assert step.object_size.field.caption.text()
    assert step.minimumSizeHint().width() <= 280


def test_everything_has_a_tooltip(step: TrainStep) -> None:
    forms = step.settings
    for form in (forms.seconds, forms.train, forms.augment, forms.network):
        for name, widget in form._widgets.items():
            assert widget.native.toolTip(), name
    assert step.action.button.toolTip()
    assert step.preview.toolTip()
    assert step.object_size.field.box.toolTip()
    assert step.object_size.field.estimate.toolTip()
    assert step.corrections.toolTip()


def test_after_release_nothing_holds_the_step(workbench: Workbench, qtbot: QtBot) -> None:
    training = Training(workbench)
    step = TrainStep(workbench, training)
    step.release()
    training.release()
    training.reported.emit(STEP)
    training.reported.emit(STARTED)
    assert len(step.plot._loss) == 0
    gone = weakref.ref(step)
    del step
    gc.collect()
    assert gone() is None


def test_it_goes_to_the_painted_objects_that_were_not_found(
    step: TrainStep, trained: TrainDone, asked: Install, qtbot: QtBot
) -> None:
    assert step.missed.isHidden()
    places = ((0, slice(30, 40), slice(10, 20)), (2, slice(50, 60), slice(10, 20)))
    asked(job_of(STARTED, trained, Reviewed(1, 3, 0, 2, places, touching=True, tells=True)))
    train(step, qtbot)
    assert not step.missed.isHidden()
    assert "It finds 1 of 3 objects painted whole (2 merged)." in step.status.text()
    dims = step.workbench.viewer.dims
    for plane in (0, 2, 0):
        step.missed.click()
        assert dims.current_step[0] == plane
    asked(job_of(STARTED, trained))
    train(step, qtbot)
    assert step.missed.isHidden()


def test_it_goes_to_no_object_of_data_that_the_image_shows_no_more(
    step: TrainStep, image: Image, trained: TrainDone, asked: Install, qtbot: QtBot
) -> None:
    places = ((2, slice(50, 60), slice(10, 20)),)
    asked(job_of(STARTED, trained, Reviewed(1, 3, 0, 2, places, touching=True, tells=True)))
    train(step, qtbot)
    image.data = image.data[:2]
    step.workbench.changed.emit()  # as the step Image does
    assert step.missed.isHidden()


def test_it_says_how_old_the_preview_is_while_training_runs(
    step: TrainStep, asked: Install, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    preview = Previewed(View(1, slice(0, 16), slice(0, 16)), np.ones((16, 16), np.int32), 3, 1.0)
    asked(endless_job(preview, last=STEP))
    click(step, qtbot)
    qtbot.waitUntil(lambda: step._training.preview.age is not None)
    monkeypatch.setattr(PreviewLayer, "age", 4.2)
    step.refresh()
    assert step.preview.text() == "Live preview: 4 s old"
    with qtbot.waitSignal(step.workbench.ended):
        step.workbench.stop()
    assert step.preview.text() == "Live preview"
