"""What of a layer is in view."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.layers import Layer

from napari_unet.engine.events import View
from napari_unet.ui.layers.geometry import shows_planes, spatial_shape


def in_view(viewer: ViewerModel, layer: Layer) -> View | None:
    """Return the visible part of the shown plane, None if there is none.

    There is none in 3D, when other axes than Y and X are displayed, when the sliders stand beside
    the layer, or when the camera looks past it.

    Notes
    -----
    napari writes into `layer.corner_pixels` what it has drawn last, so ask again after a while. A
    viewer without a canvas draws nothing: there it is the whole plane.
    """
    plane = _shown_plane(viewer, layer)
    if plane is None:
        return None
    shape = spatial_shape(layer)[-2:]
    (y0, x0), (y1, x1) = _corners(layer)
    y, x = _span(y0, y1, shape[0]), _span(x0, x1, shape[1])
    return None if y is None or x is None else View(plane, y, x)


def _shown_plane(viewer: ViewerModel, layer: Layer) -> int | None:
    dims = viewer.dims
    if layer not in viewer.layers or not shows_planes(viewer):
        return None
    leading = spatial_shape(layer)[:-2]
    position = np.round(layer.world_to_data(dims.point)[: len(leading)]).astype(int)
    if any(not 0 <= i < n for i, n in zip(position, leading, strict=True)):
        return None
    return int(np.ravel_multi_index(tuple(position), leading)) if leading else 0


def _corners(layer: Layer) -> npt.NDArray[np.int_]:
    """Return the first and last visible (y, x), pixels of the finest level."""
    corners = np.asarray(layer.corner_pixels)[:, -2:]
    if not layer.multiscale:
        return corners
    factors = np.asarray(layer.downsample_factors)[layer.data_level][-2:]
    first, last = corners[0] * factors, (corners[1] + 1) * factors - 1
    return np.stack([np.floor(first), np.ceil(last)]).astype(int)


def _span(first: int, last: int, length: int) -> slice | None:
    """Return the pixels from `first` to `last`; None if they are but an edge, seen from beside."""
    start, stop = max(0, int(first)), min(length, int(last) + 1)
    return slice(start, stop) if stop - start >= min(2, length) else None
