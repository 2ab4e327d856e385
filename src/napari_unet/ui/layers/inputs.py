"""From layers to what the engine reads: planes, or one sentence that says what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image, Labels, Layer

from napari_unet.engine.counts import count, shape_text
from napari_unet.engine.errors import ImageError
from napari_unet.engine.stack import ArrayPlanes, ChannelPlanes, ColourPlanes, Planes
from napari_unet.io.stack import followed_axes
from napari_unet.io.unfinished import unfinished_in
from napari_unet.ui.layers.geometry import (
    channel_axis,
    full_resolution,
    has_other_order,
    layer_axes,
    long_shape,
    pixel_size,
    same_placement,
    spatial_shape,
    stated_axes,
)


def image_planes(images: Sequence[Image]) -> Planes:
    """Return the images as planes; several are the channels of one, in their order.

    The last two axes are Y and X. An RGB image has three channels; its transparency is left out.
    Nothing is read: the planes read from the layer's array as it is when they are asked.

    Raises
    ------
    ImageError
        If there is no image, one holds bool or complex values or is empty, or they differ in size.
    """
    if len(images) == 1:
        return _planes(images[0])
    return ChannelPlanes([_planes(image) for image in images])


def labels_planes(labels: Labels) -> ArrayPlanes:
    """Return the labels as planes, read from the layer as it is when they are asked.

    Raises
    ------
    ImageError
        If the layer is empty.
    """
    return ArrayPlanes(full_resolution(labels), name=labels.name)


def lesson_planes(labels: Labels) -> ArrayPlanes:
    """Return the labels as planes to learn from; raises as `labels_planes` does.

    A plane of a result that is not segmented to its end reads as unlabelled: what it lacks would
    be learned as background.
    """
    return _FinishedPlanes(labels)


def why_no_image(images: Sequence[Image]) -> str | None:
    """Return why these images cannot be used and what to do, None if they can."""
    if not images:
        return "Open an image first: drag a file into the window, or press Show me."
    reasons = (why_not_channels(images[0], other) for other in images[1:])
    reason = next(filter(None, reasons), None)
    if reason is not None:
        return f"{reason} Choose other channels."
    try:
        image_planes(images)
    except ImageError as error:
        return str(error)
    return next(filter(None, map(_why_channels_in_one, images)), None)


def _why_channels_in_one(image: Image) -> str | None:
    """Return what to do with a layer that holds channels along an axis, None if it does not."""
    axis = channel_axis(image)
    if axis is None:
        return None
    channels = count(spatial_shape(image)[axis], "channel")
    return (
        f"'{image.name}' holds {channels} along an axis, where planes are expected: press Split "
        "channels, then choose one or several of them."
    )


def why_not_channels(first: Image, other: Image) -> str | None:
    """Return why `other` cannot be a further channel of `first`, None if it can."""
    for image in (first, other):
        if image.rgb:
            return f"'{image.name}' is an RGB image, which has its own three channels."
    have, want = spatial_shape(other), spatial_shape(first)
    if have != want:
        sizes = shape_text(have), shape_text(want)
        return f"'{other.name}' has {sizes[0]} pixels, but '{first.name}' has {sizes[1]}."
    if not same_placement(other, first):
        return f"'{other.name}' lies elsewhere than '{first.name}'."
    return None


def why_no_labels(labels: Labels | None, images: Sequence[Image]) -> str | None:
    """Return why these labels cannot be trained on with these images, None if they can."""
    if not images:
        return why_no_image(images)
    if labels is None:
        return "Press New labels and paint."
    return _why_no_fit(labels, images[0])


def _why_no_fit(labels: Labels, image: Layer) -> str | None:
    have, want = long_shape(labels), long_shape(image)
    if len(have) != len(want):
        return (
            f"'{labels.name}' has {count(len(have), 'axis')}, but '{image.name}' has {len(want)}. "
            "Choose the image that they were painted on, or press New labels."
        )
    if have != want:
        return (
            f"'{labels.name}' has {shape_text(have)} pixels, but '{image.name}' has "
            f"{shape_text(want)}. Choose the image that they were painted on, or press New labels."
        )
    if has_other_order(labels, image):
        return (
            f"'{labels.name}' has the axes {stated_axes(labels)}, but '{image.name}' has "
            f"{stated_axes(image)}: its planes are in another order. Save them in the order of the "
            "image, or press New labels."
        )
    if not same_placement(labels, image):
        return (
            f"'{labels.name}' lies elsewhere than '{image.name}' (another scale or translation). "
            "In the layer list, right-click the image: Copy scale and transforms ▸ Copy all to "
            "clipboard; then right-click the labels: Apply scale/transforms from Clipboard."
        )
    return None


class _FinishedPlanes(ArrayPlanes):
    """Labels without the planes that a segmentation has left unfinished."""

    def __init__(self, labels: Labels) -> None:
        super().__init__(full_resolution(labels), name=labels.name)
        self._metadata = labels.metadata

    def read(self, plane: int, y: slice, x: slice) -> npt.NDArray[Any]:
        """Return the region as (1, y, x); zeros on an unfinished plane."""
        region = super().read(plane, y, x)
        return np.zeros_like(region) if plane in unfinished_in(self._metadata) else region


def _planes(image: Image) -> Planes:
    kind = ColourPlanes if image.rgb else ArrayPlanes
    return kind(
        full_resolution(image),
        name=image.name,
        followed=followed_axes(layer_axes(image)),
        pixel_size=pixel_size(image),
    )
