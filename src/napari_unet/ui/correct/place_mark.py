"""A frame around the place where people are asked to paint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Labels, Layer
from napari.utils.colormaps import DirectLabelColormap
from qtpy.QtCore import QTimer

from napari_unet.engine.events import Place
from napari_unet.ui.layers.added import Purpose, add_unselected, made_for
from napari_unet.ui.layers.geometry import camera, on_plane, place
from napari_unet.ui.layers.in_view import in_view

_COLOUR = "#ffd400"  # beside grey images, and the colours of most labels
_SHARE = 40  # of the place's side that the frame is wide


class PlaceMark:
    """Shows where to paint, until people leave the place; a layer that is no part of their work.

    Parameters
    ----------
    viewer
        Where it is shown.
    on_gone
        Called when a frame goes, whatever the reason.
    """

    def __init__(self, viewer: ViewerModel, on_gone: Callable[[], None]) -> None:
        self._viewer = viewer
        self._on_gone = on_gone
        self._layer: Labels | None = None
        self._image: Layer | None = None
        self._place: Place | None = None
        self._soon = QTimer()
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self.hide)

    def show(self, image: Layer, wanted: Place) -> None:
        """Frame a place of an image that is in view."""
        self.hide()
        height, width = wanted.y.stop - wanted.y.start, wanted.x.stop - wanted.x.start
        thick = max(1, min(height, width) // _SHARE)
        frame = np.pad(np.zeros((height, width), np.uint8), thick, constant_values=1)
        self._layer = Labels(
            on_plane(image, frame),
            name="paint here",
            colormap=DirectLabelColormap(color_dict={1: _COLOUR, None: "transparent"}),
            opacity=1.0,
            metadata=made_for(Purpose.PLACE),
            **place(image, wanted.plane, (wanted.y.start - thick, wanted.x.start - thick)),
        )
        self._layer.editable = False
        self._image, self._place = image, wanted
        add_unselected(self._viewer, self._layer)
        for event, slot in self._events():
            event.connect(slot)

    def hide(self) -> None:
        """Take the frame away."""
        self._soon.stop()
        if self._layer is None:
            return
        for event, slot in self._events():
            event.disconnect(slot)
        layer, self._layer, self._image, self._place = self._layer, None, None, None
        if layer in self._viewer.layers:
            self._viewer.layers.remove(layer)
        self._on_gone()

    def hide_soon(self) -> None:
        """Take the frame away once napari is ready: it may be in the midst of removing layers."""
        if self._layer is not None:
            self._soon.start(0)

    def _events(self) -> tuple[tuple[Any, Any], ...]:
        return (
            (self._viewer.dims.events.point, self._on_moved),
            (camera(self._viewer).events.center, self._on_moved),
            (self._viewer.layers.events.removed, self._on_removed),
        )

    def _on_removed(self) -> None:
        """Take note that people have deleted the frame themselves."""
        if self._layer not in self._viewer.layers:
            self.hide()

    def _on_moved(self) -> None:
        """Take the frame away once nothing of the place is in view."""
        if self._image is None or self._place is None:
            return
        view, wanted = in_view(self._viewer, self._image), self._place
        is_seen = view is not None and view.plane == wanted.plane
        for seen, side in ((view.y, wanted.y), (view.x, wanted.x)) if view is not None else ():
            is_seen &= seen.start < side.stop and side.start < seen.stop
        if not is_seen:
            self.hide_soon()
