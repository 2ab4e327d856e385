"""OME-Zarr images: version 0.4 on zarr format 2, version 0.5 on zarr format 3."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from napari_unet.engine.errors import FileError, ImageError, UnetPaintError
from napari_unet.io.axes import axis_letters, in_reading_order
from napari_unet.io.bounded_codecs import bound_codecs
from napari_unet.io.failures import cannot_read
from napari_unet.io.lazy import Index, LazyArray
from napari_unet.io.names import natural_key
from napari_unet.io.positions import pick_position, unique_names
from napari_unet.io.stack import (
    Channel,
    ImageStack,
    View,
    fitting_channels,
    hex_colour,
    limits_of,
)
from napari_unet.io.units import is_printed, positive, to_micrometres, to_seconds
from napari_unet.io.zarr_checks import (
    DAMAGED,
    CheckedStore,
    check_array,
    check_axes,
    check_size,
    largest_chunk,
)

_MARKS = ("zarr.json", ".zgroup", ".zarray")
_NO_IMAGES = ("OME", "labels")  # metadata of bioformats2raw, and what was segmented
_MOST_NODES = 5_000  # groups and arrays that are looked through for an image
_DEEPEST = 5  # groups in groups; a plate has three, and one may lie in itself, by a link


def is_zarr(path: Path) -> bool:
    """Return whether a folder is to be read as zarr."""
    return path.suffix.lower() == ".zarr" or has_zarr_marks(path)


def has_zarr_marks(path: Path) -> bool:
    """Return whether the files that mark a zarr group or array lie in a folder."""
    return any((path / mark).is_file() for mark in _MARKS)


def open_zarr(path: Path, position: str | None = None) -> ImageStack:
    """Open the full resolution of an OME-Zarr image, or a plain zarr array.

    Parameters
    ----------
    position
        Which image of a folder of several, as bioformats2raw and plates have: its path in there
        (``A/1/0``), or its number.

    Raises
    ------
    FileError
        If there is no image in it, it is damaged, announces a size that no image has, or holds
        anything but numbers in codecs that are known.
    ImageError
        If it has no axes Y and X, or there are several images and none is chosen.
    SettingsError
        If it has no such position.
    """
    with _reading(path):
        store = CheckedStore(path)
        with warnings.catch_warnings(action="ignore"):  # of codecs that few others have
            images = _all_images(zarr.open(store, mode="r"), path)
        names = _names(images)
        chosen = pick_position(names, position, path)
        node, levels = images[chosen], 1
        attributes: Mapping[str, Any] = {}
        if isinstance(node, zarr.Array):
            array, spacing = node, dict[str, float]()
            check_axes(array, path)
            axes = _array_axes(array)
        else:
            attributes = _ome(node)
            multiscale = attributes["multiscales"][0]
            array, levels = _full_resolution(node, multiscale), len(multiscale["datasets"])
            check_axes(array, path)
            axes, spacing = _axes_and_spacing(multiscale, array.ndim)
        check_array(array, path)
        check_size(array, axes, path)
        with warnings.catch_warnings(action="ignore"):
            array = bound_codecs(array)
        store.largest_chunk = largest_chunk(array)
        channels = _channels(node, array.shape[axes.index("C")] if "C" in axes else 1)
    if not {"Y", "X"} <= set(axes):
        raise ImageError(
            f"'{path}' has the axes {axes}, without Y or X; save it with axes named y and x."
        )
    lazy, axes = in_reading_order(LazyArray(array.shape, array.dtype, _fetcher(array, path)), axes)
    name, is_one = path.stem.removesuffix(".ome"), len(images) == 1
    return ImageStack(
        lazy,
        axes,
        spacing,
        name if is_one else f"{name} {names[chosen]}",
        channels=channels,
        is_labels="image-label" in attributes,
        levels=levels,
        view=View() if is_one else View(names[chosen]),
    )


def zarr_positions(path: Path) -> tuple[str, ...]:
    """Return the paths of the images in a folder; raises as `open_zarr`."""
    with _reading(path), warnings.catch_warnings(action="ignore"):
        return _names(_all_images(zarr.open(CheckedStore(path), mode="r"), path))


@dataclass(frozen=True, slots=True)
class ImageGroup:
    """What an OME-Zarr image says of itself; nothing of its pixels is read."""

    path: Path  # of the group that holds its arrays
    zarr_format: int
    axes: str  # one letter each, as its arrays have them
    shapes: tuple[tuple[int, ...], ...]  # of the full size and of its smaller copies
    transformations: tuple[list[dict[str, Any]], ...]  # of each
    is_consolidated: bool  # whether the metadata of all groups in it are copied in one place


def open_image_group(path: Path, position: str | None = None) -> ImageGroup:
    """Read the metadata of an OME-Zarr image; arguments and errors are those of `open_zarr`.

    Raises
    ------
    FileError
        Also if it is a plain array.
    """
    with _reading(path):
        images = _all_images(zarr.open(CheckedStore(path), mode="r"), path)
        node = images[pick_position(_names(images), position, path)]
        if isinstance(node, zarr.Array):
            raise FileError(
                f"'{path}' is a plain zarr array, which has no place for labels; write them into a "
                ".zarr of their own."
            )
        multiscale = _ome(node)["multiscales"][0]
        arrays = [node[level["path"]] for level in multiscale["datasets"]]
        axes, _spacing = _axes_and_spacing(multiscale, arrays[0].ndim)
        return ImageGroup(
            path / node.path,
            int(node.metadata.zarr_format),
            axes,
            tuple(tuple(int(n) for n in array.shape) for array in arrays),
            tuple(list(d["coordinateTransformations"]) for d in multiscale["datasets"]),
            node.metadata.consolidated_metadata is not None,
        )


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except UnetPaintError:
        raise  # said well enough
    except FileNotFoundError as error:
        raise FileError(
            f"'{path}' holds no zarr data; choose the folder whose name ends in .zarr."
        ) from error
    except DAMAGED as error:
        raise cannot_read(path, error) from error
    except ExceptionGroup as group:  # of chunks that zarr reads side by side, from 3.3 on
        if not isinstance(first := _first(group), DAMAGED):
            raise
        raise cannot_read(path, first) from group


def _first(error: Exception) -> Exception:
    """Return the first error of a group, of groups in it as well."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _fetcher(array: Any, path: Path) -> Any:
    def fetch(index: Index) -> npt.NDArray[Any]:
        with _reading(path):
            return np.asarray(array[index])

    return fetch


