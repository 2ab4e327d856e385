"""OME-Zarr images: version 0.4 on zarr format 2, version 0.5 on zarr format 3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from napari_unet.engine.errors import FileError, ImageError
from napari_unet.io.failures import cannot_read
from napari_unet.io.lazy import Index, LazyArray
from napari_unet.io.stack import ImageStack, name_axes
from napari_unet.io.units import positive, to_micrometres, to_seconds

__all__ = ["has_zarr_marks", "is_zarr", "open_zarr"]

_MARKS = ("zarr.json", ".zgroup", ".zarray")
_DAMAGED = (LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError)


def is_zarr(path: Path) -> bool:
    """Return whether a folder is to be read as zarr."""
    return path.suffix.lower() == ".zarr" or has_zarr_marks(path)


def has_zarr_marks(path: Path) -> bool:
    """Return whether the files that mark a zarr group or array lie in a folder."""
    return any((path / mark).is_file() for mark in _MARKS)


def open_zarr(path: Path) -> ImageStack:
    """Open the full resolution of an OME-Zarr image, or a plain zarr array.

    Raises
    ------
    FileError
        If there is no image in it, or it is damaged.
    ImageError
        If its axes do not end in YX.
    """
    with _reading(path):
        node = zarr.open(str(path), mode="r")
        if isinstance(node, zarr.Array):
            array, axes, spacing = node, _array_axes(node), dict[str, float]()
            is_labels = False
        else:
            multiscale = _multiscale(node, path)
            array = _full_resolution(node, multiscale)
            axes, spacing = _axes_and_spacing(multiscale, array.ndim)
            is_labels = "image-label" in _ome(node)
    if not axes.endswith("YX"):
        raise ImageError(
            f"'{path}' has the axes {axes}, which do not end in YX; save it with Y and X last."
        )
    lazy = LazyArray(array.shape, array.dtype, _fetcher(array, path))
    name = path.stem.removesuffix(".ome")
    return ImageStack(lazy, axes, spacing, name, is_labels=is_labels)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise FileError(
            f"'{path}' holds no zarr data; choose the folder whose name ends in .zarr."
        ) from error
    except _DAMAGED as error:
        raise cannot_read(path, error) from error


def _fetcher(array: Any, path: Path) -> Any:
    def fetch(index: Index) -> npt.NDArray[Any]:
        with _reading(path):
            return np.asarray(array[index])

    return fetch


def _multiscale(group: Any, path: Path) -> Mapping[str, Any]:
    """Return the first multiscale image of a group."""
    multiscales = _ome(group).get("multiscales")
    if multiscales:
        found: Mapping[str, Any] = multiscales[0]
        return found
    inside = sorted(name for name, _ in group.members())[:3]
    hint = f", for example '{path / inside[0]}'" if inside else ""
    raise FileError(f"'{path}' is no OME-Zarr image; give the path of one image inside it{hint}.")


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
        names = array.attrs.get("_ARRAY_DIMENSIONS", ("?",) * (array.ndim - 2) + ("Y", "X"))
    return _letters(names)


def _letters(names: Sequence[str | None]) -> str:
    return name_axes("".join(n.upper() if n and len(n) == 1 else "?" for n in names))


def _axes_and_spacing(multiscale: Mapping[str, Any], ndim: int) -> tuple[str, dict[str, float]]:
    """Return the axes, and their scale in µm or s where the unit is told."""
    described = [a if isinstance(a, dict) else {"name": a} for a in multiscale.get("axes", [])]
    if len(described) != ndim:
        raise ValueError(f"{ndim} axes, but {len(described)} are described")
    axes = _letters([a["name"] for a in described])
    scale = _scale(multiscale["datasets"][0], ndim) * _scale(multiscale, ndim)
    spacing = {}
    for axis, details, step in zip(axes, described, scale, strict=True):
        convert = to_seconds if axis == "T" else to_micrometres
        value = convert(positive(step), details.get("unit")) if axis in "TZYX" else None
        if value is not None:
            spacing[axis] = value
    return axes, spacing


def _scale(part: Mapping[str, Any], ndim: int) -> npt.NDArray[np.float64]:
    """Return the product of the scale transformations of a dataset or multiscale image."""
    scale = np.ones(ndim)
    for step in part.get("coordinateTransformations", []):
        if step.get("type") == "scale":
            scale *= np.asarray(step["scale"], dtype=np.float64)
    return scale
