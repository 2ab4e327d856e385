"""Which painted pixels validate: blocks in space, held out before they are ever trained on.

Single pixels cannot be held out: their neighbours in the same stroke would give the answer
away. Whole blocks of the plane are kept back, enough to have a share of every class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from napari_unet.engine.network.record import HeldOut
from napari_unet.engine.paint.label_scheme import IGNORED
from napari_unet.engine.paint.painted_planes import PaintedPlane, PaintedStack
from napari_unet.engine.random_state import RandomState

_CELL = 8  # pixels; every block consists of whole cells
_BLOCK_SIDES = (64, 48, 32, 24, 16, 8)  # pixels; the largest that works is taken
_MAX_BLOCKS = 24  # at a time; more would cost time at each validation and paint in training
_MAX_BLOCKS_IN_ALL = 48
_FARTHEST = 2**31  # pixels
_MIN_PIXELS = 8  # of each class, on both sides of the split

_FREE, _TRAINS, _VALIDATES = range(3)

_Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Block:
    plane: int  # number
    y: slice  # in the plane, pixels; may reach beyond it
    x: slice
    counts: _Counts  # (K,) labelled pixels per class when it was found

    @property
    def cells(self) -> tuple[slice, slice]:
        y, x = (slice(side.start // _CELL, side.stop // _CELL) for side in (self.y, self.x))
        return y, x

    def inside(self, plane: PaintedPlane) -> tuple[slice, slice]:
        """Return the part of the block that the painted plane's arrays hold."""
        y, x = (
            slice(*np.clip((side.start - first, side.stop - first), 0, length).tolist())
            for side, first, length in zip(
                (self.y, self.x), plane.origin, plane.classes.shape, strict=True
            )
        )
        return y, x


@dataclass(frozen=True, slots=True)
class BlockRecord:
    """Where a block is held out, in the plane, pixels; it may reach beyond it."""

    plane: int
    y: tuple[int, int]
    x: tuple[int, int]

    def __post_init__(self) -> None:
        if not all(0 <= start < stop < _FARTHEST for start, stop in (self.y, self.x)):
            raise ValueError(f"a block of {self.y!r:.40} by {self.x!r:.40}")


@dataclass(frozen=True, slots=True)
class SplitRecord:
    """How a split goes on; the sides of the cells belong to it."""

    random: RandomState
    blocks: tuple[BlockRecord, ...] = ()


class Split:
    """Divides painted pixels into those that train and those that validate, for good.

    A plane consists of cells of 8x8 px. A cell goes to one side when its first pixel is painted
    and never changes it, whatever is painted there later: no pixel that was trained on validates,
    and no pixel that validates is trained on.

    Parameters
    ----------
    shape
        Gives height and width of a plane, pixels.
    share
        Wanted share of the painted pixels of each class that validate, 0 to 1.
    """

    def __init__(
        self, shape: Callable[[int], tuple[int, int]], share: float, rng: np.random.Generator
    ) -> None:
        self._plane_shape = shape
        self._share = share
        self._rng = rng
        self._sides: dict[int, npt.NDArray[np.uint8]] = {}  # plane number → side of each cell
        self._blocks: list[_Block] = []

    def record(self) -> tuple[SplitRecord, dict[int, npt.NDArray[np.uint8]]]:
        """Return how it goes on, and the side of each cell by the number of the plane."""
        blocks = tuple(
            BlockRecord(b.plane, (b.y.start, b.y.stop), (b.x.start, b.x.stop)) for b in self._blocks
        )
        return SplitRecord(RandomState.of(self._rng), blocks), dict(self._sides)

    def restore(self, record: SplitRecord, sides: Mapping[int, npt.NDArray[np.uint8]]) -> None:
        """Go on from what was recorded, of planes of the same size."""
        record.random.give(self._rng)
        self._sides = {
            n: cells.copy() for n, cells in sides.items() if cells.shape == self._cells(n)
        }
        none = np.zeros(0, dtype=np.int64)  # what a block once counted matters no more
        self._blocks = [_Block(b.plane, slice(*b.y), slice(*b.x), none) for b in record.blocks]

    def divide(self, stack: PaintedStack) -> tuple[PaintedStack, tuple[HeldOut, ...]]:
        """Hold out blocks of what is painted, those of earlier calls first.

        Returns
        -------
        stack
            The planes with the held-out pixels marked as ignored.
        blocks
            What is held out, as far as anything is painted there. Empty if the share is 0, or if
            no split leaves every class at least 8 pixels and half of its paint to train on.

        Notes
        -----
        Where blocks are held out already, new ones are added while a class lacks its share; at
        most half of what is newly painted goes there, so that every correction is learned from.
        """
        if self._share == 0:
            return stack, ()
        kinds = len(stack.values)
        counts = {
            plane.number: _count_cells(plane, self._cells(plane.number), kinds)
            for plane in stack.planes
        }
        for block in self._choose(counts, kinds):
            self._blocks.append(block)
            self._sides[block.plane][block.cells] = _VALIDATES
        for number, cells in counts.items():
            sides = self._sides[number]
            sides[(sides == _FREE) & cells.any(axis=2)] = _TRAINS
        return self._without_blocks(stack), tuple(self._named(stack))

    def _cells(self, plane: int) -> tuple[int, int]:
        """Return how many rows and columns of cells a plane has."""
        height, width = self._plane_shape(plane)
        return -(-height // _CELL), -(-width // _CELL)

    def _choose(self, counts: dict[int, _Counts], kinds: int) -> list[_Block]:
        """Return new blocks to hold out."""
        by_side = np.zeros((3, kinds), dtype=np.int64)
        for number, cells in counts.items():
            sides = self._sides.setdefault(number, np.zeros(cells.shape[:2], dtype=np.uint8))
            for side in (_FREE, _TRAINS, _VALIDATES):
                by_side[side] += cells[sides == side].sum(axis=0)
        limits = _Limits.of(by_side, self._share)
        room = min(_MAX_BLOCKS, _MAX_BLOCKS_IN_ALL - len(self._blocks))
        for side in _BLOCK_SIDES:
            blocks = [
                block
                for number, cells in counts.items()
                for block in _free_blocks(number, cells, self._sides[number], side)
            ]
            chosen = _pick(blocks, limits, self._rng.permutation(len(blocks)), room)
            if chosen:
                return chosen
        return []

    def _without_blocks(self, stack: PaintedStack) -> PaintedStack:
        planes = []
        for plane in stack.planes:
            classes = plane.classes.copy()
            for block in self._blocks:
                if block.plane == plane.number:
                    classes[block.inside(plane)] = IGNORED
            planes.append(replace(plane, classes=classes))
        return replace(stack, planes=tuple(planes))

    def _named(self, stack: PaintedStack) -> Iterator[HeldOut]:
        planes = {plane.number: plane for plane in stack.planes}
        for block in self._blocks:
            if block.plane not in planes:
                continue
            plane = planes[block.plane]
            y, x = block.inside(plane)
            pixels = int((plane.classes[y, x] != IGNORED).sum())
            if pixels:
                top, left = plane.origin
                yield HeldOut(
                    plane.number,
                    (y.start + top, y.stop + top),
                    (x.start + left, x.stop + left),
                    pixels,
                )


@dataclass(frozen=True, slots=True)
class _Limits:
    """How many pixels of each class are held out, and may be; all (K,)."""

    held: _Counts
    wanted: npt.NDArray[np.float64]
    allowed: npt.NDArray[np.float64]
    present: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, by_side: _Counts, share: float) -> _Limits:
        free, held, total = by_side[_FREE], by_side[_VALIDATES], by_side.sum(axis=0)
        most = max(2 * share, 0.5)
        allowed = np.minimum(total - _MIN_PIXELS, np.minimum(most * total, held + most * free))
        return cls(held, np.maximum(share * total, _MIN_PIXELS), allowed, total > 0)


