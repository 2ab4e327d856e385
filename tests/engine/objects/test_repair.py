"""Objects split along a line, and merged: no pixel is lost, and no number used twice."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from napari_unet.engine.objects.repair import merge, numbers_under, read_around, split

Labels = npt.NDArray[np.int32]


def line(*points: tuple[float, float]) -> npt.NDArray[np.float64]:
    return np.array(points, float)


@pytest.fixture
def disc() -> Labels:
    """A rectangle of 10×20 pixels, number 3, in a plane of 20×30."""
    labels = np.zeros((20, 30), np.int32)
    labels[5:15, 5:25] = 3
    return labels


def test_the_larger_part_keeps_the_number_and_no_pixel_is_lost(disc: Labels) -> None:
    after = split(disc, line((2, 12), (18, 12)), first_new=8)
    np.testing.assert_array_equal(after > 0, disc > 0)
    assert (after[5:15, 5:12] == 8).all()
    assert (after[5:15, 13:25] == 3).all()
    assert set(np.unique(after)) == {0, 3, 8}


def test_a_diagonal_line_cuts_through(disc: Labels) -> None:
    after = split(disc, line((3, 3), (17, 27)), first_new=8)
    assert set(np.unique(after)) == {0, 3, 8}
    np.testing.assert_array_equal(after > 0, disc > 0)


@pytest.mark.parametrize(
    "drawn",
    [line((2, 12), (12, 12)), line((10, 12)), line((0, 0), (0, 29)), line((-9, -9), (-5, 90))],
)
def test_a_line_that_does_not_cut_through_changes_nothing(
    disc: Labels, drawn: npt.NDArray[np.float64]
) -> None:
    np.testing.assert_array_equal(split(disc, drawn, first_new=8), disc)


def test_a_line_that_cuts_into_three_gives_two_new_numbers_the_larger_first(disc: Labels) -> None:
    after = split(disc, line((2, 9), (18, 9), (18, 13), (2, 13)), first_new=8)
    assert after[10, 24] == 3
    assert after[10, 5] == 8
    assert after[10, 11] == 9


def test_each_object_under_the_line_is_split(disc: Labels) -> None:
    disc[5:15, 15:25] = 4
    after = split(disc, line((10, 0), (10, 29)), first_new=8)
    assert set(np.unique(after)) == {0, 3, 4, 8, 9}


def test_crumbs_at_the_rim_are_no_parts(disc: Labels) -> None:
    after = split(disc, line((3, 6), (7, 6), (7, 3)), first_new=8)
    np.testing.assert_array_equal(after, disc)


def test_a_piece_apart_from_the_line_keeps_the_number(disc: Labels) -> None:
    disc[17:19, 0:4] = 3
    after = split(disc, line((2, 12), (16, 12)), first_new=8)
    assert (after[17:19, 0:4] == 3).all()
    assert after[10, 5] == 8


def test_the_numbers_under_a_line_are_those_that_it_meets_in_that_order() -> None:
    labels = np.array([[0, 5, 0, 2, 9]])
    assert numbers_under(labels, line((0, 4), (0, 0))) == (9, 2, 5)
    assert numbers_under(labels, line((0, 3))) == (2,)
    assert numbers_under(labels, line((-4, 3))) == ()


def test_merged_objects_have_the_first_number_and_no_slit_between_them() -> None:
    labels = np.array([[5, 5, 0, 2, 2], [5, 5, 0, 2, 2], [0, 0, 0, 0, 7]])
    expected = np.array([[2, 2, 2, 2, 2], [2, 2, 2, 2, 2], [0, 0, 0, 0, 7]])
    np.testing.assert_array_equal(merge(labels, (2, 5)), expected)


def test_an_object_is_read_whole_and_little_else() -> None:
    plane = np.zeros((9000, 9000), np.uint8)
    plane[100, 1000:7000] = 4
    pixels = []

    def read(y: slice, x: slice) -> npt.NDArray[np.uint8]:
        pixels.append((y.stop - y.start) * (x.stop - x.start))
        return plane[y, x]

    (_, x), labels = read_around(read, plane.shape, [line((100, 4000))])
    assert np.count_nonzero(labels) == 6000
    assert x.start <= 1000
    assert x.stop >= 7000
    read_around(read, plane.shape, [line((8000, 8000))])
    assert pixels[-1] <= 1025**2


objects = hnp.arrays(np.int32, (12, 12), elements=st.integers(0, 3))
points = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 6), st.just(2)),
    elements=st.floats(-2, 14, allow_nan=False),
)


@settings(max_examples=150, deadline=None)
@given(objects, points)
def test_splitting_moves_no_border_and_joins_nothing(
    labels: Labels, drawn: npt.NDArray[np.float64]
) -> None:
    after = split(labels, drawn, first_new=10)
    np.testing.assert_array_equal(after > 0, labels > 0)
    for number in np.unique(after[after > 0]).tolist():
        assert len(np.unique(labels[after == number])) == 1  # of one object only
        if number >= 10:
            assert ndimage.label(after == number)[1] == 1
            assert int(labels[after == number][0]) in numbers_under(labels, drawn)
    for number in np.unique(labels[labels > 0]):
        sizes = np.bincount(after[labels == number])
        assert sizes[number] > 0
        assert not sizes[10:].any() or sizes[number] >= sizes[10:].max()
