"""ImageJ ROIs in a zip file, as its ROI Manager opens and saves them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np
import numpy.typing as npt
from roifile import ROI_TYPE, ImagejRoi

from napari_unet.engine.measurements import ObjectOutline, ObjectRuns, trace_outlines
from napari_unet.engine.stack import RunLabels
from napari_unet.io.plane_objects import OutlineWriter
from napari_unet.io.replacing import replacing
from napari_unet.io.stack import Layout

_MOVE, _LINE, _CLOSE = 0, 1, 4  # in the path of a composite ROI
_MOST = (1 << 15) - 1  # coordinate, and points, of a simple ROI
_LONGEST = (1 << 16) - 1  # bytes of the comment of a zip


class RoiZip(OutlineWriter):
    """ROIs that are being written: one for each object on each plane, named after its number.

    Parameters
    ----------
    zipped
        The open file.
    hyperstack
        Whether the image has more than one axis beside Y and X that is longer than 1: ImageJ then
        asks for the place along each, else for the number of the plane.
    """

    def __init__(self, zipped: ZipFile, layout: Layout, name: str, *, hyperstack: bool) -> None:
        super().__init__(layout, name)
        self._zipped = zipped
        self._hyperstack = hyperstack

    def take_plane(self, labels: RunLabels, runs: ObjectRuns, plane: int) -> None:  # noqa: ARG002
        """Write the objects of a plane."""
        place = {axis: index + 1 for axis, index in self.place(plane).items()}
        where = {f"{axis.lower()}_position": n for axis, n in place.items()}
        if not self._hyperstack:
            where = {"position": plane + 1} if self.layout.count > 1 else {}
        ending = "".join(f" {axis.lower()}{n}" for axis, n in place.items())
        for outline in trace_outlines(runs):
            name = f"{outline.label}{ending}"
            roi = _roi(outline, name, where)
            self._zipped.writestr(ZipInfo(f"{name}.roi"), roi.tobytes(), ZIP_DEFLATED)

    def finish(self) -> None:
        """Note what is known of the whole; what is too long for a zip is left out."""
        self.check_complete()
        if self._notes:
            comment = json.dumps(self._notes).encode("ascii")
            if len(comment) <= _LONGEST:
                self._zipped.comment = comment


def _roi(outline: ObjectOutline, name: str, where: Mapping[str, int]) -> ImagejRoi:
    """Return the ROI of an object: a traced one, or a composite where that cannot tell it."""
    rings = outline.rings
    corners = np.concatenate(rings)
    low, high = corners.min(axis=0), corners.max(axis=0)
    sides = zip(("left", "top", "right", "bottom"), [*low.tolist(), *high.tolist()], strict=True)
    about: dict[str, Any] = {"name": name, **dict(sides), **where}
    if len(rings) == 1 and high.max() <= _MOST and len(corners) <= _MOST:
        return ImagejRoi(
            roitype=ROI_TYPE.TRACED,
            n_coordinates=len(corners),
            integer_coordinates=(corners - low).astype(np.int32),
            **about,
        )
    path = np.concatenate([part for ring in rings for part in _path(ring)])
    return ImagejRoi(
        roitype=ROI_TYPE.RECT, shape_roi_size=len(path), multi_coordinates=path, **about
    )


def _path(ring: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.float32], ...]:
    """Return a ring as the steps of a pen."""
    steps = np.empty((len(ring), 3), np.float32)
    steps[:, 0], steps[:, 1:] = _LINE, ring
    steps[0, 0] = _MOVE
    return steps.ravel(), np.array([_CLOSE], np.float32)


@contextmanager
def roi_zip(path: Path, layout: Layout, *, channels: int = 1) -> Iterator[RoiZip]:
    """Open a zip of ROIs for writing; it appears under its name when the block ends.

    Parameters
    ----------
    channels
        Of the image that the ROIs are for.

    Raises
    ------
    FileError
        If the layout has axes that ROIs have no place along.
    """
    longer = sum(n > 1 for n in layout.leading_shape) + (channels > 1)
    with replacing(path) as temporary, ZipFile(temporary, "x") as zipped:
        writer = RoiZip(zipped, layout, path.name, hyperstack=longer > 1)
        yield writer
        writer.finish()
