"""Training with a shape field: whole objects stay whole, and stay apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from napari_unet.config import ObjectsConfig, Task, TrainConfig
from napari_unet.engine.events import Previewed, TrainDone, View
from napari_unet.engine.network.model import Model
from napari_unet.engine.prediction.segmentation import whole_planes
from napari_unet.engine.scores import Comparison, evaluate_objects
from napari_unet.engine.stack.planes import ArrayPlanes
from tests.engine.scenes import QUICK, TINY, train
from tests.engine.tiny import CPU, segment

SHAPED = replace(TINY, levels=3, shape_field=True)
STEPS = replace(QUICK, steps=150, patch=44)
EXACT = ObjectsConfig(min_size=8)


def touching_discs(
    seed: int = 0, planes: int = 2, size: int = 96
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    """Return pairs of bright discs that touch, brighter in their middles, and their labels."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((size, size))
    truth = np.zeros((planes, size, size), dtype=np.int32)
    image = np.full(truth.shape, 40.0)
    for number in range(planes):
        for row in range(3):
            left = rng.integers(14, size - 34)
            for index, shift in enumerate((0, 16)):
                away = np.hypot(y - 16 - 32 * row, x - left - shift)
                mine = (away < 9) & (truth[number] == 0)
                truth[number][mine] = 2 * row + index + 1
                image[number][mine] = (180 - 8 * away)[mine]
    return (image + rng.normal(0, 6, image.shape)).clip(0, 255).astype(np.uint8), truth


def paint(truth: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Paint the first plane whole, as a label image in the scheme of paint."""
    labels = np.zeros_like(truth)
    labels[0] = truth[0] + 1
    return labels


@pytest.fixture(scope="module")
def trained() -> TrainDone:
    image, truth = touching_discs()
    *_, done = train(ArrayPlanes(image), ArrayPlanes(paint(truth)), start=SHAPED, config=STEPS)
    assert isinstance(done, TrainDone)
    return done


def scores(model: Model, config: ObjectsConfig = EXACT) -> Any:
    image, truth = touching_discs(seed=5)
    events = segment(model, ArrayPlanes(image), device=CPU, objects=config)
    found = [np.asarray(values) for _, values in whole_planes(events)]
    return evaluate_objects([Comparison(*pair) for pair in zip(found, truth, strict=True)])


def test_objects_that_touch_are_told_apart_and_keep_their_rims(trained: TrainDone) -> None:
    found = scores(trained.model)

    assert found.average_precision > 0.9
    assert found.foreground_iou > 0.9
    assert scores(trained.model, replace(EXACT, neck=0)).average_precision < 0.3


def test_scribbles_alone_do_not_make_it_forget_shapes(trained: TrainDone) -> None:
    image, truth = touching_discs(seed=3)
    scribbles = np.zeros_like(truth)
    scribbles[0, 16::32] = truth[0, 16::32] + (truth[0, 16::32] > 0)
    scribbles[0, 0] = 1
    model = replace(trained.model, reduction=1)

    *_, done = train(
        ArrayPlanes(image), ArrayPlanes(scribbles), start=model, config=replace(STEPS, steps=40)
    )

    assert isinstance(done, TrainDone)
    assert scores(done.model).average_precision > 0.85


def test_a_preview_cuts_objects_as_the_segmentation_does(trained: TrainDone) -> None:
    image, truth = touching_discs(seed=5)
    view = View(1, slice(0, 96), slice(0, 96))
    still = TrainConfig(seconds=None, steps=1, learning_rate=1e-9, validation_share=0)

    class Looking:
        def view(self) -> View:
            return view

        def take_painted(self) -> frozenset[int]:
            return frozenset()

    events = train(
        ArrayPlanes(image),
        ArrayPlanes(paint(truth)),
        start=trained.model,
        config=replace(STEPS, steps=1, learning_rate=still.learning_rate),
        live=Looking(),
        objects=lambda: EXACT,
    )

    preview = next(event for event in events if isinstance(event, Previewed))
    found = evaluate_objects([Comparison(np.asarray(preview.values), truth[1])])
    assert found.average_precision > 0.9


def test_classes_are_trained_from_it_without_a_shape(trained: TrainDone) -> None:
    image, truth = touching_discs()
    labels = np.where(truth > 0, 2, 1)
    labels[1] = 0

    *_, done = train(
        ArrayPlanes(image),
        ArrayPlanes(labels),
        start=trained.model,
        task=Task.CLASSES,
        config=QUICK,
    )

    assert isinstance(done, TrainDone)
    assert not done.model.network.shape_field
    assert done.model.values == (1, 2)
