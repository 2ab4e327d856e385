"""What has come of a preview: values of the visible pixels, and when each was computed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_unet.engine.events import View
from napari_unet.engine.stack.tiles import Span, Tile, nearest_first

NEVER = -np.inf

Labels = npt.NDArray[np.int32]


@dataclass(slots=True, eq=False)
class PreviewCanvas:
    """The visible part of a plane, in rounds: its middle each time, and what is oldest.

    Of `view.step` pixels per side one is shown, the middle one.
    """

    wanted: View
    view: View  # inside the plane
    shape: tuple[int, int]  # of the plane, pixels (Y, X)
    pixels: Labels  # (y, x) shown ones; 0 where nothing has come yet
    when: npt.NDArray[np.float32]  # (y, x) seconds since the start; `NEVER`

    @classmethod
    def of(cls, wanted: View, shape: tuple[int, int]) -> PreviewCanvas | None:
        """Return an empty one; None if there are no such pixels.

        Parameters
        ----------
        wanted
            What is visible.
        shape
            (Y, X) of the plane, pixels.
        """
        height, width = shape
        rows, columns = (
            _shown(side, length, wanted.step)
            for side, length in ((wanted.y, height), (wanted.x, width))
        )
        if not (rows.length > 0 and columns.length > 0):
            return None
        y, x = (_in_plane(span, wanted.step).as_slice for span in (rows, columns))
        view = View(wanted.plane, y, x, wanted.step)
        size = rows.length, columns.length
        nothing = np.full(size, NEVER, np.float32)
        return cls(wanted, view, (height, width), np.zeros(size, np.int32), nothing)

    @property
    def is_complete(self) -> bool:
        """Whether all of it has come."""
        return bool(self.when.min() > NEVER)

    def take_over(self, before: PreviewCanvas | None) -> None:
        """Begin with what has come where people looked before."""
        if before is not None and before.view.plane == self.view.plane:
            copy_overlap(before.pixels, before.view, self.pixels, self.view)
            copy_overlap(before.when, before.view, self.when, self.view)

    def next_round(self, side: int, pixels: float) -> list[Tile]:
        """Return what to compute next, from the middle outwards.

        Parameters
        ----------
        side
            Of the tiles, which start at multiples of it: so they are computed without waste.
        pixels
            About so many are computed. If they are less than all, half of them are those in the
            middle, and the others those that have never come or are oldest; a tile of each at
            least.
        """
        tiles = self._tiles(side)
        if sum(map(_area, tiles)) <= pixels:
            return tiles
        middle = _first(tiles, pixels / 2)
        rest = sorted(tiles[len(middle) :], key=lambda tile: self.when[self._inside(tile)].min())
        return middle + _first(rest, pixels - sum(map(_area, middle)))

    def put(self, tile: Tile, values: Labels, now: float) -> None:
        """Take the values of a tile, one per pixel of the plane."""
        step = self.view.step
        rows, columns = (
            slice(-(side.start - step // 2) % step, None, step) for side in (tile.y, tile.x)
        )
        inside = self._inside(tile)
        self.pixels[inside] = values[rows, columns]
        self.when[inside] = now

    def _tiles(self, side: int) -> list[Tile]:
        """Return the tiles of the view in which something is shown, from its middle outwards."""
        y, x = (
            Span(part.start, min(part.stop, length))
            for part, length in zip((self.view.y, self.view.x), self.shape, strict=True)
        )
        tiles = [Tile(rows, columns) for rows in _cut(y, side) for columns in _cut(x, side)]
        seen = [tile for tile in tiles if self.when[self._inside(tile)].size]
        return nearest_first(seen, (y.start + y.stop) // 2, (x.start + x.stop) // 2)

    def _inside(self, tile: Tile) -> tuple[slice, slice]:
        """Return where a tile's shown pixels are on the canvas."""
        step = self.view.step
        y, x = (
            slice(
                -(-(side.start - step // 2) // step) - origin.start // step,
                -(-(side.stop - step // 2) // step) - origin.start // step,
            )
            for side, origin in ((tile.y, self.view.y), (tile.x, self.view.x))
        )
        return y, x


def copy_overlap(
    values: npt.NDArray[np.generic], view: View, target: npt.NDArray[np.generic], to: View
) -> None:
    """Copy what two views of a plane share into the array of the other; nothing if coarser."""
    if view.step != to.step:
        return
    here, there = [], []
    for one, other in ((view.y, to.y), (view.x, to.x)):
        start = max(one.start, other.start)
        stop = max(start, min(one.stop, other.stop))
        here.append(_moved(slice(start, stop), one, view.step))
        there.append(_moved(slice(start, stop), other, view.step))
    target[tuple(there)] = values[tuple(here)]


def _moved(side: slice, origin: slice, step: int) -> slice:
    """Return the shown pixels in an array that begins where `origin` does."""
    return slice((side.start - origin.start) // step, (side.stop - origin.start) // step)


def _shown(side: slice, length: int, step: int) -> Span:
    """Return which of the shown pixels of an axis lie in a part of it."""
    last = -(-(length - step // 2) // step)  # the middle of each lies on the plane
    return Span(max(0, int(side.start)) // step, min(-(-int(side.stop) // step), last))


def _in_plane(span: Span, step: int) -> Span:
    return Span(span.start * step, span.stop * step)


def _cut(span: Span, side: int) -> list[Span]:
    """Cut a span at multiples of a side."""
    starts = range(span.start // side * side, span.stop, side)
    return [Span(max(start, span.start), min(start + side, span.stop)) for start in starts]


def _area(tile: Tile) -> int:
    return tile.y.length * tile.x.length


def _first(tiles: list[Tile], pixels: float) -> list[Tile]:
    """Return the first tiles that have at most so many pixels together, but at least one."""
    total = np.cumsum([_area(tile) for tile in tiles])
    return tiles[: max(1, int(np.searchsorted(total, pixels, "right")))]
