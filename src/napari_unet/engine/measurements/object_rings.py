"""Exact outlines of all objects of a plane: rings along the edges of pixels.

Filling the rings of an object, a pixel being inside where its centre is, gives its pixels again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from napari_unet.engine.measurements.object_runs import Indices, ObjectRuns

_AT_ONCE = 1 << 19  # runs of pixels that are traced together, unless one object has more

Ring = npt.NDArray[np.int64]
"""Corners (x, y) of a closed outline, (n, 2); the first one is not said twice."""


@dataclass(frozen=True, slots=True, eq=False)
class ObjectOutline:
    """An object: parts that touch at corners at most, each an outer ring and those of its holes.

    Outer rings go clockwise as the image is seen (y downwards), holes the other way. No ring
    touches itself; those of a part touch each other at corners at most.
    """

    label: int
    parts: tuple[tuple[Ring, ...], ...]

    @property
    def rings(self) -> tuple[Ring, ...]:
        """All rings; where they cover a pixel twice it is no part of the object."""
        return tuple(ring for part in self.parts for ring in part)


def trace_outlines(runs: ObjectRuns) -> Iterator[ObjectOutline]:
    """Yield the outline of each object, in the order of their numbers.

    Notes
    -----
    The sides of an object are vertical lines of pixel edges, and what joins them horizontally
    follows from their ends alone: sorted along a line, each two of them belong together. So all
    rings of many objects are found by sorting, without walking along any of them.
    """
    order = np.argsort(runs.who, kind="stable")  # the runs of an object stay in reading order
    first = np.searchsorted(runs.who[order], np.arange(len(runs.labels) + 1))
    begin = 0
    while begin < len(runs.labels):
        end = int(np.searchsorted(first, first[begin] + _AT_ONCE, "right")) - 1
        end = max(begin + 1, end)
        yield from _trace(runs, order[first[begin] : first[end]])
        begin = end


def _trace(runs: ObjectRuns, chosen: Indices) -> Iterator[ObjectOutline]:
    """Yield the outlines of the objects that these runs are all of."""
    sides = _Sides.of(runs, chosen)
    after = sides.joined()
    part = sides.parts(after)
    ring, position = _order_cycles(after)
    size = np.bincount(ring)
    start = np.cumsum(size) - size
    corners = np.empty((len(ring), 2, 2), np.int64)  # side, its tail and head, (x, y)
    place = start[ring] + position
    corners[place, :, 0] = sides.x[:, np.newaxis]
    corners[place, 0, 1], corners[place, 1, 1] = sides.tail, sides.head
    area = np.add.reduceat(
        corners[:, 0, 0] * (corners[:, 1, 1] - corners[:, 0, 1]), start
    )  # of a hole it is negative
    lead = np.empty(len(size), np.int64)
    lead[ring[::-1]] = np.arange(len(ring))[::-1]  # one side of each ring
    who, part = sides.who[lead], part[lead]
    points = corners.reshape(-1, 2)
    sequence = np.lexsort((area < 0, part, who))  # outer rings before their holes
    yield from _gather(runs.labels, points, sequence, (2 * start, 2 * size), (who, part))


def _gather(
    labels: Indices,
    points: npt.NDArray[np.int64],
    sequence: Indices,
    place: tuple[Indices, Indices],
    owner: tuple[Indices, Indices],
) -> Iterator[ObjectOutline]:
    """Put rings that follow one another together to parts, and those to objects."""
    start, size = (column[sequence].tolist() for column in place)
    who, part = (column[sequence].tolist() for column in owner)
    parts: list[list[Ring]] = []
    for i, (begin, count) in enumerate(zip(start, size, strict=True)):
        if i and who[i] != who[i - 1]:
            yield ObjectOutline(int(labels[who[i - 1]]), tuple(map(tuple, parts)))
            parts = []
        if not parts or part[i] != part[i - 1]:
            parts.append([])
        parts[-1].append(points[begin : begin + count])
    if parts:
        yield ObjectOutline(int(labels[who[-1]]), tuple(map(tuple, parts)))


@dataclass(frozen=True, slots=True, eq=False)
class _Sides:
    """Vertical lines of pixel edges, as long as they go, with one object on one side of them."""

    who: Indices  # (n,) object
    is_right: npt.NDArray[np.bool_]  # (n,) whether the object lies to the left of it
    x: Indices  # (n,)
    top: Indices  # (n,)
    bottom: Indices  # (n,)
    of_runs: tuple[Indices, Indices]  # (m,) the sides at the left and right end of each run

    @classmethod
    def of(cls, runs: ObjectRuns, chosen: Indices) -> _Sides:
        """Return the sides of the objects that these runs are all of."""
        count = len(chosen)
        who, y = np.tile(runs.who[chosen], 2), np.tile(runs.y[chosen], 2)
        x = np.concatenate([runs.start[chosen], runs.stop[chosen]])
        is_right = np.repeat([False, True], count)
        order = np.lexsort((y, x, is_right, who))
        who, is_right, x, y = who[order], is_right[order], x[order], y[order]
        begins = np.ones(2 * count, bool)
        begins[1:] = np.diff(who).astype(bool) | np.diff(is_right) | np.diff(x).astype(bool)
        begins[1:] |= np.diff(y) != 1
        first = np.flatnonzero(begins)
        last = np.append(first[1:], 2 * count) - 1
        side = np.empty(2 * count, np.int64)
        side[order] = np.cumsum(begins) - 1
        ends = side[:count], side[count:]
        return cls(who[first], is_right[first], x[first], y[first], y[last] + 1, ends)

    @property
    def tail(self) -> Indices:
        """Where a ring that goes clockwise around the object comes to each side, y."""
        return np.where(self.is_right, self.top, self.bottom)

    @property
    def head(self) -> Indices:
        """Where it leaves each side."""
        return np.where(self.is_right, self.bottom, self.top)

    def joined(self) -> Indices:
        """Return the side that follows on each, (n,), such that no ring touches itself.

        Where two pixels of an object meet at a corner only, two ends of sides lie in one place. At
        first each belongs to its own pixel. If both are then on one ring, they change places, and
        it falls into two; as rings do not cross themselves, all may do so at once.
        """
        count = len(self.x)
        who, x = np.tile(self.who, 2), np.tile(self.x, 2)
        y = np.concatenate([self.tail, self.head])
        is_left = np.tile(~self.is_right, 2)  # with its pixel to the right: that comes second
        order = np.lexsort((is_left, x, y, who))
        after = _follow(order, count)
        early, late = order[1:-1:2], order[2::2]
        meet = (who[early] == who[late]) & (x[early] == x[late]) & (y[early] == y[late])
        if not meet.any():
            return after
        ring = _cycles(after)
        touches = np.flatnonzero(meet & (ring[early % count] == ring[late % count]))
        order[1 + 2 * touches], order[2 + 2 * touches] = late[touches], early[touches]
        return _follow(order, count)

    def parts(self, after: Indices) -> Indices:
        """Return a number for each side, the same where pixels are joined by edges, (n,)."""
        count = len(self.x)
        left, right = self.of_runs
        begin = np.concatenate([np.arange(count), left])
        end = np.concatenate([after, right])
        return _components(begin, end, count)


def _follow(order: Indices, count: int) -> Indices:
    """Return which side follows on each, given the tails (0 to count) and heads along each line."""
    pairs = order.reshape(-1, 2)
    pairs = np.where((pairs[:, :1] >= count), pairs, pairs[:, ::-1])  # head, tail
    after = np.empty(count, np.int64)
    after[pairs[:, 0] - count] = pairs[:, 1]
    return after


def _cycles(after: Indices) -> Indices:
    """Return the number of the cycle that each is on."""
    return _components(np.arange(len(after)), after, len(after))


def _components(begin: Indices, end: Indices, count: int) -> Indices:
    joined = csr_array((np.ones(len(begin), np.int8), (begin, end)), shape=(count, count))
    found: Indices = connected_components(joined, directed=False)[1].astype(np.int64)
    return found


def _order_cycles(after: Indices) -> tuple[Indices, Indices]:
    """Return the cycle that each is on, and how many of it come before it, (n,) each.

    All cycles are gone along at once, in steps that double.
    """
    cycle = _cycles(after)
    begin = np.empty(int(cycle.max(initial=-1)) + 1, np.int64)
    begin[cycle[::-1]] = np.arange(len(cycle))[::-1]  # the first of each
    is_last = after == begin[cycle]
    there = np.where(is_last, np.arange(len(after)), after)
    left = np.where(is_last, 0, 1)  # steps to the last
    while not is_last[there].all():
        left, there = left + left[there], there[there]
    size = np.bincount(cycle)
    return cycle, size[cycle] - 1 - left
