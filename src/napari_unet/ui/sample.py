"""File ▸ Open Sample: touching cells with strokes painted on them."""

from __future__ import annotations

from typing import Any

from napari_unet.io.samples import paint_strokes, synthetic_cells

__all__ = ["open_sample"]

_UNITS = {"T": "second", "Z": "micrometer", "Y": "micrometer", "X": "micrometer"}


def open_sample() -> list[tuple[Any, dict[str, Any], str]]:
    """Return a small stack and strokes on it, as napari's layer data."""
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
