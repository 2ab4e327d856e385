"""New labels: an empty layer that lies exactly on the image, and a brush that fits the view."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels

from napari_unet.ui.layers.added import made_on
from napari_unet.ui.layers.arrays import new_array
from napari_unet.ui.layers.geometry import file_layout, placement, spatial_shape

_BRUSH = 40  # brushes side by side across the view
_LARGEST = 40  # pixels; more than napari's slider offers


def new_labels(images: Sequence[Image]) -> Labels:
    """Return an empty labels layer that lies exactly on an image, ready to paint on.

    Of several channels, it lies on the first.

    Large layers are on disk, see `new_array`. Numbers go up to 65,535.

    Raises
    ------
    FileError
        If the layer is large and its folder cannot be made.
    """
    image = images[0]
    name = f"{image.name} labels"
    empty = new_array(spatial_shape(image), np.uint16, name, layout=file_layout(image))
    return Labels(empty, multiscale=False, name=name, metadata=made_on(images), **placement(image))


def start_painting(viewer: ViewerModel, labels: Labels, number: int = 1) -> None:
    """Select the layer, the brush and a number."""
    viewer.layers.selection.active = labels
    labels.selected_label = number
    labels.mode = "paint"


def fit_brush(labels: Labels, image: Image) -> None:
    """Set the brush to about 1/40 of what is visible of the image."""
    left, right = image.corner_pixels[:, -1]  # as drawn last
    factor = image.downsample_factors[image.data_level][-1] if image.multiscale else 1
    width = (right - left) * factor or spatial_shape(image)[-1]
    labels.brush_size = int(np.clip(round(width / _BRUSH), 1, _LARGEST))
