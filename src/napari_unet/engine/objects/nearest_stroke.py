"""What lies between strokes is shared out among them: to each what it reaches with least effort."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from skimage.graph import MCP

_LOWEST = 0.02  # of the largest height: no step costs more than fifty of the cheapest

Labels = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]


def nearest_stroke(heights: npt.NDArray[np.floating], strokes: Labels, mask: Mask) -> Labels:
    """Return the stroke that reaches each pixel at the least cost, 0 where none does.

    Parameters
    ----------
    heights
        (Y, X): what is low parts objects, as their necks in the distance to the background are,
        or the passes of a shape field.
    strokes
        (Y, X), numbers of strokes; 0 = none.
    mask
        (Y, X): where the paths may lead, from a pixel to one of its four neighbours.

    Notes
    -----
    A step onto a pixel costs the inverse of its height (the image foresting transform with the sum
    of costs; Falcão, Stolfi, Lotufo 2004, doi:10.1109/TPAMI.2004.1261076). A watershed of the same
    heights does worse with strokes that lie on no hill of their own: the deepest one takes nearly
    all.
    """
    costs = np.where(mask, 1 / np.maximum(heights, _LOWEST * heights.max(initial=1)), -1.0)
    paths = MCP(costs, fully_connected=False)
    starts = np.argwhere(mask & (strokes > 0))
    if not len(starts):
        return np.zeros_like(strokes)
    reached, steps = paths.find_costs(starts)
    back = np.asarray(paths.offsets) @ [mask.shape[1], 1]
    here = np.arange(mask.size)
    before = np.where(steps.ravel() >= 0, here - back[np.maximum(steps.ravel(), 0)], here)
    while (before != (further := before[before])).any():  # twice as far in each turn
        before = further
    nearest = strokes.ravel()[before].reshape(mask.shape)
    return np.where(mask & np.isfinite(reached), nearest, 0).astype(strokes.dtype)
