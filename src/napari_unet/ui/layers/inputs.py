"""From layers to what the engine reads: checks in words, planes, a snapshot of the labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image, Labels

from napari_unet.engine.errors import ImageError
from napari_unet.engine.planes import ArrayPlanes, Planes
from napari_unet.ui.layers.geometry import full_resolution, placement, same_placement

__all__ = [
    "PaintedPlanes",
    "image_planes",
    "new_labels",
    "snapshot",
    "why_no_image",
    "why_no_labels",
]


def image_planes(image: Image) -> ArrayPlanes:
    """Return the image as planes; the last two axes are Y and X.

    Raises
    ------
    ImageError
        If the values are bool or complex, or the image is empty.
    """
    return ArrayPlanes(full_resolution(image), name=image.name)


def why_no_image(image: Image | None) -> str | None:
    """Return why this image cannot be used and what to do, None if it can."""
    if image is None:
        return (
            "Open an image first: drag a file into the window, or take "
            "File ▸ Open Sample ▸ U-Net Paint."
        )
    if image.rgb:
        return (
            f"'{image.name}' is an RGB image. Right-click it in the layer list, take Split RGB, "
            "and choose one of its channels here."
        )
    try:
        image_planes(image)
    except ImageError as error:
        return str(error)
    return None


def why_no_labels(labels: Labels | None, image: Image) -> str | None:
    """Return why these labels cannot be trained on with this image, None if they can."""
    if labels is None:
        return "Press New to make a labels layer, and paint on it."
    have, want = full_resolution(labels).shape, full_resolution(image).shape
    if len(have) != len(want):
        return (
            f"'{labels.name}' has {len(have)} axes, but '{image.name}' has {len(want)}. "
            "Press New to make labels that fit the image."
        )
    if have != want:
        return (
            f"'{labels.name}' has {_by(have)} pixels, but '{image.name}' has {_by(want)}. "
            "Choose the image that they were painted on, or press New."
        )
    if not same_placement(labels, image):
        return (
            f"'{labels.name}' lies elsewhere than '{image.name}' (another scale or translation). "
            "In the layer list, right-click the image: Copy scale and transforms ▸ Copy all to "
            "clipboard; then right-click the labels: Apply scale/transforms from Clipboard."
        )
    return None


def _by(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


@dataclass(frozen=True, slots=True, eq=False)
class PaintedPlanes:
    """Copies of the painted planes of a labels layer; all other planes are zero."""

    count: int
    shape: tuple[int, int]  # (Y, X)
    dtype: np.dtype[Any]
    painted: Mapping[int, npt.NDArray[Any]]  # plane number → (Y, X)
    channels: int = 1

    def read(self, plane: int, y: slice, x: slice) -> npt.NDArray[Any]:
        """Return the region as (1, y, x)."""
        values = self.painted.get(plane)
        if values is None:
            return np.zeros((1, y.stop - y.start, x.stop - x.start), dtype=self.dtype)
        return values[np.newaxis, y, x]


def snapshot(labels: Labels) -> Planes:
    """Return the labels as they are now, for the worker, while people go on painting.

    Only painted planes of an array in memory are copied (looking for them takes about 0.1 s per
    GB). Arrays on disk, dask's and zarr's, are read in the worker, as training begins.
    """
    data = full_resolution(labels)
    planes = ArrayPlanes(data, name=labels.name)
    if not isinstance(data, np.ndarray) or isinstance(data, np.memmap):
        return planes
    painted = {
        number: data[position].copy()
        for number, position in enumerate(np.ndindex(data.shape[:-2]))
        if data[position].any()
    }
    return PaintedPlanes(planes.count, planes.shape, planes.dtype, painted)


def new_labels(image: Image) -> Labels:
    """Return an empty labels layer that lies exactly on the image, ready to paint on."""
    empty = np.zeros(full_resolution(image).shape, dtype=np.uint16)
    layer = Labels(empty, name=f"{image.name} labels", **placement(image))
    layer.mode = "paint"
    return layer
