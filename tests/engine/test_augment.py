"""Elastic deformation and grey-value changes, against scipy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_unet.config import AugmentConfig
from napari_unet.engine import augment

STILL = AugmentConfig(
    elastic_sigma=0, rotation=0, flip=False, shift=0, brightness=0, contrast=0, gamma=0, noise=0
)


@pytest.mark.parametrize(("grid", "size"), [(3, 64), (3, 101), (4, 50), (2, 33)])
def test_the_elastic_field_is_scipys_bicubic_spline(grid: int, size: int) -> None:
    displacements = np.random.default_rng(0).normal(0, 10, (2, grid, grid)).astype(np.float32)

    field = augment.displacement_field(displacements, size)

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

    np.testing.assert_array_equal(first[0].coordinates(9), second[0].coordinates(9))
    assert first[1] == second[1]


def test_everything_switched_off_changes_nothing() -> None:
    deformation, grey = augment.draw(np.random.default_rng(0), STILL)
    image = torch.rand(1, 7, 7)

    axis = np.arange(-3, 4)
    np.testing.assert_allclose(deformation.coordinates(7)[0], axis[:, None] + 0 * axis)
    assert torch.equal(grey.apply(image), image)


def test_a_quarter_turn_is_numpys_rot90() -> None:
    image = torch.rand(1, 8, 8)
    turned = augment.Deformation(angle=np.pi / 2).coordinates(8) + 3.5

    sampled = augment.sample(image, turned, mode="bilinear")

    expected = [np.rot90(image[0].numpy(), k) for k in (1, -1)]
    assert any(np.allclose(sampled[0].numpy(), e, atol=1e-4) for e in expected)


def test_a_mirrored_patch_is_flipped_left_right() -> None:
    image = torch.rand(1, 8, 8)
    mirrored = augment.Deformation(mirror=True).coordinates(8) + 3.5

    sampled = augment.sample(image, mirrored, mode="nearest")

    assert torch.equal(sampled, image.flip(-1))


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
    position = torch.tensor([[[float(y)]], [[float(x)]]])

    sampled = augment.sample(torch.from_numpy(image[None]), position, mode="bilinear")

    assert float(sampled) == pytest.approx(padded[y + 20, x + 20], abs=1e-4)


def test_an_image_of_one_pixel_width_can_be_sampled() -> None:
    image = torch.full((1, 5, 1), 3.0)
    deformation = augment.Deformation(angle=0.3)

    sampled = augment.sample(image, deformation.coordinates(6), mode="bilinear")

    assert torch.allclose(sampled, torch.tensor(3.0))


def test_between_pixels_grey_values_are_interpolated_linearly() -> None:
    image = np.random.default_rng(1).random((16, 16), dtype=np.float32)
    positions = np.random.default_rng(2).uniform(0, 15, (2, 5, 5)).astype(np.float32)

    sampled = augment.sample(
        torch.from_numpy(image[None]), torch.from_numpy(positions), mode="bilinear"
    )

    expected = ndimage.map_coordinates(image, positions, order=1)
    np.testing.assert_allclose(sampled[0], expected, atol=1e-5)


def test_grey_changes_follow_their_formula() -> None:
    image = torch.tensor([[[-1.0, 0.0, 1.0]]])
    grey = augment.GreyChange(contrast=2.0, brightness=0.1, gamma=2.0)

    changed = grey.apply(image)

    assert changed.flatten().tolist() == pytest.approx([-1.9, -0.9, 2.1])


def test_noise_has_the_stated_strength_and_repeats() -> None:
    grey = augment.GreyChange(noise=0.5, seed=3)
    image = torch.zeros(1, 100, 100)

    first, second = grey.apply(image), grey.apply(image)

    assert torch.equal(first, second)
    assert float(first.std()) == pytest.approx(0.5, rel=0.05)
