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

import numpy as np
import numpy.typing as npt

from napari_unet.engine.stack.parallel_map import side_by_side
from napari_unet.engine.stack.run_labels import LabelCollector, RunLabels
from napari_unet.engine.stack.tiles import bands

_BAND = 1 << 20  # pixels: keys of a value and a place in the band fit into 32 bits
_PLACE = np.uint32((1 << 24) - 1)
_VALUE = np.uint32(24)  # bits of the place

Labels = npt.NDArray[np.int32]
Values = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]

FieldRows = Callable[[slice], Values]
"""Gives some rows of the field, (y, X), 0 to 255."""


def cut_basins(
    objects: RunLabels, field_rows: FieldRows, neck: float, *, smallest: int
) -> tuple[RunLabels, int]:
    """Cut a plane's foreground where the field has passes.

    Parameters
    ----------
    objects
        Connected components (4) of the foreground; 0 = background.
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
    hills = _find_hills(objects, field_rows)
    owner = hills.joined(neck, smallest)
    return _renumbered(hills.labels.mapped(owner))


@dataclass(slots=True)
class _Hills:
    """The catchment basins of a plane and the passes between them; number 0 is background."""

    labels: RunLabels
    heights: Indices  # (n,) of the maximum and its place: no two are equal
    sizes: Indices  # (n,) pixels
    touches: _Touches

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
    pairs: Indices
    passes: Indices
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
        self, one: Indices, other: Indices, passes: Indices
    ) -> tuple[Indices, Indices, Indices]:
        """Return each hill that has neighbours, the one over its highest pass, and that pass.

        Of equally high passes, the one to the highest neighbour.
        """
        low, high = np.concatenate([one, other]), np.concatenate([other, one])
        ways = np.concatenate([passes, passes])
        order = np.lexsort((self.heights[high], ways, low))
        last = np.append(low[order][1:] != low[order][:-1], True)
        chosen = order[last]
        return low[chosen], high[chosen], ways[chosen]


_TOP = 40  # bits of the place below the value in `_Hills.heights`


def _roots(parent: Indices) -> Indices:
    """Return where each chain of a forest ends."""
    while True:
        further = parent[parent]
        if (further == parent).all():
            return parent
        parent = further


@dataclass(slots=True)
class _Touches:
    """Hills that touch, each pair once, and the highest pass between them."""

    pairs: Indices  # (m, 2), the lower number first
    passes: Indices  # (m,) 0 to 255

    @classmethod
    def between(cls, *sides: tuple[Labels, Labels, Values, Values]) -> _Touches:
        """Return those of pixels that lie side by side: numbers and values of both."""
        pairs, passes = [], []
        for one, other, first, second in sides:
            touching = np.flatnonzero(((one != other) & (one > 0) & (other > 0)).ravel())
            pairs.append(np.stack([one.ravel()[touching], other.ravel()[touching]], axis=1))
            passes.append(np.minimum(first.ravel()[touching], second.ravel()[touching]))
        return cls(np.concatenate(pairs).astype(np.int64), np.concatenate(passes)).highest()

    def highest(self) -> _Touches:
        """Return each pair of different hills once."""
        low, high = self.pairs.min(axis=1), self.pairs.max(axis=1)
        apart = low != high
        count = int(high.max(initial=0)) + 1
        keys = ((low * count + high) << 8 | self.passes)[apart]
        keys.sort()
        pair = keys >> 8
        last = np.ones(len(pair), dtype=bool)
        last[:-1] = pair[1:] != pair[:-1]
        pair, passes = pair[last], keys[last] & 255
        return _Touches(np.stack(np.divmod(pair, count), axis=1), passes)

    def mapped(self, numbers: Indices) -> _Touches:
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


def _find_hills(objects: RunLabels, field_rows: FieldRows) -> _Hills:
    shape = objects.shape

    def look(rows: slice) -> _Band:
        around = slice(max(0, rows.start - 1), min(rows.stop + 1, shape[0]))
        values = np.where(objects.rows(around) > 0, np.maximum(field_rows(around), 1), 0)
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
        self._sizes: list[Indices] = [np.zeros(1, np.int64)]
        self._same: list[Indices] = []  # (n, 2) a hill that ends beyond its band, and what is there
        self._touches: list[_Touches] = []
        self._above: tuple[Labels, Values, Indices] | None = None  # last row, and what ends below

    def take(self, band: _Band) -> Labels:
        """Take the next band, and return its hills numbered on."""
        numbers: Indices = np.arange(self._count, self._count + len(band.heights))
        numbers[0] = 0
        labels = numbers.astype(np.int32)[band.labels]
        self._heights.append(band.heights[1:])
        self._sizes.append(np.bincount(band.labels.ravel(), minlength=len(numbers))[1:])
        self._touches.append(band.touches.mapped(numbers))
        if self._above is not None:
            above, values, down = self._above
            self._touches.append(_Touches.between((above, labels[0], values, band.values[0])))
            self._end(down, labels[0])
            self._end(numbers[band.up], above)
        self._above = labels[-1].copy(), band.values[-1].copy(), numbers[band.down]
        self._count += len(numbers) - 1
        return labels

    def _end(self, hills: Labels | Indices, there: Labels) -> None:
        ends = hills > 0
        self._same.append(np.stack([hills[ends], there[ends]], axis=1).astype(np.int64))

    def hills(self, labels: RunLabels) -> _Hills:
        """Return the plane's hills; a number that is not used has no pixels."""
        heights, sizes = np.concatenate(self._heights), np.concatenate(self._sizes)
        same = np.concatenate([np.zeros((0, 2), np.int64), *self._same])
        parent = np.arange(len(heights))
        parent[same[:, 0]] = same[:, 1]  # uphill, so that no chain closes
        parent = _roots(parent)
        sizes = np.bincount(parent, weights=sizes, minlength=len(parent)).astype(np.int64)
        pairs = np.concatenate([touches.pairs for touches in self._touches])
        passes = np.concatenate([touches.passes for touches in self._touches])
        touches = _Touches(parent[pairs], passes).highest()
        return _Hills(labels.mapped(parent), heights, sizes, touches)


def _renumbered(labels: RunLabels) -> tuple[RunLabels, int]:
    """Return the labels numbered by their first pixels."""
    values, first = np.unique(labels.values, return_index=True)
    foreground = values > 0
    values, first = values[foreground], first[foreground]
    table = np.zeros(int(labels.values.max(initial=0)) + 1, dtype=np.int64)
    table[values[np.argsort(first)]] = np.arange(1, len(values) + 1)
    return labels.mapped(table), len(values)
