"""Borders may move, topology may not: against counts of connected components."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from benchmarks.warping import (
    TopologyErrors,
    classify_errors,
    near_borders,
    warp,
    warping_error,
)
from napari_unet.engine.errors import LabelsError

Mask = npt.NDArray[np.bool_]

pairs = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda shape: st.tuples(arrays(bool, shape), arrays(bool, shape))
)


def drawing(*rows: str) -> Mask:
    """Cells are '#', membranes '.'."""
    return np.array([[c == "#" for c in row] for row in rows])


def pieces(cells: Mask) -> tuple[int, int]:
    """The numbers of cells (4-connected) and of pieces of membrane (8-connected)."""
    membranes = np.pad(~cells, 1, constant_values=True)
    return ndimage.label(cells)[1], ndimage.label(membranes, np.ones((3, 3)))[1]


def flipped(cells: Mask, y: int, x: int) -> Mask:
    other = cells.copy()
    other[y, x] ^= True
    return other


def walled(height: int, width: int, *columns: int) -> Mask:
    cells = np.ones((height, width), dtype=bool)
    cells[:, list(columns)] = False
    return cells


@pytest.mark.parametrize("middle", [False, True])
def test_a_pixel_is_taken_over_if_and_only_if_the_pieces_stay_as_many(middle: bool) -> None:
    for ring in itertools.product([False, True], repeat=8):
        truth = np.array([*ring[:4], middle, *ring[4:]]).reshape(3, 3)
        proposal = flipped(truth, 1, 1)
        taken = bool(warp(truth, proposal)[1, 1] == proposal[1, 1])
        assert taken == (pieces(truth) == pieces(proposal)), truth


@given(pairs)
def test_the_warped_truth_has_the_topology_of_the_truth(pair: tuple[Mask, Mask]) -> None:
    truth, proposal = pair
    warped = warp(truth, proposal)
    assert pieces(warped) == pieces(truth)
    assert np.array_equal(warped[truth == proposal], truth[truth == proposal])


@given(pairs)
def test_no_pixel_is_left_that_could_be_taken_over(pair: tuple[Mask, Mask]) -> None:
    truth, proposal = pair
    warped = np.pad(warp(truth, proposal), 1)
    for y, x in np.argwhere(warped != np.pad(proposal, 1)):
        around = warped[y - 1 : y + 2, x - 1 : x + 2]
        assert pieces(around) != pieces(flipped(around, 1, 1))


def test_a_border_that_only_moved_or_grew_is_no_error() -> None:
    truth = walled(12, 20, 9)
    assert warping_error(truth, walled(12, 20, 6)) > 0  # too far: what lies between stays
    assert warping_error(truth, walled(12, 20, 9, 10, 11)) == 0
    assert warping_error(walled(12, 20, 7, 8, 9), walled(12, 20, 9)) == 0
    assert warping_error(truth, walled(12, 20, 10)) == 0
    assert warping_error(truth, truth) == 0


def test_a_broken_membrane_counts_the_pixels_that_mend_it() -> None:
    truth, proposal = walled(12, 20, 9), walled(12, 20, 9)
    proposal[4, 9] = True
    warped = warp(truth, proposal)
    assert classify_errors(warped, proposal) == TopologyErrors(splits=0, mergers=1, others=0)
    assert warping_error(truth, proposal) == 1 / 240


@pytest.mark.parametrize("wall", [(9,), (8, 9, 10)])
def test_a_missing_membrane_counts_once_along_its_length(wall: tuple[int, ...]) -> None:
    truth, proposal = walled(12, 20, *wall), walled(12, 20)
    warped = warp(truth, proposal)
    assert classify_errors(warped, proposal) == TopologyErrors(splits=0, mergers=12, others=0)


def test_a_membrane_too_many_counts_where_it_closes() -> None:
    truth, proposal = walled(12, 20), walled(12, 20, 9)
    warped = warp(truth, proposal)  # it grows in from above until it would part the cell
    assert classify_errors(warped, proposal) == TopologyErrors(splits=1, mergers=0, others=0)


def test_holes_and_cells_too_many_or_too_few_count_but_are_no_splits_or_mergers() -> None:
    empty, hole = np.ones((9, 9), bool), np.ones((9, 9), bool)
    hole[3:6, 3:6] = False
    for truth, proposal, left in [
        (empty, hole, 9),  # a hole too many, none of it connected to a membrane
        (hole, empty, 1),  # the hole shrinks to one pixel
        (~empty, ~hole, 9),  # a cell too many
        (~hole, ~empty, 1),
    ]:
        warped = warp(truth, proposal)
        assert classify_errors(warped, proposal) == TopologyErrors(0, 0, others=left)
        assert warping_error(truth, proposal) == left / 81


def test_a_cut_ring_is_split_only_if_its_way_round_is_out_of_reach() -> None:
    truth = np.ones((15, 15), bool)
    truth[1:-1, 1:-1] = False
    proposal = flipped(truth, 0, 7)
    warped = warp(truth, proposal)
    assert classify_errors(warped, proposal) == TopologyErrors(0, 0, others=1)
    assert classify_errors(warped, proposal, radius=5) == TopologyErrors(
        splits=1, mergers=0, others=0
    )


def test_two_cells_that_meet_at_a_corner_are_not_one() -> None:
    truth = drawing("##..", "##..", "..##", "..##")
    proposal = drawing("##..", "###.", "..##", "..##")
    warped = warp(truth, proposal)
    assert pieces(warped)[0] == 2
    assert classify_errors(warped, proposal) == TopologyErrors(splits=0, mergers=1, others=0)


def test_the_line_that_is_left_lies_where_the_proposal_is_least_sure() -> None:
    truth, proposal = walled(12, 20, 8, 9, 10), walled(12, 20)
    certainty = np.ones((12, 20))
    certainty[:, 9] = 0.1
    assert np.array_equal(warp(truth, proposal, certainty=certainty), walled(12, 20, 9))
    assert np.array_equal(warp(truth, proposal), walled(12, 20, 10))  # in reading order


def test_borders_move_only_where_they_are_allowed_to() -> None:
    truth = np.zeros((40, 40), bool)
    truth[5:35, 5:35] = True
    proposal = ndimage.binary_erosion(truth, iterations=5)
    near = near_borders(truth, 2)
    assert warping_error(truth, proposal) == 0
    assert warping_error(truth, proposal, allowed=near) == (26**2 - 20**2) / 1600
    assert np.array_equal(warp(truth, proposal, allowed=near), np.pad(np.ones((26, 26), bool), 7))


def test_near_borders_is_a_distance_to_the_other_side() -> None:
    truth = walled(3, 9, 4)
    assert np.array_equal(near_borders(truth, 1)[1], drawing("...###...")[0])
    assert np.array_equal(near_borders(truth, 3)[1], drawing(".#######.")[0])
    assert not near_borders(walled(3, 9), 100).any()
    assert not near_borders(~walled(3, 9), 100).any()


def test_an_image_without_pixels_has_no_error_to_measure() -> None:
    nothing = np.ones((0, 5), bool)
    assert np.isnan(warping_error(nothing, nothing))


@pytest.mark.parametrize("measure", [warp, warping_error, classify_errors])
def test_images_of_different_shapes_get_one_sentence(measure: Any) -> None:
    with pytest.raises(LabelsError, match="one shape"):
        measure(np.ones((3, 4), bool), np.ones((4, 3), bool))


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_every_error_is_of_one_kind(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, proposal = (ndimage.gaussian_filter(rng.random((40, 40)), 2) > 0.5 for _ in range(2))
    warped = warp(truth, proposal)
    found = classify_errors(warped, proposal)
    assert found.splits + found.mergers + found.others == (warped != proposal).sum()
    assert min(found.splits, found.mergers, found.others) >= 0
