"""Folders of planes: one TIFF or PNG file per plane."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import imageio.v3 as iio
import numpy as np
import numpy.typing as npt
from PIL import Image

from napari_unet.engine.counts import shape_text
from napari_unet.engine.errors import FileError, ImageError
from napari_unet.io.axes import name_axes
from napari_unet.io.failures import cannot_read
from napari_unet.io.folder_names import find_grid, find_results
from napari_unet.io.lazy import Spans, page_array
from napari_unet.io.names import natural_key
from napari_unet.io.read_tiff import open_tiff
from napari_unet.io.stack import Channel, ImageStack

_SUFFIXES = {".tif", ".tiff", ".png"}
_DAMAGED = (AttributeError, LookupError, OSError, SyntaxError, TypeError, ValueError)
"""What Pillow and imageio raise on chunks that are broken, or out of their order."""

_MODES = {3: "P", 4: "L"}  # palette pictures as numbers; transparency is no grey value


def open_folder(path: Path) -> ImageStack:
    """Open a folder of planes, in natural order of their names.

    The names say which axes the planes form (see `folder_names.find_grid`). Hidden files, files
    that are no TIFF or PNG, and labels beside their images are passed over.

    Raises
    ------
    FileError
        If there is no plane, or one cannot be read.
    ImageError
        If the planes differ in shape or type, or a file holds a whole stack.
    """
    return open_planes(list_planes(path), path.name)


def open_planes(files: Sequence[Path], name: str) -> ImageStack:
    """Open files of one plane each as a stack; they are in natural order.

    Raises
    ------
    FileError, ImageError
        As `open_folder`.
    """
    grid = find_grid([file.stem for file in files], name)
    first = open_plane(files[0])
    for file in files[1:]:
        _check_alike(open_plane(file), file, first, files[0])
    opened = lru_cache(maxsize=max(4, len(grid.channels)))(open_plane)

    def read(number: int, spans: Spans) -> npt.NDArray[Any]:
        return np.asarray(opened(files[grid.order[number]]).array[spans])

    array = page_array(grid.shape, first.array.shape, first.array.dtype, read)
    axes = name_axes(grid.axes + first.axes)
    channels = tuple(Channel(name) for name in grid.channels) or first.channels
    return ImageStack(array, axes, first.spacing, name, grid.planes, channels)


def list_planes(path: Path, *, required: bool = True) -> list[Path]:
    """Return the TIFF and PNG files of a folder in natural order, without labels of others.

    Raises
    ------
    FileError
        If the folder cannot be read, or planes are required and there is none.
    """
    files = _list(path, required=required)
    results, _ = find_results([file.stem for file in files])
    return [file for file in files if file.stem not in results]


def list_labels(path: Path) -> list[Path]:
    """Return the label files of a folder in natural order: those beside images, or all.

    Raises
    ------
    FileError
        As `list_planes`.
    """
    files = _list(path, required=True)
    _, labels = find_results([file.stem for file in files])
    return [file for file in files if file.stem in labels] or files


def _list(path: Path, *, required: bool) -> list[Path]:
    try:
        files = [
            file
            for file in path.iterdir()
            if file.suffix.lower() in _SUFFIXES and not file.name.startswith(".") and file.is_file()
        ]
    except OSError as error:
        raise cannot_read(path, error) from error
    if required and not files:
        raise FileError(
            f"The folder '{path}' holds no TIFF or PNG files; choose the folder in which the "
            "image planes lie."
        )
    return sorted(files, key=natural_key)


def open_plane(path: Path) -> ImageStack:
    """Open a file that holds one plane, of one channel or several; other axes of length 1 go.

    Raises
    ------
    FileError
        If it cannot be read.
    ImageError
        If it holds more than one plane.
    """
    stack = open_png(path) if path.suffix.lower() == ".png" else open_tiff(path)
    array, axes = stack.array, stack.axes
    for axis in axes.rstrip("YXS"):
        if array.shape[axes.index(axis)] == 1:
            array, axes = array.take(0, axes.index(axis)), axes.replace(axis, "")
    if axes not in ("YX", "YXS", "CYX"):
        raise ImageError(
            f"'{path}' holds a stack ({shape_text(stack.array.shape)}), but a folder is read as "
            "one plane per file; open that file itself, or keep only single planes in the folder."
        )
    return replace(stack, array=array, axes=axes)


def open_png(path: Path) -> ImageStack:
    """Open a PNG file: a grey plane or a colour picture; the last one read is remembered.

    Raises
    ------
    FileError
        If it is missing, no PNG or damaged.
    """
    with _reading(path):
        head = _read_head(path)
        _check_size(head, path)
        with warnings.catch_warnings(action="ignore"):  # of parts that are passed over
            properties = iio.improps(path, plugin="pillow")
        mode = _MODES.get(head.colour_type)
        shape = properties.shape if mode is None else properties.shape[:2]

    @lru_cache(maxsize=1)
    def decode() -> npt.NDArray[Any]:
        with _reading(path):
            return np.asarray(iio.imread(path, plugin="pillow", mode=mode))

    array = page_array((), shape, properties.dtype, lambda _, spans: decode()[spans])
    return ImageStack(array, "YX" if len(shape) == 2 else "YXS", {}, path.stem)


class _Head(NamedTuple):
    """What a PNG announces."""

    width: int
    height: int
    depth: int  # bits
    colour_type: int  # 0 grey, 2 RGB, 3 palette, 4 and 6 with transparency


def _read_head(path: Path) -> _Head:
    with path.open("rb") as file:
        header = file.read(26)
    if not header.startswith(b"\x89PNG") or len(header) < 26:
        raise ValueError("it is no PNG")
    return _Head(*struct.unpack(">IIBB", header[16:]))


def _check_size(head: _Head, path: Path) -> None:
    """Raise `FileError` if a picture has more pixels than Pillow unpacks without a warning."""
    pixels = head.width * head.height
    if Image.MAX_IMAGE_PIXELS is not None and pixels > Image.MAX_IMAGE_PIXELS:
        raise FileError(
            f"'{path}' announces {head.height:,}×{head.width:,} pixels, and a PNG is opened up to "
            f"{Image.MAX_IMAGE_PIXELS:,} of them; save it as TIFF, in tiles of 512×512 pixels."
        )


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise cannot_read(path, error) from error


def _check_alike(stack: ImageStack, file: Path, first: ImageStack, first_file: Path) -> None:
    if (stack.array.shape, stack.array.dtype) != (first.array.shape, first.array.dtype):
        raise ImageError(
            f"The planes of a folder must be alike, but '{file}' is "
            f"{shape_text(stack.array.shape)} {stack.array.dtype} and '{first_file.name}' is "
            f"{shape_text(first.array.shape)} {first.array.dtype}; put them into different folders."
        )
