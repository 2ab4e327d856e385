"""The shape field: 0 at an outline, 1 in the middle, whatever the size and the neighbours."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_unet.engine.paint.shape_field import shape_field

SIDE = 96
ROWS, COLUMNS = np.indices((SIDE, SIDE))


def disc(y: float, x: float, radius: float) -> np.ndarray:
    return np.asarray(np.hypot(ROWS - y, COLUMNS - x) < radius)


@pytest.mark.parametrize("radius", [6.0, 14.0, 40.0])
def test_in_a_disc_it_is_a_paraboloid_whatever_the_radius(radius: float) -> None:
    cell = disc(48, 48, radius)
    expected = 1 - (np.hypot(ROWS - 48, COLUMNS - 48) / radius) ** 2

    field = shape_field(cell.astype(np.int32))

    np.testing.assert_allclose(field[cell], expected[cell], atol=1.2 / radius + 0.02)
    assert (field[~cell] == 0).all()


def test_touching_objects_have_a_valley_between_them_and_do_not_warm_each_other() -> None:
    cells = np.zeros((SIDE, SIDE), dtype=np.int32)
    cells[disc(48, 30, 20)] = 3
    alone = shape_field(cells)
    cells[disc(48, 65, 20) & (cells == 0)] = 7

    field = shape_field(cells)

    np.testing.assert_allclose(field[cells == 3], alone[cells == 3], atol=0.02)
    edge = (cells == 7) & (ndimage.minimum_filter(np.where(cells == 0, 9, cells), 3) == 3)
    assert edge.sum() > 10
    assert field[edge].max() < 0.3


def test_a_ragged_outline_makes_fewer_hills_than_in_the_distance() -> None:
    noise = ndimage.gaussian_filter(np.random.default_rng(1).standard_normal((SIDE, SIDE)), 1.5)
    ragged = ndimage.binary_fill_holes(np.hypot(ROWS - 48, COLUMNS - 48) + 40 * noise < 30)
    parts, _ = ndimage.label(ragged)
    ragged = parts == parts[48, 48]

    def peaks(values: np.ndarray) -> int:
        return int(((values == ndimage.maximum_filter(values, 5)) & ragged).sum())

    assert peaks(shape_field(ragged.astype(np.int32))) <= 3
    assert peaks(ndimage.distance_transform_edt(ragged)) > 6


def test_an_object_goes_on_beyond_the_rim_of_the_array() -> None:
    half = disc(48, 0, 30)

    field = shape_field(half.astype(np.int32))

    assert field[48, 0] == pytest.approx(1, abs=0.05)


def test_an_object_that_fills_the_array_is_warm_everywhere() -> None:
    np.testing.assert_allclose(shape_field(np.ones((20, 30), dtype=np.int32)), 1, atol=0.02)


def test_of_nothing_it_is_nothing() -> None:
    assert not shape_field(np.zeros((4, 5), dtype=np.int32)).any()
