"""The border weight of the loss: background between two objects that are near each other.

Distances to the nearest and the second-nearest object of a pixel are exact and are found for all
pixels at once, in a time that does not depend on the number of objects:

1. In a row, the two nearest objects of each pixel follow from the runs of equal labels.
2. Over the rows near by, the squared distances d² = dy² + dx² of these candidates are compared.
   An object that is not among the two nearest of any row is none of the two nearest at all.

A squared distance and its object are packed into one integer, so that the smallest integer gives
both. Objects that are near each other in x differ in their colour, and a colour has fewer bits than
a label: 16 bits do for the weight of the paper.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet.engine.errors import LabelsError
from napari_unet.engine.stack.parallel_map import side_by_side

__all__ = ["border_weights"]

_NEGLIGIBLE = 1e-7  # of w0: border weights below this are left out
_NEAREST = 2  # pixels: a background pixel has d1 + d2 of at least this
_BAND = 256  # rows that are packed at once
_BLOCK = 1 << 19  # pixels that are compared at once: threads wait less for each other

Labels = npt.NDArray[np.int32]
Weights = npt.NDArray[np.float32]
Indices = npt.NDArray[np.intp]
Keys = npt.NDArray[Any]
"""Unsigned: squared distance and colour."""


def border_weights(objects: Labels, *, w0: float = 10.0, sigma: float = 5.0) -> Weights:
    """Return the second term of eq. 2, w0·exp(-(d1 + d2)²/(2σ²)), on the background.

    Parameters
    ----------
    objects
        (Y, X), one number per object, already separated; 0 = background.
    w0, sigma
        Height, and width in pixels, of the border weight.

    Returns
    -------
    (Y, X) float32
        0 inside the objects, and wherever there are fewer than two objects near by.

    Raises
    ------
    LabelsError
        If more objects lie near each other than can be told apart, which takes a very large σ.

    Notes
    -----
    d1 and d2 are the Euclidean distances, in pixels, to the nearest and second-nearest object.
    Weights below 1e-7·w0 are 0. The cost grows with the pixels and with σ, not with the number of
    objects; bands of rows are computed side by side, as many as torch has threads.
    """
    weights = np.zeros(objects.shape, dtype=np.float32)
    reach = _reach(sigma, objects.shape)
    if reach < _NEAREST or not objects.any():
        return weights

    def weight(apart: Weights) -> Weights:
        found: Weights = np.float32(w0) * np.exp(-(apart**2) / np.float32(2 * sigma**2))
        found[found < _NEGLIGIBLE * w0] = 0
        return found

    def fill(top: int) -> None:
        _fill_band(weights, objects, top, reach, weight)

    for _ in side_by_side(fill, range(0, len(objects), _BAND)):
        pass  # errors are raised here
    return weights


def _reach(sigma: float, shape: tuple[int, ...]) -> int:
    """Return the largest d1 + d2 whose weight counts, whole pixels; no plane has larger ones."""
    across = math.ceil(2 * math.hypot(*shape))
    return min(across, math.floor(sigma * math.sqrt(-2 * math.log(_NEGLIGIBLE))))


@dataclass(frozen=True, slots=True)
class _Packing:
    """How a squared distance and a colour share an unsigned integer.

    The highest bit says that there is no object within reach.
    """

    dtype: type[np.uint16 | np.uint32]
    bits: int  # of the colour

    @classmethod
    def choose(cls, reach: int, colours: int) -> _Packing:
        """Return the smallest that holds sums of two squared distances up to `reach` + 1."""
        of_distance = ((reach + 1) ** 2).bit_length()
        for dtype, size in ((np.uint16, 15), (np.uint32, 31)):
            if size - of_distance >= 0 and colours <= 1 << (size - of_distance):
                return cls(dtype, size - of_distance)
        raise LabelsError(
            f"Up to {colours} painted objects lie so near each other that their border weights "
            "cannot be told apart; choose a smaller σ, or w0 = 0."
        )

    @property
    def colour(self) -> Any:
        """Bits of the colour."""
        return self.dtype((1 << self.bits) - 1)

    @property
    def nothing(self) -> Any:
        """The highest bit."""
        return self.dtype(1 << (8 * self.dtype().itemsize - 1))

    def squared(self, distance: int) -> Any:
        """Return a squared distance, to be added."""
        return self.dtype(distance**2 << self.bits)

    def rule_out(self, keys: Keys, same: Keys, spare: Keys) -> None:
        """Mark keys, in place, that have the colour of `same`; `spare` is overwritten."""
        np.bitwise_xor(keys, same, out=spare)
        np.bitwise_and(spare, self.colour, out=spare)
        np.subtract(spare, self.dtype(1), out=spare)  # 0, the same colour, gets the highest bit
        np.bitwise_and(spare, self.nothing, out=spare)
        np.bitwise_or(keys, spare, out=keys)


def _fill_band(
    weights: Weights,
    objects: Labels,
    top: int,
    reach: int,
    weight: Callable[[Weights], Weights],
) -> None:
    """Write the weights of the rows from `top` on; `weight` gives that of d1 + d2."""
    height = len(objects)
    stop = min(top + _BAND, height)
    first, last = max(0, top - reach), min(stop + reach, height)
    packing, rows = _nearest_in_rows(objects[first:last], reach)
    nothing = packing.squared(reach + 1)
    beyond = ((first - (top - reach), stop + reach - last), (0, 0))
    rows = [np.pad(keys, beyond, constant_values=nothing) for keys in rows]
    distances = np.sqrt(np.arange((reach + 1) ** 2, dtype=np.float32))
    bits = packing.dtype(packing.bits)
    step = max(1, _BLOCK // objects.shape[1])
    for start in range(top, stop, step):
        block = slice(start, min(start + step, stop))
        near, second = _nearest_of_rows(rows, start - top, block.stop - start, reach, packing)
        between = (objects[block] == 0) & (near < nothing) & (second < nothing)
        apart = distances[near[between] >> bits] + distances[second[between] >> bits]
        weights[block][between] = weight(apart)


def _nearest_of_rows(
    rows: list[Keys], start: int, count: int, reach: int, packing: _Packing
) -> tuple[Keys, Keys]:
    """Return the two nearest objects of each pixel of some rows, from those in each row.

    Parameters
    ----------
    rows
        The nearest and the second-nearest in each row; `reach` rows more on both sides.
    start, count
        Which rows are wanted.
    """
    firsts, seconds = rows
    here = slice(start + reach, start + reach + count)
    near = firsts[here].copy()
    moved, spare = np.empty_like(near), np.empty_like(near)
    for dy in _both_ways(reach // 2 + 1):  # nearer than the second, both at most `reach` apart
        np.add(firsts[_moved(here, dy)], packing.squared(dy), out=moved)
        np.minimum(near, moved, out=near)
    colours = near & packing.colour
    second = seconds[here].copy()
    for dy in (0, *_both_ways(reach)):
        np.add(firsts[_moved(here, dy)], packing.squared(dy), out=moved)
        packing.rule_out(moved, colours, spare)
        np.minimum(second, moved, out=second)
        # The second of a row is another object than `near` if the first is `near`; if not, the
        # first is nearer than it anyway.
        np.add(seconds[_moved(here, dy)], packing.squared(dy), out=moved)
        np.minimum(second, moved, out=second)
    return near, second


def _both_ways(reach: int) -> list[int]:
    return [dy for away in range(1, reach + 1) for dy in (-away, away)]


def _moved(rows: slice, dy: int) -> slice:
    return slice(rows.start + dy, rows.stop + dy)


def _nearest_in_rows(objects: Labels, reach: int) -> tuple[_Packing, list[Keys]]:
    """Return the nearest and the second-nearest object of each pixel within its row.

    Where there is none, the distance is `reach` + 1.
    """
    runs = _Runs.of(objects)
    colours, count = runs.colours(reach)
    packing = _Packing.choose(reach, count)
    mirrored = runs.mirrored().neighbours()
    left, left_second, right, right_second = (
        _packed(runs, index, colours, reach, packing, to_left=to_left)
        for indices, to_left in (
            (runs.neighbours(), True),
            ([np.where(i < 0, -1, len(i) - 1 - i)[::-1] for i in mirrored], False),
        )
        for index in indices
    )
    first, second = np.minimum(left, right), np.maximum(left, right)
    spare = np.empty_like(first)
    for keys in (second, left_second, right_second):
        packing.rule_out(keys, first, spare)
        np.minimum(second, keys, out=second)
    # So that a squared distance between rows can be added.
    np.minimum(second, packing.squared(reach + 1), out=second)
    return packing, [keys.reshape(objects.shape) for keys in (first, second)]


def _packed(
    runs: _Runs,
    index: Indices,
    colours: Indices,
    reach: int,
    packing: _Packing,
    *,
    to_left: bool,
) -> Keys:
    """Return the packed squared distance of each pixel to the run that its own run names.

    Parameters
    ----------
    index
        A run on that side of each run, or the run itself, or -1: none.
    colours
        Of each run.
    """
    exists = index >= 0
    if to_left:
        position = np.where(exists, runs.stops[index] - 1, -reach - 1)
    else:
        position = np.where(exists, runs.starts[index], runs.width + reach)
    small = np.int16 if runs.width + reach < 1 << 15 else np.int32
    lengths = runs.stops - runs.starts
    distance = np.repeat(position.astype(small), lengths)
    column = np.tile(np.arange(runs.width, dtype=small), distance.size // runs.width)
    if to_left:
        np.subtract(column, distance, out=distance)
    else:
        np.subtract(distance, column, out=distance)
    np.clip(distance, 0, reach + 1, out=distance)  # of its own pixels the run has the farthest
    keys = distance.astype(packing.dtype)
    np.multiply(keys, keys, out=keys)
    np.left_shift(keys, packing.dtype(packing.bits), out=keys)
    colour = np.where(exists, colours[index], 0).astype(packing.dtype)
    np.bitwise_or(keys, np.repeat(colour, lengths), out=keys)
    return keys


@dataclass(frozen=True, slots=True, eq=False)
class _Runs:
    """Runs of equal labels, (n,), none of which goes on in another row."""

    values: Labels
    rows: Indices
    starts: Indices  # columns
    stops: Indices
    width: int  # of the rows, pixels

    @classmethod
    def of(cls, objects: Labels) -> _Runs:
        width = objects.shape[1]
        flat = objects.ravel()
        begins = np.ones(flat.size, dtype=bool)
        np.not_equal(flat[1:], flat[:-1], out=begins[1:])
        begins[::width] = True
        starts = np.flatnonzero(begins)
        rows = starts // width
        columns = starts - rows * width
        stops = np.append(columns[1:], 0)
        stops[stops == 0] = width
        return cls(flat[starts], rows, columns, stops, width)

    def mirrored(self) -> _Runs:
        """Return the runs in the opposite order."""
        return _Runs(
            self.values[::-1], self.rows[::-1], self.starts[::-1], self.stops[::-1], self.width
        )

    def neighbours(self) -> list[Indices]:
        """Return the object at or before each run in its row, and the last other one before.

        As indices of runs; -1 where there is none.
        """
        every = np.arange(len(self.values))
        is_object = self.values > 0
        last = np.maximum.accumulate(np.where(is_object, every, -1))
        before = np.append(-1, last[:-1])
        is_other = is_object & ((before < 0) | (self.values != self.values[before]))
        change = np.maximum.accumulate(np.where(is_other, every, -1))
        other = np.where(change >= 0, before[change], -1)
        return [
            np.where((index >= 0) & (self.rows[index] == self.rows), index, -1)
            for index in (last, other)
        ]

    def colours(self, reach: int) -> tuple[Indices, int]:
        """Return a colour for each run, and how many there are.

        Two objects have different colours if they come within `reach` along x.
        """
        numbers, index = np.unique(self.values, return_inverse=True)
        left = np.full(len(numbers), self.width)
        right = np.zeros(len(numbers), dtype=np.intp)
        np.minimum.at(left, index, self.starts)
        np.maximum.at(right, index, self.stops)
        colours = np.zeros(len(numbers), dtype=np.intp)
        taken: list[tuple[int, int]] = []  # until which column, and the colour
        free: list[int] = []
        count = 1
        for i in np.argsort(left, kind="stable").tolist():
            if numbers[i] == 0:
                continue
            while taken and taken[0][0] + reach < left[i]:
                heapq.heappush(free, heapq.heappop(taken)[1])
            if not free:
                free.append(count - 1)
                count += 1
            colours[i] = heapq.heappop(free)
            heapq.heappush(taken, (int(right[i]), int(colours[i])))
        return colours[index], count
