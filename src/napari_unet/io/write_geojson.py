"""GeoJSON as QuPath imports it: a detection for each object on each plane, with measurements."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import repeat
from math import isnan
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt

from napari_unet.engine.measurements import (
    Measures,
    ObjectOutline,
    ObjectRuns,
    measure,
    trace_outlines,
)
from napari_unet.engine.stack import RunLabels
from napari_unet.io.label_features import LabelFeatures
from napari_unet.io.plane_objects import OutlineWriter
from napari_unet.io.replacing import replacing
from napari_unet.io.stack import ImageStack, Layout

_PLACE = ("label", "plane", "t", "z", "c")  # columns that are no measurements


class GeoJson(OutlineWriter):
    """Objects that are being written, one line each.

    Parameters
    ----------
    file
        The open file.
    layout
        Of the labels.
    image
        Its grey values are measured, too; None: size and shape only.
    features
        What else is known of the objects; of the same name, what is measured counts.
    """

    def __init__(
        self,
        file: TextIO,
        layout: Layout,
        name: str,
        image: ImageStack | None,
        features: LabelFeatures | None,
    ) -> None:
        super().__init__(layout, name)
        self._file = file
        self._features = features
        self._measures = Measures(layout, () if image is None else image.channel_names())
        self._grey = None if image is None else image.planes()
        self._is_first = True
        file.write('{"type": "FeatureCollection", "features": [')

    def take_plane(self, labels: RunLabels, runs: ObjectRuns, plane: int) -> None:
        """Write the objects of a plane."""
        place = self.place(plane)
        at = {"c": place.get("C", -1), "z": place.get("Z", 0), "t": place.get("T", 0)}
        rows = self._measure(labels, plane)
        for outline, measured in zip(trace_outlines(runs), rows, strict=True):
            feature = {
                "type": "Feature",
                "geometry": {**_geometry(outline), "plane": at},
                "properties": {
                    "objectType": "detection",
                    "name": str(outline.label),
                    "measurements": {"label": outline.label, **measured},
                },
            }
            self._file.write("\n" if self._is_first else ",\n")
            self._file.write(json.dumps(feature, separators=(",", ":"), allow_nan=False))
            self._is_first = False

    def finish(self) -> None:
        """Write the end, with what is known of the whole."""
        self.check_complete()
        notes = json.dumps(self._notes)[1:-1]
        self._file.write(f"\n]{', ' if notes else ''}{notes}}}\n")

    def _measure(self, labels: RunLabels, plane: int) -> Iterator[dict[str, float]]:
        """Yield what is measured of each object; what is no number is left out."""
        shown = _OnePlane(labels, plane, self.layout.count)
        (event,) = measure(shown, self._measures, image=self._grey, planes=[plane])
        columns = {
            name: column.tolist()
            for name, column in event.rows.columns.items()
            if name not in _PLACE
        }
        objects = event.rows["label"].tolist()
        known = repeat({}) if self._features is None else self._features.rows(objects)
        for values, also in zip(zip(*columns.values(), strict=True), known, strict=False):
            row = zip(columns, map(_number, values), strict=True)
            yield {**also, **{name: value for name, value in row if not isnan(value)}}


def _number(value: float) -> float:
    return int(value) if isinstance(value, bool | int) else float(f"{value:.10g}")


def _geometry(outline: ObjectOutline) -> Mapping[str, Any]:
    """Return a polygon, or several where an object has parts; rings end where they begin."""
    parts = [[np.concatenate([ring, ring[:1]]).tolist() for ring in part] for part in outline.parts]
    if len(parts) == 1:
        return {"type": "Polygon", "coordinates": parts[0]}
    return {"type": "MultiPolygon", "coordinates": parts}


class _OnePlane:
    """One plane among many that are not there."""

    run = runs = channels = 1
    followed = ""
    pixel_size = None
    dtype = np.dtype(np.int32)

    def __init__(self, labels: RunLabels, plane: int, count: int) -> None:
        self._labels = labels
        self.name = f"plane {plane}"
        self.count = count
        self.shape = labels.shape

    def read(self, plane: int, y: slice, x: slice) -> npt.NDArray[Any]:  # noqa: ARG002 the one
        """Return the region as (1, y, x)."""
        return self._labels.rows(y)[np.newaxis, :, x]


@contextmanager
def geojson(
    path: Path,
    layout: Layout,
    *,
    image: ImageStack | None = None,
    features: LabelFeatures | None = None,
) -> Iterator[GeoJson]:
    """Open a GeoJSON file for writing; it appears under its name when the block ends.

    Parameters
    ----------
    image, features
        As of `GeoJson`; the image is on the planes of the labels.

    Raises
    ------
    FileError
        If the layout has axes that objects have no place along.
    """
    with replacing(path) as temporary, temporary.open("x", encoding="ascii") as file:
        writer = GeoJson(file, layout, path.name, image, features)
        yield writer
        writer.finish()
