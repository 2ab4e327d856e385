"""What napari calls to open images and to save label layers; plain functions, no napari in them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil  # type: ignore[import-untyped]  # napari brings it

from napari_unet.engine.errors import FileError
from napari_unet.engine.stack import bands
from napari_unet.io.axes import axis_letters, name_axes
from napari_unet.io.folder_names import is_label_name
from napari_unet.io.images import list_positions, open_image, open_images
from napari_unet.io.label_features import LabelFeatures
from napari_unet.io.labels import open_label_writer
from napari_unet.io.names import natural_key
from napari_unet.io.paths import is_file, is_folder
from napari_unet.io.read_folder import list_planes, open_planes
from napari_unet.io.read_zarr import is_zarr
from napari_unet.io.stack import Channel, ImageStack, Layout, View
from napari_unet.io.unfinished import tell_unfinished, unfinished_in
from napari_unet.io.units import to_micrometres, to_seconds

LayerData = tuple[Any, dict[str, Any], str]
_SUFFIXES = {".tif", ".tiff", ".zarr"}
_MOST_IMAGES = 24  # of a file, opened at once


def get_reader(path: str | list[str]) -> Callable[[str | list[str]], list[LayerData]] | None:
    """Return the reader of a TIFF, a folder of planes, an OME-Zarr or a list of planes.

    Returns
    -------
    callable or None
        None if something else should read this path.
    """
    if isinstance(path, list):
        return read_layers if all(is_file(Path(p)) for p in path) else None
    if is_folder(Path(path)):
        readable = is_zarr(Path(path)) or bool(list_planes(Path(path), required=False))
    else:
        readable = Path(path).suffix.lower() in _SUFFIXES
    return read_layers if readable else None


def read_layers(path: str | list[str]) -> list[LayerData]:
    """Return layers with scale, units and axis labels; pixels of images are read when shown.

    Channels (axis C) become one layer each, called and coloured as the file says. Label images,
    which were written here or have a name that says so, become one labels layer, which lies in
    memory whole, so that it can be corrected. Of a file of several images each becomes layers of
    its own, of which those of the first one are shown.

    Raises
    ------
    FileError, ImageError
        If the file cannot be read.
    """
    if isinstance(path, list):
        files = sorted(map(Path, path), key=natural_key)
        return _layers(open_planes(files, files[0].parent.name))
    first, *others = _shown_images(path)
    hidden = [layer for stack in others for layer in _layers(stack)]
    for _, settings, _ in hidden:
        settings["visible"] = False
    return [*_layers(first), *hidden]


def _shown_images(path: str) -> list[ImageStack]:
    """Open the images of a file; of very many the first ones, with a warning."""
    names = list_positions(path)
    if len(names) <= _MOST_IMAGES:
        return open_images(path)
    warnings.warn(
        f"'{Path(path).name}' holds {len(names)} images, of which the first {_MOST_IMAGES} are "
        f"open ({names[0]} to {names[_MOST_IMAGES - 1]}); segment all of them on the command line, "
        "with --position all.",
        stacklevel=3,
    )
    return [open_image(path, View(name)) for name in names[:_MOST_IMAGES]]


def _layers(stack: ImageStack) -> list[LayerData]:
    if stack.is_labels or _looks_like_labels(stack):
        _check_memory(stack)
        settings = _layer_settings(stack, stack.axes, stack.name)
        del settings["rgb"]
        return [(np.asarray(stack.array), settings, "labels")]
    if "C" not in stack.axes:
        shown = _shown(stack.channels[0]) if len(stack.channels) == 1 else {}
        return [(stack.array, _layer_settings(stack, stack.axes, stack.name) | shown, "image")]
    axis = stack.axes.index("C")
    axes = stack.axes.replace("C", "")
    channels = stack.channels or [Channel()] * stack.array.shape[axis]
    return [
        (
            stack.array.take(number, axis),
            _layer_settings(stack, axes, f"{stack.name} {channel.name or f'C{number}'}")
            | _shown(channel)
            | {"blending": "additive"},
            "image",
        )
        for number, channel in enumerate(channels)
    ]


def _check_memory(stack: ImageStack) -> None:
    """Raise `FileError` if labels, which lie in memory whole, are larger than what is free."""
    size, free = stack.array.nbytes, int(psutil.virtual_memory().available)
    if size > free:
        raise FileError(
            f"The labels '{stack.name}' take {size / 1e9:,.1f} GB of memory, and "
            f"{free / 1e9:,.1f} GB are free; open a part of them, or close other programs."
        )


def _looks_like_labels(stack: ImageStack) -> bool:
    """Return whether whole numbers are called labels, as a layer that napari itself has saved."""
    numbered = stack.array.dtype.kind in "ui" and not stack.is_rgb and "C" not in stack.axes
    return numbered and is_label_name(stack.name)


def _shown(channel: Channel) -> dict[str, Any]:
    """Return how a layer shows a channel, as far as the file tells."""
    colour = {} if channel.colour is None else {"colormap": channel.colour}
    return colour if channel.limits is None else {**colour, "contrast_limits": channel.limits}


def write_labels_layer(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Save a labels layer with scale, units and axis labels, in the format that the path ends in.

    Warns of planes whose segmentation is not finished.

    Returns
    -------
    list of str
        The one path that was written.

    Raises
    ------
    FileError
        If the file cannot be written.
    """
    if meta.get("multiscale"):
        data = data[0]
    shape = tuple(int(n) for n in data.shape)
    axes = _axes(meta.get("axis_labels"), len(shape))
    spacing = _spacing(axes, meta.get("scale"), meta.get("units"))
    unfinished = unfinished_in(meta.get("metadata", {}))
    features = LabelFeatures.of(meta["features"]) if "features" in meta else None
    with open_label_writer(path, Layout(shape, axes, spacing), features=features) as writer:
        for rows in _rows(data):
            writer.write(rows)
        writer.note_unfinished(unfinished)
    if unfinished:  # napari shows warnings as it shows errors
        warnings.warn(f"{tell_unfinished(unfinished)} in '{Path(path).name}'.", stacklevel=2)
    return [path]


