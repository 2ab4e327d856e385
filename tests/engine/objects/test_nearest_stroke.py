"""Two strokes in one object share it where it is narrow, or half-way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from skimage.graph import MCP

from napari_unet.engine.objects.nearest_stroke import nearest_stroke


@given(st.integers(0, 2**32 - 1))
def test_each_pixel_goes_to_the_stroke_with_the_cheapest_path(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random((9, 11)) < 0.8
    heights = rng.uniform(0.5, 4, mask.shape)
    strokes = np.where(rng.random(mask.shape) < 0.06, rng.integers(1, 5, mask.shape), 0)
    found = nearest_stroke(heights, strokes.astype(np.int32), mask)
    costs = np.where(mask, 1 / heights, -1.0)
    best = np.full(mask.shape, np.inf)
    of_number = {}
    for number in np.unique(strokes[mask & (strokes > 0)]):
        starts = np.argwhere(mask & (strokes == number))
        of_number[number] = MCP(costs, fully_connected=False).find_costs(starts)[0]
        best = np.minimum(best, of_number[number])
    for number, cost in of_number.items():
        np.testing.assert_allclose(cost[found == number], best[found == number])
    assert ((found > 0) == (mask & np.isfinite(best))).all()


@pytest.mark.parametrize("dy", [0, 5, 11])
@pytest.mark.parametrize("width", [2, 14])
def test_strokes_on_one_side_of_a_round_cell_do_not_take_its_neighbour(dy: int, width: int) -> None:
    y, x = np.mgrid[:64, :120]
    left = (y - 32) ** 2 + (x - 34) ** 2 <= 28**2
    right = (y - 32) ** 2 + (x - 84) ** 2 <= 28**2
    strokes = np.zeros(left.shape, np.int32)
    strokes[32 - dy : 34 - dy, 20 : 20 + width] = 1  # off the middle of its cell
    strokes[32 + dy : 34 + dy, 84:98] = 2
    cells = left | right
    found = nearest_stroke(ndimage.distance_transform_edt(cells), strokes, cells)
    for number, cell in ((1, left), (2, right)):
        both = (found == number) & cell
        assert both.sum() > 0.9 * ((found == number) | cell).sum()


def test_without_a_stroke_nothing_is_reached() -> None:
    nothing = nearest_stroke(np.ones((3, 4)), np.zeros((3, 4), np.int32), np.ones((3, 4), bool))
    assert nothing.shape == (3, 4)
    assert not nothing.any()
