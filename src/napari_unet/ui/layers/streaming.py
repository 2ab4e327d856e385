"""The layer that a segmentation streams into."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.layers import Image, Labels
from superqt.utils import qthrottled

from napari_unet.engine.errors import EngineError
from napari_unet.engine.events import PlaneDone, TileDone
from napari_unet.engine.planes import ArrayPlanes
from napari_unet.ui.layers.geometry import full_resolution, in_sight, placement, same_placement

__all__ = ["ResultStream"]

_REFRESH_MS = 100  # between two repaints; writing a tile is never delayed


class ResultStream:
    """Writes finished tiles and planes into a labels layer; to be used on the main thread only.

    While a segmentation runs, the layer is locked: it cannot be painted on, nor (from napari
    0.7.1 on) deleted. Afterwards it is an ordinary labels layer, to be corrected by hand.

    Notes
    -----
    Tiles are written straight into the layer's array. Writing through the layer would fill its
    undo history.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layer: Labels | None = None
        self._array: npt.NDArray[np.int32] = np.zeros((1, 1), dtype=np.int32)
        self._name = ""  # as we gave it; a renamed layer is the user's own
        self._edited = False
        self._running = False
        self._refresh = qthrottled(self._refresh_now, timeout=_REFRESH_MS)

    @property
    def layer(self) -> Labels | None:
        """The layer of the last segmentation, None if it was removed."""
        return self._layer if self._layer in self._viewer.layers else None

    @property
    def lost(self) -> bool:
        """Whether the layer was removed while a segmentation streams into it."""
        return self._running and self.layer is None

    def begin(self, image: Image, *, not_into: Labels | None = None) -> Labels:
        """Return an empty, locked layer on `image`.

        The layer of the run before is used again, unless it was edited, renamed, removed or is
        `not_into`, the layer that the user paints on.

        Raises
        ------
        EngineError
            If there is no memory for it.
        """
        array = _empty(image)
        layer = self.layer
        if layer is not None and layer != not_into and self._is_ours(layer, image):
            layer.data = array
        else:
            layer = self._add(image, array)
        self._array = array
        _lock(layer, locked=True)
        self._running = True
        return layer

    def write(self, event: TileDone | PlaneDone) -> None:
        """Put a tile or a plane into the layer; it is shown at the next repaint."""
        position = ArrayPlanes(self._array).position(event.plane)
        region: tuple[Any, ...] = position
        if isinstance(event, TileDone):
            region = (*position, event.y, event.x)
        self._array[region] = event.values
        layer = self.layer
        if layer is not None and in_sight(self._viewer, layer, position):
            self._refresh()

    def end(self) -> None:
        """Show the rest and unlock the layer."""
        self._refresh.cancel()
        layer = self.layer
        if self._running and layer is not None:
            layer.refresh()
            _lock(layer, locked=False)
        self._running = False

    def release(self) -> None:
        """Let go of the layer; it stays in the viewer."""
        self.end()
        if self._layer is not None:
            self._layer.events.paint.disconnect(self._on_paint)
        self._layer = None

    def _is_ours(self, layer: Labels, image: Image) -> bool:
        return (
            not self._edited
            and layer.name == self._name
            and layer.data is self._array
            and layer.data.shape == full_resolution(image).shape
            and same_placement(layer, image)
        )

    def _add(self, image: Image, array: npt.NDArray[np.int32]) -> Labels:
        active = self._viewer.layers.selection.active
        if self._layer is not None:
            self._layer.events.paint.disconnect(self._on_paint)
        layer = Labels(array, name=f"{image.name} segmentation", **placement(image))
        self._viewer.add_layer(layer)
        layer.events.paint.connect(self._on_paint)
        self._layer, self._name, self._edited = layer, layer.name, False
        if active is not None:  # people go on painting where they were
            self._viewer.layers.selection.active = active
        return layer

    def _on_paint(self) -> None:
        self._edited = True

    def _refresh_now(self) -> None:
        if self._layer is not None:
            self._layer.refresh(extent=False)


def _empty(image: Image) -> npt.NDArray[np.int32]:
    try:
        return np.zeros(full_resolution(image).shape, dtype=np.int32)
    except MemoryError as error:
        raise EngineError(
            f"There is no memory for the segmentation of '{image.name}'. Close other images, "
            "or use the command 'napari-unet segment', which writes to disk."
        ) from error


def _lock(layer: Labels, *, locked: bool) -> None:
    layer.editable = not locked
    if hasattr(layer, "locked"):  # napari >= 0.7.1: cannot be deleted from the layer list
        layer.locked = locked
