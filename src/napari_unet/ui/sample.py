"""File ▸ Open Sample: made-up images, each with strokes on it and the truth, which is hidden."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet.io.sample_divisions import synthetic_divisions
from napari_unet.io.sample_membranes import paint_classes, synthetic_membranes
from napari_unet.io.samples import Sample, paint_strokes, synthetic_cells
from napari_unet.ui.layers.added import Purpose, made_for

_UNITS = {"T": "second", "Z": "micrometer", "Y": "micrometer", "X": "micrometer"}
_DIVIDING = 4, 12  # times at which nuclei are painted

LayerTuple = tuple[Any, dict[str, Any], str]


def open_cells() -> list[LayerTuple]:
    """Return touching cells that crawl, as napari's layer data. Takes about a second."""
    sample = synthetic_cells()
    return _layers("cells", sample, paint_strokes(sample.truth))


def open_membranes() -> list[LayerTuple]:
    """Return serial sections with strokes of two classes, as napari's layer data."""
    sample = synthetic_membranes()
    return _layers("membranes", sample, paint_classes(sample.truth))


def open_divisions() -> list[LayerTuple]:
    """Return a time-lapse of nuclei that divide, as napari's layer data."""
    sample = synthetic_divisions()
    return _layers("nuclei", sample, paint_strokes(sample.truth, _DIVIDING, cells=6))


def open_sample() -> list[LayerTuple]:
    """Return touching cells and strokes on them, without the truth."""
    image, _, strokes = open_cells()
    return [image, strokes]


def first_painted(labels: Any) -> int:
    """Return the first plane of (planes, Y, X) that has paint on it, 0 if none has."""
    return int(np.argmax(labels.any(axis=(1, 2))))


def _layers(name: str, sample: Sample, strokes: npt.NDArray[np.int32]) -> list[LayerTuple]:
    place = {
        "scale": [sample.spacing.get(axis, 1.0) for axis in sample.axes],
        "units": [_UNITS[axis] for axis in sample.axes],
        "axis_labels": [axis.lower() for axis in sample.axes],
    }
    hidden = {"name": "truth", "visible": False, "metadata": made_for(Purpose.TRUTH)}
    return [
        (sample.image, {"name": name, **place}, "image"),
        (sample.truth, {**hidden, **place}, "labels"),
        (strokes, {"name": "strokes", **place}, "labels"),
    ]
