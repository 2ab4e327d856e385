"""What belongs to a painted object: the paint alone where it is whole, else what lies around it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.measure import label as label_regions

from napari_unet.engine.objects.nearest_stroke import nearest_stroke
from napari_unet.engine.paint.label_scheme import PAINTED_BACKGROUND
from napari_unet.engine.stack.renumber import renumber

FIRST_PAINTED = PAINTED_BACKGROUND + 1
"""The lowest number of a painted object."""

_WHOLE = 0.7  # of the width that an object has where it is painted: then the paint is all of it
_RIM = (1 / _WHOLE - 1) / 2  # of the radius of such paint: half of the widest rim around it
_PIECE = 0.25  # of the pixels of such paint: what else is an object beside it

Labels = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
Box = tuple[slice, slice]


def settle(objects: Labels, strokes: Labels, mine: Mask, smallest: int) -> Labels:
    """Return the objects of a group, 1, 2, … and 0 elsewhere; see `paint_over` for the rules.

    Parameters
    ----------
    objects
        The found objects of the group, (y, x); 0 elsewhere.
    strokes
        All paint there: 1 = background, 2, 3, … = objects.
    mine
        Pixels of the group; paint on others says only that a hole is none.
    smallest
        Pixels of the smallest piece that is cut off and kept.
    """
    # With a border, so that nothing touches the edge; and with numbers that are not larger than
    # the group needs.
    objects, strokes = _numbered(np.pad(objects, 1)), np.pad(strokes, 1)
    marks = _numbered(np.where(np.pad(mine, 1) & (strokes >= FIRST_PAINTED), strokes, 0))
    objects[strokes == PAINTED_BACKGROUND] = 0
    result = marks.copy()
    if (objects[marks == 0] > 0).any():
        share = _flood(objects, marks, objects > 0)
        wholes = _find_wholes(share, marks, strokes)
        _share_out(result, objects, share, wholes, smallest)
    return result[1:-1, 1:-1]


@dataclass(frozen=True, slots=True, eq=False)
class _Whole:
    """An object that is painted whole."""

    number: int
    around: Box  # the paint and so much beyond it as its rim is judged by
    filled: Mask  # the paint and its holes, in that box
    radius: float  # of the largest circle in it, pixels

    def rim(self, found: Mask) -> Mask:
        """Return what of `found`, in the box, is only a rim around the paint."""
        width = self.radius * _RIM
        core = _depth(found) > width
        thick = _distance_to(core) <= width if core.any() else core
        near = _distance_to(self.filled) <= 2 * width
        return np.asarray(found & near & ~thick)


def _find_wholes(share: Labels, marks: Labels, strokes: Labels) -> list[_Whole]:
    """Return the painted objects that are as wide as what was found around them, or nearly.

    Parameters
    ----------
    share
        What was found around each mark, as its number.
    marks, strokes
        The painted objects, 1, 2, …, and all paint as it is.
    """
    wholes = []
    for number, box in enumerate(ndimage.find_objects(marks), start=1):
        close = _grown(box, 1, marks.shape)
        filled = _filled(marks[close] == number, strokes[close])
        radius = float(_depth(filled).max())
        around = _grown(box, math.ceil(radius / _WHOLE) + 2, marks.shape)
        inside = np.zeros(marks[around].shape, bool)
        inside[_relative(close, around)] = filled
        both = inside | (share[around] == number)
        if not both.all() and radius >= _WHOLE * _depth(both)[inside].max():
            wholes.append(_Whole(number, around, inside, radius))
    return wholes


def _share_out(
    result: Labels, objects: Labels, share: Labels, wholes: list[_Whole], smallest: int
) -> None:
    """Give what was found around the marks to them, to objects of its own, or to none.

    Parameters
    ----------
    result
        The marks; changed here.
    objects
        The found objects, but for what is painted as background.
    share
        The mark that each of their pixels is nearest to.
    """
    found, count = objects > 0, int(result.max())
    least = np.full(count + 1, smallest)
    is_scribble = np.ones(count + 1, bool)
    for whole in wholes:
        is_scribble[whole.number] = False
        least[whole.number] = max(smallest, math.ceil(_PIECE * whole.filled.sum()))
        own = whole.filled & found[whole.around] & (share[whole.around] == whole.number)
        result[whole.around][own] = whole.number
    is_scribble[0] = False
    beside = found & (is_scribble[result] | (result == 0))
    loose = found & (result == 0)
    for whole in wholes:
        own = share[whole.around] == whole.number
        loose[whole.around] &= ~(whole.rim(beside[whole.around]) & own)
    seeds = np.where(is_scribble[share] & found, share, 0)
    taken = _flood(objects, seeds, (seeds > 0) | loose)
    np.copyto(result, taken, where=loose)
    pieces = label_regions(np.where(loose & (result == 0), objects, 0), connectivity=1)
    numbers = renumber(np.bincount(pieces.ravel()) >= least[_most_of_each(pieces, share)])
    numbers[numbers > 0] += count
    np.copyto(result, numbers[pieces], where=pieces > 0)


def _flood(objects: Labels, seeds: Labels, mask: Mask) -> Labels:
    """Return the seed that reaches each pixel of the mask inside its object, 0: none does.

    Several seeds in one object meet where it is narrow, or half-way.
    """
    flooded = np.zeros_like(seeds)
    for number, box in enumerate(ndimage.find_objects(objects), start=1):
        region = (objects[box] == number) & mask[box]
        own = np.where(region, seeds[box], 0)
        ids = np.unique(own[own > 0])
        if len(ids) > 1:
            own = nearest_stroke(_depth(np.pad(region, 1))[1:-1, 1:-1], own, region)
        elif len(ids):
            pieces, found = ndimage.label(region)
            is_reached = np.zeros(found + 1, bool)
            is_reached[pieces[own > 0]] = True
            own = np.where(is_reached[pieces], ids[0], 0)
        np.copyto(flooded[box], own, where=region)
    return flooded


def _filled(mark: Mask, strokes: Labels) -> Mask:
    """Return the mark with the holes in it that have no other paint."""
    filled = ndimage.binary_fill_holes(mark)
    holes, count = ndimage.label(filled & ~mark)
    other = np.zeros(count + 1, bool)
    other[holes[strokes > 0]] = True
    other[0] = False
    return np.asarray(filled & ~other[holes])


def _most_of_each(pieces: Labels, share: Labels) -> npt.NDArray[np.intp]:
    """Return the number that most pixels of each piece have in `share`, (pieces + 1,)."""
    inside = pieces > 0
    pairs = np.stack([pieces[inside], share[inside]])
    (piece, number), pixels = np.unique(pairs, axis=1, return_counts=True)
    order = np.argsort(pixels, kind="stable")
    most = np.zeros(int(pieces.max()) + 1, np.intp)
    most[piece[order]] = number[order]  # the most is written last
    return most


def _numbered(labels: Labels) -> Labels:
    """Return the labels as 1, 2, … in their order."""
    ids, which = np.unique(labels, return_inverse=True)
    first = 0 if ids[0] == 0 else 1
    return np.asarray(which.reshape(labels.shape) + first, np.int32)


def _depth(mask: Mask) -> npt.NDArray[np.float64]:
    """Return each pixel's distance to the outside of the mask; infinite if there is none."""
    if mask.all():
        return np.full(mask.shape, np.inf)
    return np.asarray(ndimage.distance_transform_edt(mask))


def _distance_to(mask: Mask) -> npt.NDArray[np.float64]:
    return _depth(~mask)


def _grown(box: tuple[slice, ...], by: int, shape: tuple[int, ...]) -> Box:
    y, x = (
        slice(max(0, side.start - by), min(length, side.stop + by))
        for side, length in zip(box, shape, strict=True)
    )
    return y, x


def _relative(box: Box, outer: Box) -> Box:
    y, x = (
        slice(side.start - around.start, side.stop - around.start)
        for side, around in zip(box, outer, strict=True)
    )
    return y, x
