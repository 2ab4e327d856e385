"""An empty labels layer that lies exactly on the image."""

from __future__ import annotations

import numpy as np
from napari.layers import Image, Labels

from napari_unet.ui.layers.geometry import placement, spatial_shape

__all__ = ["new_labels"]


def new_labels(image: Image) -> Labels:
    """Return an empty labels layer that lies exactly on the image, ready to paint on."""
    empty = np.zeros(spatial_shape(image), dtype=np.uint16)
    layer = Labels(empty, name=f"{image.name} labels", **placement(image))
    layer.mode = "paint"
    return layer
