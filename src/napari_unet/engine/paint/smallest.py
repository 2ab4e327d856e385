"""Debris: how small something may be and still count as an object."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_unet.config import ObjectsConfig
from napari_unet.engine.network.record import ObjectSizes
from napari_unet.engine.paint.label_scheme import OBJECT

if TYPE_CHECKING:
    from napari_unet.engine.paint.painted_planes import PaintedStack

SMALLEST_OBJECT = 16
"""Pixels of the smallest object while nothing is known of the painted ones, and at least."""

_OF_SMALLEST = 4  # an object may be this many times smaller than the smallest painted one
_OF_MEDIAN = 20  # and this many times smaller than half of the painted ones
_PLANES = 16  # painted planes that are looked at


def measure_objects(stack: PaintedStack, *, pixels: float = 1) -> ObjectSizes | None:
    """Measure the painted objects of task *objects*.

    Parameters
    ----------
    stack
        What was trained on, held-out pixels included.
    pixels
        Of the plane that each of the stack's stands for.

    Returns
    -------
    ObjectSizes or None
        None if no object has `SMALLEST_OBJECT` pixels.

    Notes
    -----
    An object is a 4-connected piece of the painted foreground, which the separation border cuts
    between objects that touch. Smaller pieces are slips of the brush and do not count. Of many
    painted planes 16 are looked at, spread over the stack.
    """
    every = -(-len(stack.planes) // _PLANES)
    areas = [pixels * _areas(plane.classes == OBJECT) for plane in stack.planes[::every]]
    found = np.concatenate([np.zeros(0, dtype=np.int64), *areas])
    found = found[found >= SMALLEST_OBJECT]
    return ObjectSizes(int(found.min()), float(np.median(found))) if len(found) else None


def smallest_object(config: ObjectsConfig, painted: ObjectSizes | None = None) -> int:
    """Return the pixels that an object must have.

    Parameters
    ----------
    config
        Its `min_size` holds, if there is one.
    painted
        Sizes of the painted objects; None: unknown.

    Notes
    -----
    A quarter of the smallest painted object or a twentieth of their median, whichever is less,
    and at least 16. Objects cut by the border of the plane are small, and strokes inside objects
    are smaller than these: so the share is low, and strokes only make it lower. The figures
    behind it are in docs/objects.md.
    """
    if config.min_size is not None:
        return config.min_size
    if painted is None:
        return SMALLEST_OBJECT
    wanted = min(painted.smallest / _OF_SMALLEST, painted.median / _OF_MEDIAN)
    return max(SMALLEST_OBJECT, round(wanted))


def _areas(foreground: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    pieces, _ = ndimage.label(foreground)
    return np.bincount(pieces.ravel())[1:]
