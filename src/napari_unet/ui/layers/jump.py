"""Go to a place of a stack."""

from __future__ import annotations

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer

from napari_unet.ui.layers.geometry import camera, spatial_shape

_SHARE = 1 / 3  # of the view that the place fills


def look_at(viewer: ViewerModel, layer: Layer, plane: int, y: float, x: float) -> None:
    """Bring a pixel into the middle of the view, at the zoom that there is, in 2D and in 3D."""
    leading = spatial_shape(layer)[:-2]
    position = np.unravel_index(plane, leading) if leading else ()
    middle = np.zeros(viewer.dims.ndim)
    middle[-layer.ndim :] = layer.data_to_world((*position, y, x))[-viewer.dims.ndim :]
    displayed = viewer.dims.displayed
    for axis in range(viewer.dims.ndim - layer.ndim, viewer.dims.ndim):
        if axis not in displayed:
            viewer.dims.set_point(axis, float(middle[axis]))
    centre = [float(middle[axis]) for axis in displayed]
    camera(viewer).center = (*[0.0] * (3 - len(centre)), *centre)


def jump_to(viewer: ViewerModel, layer: Layer, plane: int, y: slice, x: slice) -> None:
    """Show a place of a plane in 2D, centred, at a zoom that leaves room around it."""
    leading = spatial_shape(layer)[:-2]
    position = np.unravel_index(plane, leading) if leading else ()
    first = layer.data_to_world((*position, y.start, x.start))
    last = layer.data_to_world((*position, y.stop - 1, x.stop - 1))
    size = np.abs(np.asarray(last) - np.asarray(first))[-2:]
    viewer.dims.ndisplay = 2
    viewer.dims.order = tuple(range(viewer.dims.ndim))
    viewer.reset_view()  # napari tells the size of its canvas only by what fits into it
    low, high = np.asarray(viewer.layers.extent.world)[:, -2:]
    camera(viewer).zoom *= _SHARE * float(np.min((high - low) / np.maximum(size, 1e-9)))
    look_at(viewer, layer, plane, (y.start + y.stop - 1) / 2, (x.start + x.stop - 1) / 2)
