"""File ▸ Open Sample: touching cells with strokes painted on them."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_unet.io.samples import paint_strokes, synthetic_cells

_UNITS = {"T": "second", "Z": "micrometer", "Y": "micrometer", "X": "micrometer"}

LayerTuple = tuple[Any, dict[str, Any], str]


def open_sample() -> list[LayerTuple]:
    """Return a small stack and strokes on it, as napari's layer data. Takes about a second."""
    sample = synthetic_cells()
    place = {
        "scale": [sample.spacing.get(axis, 1.0) for axis in sample.axes],
        "units": [_UNITS[axis] for axis in sample.axes],
        "axis_labels": [axis.lower() for axis in sample.axes],
    }
    return [
        (sample.image, {"name": "cells", **place}, "image"),
        (paint_strokes(sample.truth), {"name": "strokes", **place}, "labels"),
    ]


def first_painted(labels: Any) -> int:
    """Return the first plane of (planes, Y, X) that has paint on it, 0 if none has."""
    return int(np.argmax(labels.any(axis=(1, 2))))
