"""The layers that a segmentation streams into: locked meanwhile, and shown as they fill.

A region of the shown plane goes to the graphics card without the rest of the plane. Measured on two
busy cores, with Mesa's software OpenGL, for labels of 2048×2048 pixels (int32): a `refresh` takes
17 to 30 ms on the main thread and the drawing after it 40 to 60 ms, as napari converts and sends
the whole plane; to send 512×512 pixels takes 1 ms, and the drawing 30 ms, which is what any drawing
takes there.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.layers import Labels, Layer
from napari.utils.colormaps import CyclicLabelColormap

from napari_unet.engine.events import PlaneDone, TileDone
from napari_unet.engine.stack import bands
from napari_unet.ui.layers.added import add_unselected
from napari_unet.ui.layers.geometry import full_resolution, in_sight
from napari_unet.ui.layers.throttled_refresh import ThrottledRefresh
from napari_unet.ui.segment.result import Result

_AT_ONCE = 1 << 20  # pixels shown before the event loop goes on: 5 to 10 ms
_MOST_COLOURS = 256  # that napari keeps in 8 bits


class _Region(NamedTuple):
    """Part of a plane."""

    position: tuple[int, ...]  # of the plane, along the leading axes
    y: slice
    x: slice


class ResultStream:
    """Shows a result while its arrays fill; to be used on the main thread only.

    While a segmentation runs, its layers are locked: they cannot be painted on, nor (from napari
    0.7.1 on) deleted. Afterwards they are ordinary layers, to be corrected by hand.

    Notes
    -----
    The worker writes the tiles; here they are only shown, at a pace that suits the cost, and not
    more of them at once than are drawn in a few milliseconds.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._result: Result | None = None
        self._hidden: tuple[Layer, ...] = ()  # new layers, until there is something to show
        self._pending: list[_Region] = []  # written and not shown yet
        self._refresh = ThrottledRefresh(self._show_pending)

    @property
    def lost(self) -> bool:
        """Whether a layer was removed while a segmentation streams into it."""
        result = self._result
        return result is not None and any(
            layer not in self._viewer.layers for layer in result.layers
        )

    def begin(self, result: Result, *, painted: Layer | None = None) -> None:
        """Show the result in its layers, locked; make them if there are none.

        New layers come below what is painted on the image, so that its strokes stay in sight.
        Layers that are hidden appear with the first tile; new ones are, as napari takes 0.1 s to
        add one, and as long to draw it for the first time, which need not be in one go.
        """
        if not result.layers:
            self._add(result, painted)
        for layer, pyramid in zip(result.layers, result.pyramids, strict=True):
            if not pyramid.is_shown_by(layer):
                layer.data = pyramid.data
            else:
                layer.refresh(extent=False)  # an array on disk is emptied and used again
        self._hidden = tuple(layer for layer in result.layers if not layer.visible)
        for layer in result.layers:
            _lock(layer, locked=True)
        self._result = result

    def show(self, event: TileDone | PlaneDone) -> None:
        """Let what was written be seen soon, if it is in sight."""
        result = self._result
        if result is None or self.lost:
            return
        self._appear()
        position = result.position(event.plane)
        if not in_sight(self._viewer, result.layers[0], position):
            return
        if isinstance(event, TileDone):
            self._pending.append(_Region(position, event.y, event.x))
        elif event.labels is not None or not event.complete:  # else as its tiles
            self._pending = _bands(position, result.arrays[0].shape[-2:])
        self._refresh.soon()

    def end(self) -> None:
        """Show the rest and unlock the layers."""
        self._refresh.cancel()
        self._pending = []
        result, self._result = self._result, None
        for layer in result.layers if result else ():
            if layer in self._viewer.layers:
                layer.refresh(extent=False)
                _lock(layer, locked=False)
        self._appear()

    def _add(self, result: Result, painted: Layer | None) -> None:
        layers = result.make_layers()
        on_image = [layer for layer in self._viewer.layers if layer in (result.image, painted)]
        for layer in layers:
            layer.visible = False
            add_unselected(
                self._viewer, layer, below=painted if on_image[-1:] == [painted] else None
            )
        result.layers = layers
        result.names = tuple(layer.name for layer in layers)

    def _appear(self) -> None:
        hidden, self._hidden = self._hidden, ()
        for layer in hidden:
            layer.visible = True

    def _show_pending(self) -> None:
        if self._result is None or self.lost:
            return
        layers = self._result.layers
        if not self._result.is_shown():  # people gave a layer other data, of another size perhaps
            self._pending = []
            return
        if not all(can_show_regions(self._viewer, layer) for layer in layers):
            self._pending = []
            for layer in layers:
                layer.refresh(thumbnail=False, highlight=False, extent=False)
            return
        pixels = 0
        while self._pending and pixels < _AT_ONCE:
            position, y, x = self._pending.pop(0)
            if in_sight(self._viewer, layers[0], position):  # else napari reads it when it is
                pixels += (y.stop - y.start) * (x.stop - x.start)
                for layer in layers:
                    show_region(layer, position, y, x)
        if self._pending:
            self._refresh.soon()


def _bands(position: tuple[int, ...], shape: tuple[int, int]) -> list[_Region]:
    """Cut a plane into regions that are quick to show."""
    return [_Region(position, rows, slice(0, shape[1])) for rows in bands(shape, _AT_ONCE)]


def _lock(layer: Layer, *, locked: bool) -> None:
    layer.editable = not (locked or layer.multiscale)  # napari cannot paint on several resolutions
    if hasattr(layer, "locked"):  # napari >= 0.7.1: cannot be deleted from the layer list
        layer.locked = locked


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
