"""Touching objects are told apart where the field of their shape has a pass.

The field rises from an object's outline to its middle, so two objects that touch are two hills of
it. A hill is the catchment basin of a maximum: all pixels from which going uphill leads there. Two
hills are one object unless the pass between them is low for the lower one.

A pixel's way uphill is found from its neighbours alone, and hills are joined by a graph of their
passes; so a plane that comes in bands of rows gives the same objects as at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from napari_unet.engine.stack.bitmap import Bitmap
from napari_unet.engine.stack.parallel_map import side_by_side
from napari_unet.engine.stack.run_labels import LabelCollector, RunLabels
from napari_unet.engine.stack.tiles import bands

_BAND = 1 << 20  # pixels: keys of a value and a place in the band fit into 32 bits
_PLACE = np.uint32((1 << 24) - 1)
_VALUE = np.uint32(24)  # bits of the place

Labels = npt.NDArray[np.int32]
Values = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]
_Numbers = TypeVar("_Numbers", Labels, Indices)

FieldRows = Callable[[slice], Values]
"""Gives some rows of the field, (y, X), 0 to 255."""


def cut_basins(
    foreground: Bitmap, field_rows: FieldRows, neck: float, *, smallest: int
) -> tuple[RunLabels, int]:
    """Cut a plane's foreground where the field has passes.

    Parameters
    ----------
    foreground
        Two of its pixels are connected if they are beside or above each other.
    field_rows
        The field, that need not be 0 in the background.
    neck
        Two hills become two objects if the pass between them is lower than this share of the
        lower hill's height, 0 (never) to 1.
    smallest
        Pixels that a part must have to be an object; a smaller one goes to the neighbour with the
        highest pass, unless it has none.

    Returns
    -------
    labels, count
        1 to `count` in the order of first pixels.

    Notes
    -----
    A hill that is not the highest of its component is kept if the highest pass on a way to a higher
    one is below `neck` times its height, as by grey reconstruction (Vincent 1993). Of equally high
    pixels the later one in reading order is higher.
    """
    return find_basins(foreground, field_rows).cut(neck, smallest)


@dataclass(slots=True)
class Basins:
    """The catchment basins of a plane and the passes between them; number 0 is background."""

    labels: RunLabels  # parts of hills, of each band by itself
    number: Labels  # of the hill that each part belongs to
    heights: Indices  # (n,) of the maximum and its place: no two are equal
    sizes: Indices  # (n,) pixels
    touches: _Touches

    def cut(self, neck: float, smallest: int) -> tuple[RunLabels, int]:
        """Return the objects, numbered by their first pixels, and how many; it changes nothing."""
        owner = self.joined(neck, smallest)[self.number]
        first = np.full(len(self.heights), len(self.labels.values))
        np.minimum.at(first, owner, self.labels.firsts(len(owner)))
        found = np.flatnonzero(first[1:] < len(self.labels.values)) + 1
        numbers = np.zeros(len(first), dtype=np.int32)
        numbers[found[np.argsort(first[found])]] = np.arange(1, len(found) + 1)
        return self.labels.mapped(numbers[owner]), len(found)

    def joined(self, neck: float, smallest: int) -> Indices:
        """Return the hill that each one belongs to, (n,)."""
        graph = _Graph(self.heights, self.touches.pairs, self.touches.passes)
        graph.merge_shallow(neck)
        graph.merge_small(self.sizes, smallest)
        return graph.owner


@dataclass(slots=True)
class _Graph:
    """Hills that are merged into higher ones, by the passes between them."""

    heights: Indices
    pairs: Labels
    passes: Values
    owner: Indices = field(init=False)

    def __post_init__(self) -> None:
        self.owner = np.arange(len(self.heights))

    def merge_shallow(self, neck: float) -> None:
        """Merge hills whose highest pass to a higher one is not low enough.

        The highest way out of a hill leads to a higher one, and then decides about it; or to a
        lower one, which is then decided about first.
        """
        one, other, passes = *self.pairs.T, self.passes
        settled = np.zeros(len(self.owner), dtype=bool)
        while len(one):
            low, high, way = self._best(one, other, passes)
            decides = (self.heights[low] < self.heights[high]) & ~settled[low]
            low, high, way = low[decides], high[decides], way[decides]
            merges = way >= neck * (self.heights[low] >> _TOP)
            settled[low[~merges]] = True
            parent = np.arange(len(self.owner))
            parent[low[merges]] = high[merges]
            parent = _roots(parent)
            self.owner = parent[self.owner]
            one, other = parent[one], parent[other]
            # What is settled takes lower ones in, but leads nowhere by a pass that matters.
            is_lower = self.heights[one] < self.heights[other]
            low_settled = np.where(is_lower, settled[one], settled[other])
            left = (one != other) & ~low_settled
            one, other, passes = one[left], other[left], passes[left]

    def merge_small(self, sizes: Indices, smallest: int) -> None:
        """Merge what is too small into the neighbour with the highest pass."""
        for _ in range(len(sizes)):
            total = np.bincount(self.owner, weights=sizes, minlength=len(sizes))
            one, other = self.owner[self.pairs].T
            left = (one != other) & ((total[one] < smallest) | (total[other] < smallest))
            if not left.any():
                return
            low, high, _ = self._best(one[left], other[left], self.passes[left])
            small = total[low] < smallest
            low, high = low[small], high[small]
            # Of two small ones that choose each other one stays; larger ones never move.
            moves = (total[high] >= smallest) | (self.heights[low] < self.heights[high])
            if not moves.any():
                return
            parent = np.arange(len(self.owner))
            parent[low[moves]] = high[moves]
            self.owner = _roots(parent)[self.owner]

    def _best(
        self, one: _Numbers, other: _Numbers, passes: Values
    ) -> tuple[_Numbers, _Numbers, Values]:
        """Return each hill that has neighbours, the one over its highest pass, and that pass.

        Of equally high passes, the one to the highest neighbour.
        """
        low, high = np.concatenate([one, other]), np.concatenate([other, one])
        ways = np.concatenate([passes, passes])
        order = np.lexsort((self.heights[high], ways, low))
        last = np.append(low[order][1:] != low[order][:-1], True)
        chosen = order[last]
        return low[chosen], high[chosen], ways[chosen]


_TOP = 40  # bits of the place below the value in `Basins.heights`


def _roots(parent: _Numbers) -> _Numbers:
    """Return where each chain of a forest ends."""
    while True:
        further = parent[parent]
        if (further == parent).all():
            return parent
        parent = further


@dataclass(slots=True)
class _Touches:
    """Hills that touch, each pair once, and the highest pass between them."""

    pairs: Labels  # (m, 2), the lower number first
    passes: Values  # (m,)

    @classmethod
    def between(cls, *sides: tuple[Labels, Labels, Values, Values]) -> _Touches:
        """Return those of pixels that lie side by side: numbers and values of both."""
        pairs, passes = [], []
        for one, other, first, second in sides:
            touching = np.flatnonzero(((one != other) & (one > 0) & (other > 0)).ravel())
            pairs.append(np.stack([one.ravel()[touching], other.ravel()[touching]], axis=1))
            passes.append(np.minimum(first.ravel()[touching], second.ravel()[touching]))
        return cls(np.concatenate(pairs), np.concatenate(passes)).highest()

    def highest(self) -> _Touches:
        """Return each pair of different hills once."""
        apart = self.pairs[:, 0] != self.pairs[:, 1]
        pairs, passes = self.pairs[apart], self.passes[apart]
        count = int(pairs.max(initial=0)) + 1
        keys = pairs.min(axis=1).astype(np.int64) * count + pairs.max(axis=1)
        keys = keys << 8 | passes
        keys.sort()
        pair = keys >> 8
        last = np.ones(len(pair), dtype=bool)
        last[:-1] = pair[1:] != pair[:-1]
        pair, passes = pair[last], (keys[last] & 255).astype(np.uint8)
        return _Touches(np.stack(np.divmod(pair, count), axis=1).astype(np.int32), passes)

    def mapped(self, numbers: Labels) -> _Touches:
        """Return them with `numbers[hill]` in place of each hill."""
        return _Touches(numbers[self.pairs], self.passes)


@dataclass(slots=True)
class _Band:
    """The hills of some rows; those that go on upwards or downwards end beyond them."""

    labels: Labels  # (y, X) from 1; 0 = background
    values: Values  # (y, X)
    heights: Indices  # (n + 1,) value and place in the plane of where each one ends
    touches: _Touches
    up: Labels  # (X,) hills that end in the row above, by column; 0: none
    down: Labels  # (X,) in the row below


def find_basins(foreground: Bitmap, field_rows: FieldRows) -> Basins:
    """Return the basins of a plane's foreground; parameters as of `cut_basins`."""
    shape = foreground.shape

    def look(rows: slice) -> _Band:
        around = slice(max(0, rows.start - 1), min(rows.stop + 1, shape[0]))
        values = np.where(foreground.rows(around), np.maximum(field_rows(around), 1), 0)
        return _climb(values.astype(np.uint8), around.start, rows)

    collector, joins = LabelCollector(shape), _Joins()
    for band in side_by_side(look, list(bands(shape, _BAND))):
        collector.add(joins.take(band))
    return joins.hills(collector.labels())


