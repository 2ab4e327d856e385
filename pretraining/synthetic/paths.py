"""Wandering lines: threads, and the arms of cells."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pretraining.synthetic.scene import Float

__all__ = ["path"]


def path(
    rng: np.random.Generator, start: Float, length: float, *, bend: float, shape: tuple[int, int]
) -> tuple[npt.NDArray[np.int_], npt.NDArray[np.int_]]:
    """Return the rows and columns of a wandering line, one per pixel of its length.

    Parameters
    ----------
    start
        Row and column.
    bend
        Standard deviation of the change of direction per pixel, radians. It changes slowly.
    """
    turns = ndimage.gaussian_filter1d(rng.normal(0, 1, int(length) + 1), 6) * 5 * bend
    angle = rng.uniform(0, 2 * np.pi) + np.cumsum(turns)
    rows = np.round(start[0] + np.cumsum(np.sin(angle))).astype(int)
    columns = np.round(start[1] + np.cumsum(np.cos(angle))).astype(int)
    inside = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
    return rows[inside], columns[inside]
