"""A simulated person who paints strokes of classes, seeded."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["paint_classes"]

_LENGTH = 30  # pixels that a stroke runs at most
_BRUSH = 1.5  # radius, pixels


def paint_classes(truth: npt.NDArray[Any], *, per_class: int, seed: int) -> npt.NDArray[np.uint8]:
    """Paint short strokes inside the regions of each class.

    Parameters
    ----------
    truth
        (Y, X) class numbers from 1 up.
    per_class
        Strokes of each class.

    Returns
    -------
    (Y, X)
        0 = unpainted; elsewhere the class, as a person keeps inside the region.
    """
    rng = np.random.default_rng(seed)
    painted = np.zeros(truth.shape, dtype=np.uint8)
    for value in np.unique(truth):
        inside = ndimage.distance_transform_edt(truth == value)
        starts = np.argwhere(inside >= min(_BRUSH, inside.max()))
        for start in starts[rng.choice(len(starts), per_class, replace=False)]:
            path = _stroke(rng, inside, start)
            reach = ndimage.distance_transform_edt(~path) <= _BRUSH
            painted[reach & (truth == value)] = value
    return painted


def _stroke(
    rng: np.random.Generator, inside: npt.NDArray[np.float64], start: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Walk from a point, mostly straight on, anywhere inside the region."""
    path = np.zeros(inside.shape, dtype=bool)
    position = start.astype(float)
    heading = rng.uniform(0, 2 * np.pi)
    for _ in range(_LENGTH):
        path[tuple(position.astype(int))] = True
        turns = heading + rng.normal(0, 0.4, 8)
        ahead = position + np.stack([np.sin(turns), np.cos(turns)], axis=1)
        ahead = ahead.clip(0, np.array(inside.shape) - 1)
        free = np.flatnonzero(inside[tuple(ahead.astype(int).T)] > 0)
        if not len(free):
            break
        position, heading = ahead[free[0]], turns[free[0]]
    return path
