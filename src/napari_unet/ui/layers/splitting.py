"""A layer with channels along an axis, as napari opens many files, becomes a layer of each."""

from __future__ import annotations

from itertools import cycle, islice
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image
from napari.utils.transforms import CompositeAffine

from napari_unet.io.lazy import LazyArray
from napari_unet.ui.layers.geometry import channel_axis, placement, spatial_shape

_TWO = ("magenta", "green")
_MORE = ("cyan", "magenta", "yellow", "red", "green", "blue")


def split_channels(viewer: ViewerModel, image: Image) -> list[Image]:
    """Put a layer of each channel in the place of an image; nothing is read.

    Parameters
    ----------
    image
        One of its axes is labelled "c".

    Returns
    -------
    list of Image
        In the order of the channels, named "NAME C0", "NAME C1", …
    """
    axis = channel_axis(image)
    assert axis is not None
    count = spatial_shape(image)[axis]
    placed = _without(image, axis)
    colours = _TWO if count == 2 else _MORE
    parts = [
        Image(
            _channel(image, axis, number),
            name=f"{image.name} C{number}",
            multiscale=image.multiscale,
            rgb=False,
            colormap=colour,
            blending="additive",
            **placed,
        )
        for number, colour in enumerate(islice(cycle(colours), count))
    ]
    at = viewer.layers.index(image)
    for number, part in enumerate(parts):
        viewer.layers.insert(at + number, part)
    viewer.layers.remove(image)
    viewer.layers.selection = {parts[0]}
    return parts


def _channel(image: Image, axis: int, number: int) -> Any:
    """Return a channel of the data, at each of its resolutions."""
    levels = [_taken(level, axis, number) for level in image.data] if image.multiscale else []
    return levels or _taken(image.data, axis, number)


def _taken(data: Any, axis: int, number: int) -> Any:
    if isinstance(data, np.ndarray):
        return np.moveaxis(data, axis, 0)[number]
    if not isinstance(data, LazyArray):
        whole = data  # a closure of its own for each level
        data = LazyArray(whole.shape, whole.dtype, lambda index: np.asarray(whole[index]))
    return data.take(number, axis)


def _without(image: Image, axis: int) -> dict[str, Any]:
    """Return the arguments that put a layer without this axis where the image is."""
    whole = placement(image)
    kept = [i for i in range(image.ndim) if i != axis]
    own = CompositeAffine(**{key: whole[key] for key in ("scale", "translate", "rotate", "shear")})
    part = own.set_slice(kept)
    labels = [whole["axis_labels"][i] for i in kept]
    return {
        "scale": part.scale,
        "translate": part.translate,
        "rotate": part.rotate,
        "shear": part.shear,
        "affine": image.affine.set_slice(kept).affine_matrix,
        "units": tuple(whole["units"][i] for i in kept),
        "axis_labels": (*labels[:-2], "y", "x"),
    }
