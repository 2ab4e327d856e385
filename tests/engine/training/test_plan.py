"""A training plan tells what it starts from."""

from __future__ import annotations

import pytest

from napari_unet.config import Task, TrainConfig, Unpainted
from napari_unet.engine.errors import SettingsError
from napari_unet.engine.paint.label_scheme import LabelScheme
from napari_unet.engine.training.plan import TrainingPlan
from tests.engine.scenes import TINY
from tests.engine.tiny import CPU, tiny_model

OBJECTS = LabelScheme(Task.OBJECTS, Unpainted.IGNORED)
CLASSES = LabelScheme(Task.CLASSES, Unpainted.IGNORED)


def test_a_model_brings_its_network_and_what_it_tells_apart() -> None:
    model = tiny_model(task=Task.OBJECTS)
    plan = TrainingPlan(start=model, scheme=OBJECTS, config=TrainConfig(), device=CPU)
    assert (plan.model, plan.network, plan.values) == (model, model.network, (0, 1))


def test_a_model_of_the_other_task_tells_nothing_apart() -> None:
    model = tiny_model(task=Task.OBJECTS)
    plan = TrainingPlan(start=model, scheme=CLASSES, config=TrainConfig(), device=CPU)
    assert (plan.model, plan.values) == (model, ())


def test_a_new_network_knows_nothing() -> None:
    plan = TrainingPlan(start=TINY, scheme=OBJECTS, config=TrainConfig(), device=CPU)
    assert (plan.model, plan.network, plan.values) == (None, TINY, ())


def test_classes_have_no_diameter() -> None:
    config = TrainConfig(diameter=50.0)
    assert TrainingPlan(start=TINY, scheme=OBJECTS, config=config, device=CPU).config is config
    with pytest.raises(SettingsError, match="Classes have no diameter"):
        TrainingPlan(start=TINY, scheme=CLASSES, config=config, device=CPU)
