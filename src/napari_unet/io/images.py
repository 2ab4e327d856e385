"""Open an image, whatever it lies in."""

from __future__ import annotations

import os
from pathlib import Path

from napari_unet.engine.errors import FileError
from napari_unet.io.paths import check_readable
from napari_unet.io.read_folder import open_folder, open_png
from napari_unet.io.read_tiff import open_tiff
from napari_unet.io.read_zarr import is_zarr, open_zarr
from napari_unet.io.replacing import restore_replaced
from napari_unet.io.stack import ImageStack

__all__ = ["ImageStack", "open_image"]


def open_image(path: str | Path) -> ImageStack:
    """Open a TIFF or PNG file, a folder of planes, or an OME-Zarr; pixels are read later.

    Parameters
    ----------
    path
        TIFF (plane, stack, OME, ImageJ hyperstack), PNG, a folder of TIFF or PNG planes of one
        shape, or an OME-Zarr image (0.4 or 0.5; its full resolution).

    Raises
    ------
    FileError
        If it is missing, of another format, truncated or damaged.
    ImageError
        If planes of a folder differ in shape or type, or a file holds several images.

    Examples
    --------
    >>> stack = open_image("cells.tif")  # doctest: +SKIP
    >>> stack.axes, stack.pixel_size  # doctest: +SKIP
    ('TYX', (0.19, 0.19))
    >>> stack.array[3, :100, :100]  # reads these pixels only  # doctest: +SKIP
    """
    path = Path(path)
    if not os.path.lexists(path):
        restore_replaced(path)
    check_readable(path)
    if path.is_dir():
        return open_zarr(path) if is_zarr(path) else open_folder(path)
    if path.stat().st_size == 0:
        raise FileError(f"'{path}' is empty (0 bytes); copy it from its source once more.")
    if path.suffix.lower() == ".png":
        return open_png(path)
    return open_tiff(path)
