"""A shape field is changed so that it agrees with scribbles in objects.

Two scribbles with different numbers lie in two objects: there is a pass between them. One scribble
lies in one object: there is none in it. Where the field says otherwise it is changed, and only
there.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.measure import label

from napari_unet.config import ObjectsConfig
from napari_unet.engine.objects.decoder import as_bytes, cut_objects
from napari_unet.engine.objects.nearest_stroke import nearest_stroke

_OUTLINE = 0.1  # of the field: lower is background
_JOINED = 0.9  # share of the lower hill's height that the pass within a scribble has
_FEWEST = 0.15  # share of a scribble that lies on a hill, else it only touches it

Labels = npt.NDArray[np.int32]
Field = npt.NDArray[np.float32]


def part_field(field: Field, scribbles: Labels) -> Field:
    """Return the field with a pass between scribbles of different numbers, and none within one.

    Parameters
    ----------
    field
        (y, x).
    scribbles
        (y, x): the number that an object was painted with; 0 = none.
    """
    if not scribbles.any():  # objects painted whole have their field already
        return field
    changed = field.copy()
    hills, _ = cut_objects(field > _OUTLINE, ObjectsConfig(), as_bytes(np.clip(field, 0, 1)))
    _join(changed, hills, scribbles)
    hills, _ = cut_objects(changed > _OUTLINE, ObjectsConfig(), as_bytes(np.clip(changed, 0, 1)))
    _part(changed, hills, scribbles)
    return changed


def _join(field: Field, hills: Labels, scribbles: Labels) -> None:
    """Raise the field in scribbles that lie on several hills."""
    strokes = label(scribbles, connectivity=2)
    heights = np.append(0, ndimage.maximum(field, hills, np.arange(1, hills.max() + 1)))
    for number, box in enumerate(ndimage.find_objects(strokes), start=1):
        mine = strokes[box] == number
        counts = np.bincount(hills[box][mine], minlength=1)
        counts[0] = 0
        below = np.flatnonzero(counts >= _FEWEST * mine.sum())
        if len(below) > 1:
            window = field[box]
            window[mine] = np.maximum(window[mine], _JOINED * heights[below].min())


def _part(field: Field, hills: Labels, scribbles: Labels) -> None:
    """Lower the field between scribbles of different numbers that lie on one hill."""
    for number, box in enumerate(ndimage.find_objects(hills), start=1):
        mine = hills[box] == number
        seeds = np.where(mine, scribbles[box], 0)
        numbers = np.unique(seeds)
        numbers = numbers[numbers > 0]
        if len(numbers) < 2:
            continue
        parts = nearest_stroke(field[box], seeds, mine)
        window = field[box]
        for one in numbers:
            inside = parts == one
            if not inside.any():
                continue
            away = ndimage.distance_transform_edt(~(mine & ~inside))
            depth = max(1.0, float(away[seeds == one].max()))
            limit = 1 - (1 - np.minimum((away - 0.5) / depth, 1)) ** 2
            window[inside] = np.minimum(window, limit)[inside]
