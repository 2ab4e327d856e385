"""OME-Zarr 0.5 images, written in bands of rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from napari_unet.engine.errors import FileError
from napari_unet.io.checks import check_labels, check_rows
from napari_unet.io.provenance import FORMAT
from napari_unet.io.read_zarr import has_zarr_marks
from napari_unet.io.replacing import replacing
from napari_unet.io.stack import Layout
from napari_unet.io.unfinished import UNFINISHED, image_name

_ORDER = "TCZYX"  # that OME-Zarr prescribes
_CHUNK = 1024  # pixels per side at most; one plane never shares a chunk with another
_AXES: dict[str, dict[str, str]] = {
    "T": {"name": "t", "type": "time"},
    "C": {"name": "c", "type": "channel"},
    "Z": {"name": "z", "type": "space"},
    "Y": {"name": "y", "type": "space"},
    "X": {"name": "x", "type": "space"},
}


class PlaneZarr:
    """An OME-Zarr image that is being written: labels uint32, probabilities float32."""

    def __init__(self, path: Path, layout: Layout, *, name: str, is_labels: bool) -> None:
        self._described = path / "0" / "zarr.json"
        self._is_labels = is_labels
        plane_axes = 2 if is_labels else 3
        self._leading_axes = layout.axes[:-plane_axes]
        self._leading_shape = layout.shape[:-plane_axes]
        self._plane_shape = layout.shape[-plane_axes:]
        self._axes = "".join(axis for axis in _ORDER if axis in layout.axes)
        self._written = 0  # planes
        self._rows = 0  # of the next one
        length = dict(zip(layout.axes, layout.shape, strict=True))
        shape = tuple(length[axis] for axis in self._axes)
        group = zarr.open_group(str(path), mode="w-", zarr_format=3)
        group.attrs["ome"] = ome_metadata(self._axes, layout.spacing, name, is_labels=is_labels)
        self._group = group
        self._array = group.create_array(
            "0",
            shape=shape,
            chunks=tuple(min(length[a], _CHUNK) if a in "YX" else 1 for a in self._axes),
            dtype=np.uint32 if is_labels else np.float32,
            dimension_names=[_AXES[axis]["name"] for axis in self._axes],
        )

    def write(self, rows: npt.NDArray[Any]) -> None:
        """Write the next rows: labels (y, X) or probabilities (C, y, X), within one plane.

        Raises
        ------
        LabelsError
            If labels are negative, fractions, or need more than 32 bits.
        OSError
            If the folder has vanished.
        """
        self._described.stat()  # zarr would make a folder that has vanished anew, and say nothing
        check_rows(rows, self._plane_shape, self._rows)
        if self._is_labels:
            check_labels(rows)
        self._array[self._region(slice(self._rows, self._rows + rows.shape[-2]))] = rows
        self._rows += rows.shape[-2]
        if self._rows == self._plane_shape[-2]:
            self._written += 1
            self._rows = 0

    def drop_rows(self) -> None:
        """Set the rows of a plane that is not complete to 0."""
        self._array[self._region(slice(0, self._rows))] = 0
        self._rows = 0

    def note_unfinished(self, planes: Iterable[int]) -> None:
        """Let the attributes say which planes are not segmented to their end."""
        unfinished = sorted(planes)
        if unfinished:
            self._group.attrs[UNFINISHED] = unfinished

    def note_provenance(self, text: str) -> None:
        """Let the attributes say what made it, given as a line of JSON."""
        self._group.attrs[FORMAT] = json.loads(text)

    def _region(self, rows: slice) -> tuple[int | slice, ...]:
        """Return where these rows of the plane that is being written are."""
        at = np.unravel_index(self._written, self._leading_shape) if self._leading_shape else ()
        position: dict[str, int | slice] = {
            axis: int(i) for axis, i in zip(self._leading_axes, at, strict=True)
        }
        position["Y"] = rows
        return tuple(position.get(axis, slice(None)) for axis in self._axes)

    def finish(self) -> None:
        """Raise unless every plane was written, and is still there."""
        self._described.stat()
        expected = int(np.prod(self._leading_shape, dtype=int))
        if self._written != expected:
            raise ValueError(f"{self._written} of {expected} planes were written")


def ome_metadata(
    axes: str, spacing: Mapping[str, float], name: str, *, is_labels: bool
) -> dict[str, Any]:
    """Return the attribute "ome" of a group whose array "0" has these axes.

    Parameters
    ----------
    spacing
        Distance between neighbours along an axis, where known: µm for Z, Y and X, s for T.
    """
    described = [dict(_AXES[axis]) for axis in axes]
    for axis, description in zip(axes, described, strict=True):
        if axis in spacing:
            description["unit"] = "second" if axis == "T" else "micrometer"
    scale = [float(spacing.get(axis, 1.0)) for axis in axes]
    transformations = [{"type": "scale", "scale": scale}]
    multiscale = {
        "name": name,
        "axes": described,
        "datasets": [{"path": "0", "coordinateTransformations": transformations}],
    }
    labels: dict[str, Any] = {"image-label": {}} if is_labels else {}
    return {"version": "0.5", "multiscales": [multiscale], **labels}


def create_planes(
    path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike, layout: Layout | None
) -> zarr.Array[Any]:
    """Make a folder with an array of zeros; what is written into it is stored at once.

    Parameters
    ----------
    path
        It must not be there yet.
    shape
        The last two axes are Y and X; a chunk is one plane or a part of it, and takes no space
        while it is empty.
    layout
        Axes and spacing of labels: the folder is then an OME-Zarr, and opens as labels in napari.

    Raises
    ------
    OSError
        If the folder cannot be made.
    """
    chunks = (*(1 for _ in shape[:-2]), *(min(side, _CHUNK) for side in shape[-2:]))
    group = zarr.open_group(str(path), mode="w-", zarr_format=3)
    if layout is not None and set(layout.axes) <= set(_ORDER):
        group.attrs["ome"] = ome_metadata(layout.axes, layout.spacing, path.stem, is_labels=True)
    return group.create_array("0", shape=shape, dtype=dtype, chunks=chunks, fill_value=0)


def check_no_other_folder(path: Path) -> None:
    """Raise `FileError` if this is a folder of something else, which is not to be replaced."""
    if path.is_dir() and any(path.iterdir()) and not has_zarr_marks(path):
        raise FileError(f"'{path}' is a folder with other files in it; choose another name.")


@contextmanager
def plane_zarr(path: Path, layout: Layout, *, is_labels: bool) -> Iterator[PlaneZarr]:
    """Open an OME-Zarr for writing; it appears under its name when the block ends.

    Raises
    ------
    FileError
        If `path` is a folder of something else, or OME-Zarr has no such axis.
    """
    check_no_other_folder(path)
    if not set(layout.axes) <= set(_ORDER):
        raise FileError(
            f"OME-Zarr has no room for the axes {layout.axes}; save '{path.stem}' as .tif instead."
        )
    with replacing(path) as temporary:
        writer = PlaneZarr(temporary, layout, name=image_name(path), is_labels=is_labels)
        yield writer
        writer.finish()
