"""Checks of what is about to be written."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet.engine.errors import LabelsError

_LARGEST = int(np.iinfo(np.uint32).max)


def check_rows(rows: npt.NDArray[Any], plane: tuple[int, ...], done: int) -> None:
    """Raise `ValueError` unless these can be the next rows of a plane.

    Parameters
    ----------
    rows
        (..., y, X).
    plane
        Shape of the plane, (..., Y, X).
    done
        Rows of it that are there.
    """
    left = plane[-2] - done
    fits = rows.ndim == len(plane) and rows.shape[:-2] == plane[:-2] and rows.shape[-1] == plane[-1]
    if not fits or not 0 < rows.shape[-2] <= left:
        raise ValueError(f"planes of shape {plane} were announced, got {rows.shape} after {done}")


def check_labels(labels: npt.NDArray[Any]) -> int:
    """Return the largest label.

    Raises
    ------
    LabelsError
        If the values are negative, no integers, or need more than 32 bits.
    """
    if labels.dtype.kind not in "bui":
        raise LabelsError(
            f"Labels are whole numbers, got {labels.dtype.name}; convert the layer to labels "
            "before it is saved."
        )
    if labels.dtype.kind == "i" and labels.min() < 0:
        raise LabelsError(
            f"Labels may not be negative, got {labels.min()}; give these objects numbers from 1 "
            "upwards."
        )
    largest = int(labels.max())
    if largest > _LARGEST:
        raise LabelsError(
            f"Labels go up to {_LARGEST}, got {largest}; number the objects anew (in Python: "
            "skimage.segmentation.relabel_sequential)."
        )
    return largest