def _climb(values: Values, top: int, rows: slice) -> _Band:
    """Return the hills of some rows, given with the rows beside them from `top` on."""
    height, width = values.shape
    inside = slice(rows.start - top, rows.stop - top)
    place = np.arange(values.size, dtype=np.uint32).reshape(values.shape)
    keys = (values.astype(np.uint32) << _VALUE) | place
    best = keys.copy()
    for axis in (0, 1):
        here, there = [slice(None)] * 2, [slice(None)] * 2
        here[axis], there[axis] = slice(1, None), slice(None, -1)
        one, other = tuple(here), tuple(there)
        np.maximum(best[one], keys[other], out=best[one])
        np.maximum(best[other], keys[one], out=best[other])
    best[: inside.start] = keys[: inside.start]  # ways end in the rows beside
    best[inside.stop :] = keys[inside.stop :]
    foreground = values > 0
    uphill = np.where(foreground, best & _PLACE, place).ravel()
    uphill = _roots_of_places(uphill, np.flatnonzero(foreground.ravel()))
    ends = np.zeros(values.size, dtype=bool)
    ends[uphill[foreground.ravel()]] = True
    flat = np.flatnonzero(ends)
    number = np.zeros(values.size, dtype=np.int32)
    number[flat] = np.arange(1, len(flat) + 1)
    labels = (number[uphill] * foreground.ravel()).reshape(values.shape)[inside]
    shown = values[inside]
    touches = _Touches.between(
        (labels[:, :-1], labels[:, 1:], shown[:, :-1], shown[:, 1:]),
        (labels[:-1], labels[1:], shown[:-1], shown[1:]),
    )
    plane_place = flat + top * width
    heights = np.append(0, (values.ravel()[flat].astype(np.int64) << _TOP) | plane_place)
    none = np.zeros(width, np.int32)
    ended = number.reshape(height, width)
    return _Band(
        labels,
        shown,
        heights,
        touches,
        ended[0] if inside.start else none,
        ended[-1] if inside.stop < height else none,
    )


