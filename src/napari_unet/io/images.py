"""Open an image, whatever it lies in."""

from __future__ import annotations

import os
from pathlib import Path

from napari_unet.engine.errors import FileError
from napari_unet.io.paths import check_readable
from napari_unet.io.positions import pick_position
from napari_unet.io.read_folder import open_folder, open_png
from napari_unet.io.read_tiff import open_tiff, tiff_positions
from napari_unet.io.read_zarr import is_zarr, open_zarr, zarr_positions
from napari_unet.io.replacing import restore_replaced
from napari_unet.io.stack import AS_IT_IS, ImageStack, View
from napari_unet.io.view import as_seen

__all__ = ["ImageStack", "View", "list_positions", "open_image", "open_images"]


def open_image(path: str | Path, view: View = AS_IT_IS) -> ImageStack:
    """Open a TIFF or PNG file, a folder of planes, or an OME-Zarr; pixels are read later.

    Parameters
    ----------
    path
        TIFF (plane, stack, OME, ImageJ hyperstack), PNG, a folder of TIFF or PNG planes of one
        shape, or an OME-Zarr image (0.4 or 0.5; its full resolution).
    view
        Which of its images and channels are meant, and what its axes are.

    Raises
    ------
    FileError
        If it is missing, of another format, truncated or damaged.
    ImageError
        If planes of a folder differ in shape or type, or a file holds several images of which none
        is chosen.
    SettingsError
        If it has no such position, axes or channels.

    Examples
    --------
    >>> stack = open_image("cells.tif")  # doctest: +SKIP
    >>> stack.axes, stack.pixel_size  # doctest: +SKIP
    ('TYX', (0.19, 0.19))
    >>> stack.array[3, :100, :100]  # reads these pixels only  # doctest: +SKIP
    """
    return as_seen(_open(Path(path), view.position), view)


def open_images(path: str | Path) -> list[ImageStack]:
    """Open all images of a file, of which most have one; raises as `open_image`."""
    path = Path(path)
    names = list_positions(path)
    return [_open(path, name) for name in names] if len(names) > 1 else [_open(path, None)]


def list_positions(path: str | Path) -> tuple[str, ...]:
    """Return the names of the images in a file; raises as `open_image` for what is none."""
    path = Path(path)
    _check(path)
    if path.is_dir():
        return zarr_positions(path) if is_zarr(path) else ("0",)
    return ("0",) if path.suffix.lower() == ".png" else tiff_positions(path)


def _open(path: Path, position: str | None) -> ImageStack:
    _check(path)
    if path.is_dir() and is_zarr(path):
        return open_zarr(path, position)
    if not path.is_dir() and path.suffix.lower() != ".png":
        return open_tiff(path, position)
    if position is not None:
        pick_position(("0",), position, path)
    return open_folder(path) if path.is_dir() else open_png(path)


def _check(path: Path) -> None:
    if not os.path.lexists(path):
        restore_replaced(path)
    check_readable(path)
    if not path.is_dir() and path.stat().st_size == 0:
        raise FileError(f"'{path}' is empty (0 bytes); copy it from its source once more.")
