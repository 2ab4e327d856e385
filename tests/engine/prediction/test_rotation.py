"""The grids of rotated planes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_unet.engine.prediction.rotation import rotations
from napari_unet.engine.stack.tiles import Span, Tile

shapes = st.tuples(st.integers(1, 60), st.integers(1, 60))


@given(shapes)
def test_quarter_turns_put_pixels_exactly_on_pixels(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random(shape).astype(np.float32)
    everything = Tile(Span(0, shape[0]), Span(0, shape[1]))
    for rotation in rotations(shape, 4):
        sides = shape if rotation.sin == 0 else shape[::-1]
        turned_grid = Tile(Span(0, sides[0]), Span(0, sides[1]))
        assert rotation.needed(turned_grid) == everything
        turned = rotation.sample(image[None], everything, turned_grid)[0]
        quarters = round(np.arctan2(rotation.sin, rotation.cos) / (np.pi / 2))
        np.testing.assert_array_equal(turned, np.rot90(image, -quarters))


@given(shapes, st.integers(1, 16))
def test_the_rotated_grid_holds_the_plane_and_begins_at_its_corner(
    shape: tuple[int, int], count: int
) -> None:
    for rotation in rotations(shape, count):
        needed = rotation.inverse().needed(Tile(Span(0, shape[0]), Span(0, shape[1])))
        height, width = (2 * side + 1 for side in rotation.centre)
        for span, side in ((needed.y, height), (needed.x, width)):
            assert -1 <= span.start <= 1
            assert side - 1 <= span.stop <= side + 1


@given(shapes, st.integers(1, 16), st.floats(-99, 99), st.floats(-99, 99))
def test_the_inverse_leads_back(shape: tuple[int, int], count: int, y: float, x: float) -> None:
    for rotation in rotations(shape, count):
        assert rotation.inverse().position(*rotation.position(y, x)) == pytest.approx((y, x))


def test_angles_are_spread_evenly_from_zero() -> None:
    found = [np.degrees(np.arctan2(r.sin, r.cos)) % 360 for r in rotations((9, 9), 7)]
    np.testing.assert_allclose(found, np.arange(7) * 360 / 7, atol=1e-9)


def test_sampling_is_bilinear() -> None:
    ramp = np.add.outer(2.0 * np.arange(30), 5.0 * np.arange(40)).astype(np.float32)
    rotation = rotations((30, 40), 5)[1]
    tile = Tile(Span(20, 25), Span(20, 27))
    area = rotation.needed(tile)
    region = ramp[None, area.y.as_slice, area.x.as_slice]
    expected = [
        [np.dot((2, 5), rotation.position(y, x)) for x in range(20, 27)] for y in range(20, 25)
    ]
    np.testing.assert_allclose(rotation.sample(region, area, tile)[0], expected, rtol=1e-5)
