"""The layers that a segmentation streams into: locked meanwhile, and calmly kept up to date."""

from __future__ import annotations

from napari.components import ViewerModel
from napari.layers import Layer

from napari_unet.engine.events import PlaneDone, TileDone
from napari_unet.ui.layers.calm import CalmRefresh
from napari_unet.ui.layers.geometry import in_sight
from napari_unet.ui.layers.results import Result

__all__ = ["ResultStream"]


class ResultStream:
    """Shows a result while its arrays fill; to be used on the main thread only.

    While a segmentation runs, its layers are locked: they cannot be painted on, nor (from napari
    0.7.1 on) deleted. Afterwards they are ordinary layers, to be corrected by hand.

    Notes
    -----
    The worker writes the tiles; here they are only shown, at a pace that suits the cost.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._result: Result | None = None
        self._refresh = CalmRefresh(self._refresh_now)

    @property
    def lost(self) -> bool:
        """Whether a layer was removed while a segmentation streams into it."""
        result = self._result
        return result is not None and any(
            layer not in self._viewer.layers for layer in result.layers
        )

    def begin(self, result: Result) -> None:
        """Show the result in its layers, locked; make them if there are none."""
        if not result.layers:
            self._add(result)
        for layer, array in zip(result.layers, result.arrays, strict=True):
            if layer.data is not array:
                layer.data = array
            else:
                layer.refresh(extent=False)  # an array on disk is emptied and used again
        for layer in result.layers:
            _lock(layer, locked=True)
        self._result = result

    def show(self, event: TileDone | PlaneDone) -> None:
        """Let what was written be seen soon, if it is in sight."""
        result = self._result
        if result is None or self.lost:
            return
        if in_sight(self._viewer, result.layers[0], result.position(event.plane)):
            self._refresh.soon()

    def end(self) -> None:
        """Show the rest and unlock the layers."""
        self._refresh.cancel()
        result, self._result = self._result, None
        for layer in result.layers if result else ():
            if layer in self._viewer.layers:
                layer.refresh(extent=False)
                _lock(layer, locked=False)

    def _add(self, result: Result) -> None:
        active = self._viewer.layers.selection.active
        layers = result.make_layers()
        for layer in layers:
            self._viewer.add_layer(layer)
        result.layers = layers
        result.names = tuple(layer.name for layer in layers)
        if active is not None:  # people go on painting where they were
            self._viewer.layers.selection.active = active

    def _refresh_now(self) -> None:
        for layer in self._result.layers if self._result else ():
            layer.refresh(thumbnail=False, highlight=False, extent=False)


def _lock(layer: Layer, *, locked: bool) -> None:
    layer.editable = not locked
    if hasattr(layer, "locked"):  # napari >= 0.7.1: cannot be deleted from the layer list
        layer.locked = locked
