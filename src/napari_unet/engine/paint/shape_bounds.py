"""What paint says of the shape field.

Of an object that is painted whole it is known. Of a scribble inside an object bounds are known: a
pixel is at least as far from the outline as from the nearest unpainted pixel, and at most as far as
from the nearest pixel that is painted as background or as another object.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.measure import label

from napari_unet.engine.paint.shape_field import shape_field

_FEW_WHOLE = 2  # objects painted whole: one may be taken for such by chance
_COMPACT = 0.3  # share of an object painted whole that its largest disc covers, at least
_WIDER = 2.0  # times the brush: how deep an object is that is painted whole
_ENCLOSED = 0.5  # share of the rim beside other paint, from which an object is painted whole
_AROUND = 64  # pixels: others that are farther away say nothing
_LARGER = (
    1.5  # times the depth of those painted whole: how deep an object that is scribbled in may be
)

Labels = npt.NDArray[np.int32]
Field = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ShapeBounds:
    """Bounds of the field; 0 and 1 where nothing is known."""

    low: Field  # (Y, X)
    high: Field  # (Y, X)
    scribbles: Labels  # (Y, X): number of the object that is scribbled in, not painted whole
    whole: int = 0  # objects that are painted whole


def shape_bounds(objects: Labels, background: Mask) -> ShapeBounds:
    """Return what paint says of the field.

    Parameters
    ----------
    objects
        (Y, X): number of the object that is painted; 0 = none.
    background
        (Y, X): painted as background.
    """
    low = np.zeros(objects.shape, dtype=np.float32)
    high = np.ones(objects.shape, dtype=np.float32)
    high[background] = 0
    parts = _parts(objects)
    if not parts.any():
        return ShapeBounds(low, high, np.zeros_like(objects))
    least = _depth_inside(parts)  # to the nearest pixel of no or of other paint
    deepest = _maxima(least, parts)
    whole = _are_whole(parts, background, deepest)
    inside = parts > 0
    known = whole[parts] & inside
    low[known] = high[known] = shape_field(np.where(known, parts, 0))[known]
    scribbled = inside & ~known
    if scribbled.any():
        most = _distance_to_others(_from_one_on(objects), background)
        if whole.any():  # else nobody knows how deep the objects are
            depth_at_most = _LARGER * np.maximum(deepest, deepest[whole].max())[parts]
            low[scribbled] = _warmth(least / depth_at_most)[scribbled]
        high[scribbled] = _warmth(most / np.maximum(deepest, 1)[parts])[scribbled]
    return ShapeBounds(low, high, np.where(known, 0, objects), int(whole.sum()))


def _warmth(depth: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the field at a depth, in shares of the object's largest, as in a disc."""
    return np.asarray(1 - (1 - np.minimum(depth, 1)) ** 2)


def whole_objects(objects: Labels, background: Mask) -> npt.NDArray[np.bool_]:
    """Return which connected parts of the painted objects are objects painted whole, (n,).

    Parameters
    ----------
    objects, background
        As for `shape_bounds`.
    """
    parts = _parts(objects)
    return _are_whole(parts, background, _maxima(_depth_inside(parts), parts))


def tell_of_objects(whole: int | None) -> bool:
    """Return whether what is painted tells how large objects are, and how well they are found.

    Strokes inside objects and on the background do neither: they lie where it is easy, and say
    nothing of outlines.

    Parameters
    ----------
    whole
        Objects that are painted whole; None: classes, of which every stroke tells, or unknown.
    """
    return whole is None or whole >= _FEW_WHOLE


def _parts(objects: Labels) -> Labels:
    """Return a number for each connected part of each object, from 1 on."""
    parts: Labels = label(objects, connectivity=1).astype(np.int32)
    return parts


def _from_one_on(objects: Labels) -> Labels:
    """Return the objects numbered without gaps."""
    values, places = np.unique(objects, return_inverse=True)
    first = 0 if values[0] == 0 else 1
    return (places.reshape(objects.shape) + first).astype(np.int32)


