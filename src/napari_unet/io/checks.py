"""Checks of planes that are about to be written."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet.engine.errors import LabelsError

__all__ = ["check_labels", "check_plane"]

_LARGEST = int(np.iinfo(np.uint32).max)


def check_plane(plane: npt.NDArray[Any], shape: tuple[int, ...]) -> None:
    """Raise `ValueError` unless the plane has this shape."""
    if plane.shape != shape:
        raise ValueError(f"planes of shape {shape} were announced, got {plane.shape}")


def check_labels(plane: npt.NDArray[Any]) -> int:
    """Return the largest label of a plane.

    Raises
    ------
    LabelsError
        If the values are negative, no integers, or need more than 32 bits.
    """
    if plane.dtype.kind not in "bui":
        raise LabelsError(
            f"Labels are whole numbers, got {plane.dtype.name}; convert the layer to labels "
            "before it is saved."
        )
    if plane.dtype.kind == "i" and plane.min() < 0:
        raise LabelsError(
            f"Labels may not be negative, got {plane.min()}; give these objects numbers from 1 "
            "upwards."
        )
    largest = int(plane.max())
    if largest > _LARGEST:
        raise LabelsError(
            f"Labels go up to {_LARGEST}, got {largest}; number the objects anew (in Python: "
            "skimage.segmentation.relabel_sequential)."
        )
    return largest
