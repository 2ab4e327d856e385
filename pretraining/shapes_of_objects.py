"""Another field that says which object a pixel belongs to, beside the engine's `shape_field`.

It is 0 at an object's outline and 1 at its middle, whatever its size. An object that reaches the
rim of the image is taken to go on beyond it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.measure import label

__all__ = ["relative_depth", "single_parts"]

Labels = npt.NDArray[np.int32]
Field = npt.NDArray[np.float64]


def single_parts(objects: Labels) -> Labels:
    """Return the objects with a number for each connected part."""
    parts: Labels = label(objects, connectivity=1).astype(np.int32)
    return parts


def relative_depth(objects: Labels) -> Field:
    """Return the distance to the object's outline, in that of its deepest pixel."""
    depth = np.zeros(objects.shape)
    for number, box in enumerate(ndimage.find_objects(objects), start=1):
        around = tuple(slice(max(0, side.start - 1), side.stop + 1) for side in box)
        mine = objects[around] == number
        if mine.all():
            depth[around] = 1
            continue
        distance = ndimage.distance_transform_edt(mine)
        depth[around][mine] = distance[mine] / distance.max()
    return depth
