"""Arrays for new layers: in memory, or on disk when they are large."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import platformdirs
import psutil  # type: ignore[import-untyped]  # napari brings it
import zarr

from napari_unet.engine.errors import FileError
from napari_unet.io.names import file_stem
from napari_unet.io.stack import Layout
from napari_unet.io.write_zarr import create_planes

_LARGE = 1 << 29  # bytes
_SHARE = 8  # of the free memory, one part
_CHUNK = 1024  # longest side, pixels: small enough that the brush is quick


def new_array(
    shape: tuple[int, ...],
    dtype: npt.DTypeLike,
    name: str,
    *,
    layout: Layout | None = None,
    share: float = 1,
) -> Any:
    """Return an array of zeros: numpy's, or if it is large zarr's in a folder of the user's data.

    Large is more than 512 MB, or more than an eighth of the free memory. What is written into an
    array on disk is stored at once, so a crash loses nothing; empty chunks take no space.

    Parameters
    ----------
    shape
        The last two axes are Y and X; a chunk is one plane or a part of it.
    name
        What the folder is called, with the date.
    layout
        Axes and spacing of labels: the folder is then an OME-Zarr, and opens as labels in napari.
    share
        Part of these limits that it may take, where others are held in memory with it.

    Raises
    ------
    FileError
        If the folder cannot be made.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size <= share * min(_LARGE, psutil.virtual_memory().available // _SHARE):
        return np.zeros(shape, dtype=dtype)
    path = _new_path(name)
    try:
        return create_planes(path, shape, dtype, layout)
    except OSError as error:
        raise FileError(
            f"There is too little memory for '{name}', and its folder {path} cannot be made "
            f"({error.strerror}). Free some memory or disk space, then try again."
        ) from error


def pieces(height: int) -> Iterator[slice]:
    """Yield the rows of a plane in pieces that are quick to write: chunks on disk are as high."""
    for top in range(0, height, _CHUNK):
        yield slice(top, min(top + _CHUNK, height))


def stored_in(array: object) -> Path | None:
    """Return the folder that `array` was made in, None if it is not one of ours on disk."""
    if not isinstance(array, zarr.Array):
        return None
    path = Path(str(getattr(array.store, "root", "")))
    return path if path.parent == _folder() else None


def _folder() -> Path:
    return platformdirs.user_data_path("napari-unet-paint") / "labels"


def _new_path(name: str) -> Path:
    """Return the path of a folder that is not there yet."""
    return _folder() / f"{file_stem(name, 'labels')} {datetime.now():%Y-%m-%d %H-%M-%S.%f}.zarr"
