"""A circle as wide as a typical object, in the middle of the view."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtCore import QPointF
from qtpy.QtGui import QPainterPath, QTransform
from qtpy.QtWidgets import QWidget

from napari_unet.ui.layers.geometry import camera, pixel_steps, shows_planes
from napari_unet.ui.parts.glass import Glass


class SizeCircle:
    """Drawn above the canvas, so that no layer is in the way, is selected or saved.

    It is as large as in the image at any zoom; in 3D, and where planes are cut along other axes,
    there is none.

    Parameters
    ----------
    viewer
        Whose view it lies in.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._pane: _Pane | None = None

    @property
    def pane(self) -> QWidget | None:
        """What is drawn on; None: nothing is shown."""
        return self._pane

    def show(self, canvas: QWidget, layer: Layer, diameter: float) -> None:
        """Show a circle of this diameter, in pixels of the layer, in the middle of the canvas."""
        if self._pane is None:
            self._pane = _Pane(canvas, self._viewer)
            self._pane.destroyed.connect(self._on_destroyed)
            for changed in self._changes():
                changed.connect(self._pane.repaint_soon)
        self._pane.draw(layer, diameter)

    def hide(self) -> None:
        """Show none."""
        if self._pane is None:
            return
        self._pane.destroyed.disconnect(self._on_destroyed)
        self._pane.hide()
        self._pane.deleteLater()
        self._on_destroyed()

    def _on_destroyed(self) -> None:
        """Forget the pane, which may have gone with the window."""
        pane, self._pane = self._pane, None
        if pane is not None:
            for changed in self._changes():
                changed.disconnect(pane.repaint_soon)

    def _changes(self) -> list[Any]:
        """Return what tells that the view is another."""
        dims = self._viewer.dims.events
        return [camera(self._viewer).events.zoom, dims.ndisplay, dims.order]


class _Pane(Glass):
    """What the circle is drawn on."""

    def __init__(self, canvas: QWidget, viewer: ViewerModel) -> None:
        super().__init__(canvas)
        self._viewer = viewer
        self._layer: Layer | None = None
        self._diameter = 0.0

    def draw(self, layer: Layer, diameter: float) -> None:
        """Draw this from now on."""
        self._layer, self._diameter = layer, diameter
        self.show()
        self.raise_()
        self.update()

    def repaint_soon(self) -> None:
        """Draw it anew, as the view has changed."""
        self.update()

    def outline(self) -> QPainterPath:
        """Return where the circle is drawn, logical pixels of the canvas; empty: nowhere."""
        path = QPainterPath()
        if self._layer is None or not shows_planes(self._viewer):
            return path
        radius = self._diameter / 2
        path.addEllipse(QPointF(0, 0), radius, radius)
        middle = QPointF(self.rect().center())
        zoom = float(camera(self._viewer).zoom)  # logical pixels per unit of the world
        return _onto_screen(zoom * pixel_steps(self._layer), middle).map(path)


def _onto_screen(steps: npt.NDArray[np.float64], middle: QPointF) -> QTransform:
    """Return what takes (x, y) in pixels of a layer to the screen, where (0, 0) is the middle.

    The steps along Y and X are on the screen (Y, X), the first index is the axis.
    """
    (y_along_y, x_along_y), (y_along_x, x_along_x) = steps.tolist()
    return QTransform(x_along_x, y_along_x, x_along_y, y_along_y, middle.x(), middle.y())
