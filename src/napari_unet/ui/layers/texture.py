"""A region of the shown plane goes to the graphics card, without the rest of the plane.

Measured on two busy cores, with Mesa's software OpenGL, for labels of 2048×2048 pixels (int32): a
`refresh` takes 17 to 30 ms on the main thread and the drawing after it 40 to 60 ms, as napari
converts and sends the whole plane; to send 512×512 pixels takes 1 ms, and the drawing 30 ms,
which is what any drawing takes there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.layers import Labels, Layer
from napari.utils.colormaps import CyclicLabelColormap

from napari_unet.ui.layers.geometry import full_resolution

__all__ = ["can_show_regions", "show_region"]

_MOST_COLOURS = 256  # that napari keeps in 8 bits


def can_show_regions(viewer: ViewerModel, layer: Layer) -> bool:
    """Return True if `show_region` shows what a refresh would.

    False for images, in 3D, for several resolutions, for contours, for colours chosen by hand or
    of one label only, and when the axes are turned.
    """
    dims = viewer.dims
    if not isinstance(layer, Labels) or layer.multiscale or not (layer.visible and layer.loaded):
        return False
    if tuple(dims.displayed) != (dims.ndim - 2, dims.ndim - 1) or layer.contour:
        return False
    colours = layer.colormap
    return (
        isinstance(colours, CyclicLabelColormap)
        and not colours.use_selection
        and colours.background_value == 0
        and len(colours.colors) <= _MOST_COLOURS
        and full_resolution(layer).dtype in (np.uint8, np.uint16, np.int32)
    )


def show_region(layer: Labels, position: tuple[int, ...], y: slice, x: slice) -> None:
    """Show a region of the shown plane as it is in the layer's array.

    Parameters
    ----------
    position
        Of the shown plane, along the leading axes.
    y, x
        Inside the plane, pixels.

    Notes
    -----
    This is the event by which napari shows a stroke of the brush. Its data are colour numbers: 0
    for the background, and 1, 2, … for the labels, again and again.
    """
    values = np.asarray(full_resolution(layer)[(*position, y, x)])
    colours = _colour_numbers(values, len(layer.colormap.colors) - 1)
    layer.events.labels_update(data=colours, offset=[y.start, x.start])


def _colour_numbers(values: npt.NDArray[Any], count: int) -> npt.NDArray[Any]:
    if values.itemsize <= 2:
        return values  # looked up on the graphics card
    numbers = (values - 1) % count + 1
    return np.where(values == 0, 0, numbers).astype(np.uint8)
