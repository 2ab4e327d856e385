"""Objects that still touch are cut where they narrow.

A separation border that the network draws with a gap of a few pixels leaves two cells joined by
a narrow bridge. The bridge shows in the distance to the background: it is low between two peaks.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.morphology import local_maxima, reconstruction
from skimage.segmentation import watershed

__all__ = ["cut_necks"]

_SMOOTHING = 1.0  # standard deviation, pixels: a ragged outline has no necks
_SMALLEST_PEAK = 1.0  # pixels to the background
_EIGHT_CONNECTED = np.ones((3, 3), dtype=bool)

Labels = npt.NDArray[np.int32]
Box = tuple[slice, slice]


def cut_necks(
    labels: Labels, boxes: Mapping[int, Box], count: int, neck: float, *, smallest: int = 0
) -> int:
    """Cut objects, in place, where they narrow to less than a share of their width.

    Parameters
    ----------
    labels
        (Y, X), one number per object; 0 = background.
    boxes
        The objects to cut, by number, and where in `labels` each of them is.
    count
        The largest number in use.
    neck
        Two parts become two objects if the bridge between them is narrower than this share of
        the narrower part, 0 (never) to 1. A share, so that it suits objects of any size.
    smallest
        Pixels that a part must have to be an object; a smaller one is a protrusion and stays.

    Returns
    -------
    int
        The largest number afterwards. One part keeps the number, the others go on from
        `count`.

    Notes
    -----
    The parts are the regional maxima of the Euclidean distance to the background that rise above
    the highest pass to a higher one by the factor 1/neck (grey reconstruction, Vincent 1993);
    watershed on the distance draws the cuts. Each object is handled inside its bounding box.
    """
    if neck == 0:
        return count
    for number, box in boxes.items():
        parts = _parts(labels[box] == number, neck, smallest)
        if parts is None:
            continue
        others = parts > 1
        labels[box][others] = parts[others] - 2 + count + 1
        count += int(parts.max()) - 1
    return count


def _parts(inside: npt.NDArray[np.bool_], neck: float, smallest: int) -> Labels | None:
    """Return the parts of one object, numbered from 1, or None if it is one."""
    padded = np.pad(inside, 1)
    distance = ndimage.gaussian_filter(ndimage.distance_transform_edt(padded), _SMOOTHING)
    distance *= padded
    # Peaks that are joined by a pass of at least `neck` times their height become one plateau.
    plateaus = reconstruction(neck * distance, distance)
    peaks = local_maxima(plateaus, footprint=_EIGHT_CONNECTED) & (distance > _SMALLEST_PEAK)
    seeds, count = ndimage.label(peaks, _EIGHT_CONNECTED)
    if count < 2:
        return None
    parts = watershed(-distance, seeds, mask=padded)
    large = np.bincount(parts.ravel()) >= smallest
    large[0] = False
    if large.sum() < 2:
        return None
    if large.sum() < count:  # without the seeds of protrusions, their pixels go to a neighbour
        numbers = np.cumsum(large, dtype=np.int32) * large
        parts = watershed(-distance, numbers[seeds], mask=padded)
    whole: Labels = parts[1:-1, 1:-1]
    return whole