def _all_images(node: Any, path: Path) -> list[Any]:
    """Return the array or multiscale image that a folder is, or those inside it."""
    found = list(_images(node, count()))
    if not found:
        raise FileError(f"'{path}' holds no OME-Zarr image; choose the folder of an image.")
    return found


def _names(images: Sequence[Any]) -> tuple[str, ...]:
    return unique_names([node.path for node in images])


def _images(node: Any, seen: Iterator[int]) -> Iterator[Any]:
    """Yield the images in a group, in their natural order: itself, series, fields of wells."""
    if next(seen) >= _MOST_NODES:
        raise ValueError(f"it holds more than {_MOST_NODES:,} groups and no image")
    if isinstance(node, zarr.Array):
        if node.ndim >= 2:
            yield node
        return
    if _ome(node).get("multiscales"):
        yield node
        return
    if node.path.count("/") >= _DEEPEST:
        return
    members = dict(node.members())
    for name in sorted(members, key=lambda name: natural_key(Path(name))):
        if name not in _NO_IMAGES:
            yield from _images(members[name], seen)


def _ome(group: Any) -> Mapping[str, Any]:
    """Return the attributes of OME: below "ome" from 0.5 on, at the top before."""
    attributes = group.attrs.asdict()
    found: Mapping[str, Any] = attributes.get("ome", attributes)
    return found


def _full_resolution(group: Any, multiscale: Mapping[str, Any]) -> Any:
    array = group[multiscale["datasets"][0]["path"]]
    if not isinstance(array, zarr.Array):
        raise TypeError("its full resolution is not an array")
    return array


def _array_axes(array: Any) -> str:
    """Name the axes of a plain array: its own names, else YX last and Z, T before them."""
    names = getattr(array.metadata, "dimension_names", None)
    if not names:
        names = array.attrs.get("_ARRAY_DIMENSIONS", (None,) * array.ndim)
    return axis_letters(names)


def _axes_and_spacing(multiscale: Mapping[str, Any], ndim: int) -> tuple[str, dict[str, float]]:
    """Return the axes, and their scale in µm or s where the unit is told."""
    described = [a if isinstance(a, dict) else {"name": a} for a in multiscale.get("axes", [])]
    if len(described) != ndim:
        raise ValueError(f"{ndim} axes, but {len(described)} are described")
    axes = axis_letters([a["name"] for a in described], [a.get("type") for a in described])
    scale = _scale(multiscale["datasets"][0], ndim) * _scale(multiscale, ndim)
    spacing = {}
    for axis, details, step in zip(axes, described, scale, strict=True):
        convert = to_seconds if axis == "T" else to_micrometres
        value = convert(positive(step), details.get("unit")) if axis in "TZYX" else None
        if value is not None:
            spacing[axis] = value
    if is_printed(spacing.get("X")):
        spacing = {axis: value for axis, value in spacing.items() if axis not in "YX"}
    return axes, spacing


def _scale(part: Mapping[str, Any], ndim: int) -> npt.NDArray[np.float64]:
    """Return the product of the scale transformations of a dataset or multiscale image."""
    scale = np.ones(ndim)
    for step in part.get("coordinateTransformations", []):
        if step.get("type") == "scale":
            scale *= np.asarray(step["scale"], dtype=np.float64)
    return scale


def _channels(node: Any, count: int) -> tuple[Channel, ...]:
    """Return what "omero" tells of the channels."""
    attributes = node.attrs.asdict()
    omero = attributes.get("ome", {}).get("omero") or attributes.get("omero") or {}
    return fitting_channels(map(_channel, omero.get("channels") or ()), count)


def _channel(told: Mapping[str, Any]) -> Channel:
    window = told.get("window") or {}
    colour = str(told.get("color", "")).removeprefix("#")
    is_hex = re.fullmatch("[0-9a-fA-F]{6}", colour) is not None
    return Channel(
        str(told.get("label") or "").strip(),
        hex_colour(bytes.fromhex(colour)) if is_hex else None,
        limits_of(window.get("start"), window.get("end")),
    )
