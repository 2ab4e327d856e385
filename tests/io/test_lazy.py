"""A lazy array slices like numpy's, and reads no more than it is asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import basic_indices

from napari_unet.io.lazy import LazyArray, Spans, page_array

SHAPE = (3, 4, 5, 6)  # two leading axes, pages of 5 × 6
STORED: npt.NDArray[Any] = np.arange(360).reshape(SHAPE)


def lazy(reads: list[tuple[int, Spans]] | None = None) -> LazyArray:
    def read(number: int, spans: Spans) -> npt.NDArray[Any]:
        if reads is not None:
            reads.append((number, spans))
        page: npt.NDArray[Any] = STORED.reshape(-1, 5, 6)[number][spans]
        return page

    return page_array(SHAPE[:2], SHAPE[2:], STORED.dtype, read)


@given(basic_indices(SHAPE, allow_newaxis=False))
def test_slices_like_numpy(index: Any) -> None:
    np.testing.assert_array_equal(lazy()[index], STORED[index])


@given(st.sampled_from([(0, 3), (3, 0), (2, 3), (1, 1)]), st.data())
def test_moved_axes_slice_like_numpy(axes: tuple[int, int], data: st.DataObject) -> None:
    expected = np.moveaxis(STORED, *axes)
    moved = lazy().move_axis(*axes)
    assert moved.shape == expected.shape
    index = data.draw(basic_indices(expected.shape, allow_newaxis=False))
    np.testing.assert_array_equal(moved[index], expected[index])


@given(st.integers(0, 3), st.data())
def test_taking_a_position_slices_like_numpy(axis: int, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, SHAPE[axis] - 1))
    expected = STORED.take(position, axis)
    index = data.draw(basic_indices(expected.shape, allow_newaxis=False))
    np.testing.assert_array_equal(lazy().take(position, axis)[index], expected[index])


def test_becomes_a_numpy_array() -> None:
    np.testing.assert_array_equal(np.asarray(lazy()), STORED)
    assert np.asarray(lazy(), dtype=np.float32).dtype == np.float32
    assert (lazy().ndim, lazy().size, lazy().nbytes, len(lazy())) == (4, 360, 2880, 3)


def test_reads_only_the_pages_and_pixels_asked_for() -> None:
    reads: list[tuple[int, Spans]] = []
    _ = lazy(reads)[1, 2, 1:4, ::2]
    assert reads == [(6, (slice(1, 4), slice(0, 5)))]


def test_reads_nothing_for_an_empty_slice() -> None:
    reads: list[tuple[int, Spans]] = []
    assert lazy(reads)[2:2, :, 1:1].shape == (0, 4, 0, 6)
    assert reads == []


@pytest.mark.parametrize("index", [3, (0, 0, 0, 0, 0), [0, 1], True, "Y", (0, None)])
def test_refuses_what_is_no_basic_index(index: Any) -> None:
    with pytest.raises(IndexError):
        lazy()[index]
