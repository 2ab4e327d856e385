"""Cutting patches: aligned image and labels, around the paint, of every class."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import torch

from napari_unet.config import AugmentConfig, Sampling
from napari_unet.engine.network.unet import margin
from napari_unet.engine.paint.held_out import Split
from napari_unet.engine.paint.label_scheme import IGNORED
from napari_unet.engine.paint.painted_planes import PaintedPlane, PaintedStack
from napari_unet.engine.training import augment
from napari_unet.engine.training.sampling import Cut, PatchCutter, PatchSampler, validation_batches

CPU = torch.device("cpu")
LEVELS = 2


def plane_where_image_tells_the_class(seed: int = 0) -> PaintedPlane:
    """A plane whose grey value is its class plus a tenth of its weight."""
    rng = np.random.default_rng(seed)
    classes = np.kron(rng.integers(0, 2, (20, 20)), np.ones((6, 6))).astype(np.uint8)
    weights = (1 + classes * 3).astype(np.float32)
    return PaintedPlane(
        0, (0, 0), (classes + weights / 10)[None].astype(np.float32), classes, classes, weights
    )


def black_plane(classes: npt.NDArray[np.uint8]) -> PaintedPlane:
    ones = np.ones(classes.shape, np.float32)
    return PaintedPlane(0, (0, 0), 0 * ones[np.newaxis], classes, classes, ones)


def test_an_unchanged_patch_is_a_crop_with_mirrored_context() -> None:
    plane = plane_where_image_tells_the_class()
    cutter = PatchCutter((plane,), size=20, levels=LEVELS, device=CPU)
    half = (cutter.size - 1) / 2

    batch = cutter.cut([Cut(0, (half, half), *augment.unchanged())])
    image, classes, weights = batch.images[0], batch.classes[0], batch.weights[0]

    context, size = margin(LEVELS), cutter.size
    padded = np.pad(plane.image[0], context, mode="reflect")
    np.testing.assert_allclose(
        image[0], padded[: size + 2 * context, : size + 2 * context], atol=1e-4
    )
    np.testing.assert_array_equal(classes, plane.classes[:size, :size])
    np.testing.assert_array_equal(weights, plane.weights[:size, :size])


def test_each_patch_of_a_batch_comes_from_its_plane() -> None:
    planes = tuple(
        replace(plane_where_image_tells_the_class(seed), number=seed) for seed in range(2)
    )
    cutter = PatchCutter(planes, size=20, levels=LEVELS, device=CPU)
    draw = np.random.default_rng(0)
    cuts = [
        Cut(plane, (30.0, 40.0), *augment.draw(draw, AugmentConfig())) for plane in (1, 0, 0, 1)
    ]

    together = cutter.cut(cuts)

    for number, cut in enumerate(cuts):
        alone = cutter.cut([cut])
        torch.testing.assert_close(together.images[number], alone.images[0], atol=1e-4, rtol=0)
        assert torch.equal(together.classes[number], alone.classes[0])
        assert torch.equal(together.weights[number], alone.weights[0])


def test_image_classes_and_weights_are_deformed_alike() -> None:
    plane = plane_where_image_tells_the_class()
    stack = PaintedStack((plane,), (0, 1))
    still_grey = AugmentConfig(brightness=0, contrast=0, gamma=0, elastic_sigma=4)
    sampler = PatchSampler(stack, still_grey, size=40, levels=LEVELS, device=CPU)

    batch = sampler.draw(np.random.default_rng(0), 8)

    context = margin(LEVELS)
    inner = batch.images[:, 0, context:-context, context:-context]
    expected = batch.classes + batch.weights / 10
    agrees = (inner - expected).abs() < 0.66  # on a border, grey values lie between 0.1 and 1.4
    assert inner.shape == batch.classes.shape == batch.weights.shape
    assert agrees.float().mean() > 0.99


def test_rare_classes_are_drawn_as_often_as_common_ones() -> None:
    classes = np.zeros((100, 100), dtype=np.uint8)
    classes[:, :] = 0
    classes[50:53, 50:53] = 1
    plane = black_plane(classes)
    config = AugmentConfig(shift=0, elastic_sigma=0, rotation=0, flip=False)
    sampler = PatchSampler(PaintedStack((plane,), (0, 1)), config, size=4, levels=1, device=CPU)

    batch = sampler.draw(np.random.default_rng(0), 200)

    centre = sampler.size // 2
    share = (batch.classes[:, centre, centre] == 1).float().mean()
    assert 0.35 < float(share) < 0.65


def test_pixels_are_drawn_alike_whatever_their_class_and_plane(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    most = "napari_unet.engine.training.sampling._MAX_POSITIONS"
    monkeypatch.setattr(most, 2000)  # the others are left out
    large = np.zeros((100, 100), dtype=np.uint8)
    large[:, :20] = 1
    small = np.full((100, 100), IGNORED, dtype=np.uint8)
    small[:50, :40] = 1
    planes = black_plane(large), replace(black_plane(small), number=1)
    config = AugmentConfig(shift=0, elastic_sigma=0, rotation=0, flip=False)
    sampler = PatchSampler(
        PaintedStack(planes, (0, 1)),
        config,
        size=4,
        levels=1,
        device=CPU,
        sampling=Sampling.PIXELS,
    )

    batch = sampler.draw(np.random.default_rng(0), 400)

    centre = sampler.size // 2
    share = (batch.classes[:, centre, centre] == 1).float().mean()
    assert 0.27 < float(share) < 0.40  # 4,000 of 12,000 labelled pixels
    assert set(np.unique(sampler._painted[0][:, 0], return_counts=True)[1]) == {1667, 334}


def test_patches_lie_on_painted_pixels() -> None:
    classes = np.full((300, 300), IGNORED, dtype=np.uint8)
    classes[290, 10], classes[5, 200] = 0, 1
    plane = black_plane(classes)
    config = AugmentConfig(shift=3, elastic_sigma=0)
    sampler = PatchSampler(PaintedStack((plane,), (0, 1)), config, size=12, levels=2, device=CPU)

    batch = sampler.draw(np.random.default_rng(0), 50)

    labelled = (batch.classes != IGNORED).flatten(1).sum(1)
    assert (labelled > 0).float().mean() > 0.9


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_validation_patches_label_the_held_out_pixels_once_each(levels: int) -> None:
    plane = plane_where_image_tells_the_class()
    classes = plane.classes.copy()
    classes[::3] = IGNORED
    plane = replace(plane, number=4, origin=(9, 2), classes=classes)
    stack = PaintedStack((plane,), (0, 1))
    _, held_out = Split(lambda _: (150, 150), 0.3, np.random.default_rng(1)).divide(stack)

    batches = validation_batches(stack, held_out, levels=levels, device=CPU, pixels=9999)

    shown = torch.cat([batch.classes.flatten() for batch in batches])
    expected = np.concatenate(
        [classes[b.y[0] - 9 : b.y[1] - 9, b.x[0] - 2 : b.x[1] - 2].ravel() for b in held_out]
    )
    assert held_out
    for value in (0, 1):
        assert int((shown == value).sum()) == int((expected == value).sum())


def test_patches_are_made_on_their_device() -> None:
    """On one without numbers, where mixing with the CPU fails as it does on a GPU."""
    device = torch.device("meta")
    planes = tuple(
        replace(plane_where_image_tells_the_class(seed), number=seed) for seed in range(2)
    )
    stack = PaintedStack(planes, (0, 1))
    sampler = PatchSampler(stack, AugmentConfig(), size=20, levels=LEVELS, device=device)

    batch = sampler.draw(np.random.default_rng(0), 8)

    side = sampler.size + 2 * margin(LEVELS)
    assert batch.images.shape == (8, 1, side, side)
    assert {batch.images.device, batch.classes.device, batch.weights.device} == {device}
