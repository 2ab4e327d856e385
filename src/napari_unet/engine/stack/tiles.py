"""Overlap-tile geometry, per axis and as their product, mirror padding, and bands of rows.

A tile is predicted from a larger input: its own pixels and a margin of context on each side.
Context beyond the image is the mirrored image (section 3 and fig. 2 of the U-Net paper). Valid
convolutions with 2x2 poolings give a pixel the same output in every tile whose start differs by
a multiple of the network's stride, so every tile starts at such a multiple.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet.engine.stack.planes import Planes

_AT_ONCE = 1 << 22  # pixels of a plane that are in memory at once: 16 MB of int32


@dataclass(frozen=True, slots=True)
class Span:
    """The pixels `start` to `stop` - 1 along one axis; they may lie outside the plane."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """Number of pixels."""
        return self.stop - self.start

    @property
    def as_slice(self) -> slice:
        """Return the pixels of an array that starts at 0."""
        return slice(self.start, self.stop)

    def widen(self, margin: int) -> Span:
        """Return the span with `margin` pixels more on each side."""
        return Span(self.start - margin, self.stop + margin)

    def distance(self, position: int) -> int:
        """Return how far a position lies outside the span, pixels; 0 inside."""
        return max(self.start - position, position - (self.stop - 1), 0)

    def mirrored(self, length: int) -> npt.NDArray[np.intp]:
        """Return the index of each pixel on an axis of `length` pixels, mirrored at its ends.

        The edge pixel is not repeated (``numpy.pad``'s "reflect"), and a span longer than the
        axis is mirrored again and again.
        """
        period = max(1, 2 * (length - 1))
        position = np.arange(self.start, self.stop) % period
        return np.minimum(position, period - position) if length > 1 else position


@dataclass(frozen=True, slots=True)
class Tile:
    """A rectangle of a plane."""

    y: Span
    x: Span

    def widen(self, margin: int) -> Tile:
        """Return the tile with `margin` pixels more on each side."""
        return Tile(self.y.widen(margin), self.x.widen(margin))


def round_up(size: int, step: int) -> int:
    """Return the smallest multiple of `step` that is >= `size`."""
    return step * math.ceil(size / step)


def cut_axis(length: int, tile: int, step: int) -> list[Span]:
    """Cut an axis into spans that hold each pixel exactly once.

    Parameters
    ----------
    length
        Pixels along the axis.
    tile
        Wanted length of a span, pixels; rounded up to a multiple of `step`. The last span is
        what is left.
    step
        Every span starts at a multiple of it: the network's stride.
    """
    side = round_up(tile, step)
    return [Span(start, min(start + side, length)) for start in range(0, length, side)]


def cut_plane(shape: tuple[int, int], tile: int, step: int) -> list[Tile]:
    """Cut a plane (Y, X) into tiles that hold each pixel exactly once, row by row."""
    height, width = shape
    columns = cut_axis(width, tile, step)
    return [Tile(y, x) for y in cut_axis(height, tile, step) for x in columns]


def bands(shape: tuple[int, int], pixels: int | None = None, *, first: int = 0) -> Iterator[slice]:
    """Yield bands of rows, from the top.

    Parameters
    ----------
    shape
        Rows, and their width in pixels.
    pixels
        About so many are in a band, but at least one row; None: 2^22.
    first
        Number of the first row.
    """
    height, width = shape
    rows = max(1, (pixels or _AT_ONCE) // width)
    for top in range(first, first + height, rows):
        yield slice(top, min(top + rows, first + height))


def nearest_first(tiles: Iterable[Tile], y: int, x: int) -> list[Tile]:
    """Return the tiles ordered by their distance to a pixel; ties keep their order."""
    return sorted(tiles, key=lambda tile: tile.y.distance(y) ** 2 + tile.x.distance(x) ** 2)


def read_mirrored(planes: Planes, plane: int, tile: Tile) -> npt.NDArray[Any]:
    """Return a rectangle of the endlessly mirrored plane as (C, y, x), in the stored type.

    Only the bounding box of the pixels that are needed is read.
    """
    height, width = planes.shape
    rows, columns = tile.y.mirrored(height), tile.x.mirrored(width)
    top, left = int(rows.min()), int(columns.min())
    region = planes.read(
        plane, slice(top, int(rows.max()) + 1), slice(left, int(columns.max()) + 1)
    )
    if region.shape[1:] == (tile.y.length, tile.x.length) and top == rows[0] and left == columns[0]:
        return region  # wholly inside the plane
    return region[:, (rows - top)[:, np.newaxis], columns - left]
