"""Images whose planes are numbered through, as those of a training set are."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from napari.layers import Layer

from napari_unet.ui.layers.geometry import full_resolution, spatial_shape


class SeveralImages:
    """Images as a run reads them, even where their data are replaced meanwhile.

    Parameters
    ----------
    images
        Of several channels the first one.
    """

    def __init__(self, images: Sequence[Layer]) -> None:
        self.layers = tuple(images)
        self._arrays = tuple(map(full_resolution, images))
        counts = (math.prod(spatial_shape(image)[:-2]) for image in images)
        self._first = [0, *accumulate(counts)]

    def index(self, layer: Layer) -> int | None:
        """Return which image a layer is; None: none, or it shows other data by now."""
        if layer not in self.layers:
            return None
        image = self.layers.index(layer)
        return image if full_resolution(layer) is self._arrays[image] else None

    def number(self, image: int, plane: int) -> int:
        """Return the number of an image's plane."""
        return self._first[image] + plane

    def place(self, number: int) -> tuple[Layer, int]:
        """Return the layer of a plane, and its number there."""
        image = bisect_right(self._first, number) - 1
        return self.layers[image], number - self._first[image]
