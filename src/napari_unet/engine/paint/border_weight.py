"""The border weight of the loss: background between two objects that are near each other.

Distances to the nearest and the second-nearest object of a pixel are exact and are found for all
pixels at once, in a time that does not depend on the number of objects:

1. In a row, the two nearest objects of each pixel are among the last two on either side.
2. Over the rows near by, the squared distances d² = dy² + dx² of these candidates are compared.
   An object that is not among the two nearest of any row is none of the two nearest at all.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from napari_unet.engine.stack.parallel_map import side_by_side
from napari_unet.engine.stack.tiles import Tile, cut_plane

_NEGLIGIBLE = 1e-7  # of w0: border weights below this are left out
_NEAREST = 2  # pixels: a background pixel has d1 + d2 of at least this
_SIDE = 256  # of a tile, pixels: in the processor's cache, and often within one object or none
_FAR = np.float32(1e30)  # more than any squared distance

Labels = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]


def border_weights(objects: Labels, *, w0: float = 10.0, sigma: float = 5.0) -> Floats:
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

    Notes
    -----
    d1 and d2 are the Euclidean distances, in pixels, to the nearest and second-nearest object.
    Weights below 1e-7·w0 are 0. The cost grows with the pixels and with σ, not with the number of
    objects; tiles are computed side by side, as many as torch has threads.
    """
    weights = np.zeros(objects.shape, dtype=np.float32)
    reach = _reach(sigma, objects.shape)
    if reach < _NEAREST or not objects.any():
        return weights

    def fill(tile: Tile) -> None:
        here = tile.y.as_slice, tile.x.as_slice
        around = _cut(objects, tile.widen(reach))
        if not _has_two(around):
            return
        apart = _apart(around, tile, reach)
        is_between = (apart < reach + 1) & (objects[here] == 0)
        weight = np.exp(-(apart[is_between] ** 2) / np.float32(2 * sigma**2))
        weight[weight < _NEGLIGIBLE] = 0
        weights[here][is_between] = np.float32(w0) * weight

    for _ in side_by_side(fill, cut_plane(objects.shape, max(_SIDE, 2 * reach), 1)):
        pass  # errors are raised here
    return weights


def _reach(sigma: float, shape: tuple[int, ...]) -> int:
    """Return the largest d1 + d2 whose weight counts, whole pixels; no plane has larger ones."""
    across = math.ceil(2 * math.hypot(*shape))
    return min(across, math.floor(sigma * math.sqrt(-2 * math.log(_NEGLIGIBLE))))


def _has_two(objects: Labels) -> bool:
    found = objects[objects > 0]
    return len(found) > 0 and bool((found != found[0]).any())


def _apart(around: Labels, tile: Tile, reach: int) -> Floats:
    """Return d1 + d2 of the pixels of a tile; more than `reach` where it is not known."""
    firsts, numbers, seconds = (
        np.ascontiguousarray(found[:, reach:-reach])  # (reach + y + reach, x)
        for found in _nearest_in_rows(around, reach)
    )

    def rows(dy: int) -> slice:
        return slice(reach + dy, reach + dy + tile.y.length)

    near, number = firsts[rows(0)].copy(), numbers[rows(0)].copy()
    spare = np.empty_like(near)
    for dy in _both_ways(reach // 2 + 1):  # nearer than the second, both at most `reach` away
        np.add(firsts[rows(dy)], np.float32(dy**2), out=spare)
        is_nearer = spare < near
        np.minimum(near, spare, out=near)
        np.copyto(number, numbers[rows(dy)], where=is_nearer)
    second = seconds[rows(0)].copy()
    for dy in (0, *_both_ways(reach)):
        # The row's second where its first is the nearest of all; elsewhere its first is nearer.
        np.multiply(numbers[rows(dy)] == number, _FAR, out=spare)
        np.add(spare, firsts[rows(dy)], out=spare)
        np.minimum(spare, seconds[rows(dy)], out=spare)
        np.add(spare, np.float32(dy**2), out=spare)
        np.minimum(second, spare, out=second)
    return np.sqrt(near) + np.sqrt(second)


def _both_ways(reach: int) -> list[int]:
    return [dy for away in range(1, reach + 1) for dy in (-away, away)]


def _cut(objects: Labels, tile: Tile) -> Labels:
    """Return the objects in a tile, and none beyond the plane."""
    cut = np.zeros((tile.y.length, tile.x.length), dtype=objects.dtype)
    here, there = [], []
    for span, length in zip((tile.y, tile.x), objects.shape, strict=True):
        start, stop = max(span.start, 0), min(span.stop, length)
        here.append(slice(start - span.start, stop - span.start))
        there.append(slice(start, stop))
    cut[tuple(here)] = objects[tuple(there)]
    return cut


def _nearest_in_rows(objects: Labels, reach: int) -> tuple[Floats, Labels, Floats]:
    """Return d² and number of the nearest object in the row of each pixel, and d² of the second."""
    flat = objects.ravel()  # what other rows hold is out of reach
    left, lefts, other_left = _last_two(flat, reach)
    right, rights, other_right = (found[::-1] for found in _last_two(flat[::-1], reach))
    number = np.where(left <= right, lefts, rights)
    second = np.minimum(other_left, other_right)
    np.minimum(second, np.where(lefts == rights, _FAR, np.maximum(left, right)), out=second)
    first, number, second = (
        found.reshape(objects.shape) for found in (np.minimum(left, right), number, second)
    )
    return first, number, second


def _last_two(flat: Labels, reach: int) -> tuple[Floats, Labels, Floats]:
    """Return d² and number of the last object at or before each pixel, and d² of the last other.

    All (n,) as the pixels; where there is none, the distance is more than `reach`.
    """
    starts = np.append(0, np.flatnonzero(np.diff(flat, prepend=0)))  # of runs of equal numbers
    stops = np.append(starts[1:], len(flat))
    numbers = flat[starts]
    numbers[0] = 0  # the first run is background, without any pixels where an object begins
    every = np.arange(len(starts))
    last = np.maximum.accumulate(np.where(numbers > 0, every, 0))
    numbers = numbers[last]
    is_other = np.diff(numbers, prepend=0) != 0
    other = np.maximum.accumulate(np.where(is_other, np.append(0, last[:-1]), 0))
    ends = (stops - 1).astype(np.int32)
    ends[0] = -reach - 1  # no object
    places = np.arange(len(flat), dtype=np.int32)
    lengths = stops - starts

    def squared(runs: npt.NDArray[np.intp]) -> Floats:
        away = places - np.repeat(ends[runs], lengths)
        distance = np.maximum(away, 0).astype(np.float32)
        return distance * distance

    return squared(last), np.repeat(numbers, lengths), squared(other)
