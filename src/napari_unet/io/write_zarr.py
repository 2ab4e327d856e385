"""OME-Zarr 0.5 images, written in bands of rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any, Literal

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
from napari_unet.io.zarr_pyramid import AXES, ORDER, LevelPlane, Pyramid, ome_metadata

_CHUNK = 1024  # pixels per side at most; one plane never shares a chunk with another


class PlaneZarr:
    """An OME-Zarr image that is being written: labels uint32, probabilities float32.

    Labels have copies in smaller sizes, whose pixels are those in the middle of what they stand for
    (the nearest ones, as numbers have no mean).

    Parameters
    ----------
    path, layout, name, is_labels
        Where, and what it is.
    pyramid
        The levels; None: halves.
    plane
        Of one that another process is writing, the plane that is written here; None: it is made.
        No two planes share a chunk.
    """

    def __init__(
        self,
        path: Path,
        layout: Layout,
        *,
        name: str,
        is_labels: bool,
        pyramid: Pyramid | None = None,
        plane: int | None = None,
    ) -> None:
        self.path = path
        self._is_labels = is_labels
        plane_axes = 2 if is_labels else 3
        self._leading_axes = layout.axes[:-plane_axes]
        self._leading_shape = layout.shape[:-plane_axes]
        self._plane_shape = layout.shape[-plane_axes:]
        self._pyramid = pyramid or Pyramid.halved(layout)
        self._axes = self._pyramid.axes
        self._written = plane or 0  # planes
        self._rows = 0  # of the next one
        zarr_format: Literal[2, 3] = 3 if self._pyramid.version == "0.5" else 2
        self._described = path / "0" / ("zarr.json" if zarr_format == 3 else ".zarray")
        shapes = self._pyramid.shapes if is_labels else self._pyramid.shapes[:1]
        if plane is None:
            self._group = zarr.open_group(str(path), mode="w-", zarr_format=zarr_format)
            self._group.attrs.update(ome_metadata(layout, self._pyramid, name, is_labels=is_labels))
            levels = [self._create(str(i), shape, zarr_format) for i, shape in enumerate(shapes)]
        else:
            self._described.stat()
            self._group = zarr.open_group(str(path), mode="r+", zarr_format=zarr_format)
            levels = [_array_of(self._group, str(i)) for i in range(len(shapes))]
        self._array, *self._smaller = levels

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
            self._shrink_plane()
            self._written += 1
            self._rows = 0

    def drop_rows(self) -> None:
        """Set the rows of a plane that is not complete to 0."""
        self._array[self._region(slice(0, self._rows))] = 0
        self._rows = 0

    def take_written(self) -> None:
        """Take note that another process writes the next plane, or that it stays 0."""
        self._written += 1

    def note_unfinished(self, planes: Iterable[int]) -> None:
        """Let the attributes say which planes are not segmented to their end."""
        unfinished = sorted(planes)
        if unfinished:
            self._group.attrs[UNFINISHED] = unfinished

    def note_provenance(self, text: str) -> None:
        """Let the attributes say what made it, given as a line of JSON."""
        self._group.attrs[FORMAT] = json.loads(text)

    def finish(self) -> None:
        """Raise unless every plane was written, and is still there."""
        self._described.stat()
        expected = int(np.prod(self._leading_shape, dtype=int))
        if self._written != expected:
            raise ValueError(f"{self._written} of {expected} planes were written")

    def _create(
        self, name: str, shape: tuple[int, ...], zarr_format: Literal[2, 3]
    ) -> zarr.Array[Any]:
        sides = zip(self._axes, shape, strict=True)
        own: dict[str, Any] = {"dimension_names": [AXES[axis]["name"] for axis in self._axes]}
        if zarr_format == 2:  # OME-Zarr wants folders in folders
            own = {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
        return self._group.create_array(
            name,
            shape=shape,
            chunks=tuple(min(side, _CHUNK) if axis in "YX" else 1 for axis, side in sides),
            dtype=np.uint32 if self._is_labels else np.float32,
            fill_value=0,
            **own,
        )

    def _region(self, rows: slice, columns: slice = slice(None)) -> tuple[int | slice, ...]:
        """Return where this part of the plane that is being written is."""
        position: dict[str, int | slice] = {**self._place(), "Y": rows, "X": columns}
        return tuple(position.get(axis, slice(None)) for axis in self._axes)

    def _place(self) -> dict[str, int]:
        """Return where the plane that is being written lies, along each axis before its own."""
        at = np.unravel_index(self._written, self._leading_shape) if self._leading_shape else ()
        return {axis: int(i) for axis, i in zip(self._leading_axes, at, strict=True)}

    def _shrink_plane(self) -> None:
        """Write the smaller copies of a plane of labels that is complete."""
        if not self._smaller:
            return
        copies = [
            LevelPlane(array, self._pyramid.axes, self._pyramid.sources(level), self._place())
            for level, array in enumerate(self._smaller, start=1)
        ]
        height, width = self._plane_shape
        side = 2 * _CHUNK  # so that the chunks of the next size are written once
        for y, x in product(range(0, height, side), range(0, width, side)):
            rows, columns = slice(y, min(y + side, height)), slice(x, min(x + side, width))
            read = np.asarray(self._array[self._region(rows, columns)])
            if read.any():
                for copy in copies:
                    copy.take(read, rows, columns)


def _array_of(group: zarr.Group, name: str) -> zarr.Array[Any]:
    found = group[name]
    assert isinstance(found, zarr.Array)
    return found


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
    if layout is not None and set(layout.axes) <= set(ORDER):
        pyramid = Pyramid.full_size(layout)
        group.attrs.update(ome_metadata(layout, pyramid, path.stem, is_labels=True))
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
    if not set(layout.axes) <= set(ORDER):
        raise FileError(
            f"OME-Zarr has no room for the axes {layout.axes}; save '{path.stem}' as .tif instead."
        )
    with replacing(path) as temporary:
        writer = PlaneZarr(temporary, layout, name=image_name(path), is_labels=is_labels)
        yield writer
        writer.finish()