def _layer_settings(stack: ImageStack, axes: str, name: str) -> dict[str, Any]:
    """Return the arguments of a napari layer; an unknown distance is 1 pixel."""
    spatial = axes.replace("S", "")
    units = {axis: "second" if axis == "T" else "micrometer" for axis in stack.spacing}
    return {
        "name": name,
        "rgb": "S" in axes,
        "scale": [stack.spacing.get(axis, 1.0) for axis in spatial],
        "units": [units.get(axis, "pixel") for axis in spatial],
        "axis_labels": [axis.lower() for axis in spatial],
    }


def _axes(labels: Any, ndim: int) -> str:
    """Return one letter per axis: the layer's own where they make sense, YX last in any case."""
    given = axis_letters([str(label) for label in labels or []])
    leading = given[:-2] if len(given) == ndim else "?" * (ndim - 2)
    return name_axes("".join(a if a in "TZC" else "?" for a in leading) + "YX")


def _spacing(axes: str, scale: Any, units: Any) -> dict[str, float]:
    """Return the scale of each axis in µm or s, where its unit is one of length or time."""
    if scale is None or units is None:
        return {}
    found = {
        axis: (to_seconds if axis == "T" else to_micrometres)(float(step), unit)
        for axis, step, unit in zip(axes, scale, units, strict=False)
        if axis in "TZYX"
    }
    return {axis: value for axis, value in found.items() if value is not None}


def _rows(data: Any) -> Iterator[npt.NDArray[Any]]:
    for index in np.ndindex(*data.shape[:-2]):
        for rows in bands(data.shape[-2:]):
            yield np.asarray(data[(*index, rows)])