def _depth_inside(objects: Labels) -> npt.NDArray[np.float64]:
    """Return the distance to the nearest pixel outside of the own object."""
    depth = np.zeros(objects.shape)
    for number, box in enumerate(ndimage.find_objects(objects), start=1):
        around = tuple(slice(max(0, side.start - 1), side.stop + 1) for side in box)
        mine = objects[around] == number
        if mine.all():  # it fills the array: nobody knows
            depth[around] = max(mine.shape)
            continue
        distance = ndimage.distance_transform_edt(mine)
        depth[around][mine] = distance[mine]
    return depth


def _maxima(values: npt.NDArray[np.float64], objects: Labels) -> npt.NDArray[np.float64]:
    """Return the largest value of each object, by its number."""
    found = np.zeros(int(objects.max(initial=0)) + 1)
    np.maximum.at(found, objects.ravel(), values.ravel())
    found[0] = 0
    return found


def _are_whole(
    parts: Labels, background: Mask, deepest: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    """Return which of the parts (n,) are objects painted whole, not scribbles inside of one.

    A scribble is as wide as the brush, which strokes on the background show, or long for its
    width; and it has little other paint beside it. A dab of the brush is a disc, as are others.
    """
    count = len(deepest)
    areas = np.bincount(parts.ravel(), minlength=count)
    discs = np.pi * deepest**2
    compact = (discs >= _COMPACT * areas) & (deepest >= _WIDER * _brush(background, deepest))
    other = (parts > 0) | background
    rim, closed = np.zeros(count), np.zeros(count)
    for here, there in _neighbours():
        edge = (parts[here] > 0) & (parts[there] != parts[here])
        rim += np.bincount(parts[here][edge], minlength=count)
        closed += np.bincount(parts[here][edge & other[there]], minlength=count)
    enclosed = closed >= _ENCLOSED * np.maximum(rim, 1)
    round_ = areas <= 1.15 * discs
    whole: npt.NDArray[np.bool_] = enclosed | (compact & ~_are_dabs(round_, deepest))
    whole[0] = False
    return whole


def _brush(background: Mask, deepest: npt.NDArray[np.float64]) -> float:
    """Return half the width of a stroke, pixels."""
    strokes = _parts(background.astype(np.int32))
    found = _maxima(_depth_inside(strokes), strokes)[1:]
    return float(np.median(found) if len(found) else deepest[1:].min(initial=np.inf))


def _are_dabs(
    round_: npt.NDArray[np.bool_], deepest: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    """Return which discs are as large as another one: no two cells are."""
    sizes = np.round(deepest, 1)
    known, counts = np.unique(sizes[round_], return_counts=True)
    return round_ & np.isin(sizes, known[counts > 1])


def _neighbours() -> list[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Return pairs of windows that hold each pixel and one of its four neighbours."""
    every, first, last = slice(None), slice(1, None), slice(None, -1)
    pairs = [((first, every), (last, every)), ((every, first), (every, last))]
    return pairs + [(there, here) for here, there in pairs]


def _distance_to_others(objects: Labels, background: Mask) -> npt.NDArray[np.float64]:
    """Return how far the nearest pixel is that is painted as background or as another object."""
    farthest = float(max(objects.shape))
    result = np.full(objects.shape, farthest)
    if background.any():
        result = np.minimum(result, ndimage.distance_transform_edt(~background))
    for number, box in enumerate(ndimage.find_objects(objects), start=1):
        around = tuple(slice(max(0, side.start - _AROUND), side.stop + _AROUND) for side in box)
        mine = objects[around] == number
        others = (objects[around] > 0) & ~mine
        if others.any():
            apart = ndimage.distance_transform_edt(~others)
            window = result[around]
            window[mine] = np.minimum(window, apart)[mine]
    return result
