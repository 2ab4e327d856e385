"""Overlap-tile geometry and mirror padding, against plain numpy."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from napari_unet.engine.stack.planes import ArrayPlanes
from napari_unet.engine.stack.tiles import (
    Span,
    Tile,
    bands,
    cut_axis,
    cut_plane,
    nearest_first,
    read_mirrored,
    round_up,
)

lengths = st.integers(1, 200)
steps = st.sampled_from([1, 2, 4, 8, 16, 32, 64])


@given(lengths, st.integers(1, 300), steps)
def test_every_pixel_of_an_axis_lies_in_exactly_one_span(length: int, tile: int, step: int) -> None:
    spans = cut_axis(length, tile, step)
    assert [i for span in spans for i in range(span.start, span.stop)] == list(range(length))


@given(lengths, st.integers(1, 300), steps)
def test_spans_start_at_the_stride_and_are_as_long_as_asked(
    length: int, tile: int, step: int
) -> None:
    spans = cut_axis(length, tile, step)
    assert all(span.start % step == 0 for span in spans)
    for span in spans[:-1]:
        assert tile <= span.length < tile + step


@given(st.tuples(lengths, lengths), st.integers(1, 300), steps)
def test_every_pixel_of_a_plane_is_predicted_exactly_once(
    shape: tuple[int, int], tile: int, step: int
) -> None:
    count = np.zeros(shape, int)
    for part in cut_plane(shape, max(tile, max(shape) // 8), step):
        count[part.y.as_slice, part.x.as_slice] += 1
    assert (count == 1).all()


def test_sizes_are_rounded_up_to_the_step() -> None:
    assert [round_up(size, 16) for size in (1, 16, 17, 388)] == [16, 16, 32, 400]


@given(lengths, st.integers(-500, 500), st.integers(0, 700))
def test_mirroring_agrees_with_numpy_however_far_it_reaches(
    length: int, start: int, extent: int
) -> None:
    span = Span(start, start + extent)
    before, after = max(0, -start), max(0, start + extent - length)
    padded = np.pad(np.arange(length), (before, after), mode="reflect")
    expected = padded[start + before : start + before + extent]
    np.testing.assert_array_equal(span.mirrored(length), expected)


class CountingPlanes(ArrayPlanes):
    """Remembers how much was read."""

    pixels_read = 0

    def read(self, plane: int, y: slice, x: slice) -> npt.NDArray[Any]:
        assert 0 <= y.start < y.stop <= self.shape[0]
        assert 0 <= x.start < x.stop <= self.shape[1]
        self.pixels_read += (y.stop - y.start) * (x.stop - x.start)
        return super().read(plane, y, x)


@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.tuples(st.integers(-60, 60), st.integers(1, 90)),
    st.tuples(st.integers(-60, 60), st.integers(1, 90)),
)
def test_a_mirrored_read_equals_a_padded_plane(
    shape: tuple[int, int], rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    stack = np.random.default_rng(0).integers(0, 255, (2, 3, *shape)).astype(np.uint8)
    planes = ArrayPlanes(stack, channel_axis=1)
    tile = Tile(Span(rows[0], sum(rows)), Span(columns[0], sum(columns)))
    got = read_mirrored(planes, 1, tile)
    padded = np.pad(stack[1], ((0, 0), (200, 200), (200, 200)), mode="reflect")
    expected = padded[:, 200 + rows[0] : 200 + sum(rows), 200 + columns[0] : 200 + sum(columns)]
    assert got.dtype == np.uint8
    np.testing.assert_array_equal(got, expected)


def test_only_the_needed_part_of_a_plane_is_read() -> None:
    planes = CountingPlanes(np.zeros((1000, 1000), np.uint8))
    read_mirrored(planes, 0, Tile(Span(-8, 24), Span(500, 532)))
    assert planes.pixels_read == 24 * 32
    planes.pixels_read = 0
    read_mirrored(planes, 0, Tile(Span(980, 1030), Span(500, 532)))
    assert planes.pixels_read == 31 * 32


def test_the_distance_to_a_span_is_zero_inside() -> None:
    assert [Span(4, 7).distance(i) for i in range(2, 10)] == [2, 1, 0, 0, 0, 1, 2, 3]


def test_tiles_come_nearest_to_the_pixel_first() -> None:
    tiles = cut_plane((96, 96), 32, 16)
    ordered = nearest_first(tiles, 40, 90)
    assert ordered[0] == Tile(Span(32, 64), Span(64, 96))
    distances = [tile.y.distance(40) ** 2 + tile.x.distance(90) ** 2 for tile in ordered]
    assert distances == sorted(distances)
    assert sorted(ordered, key=tiles.index) == tiles


def test_the_geometry_needs_no_torch() -> None:
    code = "import sys, napari_unet.engine.stack.tiles; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_bands_hold_each_row_once_from_the_first_one_on() -> None:
    assert list(bands((7, 10), 30, first=4)) == [slice(4, 7), slice(7, 10), slice(10, 11)]
    assert list(bands((2, 10), 3)) == [slice(0, 1), slice(1, 2)]  # at least one row
