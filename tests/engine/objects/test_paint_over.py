"""Painted objects come out as painted, whole and apart, and nothing else changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from skimage.draw import disk

from napari_unet.engine.objects import paint_over as paint_over_module
from napari_unet.engine.objects.paint_over import paint_over
from napari_unet.engine.stack.run_labels import RunLabels

Labels = npt.NDArray[np.int32]


def override(labels: Labels, painted: Labels, smallest: int = 1) -> Labels:
    """Return the plane, after a look at its numbers."""
    result, count = paint_over(RunLabels.of(labels), RunLabels.of(painted), smallest=smallest)
    values = np.asarray(result)
    ids, first = np.unique(values[values > 0], return_index=True)
    assert ids.tolist() == list(range(1, count + 1))
    assert (np.diff(first) > 0).all(), "not in reading order"
    return values


def plane(**discs: Any) -> Labels:
    """Return a plane of 60×100 pixels with discs: n3=(y, x, radius) has number 3."""
    labels = np.zeros((60, 100), np.int32)
    for name, (y, x, radius) in discs.items():
        labels[disk((y, x), radius, shape=labels.shape)] = int(name[1:])
    return labels


def stroke(y: slice | int, x: slice | int, number: int, onto: Labels | None = None) -> Labels:
    labels = plane() if onto is None else onto.copy()
    labels[y, x] = number
    return labels


CLUMP = np.maximum(plane(n1=(30, 30, 15)), plane(n1=(30, 56, 15)))  # two that touch, as one
LEFT = plane(n2=(30, 30, 15))


def test_painted_background_goes() -> None:
    found = plane(n1=(30, 30, 15), n2=(30, 70, 10))
    result = override(found, stroke(slice(None), slice(20, 26), 1))
    assert not result[:, 20:26].any()
    np.testing.assert_array_equal(result[:, 26:] > 0, found[:, 26:] > 0)


def test_a_line_of_background_cuts_an_object_in_two() -> None:
    result = override(CLUMP, stroke(slice(None), slice(42, 44), 1))
    assert result.max() == 2
    assert result[30, 30] != result[30, 56]


def test_debris_that_a_cut_leaves_goes() -> None:
    found = plane(n1=(30, 30, 15))
    result = override(found, stroke(slice(None), slice(16, 18), 1), smallest=16)
    assert not result[:, :18].any()
    assert result.max() == 1


def test_a_whole_object_leaves_its_clump_as_painted() -> None:
    result = override(CLUMP, LEFT)
    np.testing.assert_array_equal(result == result[30, 30], LEFT == 2)
    assert result[30, 60] not in (0, result[30, 30])


def test_a_rim_around_a_whole_object_goes() -> None:
    result = override(plane(n1=(30, 30, 18)), LEFT)
    np.testing.assert_array_equal(result > 0, LEFT > 0)


def test_a_whole_object_of_two_pieces_is_one() -> None:
    found = LEFT.copy()
    found[:, 30:][found[:, 30:] > 0] = 7
    result = override(found, LEFT)
    np.testing.assert_array_equal(result, LEFT == 2)


def test_whole_objects_that_touch_stay_apart() -> None:
    painted = np.where(np.arange(100) < 43, np.minimum(CLUMP, 1) * 2, CLUMP * 3).astype(np.int32)
    result = override(CLUMP, painted)
    np.testing.assert_array_equal(result, np.maximum(painted - 1, 0))


def test_a_scribble_keeps_the_object_that_it_lies_in() -> None:
    result = override(plane(n1=(30, 30, 15)), stroke(28, slice(22, 36), 2))
    np.testing.assert_array_equal(result, plane(n1=(30, 30, 15)))


def test_a_scribble_joins_what_it_goes_through() -> None:
    found = plane(n1=(30, 30, 15), n2=(30, 70, 15))
    result = override(found, stroke(30, slice(25, 75), 2))
    assert result.max() == 1
    np.testing.assert_array_equal(result > 0, (found > 0) | (stroke(30, slice(25, 75), 2) > 0))


def test_scribbles_of_two_numbers_part_an_object_at_its_neck() -> None:
    painted = stroke(30, slice(24, 30), 2, stroke(30, slice(54, 58), 3))
    result = override(CLUMP, painted)
    assert result.max() == 2
    np.testing.assert_array_equal(result > 0, CLUMP > 0)
    np.testing.assert_array_equal(result[:, :42] == 1, CLUMP[:, :42] > 0)
    np.testing.assert_array_equal(result[:, 45:] == 2, CLUMP[:, 45:] > 0)


def test_an_outlined_object_is_whole() -> None:
    ring = LEFT - plane(n2=(30, 30, 13))
    result = override(CLUMP, ring)
    np.testing.assert_array_equal(result == result[30, 30], LEFT == 2)
    assert result.max() == 2


def test_what_was_not_found_is_there_as_painted() -> None:
    np.testing.assert_array_equal(override(plane(), LEFT), LEFT == 2)


def test_a_box_that_is_too_large_keeps_the_paint_and_one_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(paint_over_module, "_LARGEST", 500)
    painted = stroke(30, slice(24, 30), 2, stroke(30, slice(54, 58), 3))
    painted[28, :] = 1
    result = override(CLUMP, painted)
    assert result.max() == 3
    assert not result[28].any()
    for number in (2, 3):
        assert len(np.unique(result[painted == number])) == 1
    np.testing.assert_array_equal(result > 0, ((CLUMP > 0) & (painted != 1)) | (painted > 1))


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Labels, Labels]:
    """Draw found objects, and paint of all kinds over them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (draw(st.integers(8, 60)), draw(st.integers(8, 60)))
    smooth = ndimage.gaussian_filter(rng.normal(size=shape), draw(st.sampled_from([1.0, 2.5, 5.0])))
    mask = smooth > np.quantile(smooth, draw(st.sampled_from([0.2, 0.5, 0.7])))
    pieces: Labels = ndimage.label(mask)[0].astype(np.int32)
    found = np.where(pieces > 0, pieces * 3 + 4, 0).astype(np.int32)  # numbers with gaps
    painted = np.zeros(shape, np.int32)
    for _ in range(draw(st.integers(0, 8))):
        number, radius = int(rng.integers(1, 6)), float(rng.choice([0.6, 1.5, 3, 6, 10]))
        start, end = rng.uniform(0, shape, 2), rng.uniform(0, shape, 2)
        for share in np.linspace(0, draw(st.sampled_from([0.0, 0.3, 1.0])), 20):
            where = disk(tuple(start + share * (end - start)), radius, shape=shape)
            painted[where] = number
    return found, painted


@given(scenes(), st.sampled_from([1, 16]))
def test_only_what_touches_paint_changes(scene: tuple[Labels, Labels], smallest: int) -> None:
    found, painted = scene
    result = override(found, painted, smallest)
    assert not result[painted == 1].any()
    numbers = np.unique(painted[painted > 1])
    new = [np.unique(result[painted == number]) for number in numbers]
    assert all(len(one) == 1 for one in new), "a painted object is in pieces"
    assert len({int(one[0]) for one in new} - {0}) == len(numbers), "two are one"
    touched = np.unique(found[painted > 0])
    untouched = (found > 0) & ~np.isin(found, touched)
    pairs = np.unique(np.stack([found[untouched], result[untouched]]), axis=1)
    assert len(pairs[0]) == len(np.unique(pairs[0])) == len(np.unique(pairs[1]))
    assert not np.isin(result[~untouched], pairs[1]).any(), "an untouched object has grown"
    assert not result[(found == 0) & (painted == 0)].any()


@given(scenes(), st.sampled_from([1, 16]))
def test_once_more_changes_nothing(scene: tuple[Labels, Labels], smallest: int) -> None:
    found, painted = scene
    once = override(found, painted, smallest)
    np.testing.assert_array_equal(override(once, painted, smallest), once)
