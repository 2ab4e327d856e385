"""What the network sees, against a training run and against the equation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from torch import Tensor

from napari_unet.config import (
    ENLARGED,
    AugmentConfig,
    Balance,
    NetworkConfig,
    Task,
    TrainConfig,
    Unpainted,
)
from napari_unet.engine.errors import LabelsError
from napari_unet.engine.events import TrainDone, TrainStarted
from napari_unet.engine.network.model import Model
from napari_unet.engine.network.record import TrainRecord
from napari_unet.engine.network.unet import UNet, margin
from napari_unet.engine.paint.label_scheme import IGNORED, LabelScheme
from napari_unet.engine.paint.painted_planes import PaintedStack
from napari_unet.engine.paint.training_set import TrainingSet
from napari_unet.engine.stack.normalization import measure
from napari_unet.engine.stack.planes import ArrayPlanes
from napari_unet.engine.training import inspection, trainer, validation
from napari_unet.engine.training.inspection import Inspection, inspect
from napari_unet.engine.training.loss import weighted_cross_entropy
from napari_unet.engine.training.plan import TrainingPlan
from napari_unet.engine.training.sampling import PatchSampler
from tests.engine.scenes import QUICK, TINY, bright_squares, strokes, train
from tests.engine.tiny import CPU

IMAGE, TRUTH = bright_squares()
STILL = AugmentConfig(
    elastic_sigma=0, rotation=0, flip=False, shift=0, brightness=0, contrast=0, gamma=0
)


def inspected(
    labels: npt.NDArray[Any], *, image: npt.NDArray[Any] = IMAGE, **settings: Any
) -> Inspection:
    plan = planned(**settings)
    plane, seed = settings.get("plane", 0), settings.get("seed", 0)
    return inspect(
        TrainingSet.of((ArrayPlanes(image), ArrayPlanes(labels))), plan, plane=plane, seed=seed
    )


def planned(
    *,
    start: NetworkConfig | Model = TINY,
    task: Task = Task.OBJECTS,
    unpainted: Unpainted = Unpainted.IGNORED,
    config: TrainConfig = QUICK,
    **_: Any,
) -> TrainingPlan:
    return TrainingPlan(start=start, scheme=LabelScheme(task, unpainted), config=config, device=CPU)


@pytest.mark.parametrize("unpainted", Unpainted)
def test_the_patch_is_the_first_one_of_a_training_run(
    unpainted: Unpainted, monkeypatch: pytest.MonkeyPatch
) -> None:
    images: list[Tensor] = []
    targets: list[tuple[Tensor, Tensor]] = []
    forward, loss = UNet.forward, weighted_cross_entropy

    def remember_image(network: UNet, x: Tensor) -> Tensor:
        if network.training:
            images.append(x)
        return forward(network, x)

    def remember_targets(logits: Tensor, classes: Tensor, weights: Tensor) -> Tensor:
        if logits.requires_grad:
            targets.append((classes, weights))
        return loss(logits, classes, weights)

    monkeypatch.setattr(UNet, "forward", remember_image)
    monkeypatch.setattr(validation, "weighted_cross_entropy", remember_targets)
    labels = strokes(TRUTH) if unpainted is Unpainted.IGNORED else TRUTH[:1].repeat(3, axis=0)
    config = replace(QUICK, steps=1, seed=5)
    stacks = ArrayPlanes(IMAGE), ArrayPlanes(labels)
    list(train(*stacks, unpainted=unpainted, config=config))

    patch = inspected(labels, unpainted=unpainted, config=config, seed=5).patch
    np.testing.assert_array_equal(patch.image, images[0][0].numpy())
    np.testing.assert_array_equal(patch.classes, targets[0][0][0].numpy())
    np.testing.assert_array_equal(patch.weights, targets[0][1][0].numpy())


@pytest.mark.parametrize("diameter", [8.0, 60.0])
def test_a_pretrained_network_is_shown_what_training_would_show_it(
    diameter: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    stacks = ArrayPlanes(IMAGE), ArrayPlanes(strokes(TRUTH))
    shaped = replace(TINY, shape_field=True)
    *_, done = train(*stacks, start=shaped, config=replace(QUICK, steps=1))
    assert isinstance(done, TrainDone)
    bundled = replace(done.model, reduction=None, record=TrainRecord(steps=1))
    drawn_from: list[PaintedStack] = []

    class Remembering(PatchSampler):
        def __init__(self, stack: PaintedStack, *args: Any, **options: Any) -> None:
            super().__init__(stack, *args, **options)
            drawn_from.append(stack)

    for module in (trainer, inspection):
        monkeypatch.setattr(module, "PatchSampler", Remembering)
    config = replace(QUICK, steps=1, diameter=diameter)
    started, *_ = train(*stacks, start=bundled, config=config)
    assert isinstance(started, TrainStarted)
    assert started.enlargement == (ENLARGED if diameter < 12 else 1)
    inspected(strokes(TRUTH), start=bundled, config=config)
    trained, seen = drawn_from
    for one, other in zip(trained.planes, seen.planes, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.classes, other.classes)
        np.testing.assert_array_equal(one.weights, other.weights)


def test_a_patch_repeats_with_its_seed_and_changes_with_it() -> None:
    labels = strokes(TRUTH)
    first, again, other = (inspected(labels, seed=seed).patch for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.image, again.image)
    assert not np.array_equal(first.image, other.image)


def test_image_and_targets_of_a_patch_lie_on_each_other() -> None:
    patch = inspected(TRUTH, unpainted=Unpainted.BACKGROUND).patch
    assert patch.margin == margin(TINY.levels)
    side = patch.classes.shape[0]
    assert patch.classes.shape == patch.weights.shape == (side, side)
    assert patch.image.shape == (1, side + 2 * patch.margin, side + 2 * patch.margin)
    assert patch.image.dtype == patch.weights.dtype == np.float32
    assert patch.classes.dtype == np.uint8
    inner = patch.image[0, patch.margin : -patch.margin, patch.margin : -patch.margin]
    bright, dark = inner[patch.classes == 1], inner[patch.classes == 0]
    assert bright.size
    assert dark.size
    assert bright.mean() > dark.mean() + 0.5  # squares stay bright when they are turned


def test_the_weight_map_is_equation_2() -> None:
    labels = np.zeros((1, 64, 64), np.uint8)
    labels[0, 10:50, 10:50] = 1
    labels[0, 20:40, 15:25] = 2
    labels[0, 20:40, 29:39] = 3  # 4 px of background between the two
    config = replace(QUICK, balance=Balance.NEVER, validation_share=0.0, w0=10.0, sigma=5.0, gap=1)
    found = inspected(labels, image=IMAGE[:1], config=config)
    y, x = found.origin
    between = found.weights[30 - y, 25 - x]  # 1 px from the one, 4 px from the other
    assert between == pytest.approx(1 + 10 * np.exp(-((1 + 4) ** 2) / (2 * 5**2)), rel=1e-5)
    assert found.weights[30 - y, 20 - x] == 1
    classes = np.full((64, 64), IGNORED)
    classes[labels[0] == 1] = 0
    classes[labels[0] > 1] = 1
    np.testing.assert_array_equal(
        found.classes, classes[y : y + found.classes.shape[0], x : x + found.classes.shape[1]]
    )


def test_classes_are_balanced_over_all_painted_planes() -> None:
    labels = np.zeros((3, 64, 64), np.uint8)
    labels[0, :10, :30] = 4  # 300 pixels
    labels[2, :10, :10] = 9  # 100 pixels
    config = replace(QUICK, validation_share=0.0, balance=Balance.ALWAYS)
    found = inspected(labels, task=Task.CLASSES, config=config)
    assert found.values == (4, 9)
    y, x = found.origin
    # Even share 200: 200/300 and 200/100, which have the mean 1 over 400 pixels.
    assert found.weights[5 - y, 5 - x] == pytest.approx(2 / 3)
    assert inspected(labels, task=Task.CLASSES, config=config, plane=2).weights[
        5 - y, 5 - x
    ] == pytest.approx(2)


def test_the_painted_plane_nearest_to_the_wanted_one_is_shown() -> None:
    labels = np.zeros((9, 64, 64), np.uint8)
    labels[2], labels[6] = strokes(TRUTH)[0], strokes(TRUTH)[0]
    image = IMAGE[:1].repeat(9, axis=0)
    shown = [inspected(labels, image=image, plane=plane).plane for plane in (0, 4, 5, 8)]
    assert shown == [2, 2, 6, 6]


def test_what_is_held_out_is_not_seen() -> None:
    labels = strokes(TRUTH)
    found = inspected(labels)
    whole = inspected(labels, config=replace(QUICK, validation_share=0.0))
    assert not whole.held_out
    assert found.held_out
    seen, painted = found.classes != IGNORED, whole.classes != IGNORED
    assert painted.sum() - seen.sum() == sum(block.pixels for block in found.held_out)
    y, x = found.origin
    for block in found.held_out:
        rows, columns = slice(block.y[0] - y, block.y[1] - y), slice(block.x[0] - x, block.x[1] - x)
        assert painted[rows, columns].any()
        assert not seen[rows, columns].any()


def test_a_patch_without_augmentation_is_a_part_of_the_image() -> None:
    found = inspected(strokes(TRUTH), config=replace(QUICK, augment=STILL))
    normal = np.pad(measure(ArrayPlanes(IMAGE)).apply(IMAGE[:1])[0], 80, mode="reflect")
    # An even side puts the centre of the patch between pixels: half a pixel towards each side.
    between = (normal[:-1, :-1] + normal[1:, :-1] + normal[:-1, 1:] + normal[1:, 1:]) / 4
    patch = found.patch.image[0]
    corners = np.lib.stride_tricks.sliding_window_view(between, (6, 6))
    distance = np.abs(corners - patch[:6, :6]).max(axis=(2, 3))
    y, x = np.unravel_index(distance.argmin(), distance.shape)
    expected = between[y : y + patch.shape[0], x : x + patch.shape[1]]
    np.testing.assert_allclose(patch, expected, atol=1e-4)


def test_nothing_painted_gets_the_sentence_of_training() -> None:
    with pytest.raises(LabelsError, match="Nothing is painted yet"):
        inspected(np.zeros_like(TRUTH))