def _pick(
    blocks: list[_Block], limits: _Limits, order: npt.NDArray[np.int64], room: int
) -> list[_Block]:
    """Take blocks in this order while a class still lacks its share."""
    held, present = limits.held, limits.present
    chosen: list[_Block] = []
    for number in order:
        block = blocks[number]
        lacking = (held < limits.wanted) & present
        if len(chosen) >= room or not lacking.any():
            break
        adds = block.counts > 0
        fits = (held + block.counts <= limits.allowed)[adds].all()
        if (lacking & adds).any() and fits:
            chosen.append(block)
            held = held + block.counts
    complete = limits.held.any() or (held >= _MIN_PIXELS)[present].all()
    return chosen if complete else []


def _count_cells(plane: PaintedPlane, shape: tuple[int, int], kinds: int) -> _Counts:
    """Return the labelled pixels of each class in each cell of the plane, (rows, columns, K)."""
    height, width = plane.classes.shape
    (row, top), (column, left) = (divmod(first, _CELL) for first in plane.origin)
    rows, columns = -(-(top + height) // _CELL), -(-(left + width) // _CELL)
    padded = np.full((rows * _CELL, columns * _CELL), IGNORED, dtype=np.uint8)
    padded[top : top + height, left : left + width] = plane.classes
    counts = np.zeros((*shape, kinds), dtype=np.int64)
    window = counts[row : row + rows, column : column + columns]
    for kind in np.flatnonzero(np.bincount(padded.ravel(), minlength=kinds)[:kinds]):
        cells = (padded == kind).reshape(rows, _CELL, columns, _CELL)
        window[..., kind] = cells.sum(axis=(1, 3))
    return counts


def _free_blocks(
    plane: int, counts: _Counts, sides: npt.NDArray[np.uint8], side: int
) -> Iterator[_Block]:
    """Yield the blocks of a side that hold paint, and none that was divided before."""
    starts = [np.arange(0, length, side // _CELL) for length in sides.shape]
    sums = np.add.reduceat(np.add.reduceat(counts, starts[0]), starts[1], axis=1)
    taken = np.maximum.reduceat(np.maximum.reduceat(sides, starts[0]), starts[1], axis=1)
    for row, column in np.argwhere(sums.any(axis=2) & (taken == _FREE)).tolist():
        y, x = (slice(n * side, (n + 1) * side) for n in (row, column))
        yield _Block(plane, y, x, sums[row, column])
