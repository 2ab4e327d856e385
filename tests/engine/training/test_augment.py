"""Elastic deformation and grey-value changes, against scipy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_unet.config import AugmentConfig
from napari_unet.engine.training import augment

STILL = AugmentConfig(
    elastic_sigma=0, rotation=0, flip=False, shift=0, brightness=0, contrast=0, gamma=0, noise=0
)


SOURCE = (1001, 801)


def positions_of(
    deformation: augment.Deformation, size: int, centre: tuple[float, float] = (0.0, 0.0)
) -> torch.Tensor:
    """Return which pixels a patch comes from, rows and columns (2, size, size)."""
    (grid,) = augment.sampling_grid([deformation], [centre], [SOURCE], size)
    return pixels(grid, SOURCE)


def pixels(grid: torch.Tensor, source: tuple[int, int]) -> torch.Tensor:
    """Return rows and columns in pixels for columns and rows from -1 to 1."""
    return (grid.flip(-3) + 1) / 2 * (torch.tensor(source) - 1)[:, None, None]


def at(rows_and_columns: torch.Tensor, source: tuple[int, int]) -> torch.Tensor:
    """Return columns and rows from -1 to 1 for rows and columns in pixels."""
    return (rows_and_columns / (torch.tensor(source) - 1)[:, None, None] * 2 - 1).flip(-3)


@pytest.mark.parametrize(("grid", "size"), [(3, 64), (3, 101), (4, 50), (2, 33)])
def test_the_elastic_field_is_scipys_bicubic_spline(grid: int, size: int) -> None:
    displacements = np.random.default_rng(0).normal(0, 10, (2, grid, grid)).astype(np.float32)

    deformation = augment.Deformation(displacements=displacements)
    field = positions_of(deformation, size) - positions_of(augment.Deformation(), size)

    points = np.linspace(0, grid - 1, size)
    positions = np.stack(np.meshgrid(points, points, indexing="ij"))
    for axis in range(2):
        expected = ndimage.map_coordinates(
            displacements[axis].astype(float), positions, order=3, mode="mirror"
        )
        np.testing.assert_allclose(field[axis], expected, atol=1e-4)


def test_displacement_vectors_have_the_stated_standard_deviation() -> None:
    rng = np.random.default_rng(0)
    config = AugmentConfig(elastic_sigma=10)
    drawn = [augment.draw(rng, config)[0].displacements for _ in range(500)]

    vectors = np.stack([d for d in drawn if d is not None])

    assert vectors.shape == (500, 2, 3, 3)
    assert vectors.std() == pytest.approx(10, rel=0.03)


def test_the_same_seed_draws_the_same_augmentation() -> None:
    first, second = (augment.draw(np.random.default_rng(4), AugmentConfig()) for _ in range(2))

    positions = [positions_of(each[0], 9) for each in (first, second)]
    assert torch.equal(*positions)
    assert first[1] == second[1]


def test_everything_switched_off_changes_nothing() -> None:
    deformation, grey = augment.draw(np.random.default_rng(0), STILL)
    image = torch.rand(1, 7, 7)

    axis = np.arange(-3, 4)
    positions = positions_of(deformation, 7)
    np.testing.assert_allclose(positions[0], axis[:, None] + 0 * axis, atol=2e-4)
    assert torch.equal(augment.change_grey(image[None], [grey])[0], image)


def test_a_quarter_turn_is_numpys_rot90() -> None:
    image = torch.rand(1, 8, 8)
    turned = augment.sampling_grid(
        [augment.Deformation(angle=np.pi / 2)], [(3.5, 3.5)], [(8, 8)], 8
    )

    sampled = augment.sample(image, turned, mode="bilinear")

    expected = [np.rot90(image[0].numpy(), k) for k in (1, -1)]
    assert any(np.allclose(sampled[0, 0].numpy(), e, atol=1e-4) for e in expected)


def test_a_mirrored_patch_is_flipped_left_right() -> None:
    image = torch.rand(1, 8, 8)
    mirrored = augment.sampling_grid([augment.Deformation(mirror=True)], [(3.5, 3.5)], [(8, 8)], 8)

    sampled = augment.sample(image, mirrored, mode="nearest")

    assert torch.equal(sampled[0], image.flip(-1))


@given(
    height=st.integers(2, 12),
    width=st.integers(2, 12),
    y=st.integers(-9, 20),
    x=st.integers(-9, 20),
)
@settings(max_examples=60, deadline=None)
def test_beyond_the_border_the_image_is_mirrored(height: int, width: int, y: int, x: int) -> None:
    image = np.random.default_rng(0).random((height, width), dtype=np.float32)
    padded = np.pad(image, ((20, 20), (20, 20)), mode="reflect")
    grid = at(torch.tensor([[[[float(y)]], [[float(x)]]]]), (height, width))

    sampled = augment.sample(torch.from_numpy(image[None]), grid, mode="bilinear")

    assert float(sampled) == pytest.approx(padded[y + 20, x + 20], abs=1e-4)


@pytest.mark.parametrize("mirror", [False, True])
def test_a_patch_is_displaced_mirrored_turned_and_shifted_in_this_order(mirror: bool) -> None:
    rng = np.random.default_rng(0)
    displacements = rng.normal(0, 10, (2, 3, 3)).astype(np.float32)
    angle, shift, centre = 0.7, (3.0, -5.0), (400.0, 1000.0)

    deformation = augment.Deformation(shift, angle, mirror, displacements)
    positions = positions_of(deformation, 50, centre).numpy()

    y, x = positions_of(augment.Deformation(displacements=displacements), 50).numpy()
    x = -x if mirror else x
    expected = [np.cos(angle) * y - np.sin(angle) * x, np.sin(angle) * y + np.cos(angle) * x]
    for found, turned, *offset in zip(positions, expected, shift, centre, strict=True):
        np.testing.assert_allclose(found, turned + sum(offset), atol=2e-4)


def test_an_image_of_one_pixel_width_can_be_sampled() -> None:
    image = torch.full((1, 5, 1), 3.0)
    grid = augment.sampling_grid([augment.Deformation(angle=0.3)], [(2.0, 0.0)], [(5, 1)], 6)

    sampled = augment.sample(image, grid, mode="bilinear")

    assert torch.allclose(sampled, torch.tensor(3.0))


def test_between_pixels_grey_values_are_interpolated_linearly() -> None:
    image = np.random.default_rng(1).random((16, 16), dtype=np.float32)
    positions = np.random.default_rng(2).uniform(0, 15, (2, 5, 5)).astype(np.float32)

    grid = at(torch.from_numpy(positions[None]), (16, 16))
    sampled = augment.sample(torch.from_numpy(image[None]), grid, mode="bilinear")

    expected = ndimage.map_coordinates(image, positions, order=1)
    np.testing.assert_allclose(sampled[0, 0], expected, atol=1e-5)


def test_grey_changes_follow_their_formula() -> None:
    images = torch.tensor([-1.0, 0.0, 1.0]).expand(2, 1, 1, 3)
    grey = augment.GreyChange(contrast=2.0, brightness=0.1, gamma=2.0)

    changed, same = augment.change_grey(images, [grey, augment.GreyChange()])

    assert changed.flatten().tolist() == pytest.approx([-1.9, -0.9, 2.1])
    assert same.flatten().tolist() == pytest.approx([-1.0, 0.0, 1.0])


def test_noise_has_the_stated_strength_and_repeats() -> None:
    grey = augment.GreyChange(noise=0.5, seed=3)
    images = torch.zeros(3, 1, 100, 100)

    first, second, quiet = augment.change_grey(images, [grey, grey, augment.GreyChange(seed=3)])

    assert torch.equal(first, second)
    assert float(first.std()) == pytest.approx(0.5, rel=0.05)
    assert not quiet.any()


def test_patches_of_a_batch_are_changed_as_each_alone() -> None:
    rng = np.random.default_rng(0)
    drawn = [augment.draw(rng, AugmentConfig(noise=0.2)) for _ in range(4)]
    source = torch.rand(2, 40, 30)

    def changed(some: list[tuple[augment.Deformation, augment.GreyChange]]) -> torch.Tensor:
        deformations, changes = zip(*some, strict=True)
        several = len(some)
        grid = augment.sampling_grid(
            deformations, [(15.0, 15.0)] * several, [(40, 30)] * several, 21
        )
        return augment.change_grey(augment.sample(source, grid, mode="bilinear"), changes)

    together = changed(drawn)

    assert together.shape == (4, 2, 21, 21)
    for number, each in enumerate(drawn):
        torch.testing.assert_close(together[number], changed([each])[0], atol=1e-5, rtol=0)
