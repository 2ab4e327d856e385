"""What the engine prepares is made ready to be drawn."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet.config import NetworkConfig, Task, TrainConfig, Unpainted
from napari_unet.engine.errors import LabelsError
from napari_unet.engine.events import never
from napari_unet.engine.paint import TrainingSet
from napari_unet.engine.paint.label_scheme import LabelScheme
from napari_unet.engine.stack.planes import ArrayPlanes
from napari_unet.engine.training.plan import TrainingPlan
from napari_unet.ui.inspect.job import Inspected, inspect_labels
from tests.ui.conftest import CPU

CONFIG = TrainConfig(patch=16, validation_share=0)


def seen(
    labels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], task: Task, seed: int = 0
) -> Inspected:
    image = np.random.default_rng(0).integers(0, 255, labels.shape, dtype=np.uint8)
    job = inspect_labels(
        TrainingSet.of((ArrayPlanes(image), ArrayPlanes(labels))),
        TrainingPlan(
            start=NetworkConfig(levels=2),
            scheme=LabelScheme(task, Unpainted.IGNORED),
            config=CONFIG,
            device=CPU,
        ),
        plane=0,
        seed=seed,
    )
    (event,) = job(never)
    assert isinstance(event, Inspected)
    return event


def strokes(*values: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return three planes; on the last one there is a patch of each value."""
    labels = np.zeros((3, 64, 64), np.uint8)
    for number, value in enumerate(values):
        labels[2, 20:30, 10 + 12 * number : 20 + 12 * number] = value
    return labels


def test_the_weights_lie_on_the_strokes_and_are_0_elsewhere() -> None:
    labels = strokes(1, 2)
    event = seen(labels, Task.OBJECTS)
    y, x = event.origin
    height, width = event.weights.shape
    painted = labels[event.plane, y : y + height, x : x + width] > 0
    assert event.plane == 2
    assert painted.sum() == (labels > 0).sum()
    assert (event.weights[painted] > 0).all()
    assert (event.weights[~painted] == 0).all()


def test_classes_keep_their_numbers_and_objects_those_of_the_first_strokes() -> None:
    assert set(np.unique(seen(strokes(3, 7), Task.CLASSES).patch.labels)) <= {0, 3, 7}
    assert set(np.unique(seen(strokes(1, 5, 6), Task.OBJECTS).patch.labels)) <= {0, 1, 2}


def test_the_patch_has_its_margin_around_it() -> None:
    patch = seen(strokes(1, 2), Task.OBJECTS).patch
    assert patch.grey.shape == tuple(n + 2 * patch.margin for n in patch.labels.shape)
    assert patch.weights.shape == patch.labels.shape
    assert ((patch.weights > 0) == (patch.labels > 0)).all()
    assert (patch.grey.min(), patch.grey.max()) == (0, 1)
    assert patch.grey.dtype == np.float32


def test_another_seed_draws_another_patch() -> None:
    one, other = (seen(strokes(1, 2), Task.OBJECTS, seed).patch.grey for seed in (0, 1))
    assert not np.array_equal(one, other)


def test_unpainted_labels_are_told_of() -> None:
    with pytest.raises(LabelsError):
        seen(np.zeros((3, 64, 64), np.uint8), Task.OBJECTS)
