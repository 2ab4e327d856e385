"""Sections of neural tissue made by code: their truth is what an annotator would paint."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from pretraining.synthetic.electron import electron_micrograph
from pretraining.synthetic.neurites import distance_to_border, profiles, spline_noise
from pretraining.synthetic.scene import KINDS, MEMBRANE, ORGANELLE, OUTSIDE, Scene


@pytest.fixture(scope="module")
def sections() -> list[Scene]:
    return [electron_micrograph(np.random.default_rng(seed), (160, 192)) for seed in range(12)]


def test_equal_states_give_equal_scenes() -> None:
    first, second = (electron_micrograph(np.random.default_rng(3), (64, 64)) for _ in range(2))

    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.objects, second.objects)
    np.testing.assert_array_equal(first.kinds, second.kinds)


@pytest.mark.parametrize("shape", [(32, 32), (48, 97)])
def test_a_small_section_is_whole(shape: tuple[int, int]) -> None:
    for seed in range(8):
        scene = electron_micrograph(np.random.default_rng(seed), shape)

        assert scene.image.shape == scene.objects.shape == scene.kinds.shape == shape
        types = [layer.dtype.name for layer in (scene.image, scene.objects, scene.kinds)]
        assert types == ["float32", "int32", "uint8"]
        assert np.isfinite(scene.image).all()
        assert scene.image.std() > 0
        assert scene.kinds.max() < KINDS


def test_profiles_never_touch_not_even_at_a_corner(sections: list[Scene]) -> None:
    for scene in sections:
        objects = scene.objects
        numbered = np.where(objects > 0, objects, objects.max() + 1)
        lowest = ndimage.minimum_filter(numbered, 3)  # the lowest other number next to a pixel
        assert np.all((lowest == objects) | (objects == 0))


def test_what_is_numbered_is_all_but_membrane_and_outside(sections: list[Scene]) -> None:
    for scene in sections:
        between = np.isin(scene.kinds, (MEMBRANE, OUTSIDE))
        np.testing.assert_array_equal(scene.objects == 0, between)


def test_each_number_is_one_profile_and_none_is_left_out(sections: list[Scene]) -> None:
    for scene in sections:
        sizes = np.bincount(scene.objects.ravel())
        assert sizes[1:].min() >= 12
        _, parts = ndimage.label(scene.objects > 0, np.ones((3, 3)))
        assert parts == len(sizes) - 1


def test_membranes_are_darker_than_what_they_enclose(sections: list[Scene]) -> None:
    darker = [
        np.median(scene.image[scene.kinds == MEMBRANE]) < np.median(scene.image[scene.objects > 0])
        for scene in sections
    ]
    assert sum(darker) >= 0.75 * len(darker)  # stain is bright in some


def test_large_profiles_lie_beside_small_ones(sections: list[Scene]) -> None:
    areas = [np.bincount(scene.objects.ravel())[1:] for scene in sections]
    assert np.median([np.max(area) / np.median(area) for area in areas]) > 5


def test_there_are_organelles_in_most_sections(sections: list[Scene]) -> None:
    assert np.mean([np.any(scene.kinds == ORGANELLE) for scene in sections]) > 0.5


def test_distance_stays_along_a_straight_border_and_shrinks_at_a_corner() -> None:
    corner = np.zeros((80, 80), np.int32)
    corner[:40, :40] = 1
    corner[40:, :40] = 2

    distance = distance_to_border(corner, rounding=3.0)  # the borders meet at (39.5, 39.5)

    np.testing.assert_allclose(distance[10, 50:60], np.arange(50, 60) - 39.5, atol=0.5)
    assert distance[36, 36] < 3.5 - 0.5


def test_one_profile_alone_has_no_border_nearby() -> None:
    assert distance_to_border(np.zeros((20, 30), np.int32), rounding=2.0).min() >= 30


def test_profiles_cover_the_plane_with_about_the_size_asked_for() -> None:
    rng = np.random.default_rng(0)
    counts = [
        [len(np.unique(profiles(rng, (150, 150), diameter))) for _ in range(4)]
        for diameter in (15.0, 45.0)
    ]
    assert 4 < np.mean(counts[0]) / np.mean(counts[1]) < 14  # areas differ by 9


@pytest.mark.parametrize("grain", [0.5, 1.7, 12.0])
def test_noise_has_unit_variance_whatever_its_grain(grain: float) -> None:
    rng = np.random.default_rng(1)
    noise = np.stack([spline_noise(rng, (96, 128), grain) for _ in range(8)])

    assert noise.dtype == np.float32
    assert noise.std() == pytest.approx(1, abs=0.1)
    assert noise.mean() == pytest.approx(0, abs=0.15)
