"""Label images with all that outlines can meet: holes, islands, parts, gaps in time."""

from __future__ import annotations

from math import prod

import numpy as np
import numpy.typing as npt
from skimage.draw import polygon2mask

Numbers = npt.NDArray[np.int32]


def objects(shape: tuple[int, ...]) -> Numbers:
    """Return labels on planes of 20×24 pixels or more, other ones on each."""
    planes = np.zeros((prod(shape[:-2]), *shape[-2:]), np.int32)
    for number, plane in enumerate(planes):
        plane[2:9, 1:10] = 3
        plane[4:7, 3:8] = 0  # a hole
        plane[5, 5] = 3  # an island in it
        plane[10:13, 2:6] = 300 + number
        plane[13:15, 6:8] = 300 + number  # a part that touches at a corner
        plane[-3:, -5 - number :] = 70_000
    return planes.reshape(shape)


def filled(rings: list[npt.NDArray[np.float64]], shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Return the pixels whose centres lie inside an odd number of rings of (x, y)."""
    inside = np.zeros(shape, bool)
    for ring in rings:
        inside ^= polygon2mask(shape, np.asarray(ring)[:, ::-1] - 0.5)
    return inside
