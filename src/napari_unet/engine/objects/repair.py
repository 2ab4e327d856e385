"""Objects split along a line and merged, as people repair a label image by hand.

All of it works on a window of the plane around what was drawn, so that it takes as long on a plane
of any size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.draw import line as pixels_between
from skimage.segmentation import watershed

Labels = npt.NDArray[np.integer[Any]]
"""(y, x); 0 = background."""

Mask = npt.NDArray[np.bool_]
Line = npt.NDArray[np.float64]
"""Points (n, 2) along a line, (y, x) in pixels of the plane; one point is a click."""

Box = tuple[slice, slice]

_FOUR_CONNECTED = ndimage.generate_binary_structure(2, 1)
_AROUND = 512  # pixels: other pieces of an object are looked for as far from the line
_CRUMB = 4  # pixels; fewer than that are no part: a line drawn by hand cuts off corners of pixels
_OF_CRUMBS = 100  # and a part is no smaller than this share of its object


def read_around(
    read: Callable[[slice, slice], Labels], shape: tuple[int, int], lines: Sequence[Line]
) -> tuple[Box, Labels]:
    """Return a window of a plane that holds the objects under some lines, and its labels.

    Parameters
    ----------
    read
        Gives the labels of a region.
    shape
        Of the plane, pixels (Y, X).
    lines
        What was drawn, or clicked; may reach beyond the plane.

    Notes
    -----
    An object may have pieces that do not touch, as strokes of one number have. Those that lie more
    than 512 pixels away from the lines are not looked for.
    """
    points = np.concatenate([np.asarray(line) for line in lines])
    spans = [
        _span(int(low) - _AROUND, int(high) + _AROUND, length)
        for low, high, length in zip(points.min(axis=0), points.max(axis=0), shape, strict=True)
    ]
    while True:
        y, x = spans
        labels = read(y, x)
        numbers = [n for line in lines for n in numbers_under(labels, line - (y.start, x.start))]
        wider = [
            _widened(span, np.asarray(np.isin(edges, numbers).any(axis=1)), length)
            for span, edges, length in zip(
                spans, (labels[[0, -1]], labels[:, [0, -1]].T), shape, strict=True
            )
        ]
        if wider == spans or not numbers:
            return (y, x), labels
        spans = wider


def _span(start: int, stop: int, length: int) -> slice:
    """Return a slice of at least one pixel inside the length."""
    start = min(max(0, start), length - 1)
    return slice(start, max(start + 1, min(stop, length)))


def _widened(span: slice, is_cut: Mask, length: int) -> slice:
    """Return the span, twice as far to a side on which it cuts through an object."""
    step = span.stop - span.start
    before, after = (step if cut else 0 for cut in is_cut)
    return slice(max(0, span.start - before), min(length, span.stop + after))


def numbers_under(labels: Labels, line: Line) -> tuple[int, ...]:
    """Return the numbers of the objects under a line, in the order in which it meets them."""
    y, x = _pixels(line, labels.shape)
    numbers, first = np.unique(labels[y, x], return_index=True)
    return tuple(int(n) for n in numbers[np.argsort(first)] if n > 0)


def split(labels: Labels, line: Line, first_new: int) -> Labels:
    """Return labels in which each object that a line cuts through is split along it.

    Parameters
    ----------
    labels
        (y, x), 0 = background.
    line
        What it is cut along, in pixels of `labels`.
    first_new
        The lowest number that is not in use, and was not.

    Notes
    -----
    Of an object, the largest part keeps the number; the others get new ones, the larger first.
    Every pixel stays in an object: those under the line go to the part that they touch. Parts are
    4-connected, as objects are (see `components`). An object, or a piece of it, that the line does
    not part stays as it is, and crumbs are no parts: less than 4 pixels, or 1 % of the piece.
    """
    cut = np.zeros(labels.shape, bool)
    cut[_pixels(line, labels.shape)] = True
    result = labels.copy()
    for number in numbers_under(labels, line):
        box = _box(labels == number)
        mask = labels[box] == number
        parts, order = _parts(mask, cut[box])
        for part in order[1:]:
            result[box][parts == part] = first_new
            first_new += 1
    return result


def _parts(mask: Mask, cut: Mask) -> tuple[npt.NDArray[np.int32], list[int]]:
    """Return the parts of an object (y, x), and which of them the cut has made, largest first."""
    pieces, count = ndimage.label(mask, _FOUR_CONNECTED)
    parts, number = ndimage.label(mask & ~cut, _FOUR_CONNECTED)
    piece_of = np.zeros(number + 1, np.intp)
    piece_of[parts] = pieces
    piece_of[0] = 0
    sizes, wholes = np.bincount(parts.ravel()), np.bincount(pieces.ravel(), minlength=count + 1)
    is_crumb = sizes < np.maximum(_CRUMB, wholes[piece_of] / _OF_CRUMBS)
    parts[is_crumb[parts]] = 0
    parts = watershed(np.zeros(mask.shape, np.uint8), parts, connectivity=1, mask=mask)
    left = [part for part in range(1, number + 1) if not is_crumb[part]]
    per_piece = np.bincount(piece_of[left], minlength=count + 1)
    sizes = np.bincount(parts.ravel(), minlength=number + 1)
    made = [part for part in left if per_piece[piece_of[part]] > 1]
    return parts, sorted(made, key=lambda part: -int(sizes[part]))


def merge(labels: Labels, numbers: Sequence[int]) -> Labels:
    """Return labels in which some objects have the number of the first of them.

    Background that is one pixel wide between two of them becomes part of the object.
    """
    result = labels.copy()
    member = np.isin(labels, numbers)
    if not member.any():
        return result
    box = _box(member)
    window = labels[box]
    touching = sum(
        ndimage.binary_dilation(window == number, _FOUR_CONNECTED).astype(np.uint8)
        for number in set(numbers)
    )
    result[member] = numbers[0]
    result[box][(window == 0) & (touching > 1)] = numbers[0]
    return result


def _box(mask: Mask) -> Box:
    """Return the smallest box around the pixels of a mask that has some."""
    y, x = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return slice(int(y[0]), int(y[-1]) + 1), slice(int(x[0]), int(x[-1]) + 1)


def _pixels(line: Line, shape: tuple[int, ...]) -> tuple[npt.NDArray[np.intp], ...]:
    """Return the indices of the pixels under a line, in its order, without gaps; inside only."""
    points = np.round(line).astype(int)
    parts = [points[:1]]
    for (y0, x0), (y1, x1) in zip(points[:-1].tolist(), points[1:].tolist(), strict=True):
        parts.append(np.stack(pixels_between(y0, x0, y1, x1), axis=1))
    drawn = np.concatenate(parts)
    drawn = drawn[((drawn >= 0) & (drawn < shape)).all(axis=1)]
    return drawn[:, 0], drawn[:, 1]
