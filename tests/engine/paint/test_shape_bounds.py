"""What paint says of the shape field: all of objects painted whole, bounds of scribbles."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from napari_unet.engine.paint.shape_bounds import shape_bounds, tell_of_objects
from napari_unet.engine.paint.shape_field import shape_field

Labels = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]

SIDE = 96


def disc(y: float, x: float, radius: float) -> Mask:
    rows, columns = np.indices((SIDE, SIDE))
    return np.asarray(np.hypot(rows - y, columns - x) < radius)


def stroke(y: int, x: slice, width: int = 3) -> Mask:
    mask = np.zeros((SIDE, SIDE), dtype=bool)
    mask[y - width // 2 : y + width // 2 + 1, x] = True
    return mask


def touching_cells() -> Labels:
    cells = np.zeros((SIDE, SIDE), dtype=np.int32)
    cells[disc(48, 30, 20)] = 1
    cells[disc(48, 65, 20) & (cells == 0)] = 2
    return cells


@pytest.mark.parametrize("is_around", [True, False])
def test_of_objects_painted_whole_the_field_is_known(is_around: bool) -> None:
    cells = touching_cells()
    around = ndimage.binary_dilation(cells > 0, iterations=4) & (cells == 0)
    background = around if is_around else stroke(5, slice(10, 80))

    bounds = shape_bounds(cells, background)

    inside = cells > 0
    np.testing.assert_array_equal(bounds.low[inside], bounds.high[inside])
    np.testing.assert_allclose(bounds.low[inside], shape_field(cells)[inside], atol=1e-5)
    assert bounds.whole == 2
    assert (bounds.high[background] == 0).all()


def test_where_nothing_is_painted_nothing_is_known() -> None:
    cells = touching_cells()

    bounds = shape_bounds(cells, np.zeros_like(cells, dtype=bool))

    assert (bounds.low[cells == 0] == 0).all()
    assert (bounds.high[cells == 0] == 1).all()


def test_the_truth_lies_within_the_bounds_of_scribbles() -> None:
    cells = touching_cells()
    scribbles = np.where(stroke(44, slice(15, 40)) | stroke(52, slice(58, 80)), cells, 0)
    background = stroke(5, slice(10, 80)) | stroke(90, slice(10, 80))

    bounds = shape_bounds(scribbles, background)

    field, painted = shape_field(cells), scribbles > 0
    assert bounds.whole == 0
    assert (bounds.low <= field + 1e-6)[painted].all()
    assert (bounds.high >= field - 1e-6)[painted].all()
    assert (bounds.low < bounds.high)[painted].all()


def test_scribbles_of_two_objects_that_come_near_bound_the_field_between_them() -> None:
    cells = touching_cells()
    scribbles = np.where(stroke(48, slice(20, 75), width=9), cells, 0)

    bounds = shape_bounds(scribbles, np.zeros_like(cells, dtype=bool))

    edge = (cells == 1) & (scribbles == 1) & (ndimage.maximum_filter(scribbles, 3) == 2)
    assert edge.any()
    assert bounds.high[edge].max() < 0.7


def test_beside_an_object_painted_whole_a_scribble_is_at_least_so_deep() -> None:
    cells = touching_cells()
    painted = np.where((cells == 1) | stroke(48, slice(55, 78)), cells, 0)

    bounds = shape_bounds(painted, stroke(5, slice(10, 80)))

    scribble = painted == 2
    assert 0 < bounds.low[scribble].max() < 0.4
    assert (bounds.low <= shape_field(cells) + 1e-6)[scribble].all()


def test_dabs_of_one_brush_are_no_whole_objects() -> None:
    dabs = np.zeros((SIDE, SIDE), dtype=np.int32)
    dabs[disc(24, 24, 5)] = 1
    dabs[disc(60, 60, 5)] = 2

    bounds = shape_bounds(dabs, np.zeros_like(dabs, dtype=bool))

    assert (bounds.low[dabs > 0] < bounds.high[dabs > 0]).all()


def test_short_strokes_of_the_background_s_brush_are_no_whole_objects() -> None:
    short = np.zeros((SIDE, SIDE), dtype=np.int32)
    for number, length in enumerate((4, 5, 6, 7), start=1):
        short[stroke(20 * number, slice(30, 30 + length))] = number

    bounds = shape_bounds(short, stroke(5, slice(10, 80)))

    assert (bounds.low[short > 0] < bounds.high[short > 0]).all()


@pytest.mark.parametrize(("whole", "tell"), [(None, True), (0, False), (1, False), (2, True)])
def test_strokes_tell_nothing_of_outlines(whole: int | None, tell: bool) -> None:
    assert tell_of_objects(whole) is tell