def _roots_of_places(uphill: npt.NDArray[np.uint32], moving: Indices) -> npt.NDArray[np.uint32]:
    """Return where the way uphill of each place ends, looking at those that still move only."""
    while len(moving):
        here = uphill[moving]
        further = uphill[here]
        changed = further != here
        moving = moving[changed]
        uphill[moving] = further[changed]
    return uphill


class _Joins:
    """Puts the hills of bands together, from the top."""

    def __init__(self) -> None:
        self._count = 0
        self._heights: list[Indices] = [np.zeros(1, np.int64)]
        self._sizes: list[Labels] = [np.zeros(1, np.int32)]
        self._parents: list[Labels] = [np.zeros(1, np.int32)]  # where a hill goes on, else itself
        self._touches: list[_Touches] = []
        self._above: tuple[Labels, Values, Labels] | None = None  # last row, and what ends below

    def take(self, band: _Band) -> Labels:
        """Take the next band, and return its hills numbered on."""
        numbers = np.arange(self._count, self._count + len(band.heights), dtype=np.int32)
        numbers[0] = 0
        labels = numbers[band.labels]
        parents = numbers[1:].copy()
        if self._above is not None:
            above, values, down = self._above
            self._touches.append(_Touches.between((above, labels[0], values, band.values[0])))
            ends = down > 0
            first = self._count + 1 - len(self._parents[-1])  # hill of the band before
            self._parents[-1][down[ends] - first] = labels[0][ends]
            ends = band.up > 0
            parents[band.up[ends] - 1] = above[ends]
        self._heights.append(band.heights[1:])
        sizes = np.bincount(band.labels.ravel(), minlength=len(numbers))[1:]
        self._sizes.append(sizes.astype(np.int32))
        self._parents.append(parents)
        self._touches.append(band.touches.mapped(numbers))
        self._above = labels[-1].copy(), band.values[-1].copy(), numbers[band.down]
        self._count += len(numbers) - 1
        return labels

    def hills(self, labels: RunLabels) -> Basins:
        """Return the plane's hills."""
        parent = _roots(np.concatenate(self._parents))
        own = parent == np.arange(len(parent))  # the others are parts that end beyond their band
        number = (np.cumsum(own, dtype=np.int32) - 1)[parent]
        sizes = np.bincount(number, weights=np.concatenate(self._sizes)).astype(np.int64)
        pairs = np.concatenate([touches.pairs for touches in self._touches])
        passes = np.concatenate([touches.passes for touches in self._touches])
        touches = _Touches(number[pairs], passes).highest()
        return Basins(labels, number, np.concatenate(self._heights)[own], sizes, touches)
