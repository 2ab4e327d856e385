"""Scores over the true cells, against pairs counted one by one and entropies of scipy."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from scipy.stats import entropy

from benchmarks.boundary_metrics import information_score, rand_score, thin_borders
from napari_unet.engine.errors import LabelsError

Labels = npt.NDArray[Any]

pairs = st.tuples(st.integers(1, 6), st.integers(1, 6)).flatmap(
    lambda shape: st.tuples(
        arrays(np.int32, shape, elements=st.integers(0, 4)),
        arrays(np.int32, shape, elements=st.integers(0, 4)),
    )
)


def row(numbers: str) -> Labels:
    return np.array([[int(number) for number in numbers]])


def objects_of_pixels(pair: tuple[Labels, Labels]) -> list[tuple[int, int]]:
    """For each pixel of a true cell, its proposed and its true object; 0 is one per pixel."""
    proposal, truth = (labels.ravel().tolist() for labels in pair)
    both = zip(proposal, truth, strict=True)
    return [(s or -1 - index, t) for index, (s, t) in enumerate(both) if t]


@given(pairs)
def test_the_rand_score_agrees_with_pairs_counted_one_by_one(pair: tuple[Labels, Labels]) -> None:
    pixels = objects_of_pixels(pair)
    both = proposal = truth = 0
    for s, t in pixels:
        for other_s, other_t in pixels:
            both += s == other_s and t == other_t
            proposal += s == other_s
            truth += t == other_t
    if not pixels:
        assert math.isnan(rand_score(*pair))
        return
    precision, recall = both / proposal, both / truth
    harmonic = 2 * precision * recall / (precision + recall)
    assert rand_score(*pair) == pytest.approx(harmonic)


@given(pairs)
def test_the_information_score_agrees_with_scipys_entropies(pair: tuple[Labels, Labels]) -> None:
    pixels = objects_of_pixels(pair)
    if not pixels:
        assert math.isnan(information_score(*pair))
        return
    of_proposal, of_truth, of_both = (
        float(entropy(list(Counter(parts).values())))
        for parts in ([s for s, _ in pixels], [t for _, t in pixels], pixels)
    )
    whole = of_proposal + of_truth
    expected = 2 * (whole - of_both) / whole if whole else 1
    assert information_score(*pair) == pytest.approx(expected, abs=1e-12)


def test_scores_of_hand_computed_cases() -> None:
    truth = row("111022203330")
    merged = row("111111102220")  # 1 and 2 are one, across the membrane
    assert rand_score(merged, truth) == pytest.approx(2 * 27 / (36 + 9 + 27))
    shared = entropy([2 / 3, 1 / 3])
    assert information_score(merged, truth) == pytest.approx(2 * shared / (shared + math.log(3)))
    split = row("22033")  # the line is one object of one pixel
    assert rand_score(split, row("11111")) == pytest.approx(2 * 9 / (9 + 25))
    assert information_score(split, row("11111")) == 0


def test_two_equal_cells_that_merge_score_two_thirds_and_no_information() -> None:
    truth, merged = row("1110222"), row("1111111")
    assert rand_score(merged, truth) == pytest.approx(2 / 3)
    assert information_score(merged, truth) == 0


def test_only_the_true_cells_count() -> None:
    truth = row("1110022200")
    assert rand_score(row("1110022200"), truth) == 1
    assert rand_score(row("1114522267"), truth) == 1
    assert information_score(row("1114522267"), truth) == 1


def cells_of(size: int, *walls: int) -> npt.NDArray[np.bool_]:
    """Square cells between membranes, one pixel wide."""
    cells = np.ones((size, size), dtype=bool)
    cells[list(walls)] = cells[:, list(walls)] = False
    return cells


def test_wide_membranes_score_one_after_thinning() -> None:
    cells = cells_of(60, 19, 39)
    truth, _ = ndimage.label(cells)
    for width in (1, 3, 6):
        wide = ndimage.binary_erosion(
            cells, np.ones((3, 3), bool), iterations=width, border_value=1
        )
        assert rand_score(ndimage.label(wide)[0], truth) < 1
        assert rand_score(thin_borders(wide), truth) == 1
        assert information_score(thin_borders(wide), truth) == pytest.approx(1)


def test_a_broken_membrane_merges_two_cells_however_thin_it_becomes() -> None:
    cells = cells_of(60, 19, 39)
    truth, _ = ndimage.label(cells)
    broken = ndimage.binary_erosion(cells, np.ones((3, 3), bool), iterations=2, border_value=1)
    broken[8:10, 15:25] = True  # the two cells at the top left, 19×19 and 19×19 pixels
    sizes = np.bincount(truth[truth > 0]).astype(float)
    pairs_in_truth = (sizes**2).sum()
    expected = 2 * pairs_in_truth / (2 * pairs_in_truth + 2 * 361**2)
    assert rand_score(thin_borders(broken), truth) == pytest.approx(expected)


def test_thinned_membranes_are_one_pixel_wide_and_keep_the_cells() -> None:
    cells = cells_of(40, 12, 13, 14, 15, 27, 28, 29)
    thinned = thin_borders(cells)
    before, count = ndimage.label(cells)
    assert np.array_equal(thinned[cells], before[cells])
    assert set(np.unique(thinned)) == set(range(count + 1))
    lines = thinned == 0
    assert lines[5].sum() == lines[:, 20].sum() == 2
    for beside in (thinned, thinned.T):  # no two cells share an edge
        first, second = beside[:-1], beside[1:]
        assert ((first == second) | (first == 0) | (second == 0)).all()


def test_without_a_line_there_is_one_cell() -> None:
    assert (thin_borders(np.zeros((4, 5), bool)) == 1).all()
    assert (thin_borders(np.ones((4, 5), bool)) == 1).all()


@pytest.mark.parametrize("measure", [rand_score, information_score])
def test_the_numbers_of_cells_do_not_matter(measure: Any) -> None:
    truth, proposal = row("111022203330"), row("1112220033340")[:, :12]
    renamed = np.array([0, 70_000, 2**40, 9, 3])[proposal]
    assert measure(renamed, truth) == pytest.approx(measure(proposal, truth))


@pytest.mark.parametrize("measure", [rand_score, information_score])
def test_what_cannot_be_compared_gets_one_sentence(measure: Any) -> None:
    with pytest.raises(LabelsError, match="one shape"):
        measure(row("111"), row("1111"))
    with pytest.raises(LabelsError, match="prediction holds float64"):
        measure(np.ones((1, 3)), row("111"))
