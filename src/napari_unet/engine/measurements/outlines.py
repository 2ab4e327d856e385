"""Perimeters and convex hulls of all objects of a plane at once.

Both give what scikit-image's `regionprops` gives, object by object, in a third of a millisecond
each: for a plane of 50,000 all measures take 18 s there and less than one here.
"""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import numpy.typing as npt

from napari_unet.engine.measurements.object_runs import Indices, ObjectRuns
from napari_unet.engine.stack.tiles import bands

Floats = npt.NDArray[np.float64]

_ROOT = math.sqrt(2)
_SIDES = ((-1, 0), (1, 0), (0, -1), (0, 1))
_CORNERS = tuple(product((-1, 1), (-1, 1)))


def _step_lengths() -> Floats:
    """Return how much of the perimeter is at a border pixel, by [side, corner] neighbours on it.

    Benkrid and Crookes, Design and FPGA Implementation of a Perimeter Estimator, Queen's University
    of Belfast: the outline goes through the centres of the border pixels.
    """
    lengths = np.zeros((5, 5))
    lengths[[2, 3, 2, 3, 2, 3], [0, 0, 1, 1, 2, 2]] = 1  # goes straight on
    lengths[[0, 1], [2, 3]] = _ROOT  # goes on along a diagonal
    lengths[1, [1, 2]] = (1 + _ROOT) / 2  # turns by half a right angle
    return lengths


_STEP = _step_lengths()


def perimeters(runs: ObjectRuns) -> Floats:
    """Return the perimeter of each object, (k,) pixels."""
    found = np.zeros(len(runs.labels))
    for rows in bands(runs.plane.shape):
        _add_perimeters(runs, rows, found)
    return found


def _add_perimeters(runs: ObjectRuns, rows: slice, found: Floats) -> None:
    """Add what lies in some rows; two more on each side tell which pixels are on the border."""
    height, width = runs.plane.shape
    near = slice(max(0, rows.start - 2), min(height, rows.stop + 2))
    who = np.full((rows.stop - rows.start + 4, width + 2), -1, np.int32)
    of_runs, at = runs.rows(near)
    inner = who[near.start - rows.start + 2 :, 1:-1][: near.stop - near.start]
    pixels = np.zeros(inner.size, np.int32) - 1
    pixels[at] = np.repeat(runs.who[of_runs], runs.lengths[of_runs])
    inner[:] = pixels.reshape(inner.shape)
    border = np.full_like(who, -1)
    centre = who[1:-1, 1:-1]
    on_border = np.zeros(centre.shape, bool)
    for dy, dx in _SIDES:
        on_border |= who[1 + dy : len(who) - 1 + dy, 1 + dx : width + 1 + dx] != centre
    border[1:-1, 1:-1] = np.where(on_border, centre, -1)
    flat = border.ravel()
    core = np.zeros_like(border, bool)
    core[2:-2] = border[2:-2] >= 0
    place = np.flatnonzero(core)
    own = flat[place]
    sides, corners = (
        sum((flat[place + dy * (width + 2) + dx] == own).astype(np.int8) for dy, dx in steps)
        for steps in (_SIDES, _CORNERS)
    )
    found += np.bincount(own, weights=_STEP[sides, corners], minlength=len(found))


def convex_areas(runs: ObjectRuns) -> Indices:
    """Return how many pixels have their centre in the convex hull of each object, (k,).

    The hull is that of the middles of the pixels' edges, as in `convex_hull_image`.
    """
    who, y, left, right = _row_ends(runs)
    low, high = runs.boxes()
    heights = high[:, 0] - low[:, 0]
    owner = np.repeat(np.arange(len(heights)), heights)
    starts = np.cumsum(heights) - heights
    rows = np.arange(len(owner)) - np.repeat(starts - low[:, 0], heights)
    first = _hull_side(who, y, left, owner, rows)
    last = -_hull_side(who, y, -right, owner, rows)
    return np.bincount(owner, weights=last - first + 1, minlength=len(heights)).astype(np.int64)


def _row_ends(runs: ObjectRuns) -> tuple[Indices, Indices, Indices, Indices]:
    """Return object, y, and the first and the last x of each row of each object."""
    order = np.argsort(runs.who, kind="stable")  # the rows of an object stay in order
    who, y = runs.who[order], runs.y[order]
    is_new = np.ones(len(who), bool)
    is_new[1:] = (np.diff(who) != 0) | (np.diff(y) != 0)
    begins = np.flatnonzero(is_new)
    if not len(begins):
        return who, y, runs.start[order], runs.stop[order]
    left = np.minimum.reduceat(runs.start[order], begins)
    right = np.maximum.reduceat(runs.stop[order], begins) - 1
    return who[begins], y[begins], left, right


def _hull_side(who: Indices, y: Indices, x: Indices, owner: Indices, rows: Indices) -> Indices:
    """Return the first pixel inside the hull in each wanted row.

    Parameters
    ----------
    who, y, x
        First pixel of each row of each object.
    owner, rows
        The wanted rows, in the order of the objects.

    Notes
    -----
    In halves of pixels all numbers are whole, and so the hull is exact. The hull's side is what is
    left of the points when none lies on or beyond the chord of its neighbours: such a point is no
    corner of it, and all of them may go at once, since those that bear them out lie inside, too.
    """
    who, y, x = np.repeat(who, 3), 2 * np.repeat(y, 3), 2 * np.repeat(x, 3)
    y[0::3] -= 1  # middles of the pixel's edges: above, beside, below
    x[1::3] -= 1
    y[2::3] += 1
    who, y, x = _merged(who, y, x)
    while True:
        inner = (who[:-2] == who[2:]) & (
            (x[1:-1] - x[:-2]) * (y[2:] - y[:-2]) >= (x[2:] - x[:-2]) * (y[1:-1] - y[:-2])
        )
        if not inner.any():
            break
        stay = np.ones(len(who), bool)
        stay[1:-1] = ~inner
        who, y, x = who[stay], y[stay], x[stay]
    beyond = int(y.max(initial=0)) + 2
    at = np.searchsorted(who * beyond + y, owner * beyond + 2 * rows, "right") - 1
    run, rise = y[at + 1] - y[at], x[at + 1] - x[at]
    inside: Indices = -(-(x[at] * run + rise * (2 * rows - y[at])) // (2 * run))  # rounded up
    return inside


def _merged(who: Indices, y: Indices, x: Indices) -> tuple[Indices, Indices, Indices]:
    """Return the points with one x, the smallest, where two of an object are in one place of y."""
    twin = np.flatnonzero((np.diff(who) == 0) & (np.diff(y) == 0))
    x[twin] = np.minimum(x[twin], x[twin + 1])
    return np.delete(who, twin + 1), np.delete(y, twin + 1), np.delete(x, twin + 1)
