"""The line that is being drawn through objects."""

from __future__ import annotations

from qtpy.QtCore import QPointF
from qtpy.QtGui import QPainterPath, QPolygonF
from qtpy.QtWidgets import QWidget

from napari_unet.ui.parts.glass import Glass

Spots = list[tuple[float, float]]
"""(x, y) in logical pixels of the canvas."""


class LineGlass:
    """Shows a line on the canvas while the mouse draws it."""

    def __init__(self) -> None:
        self._pane: _Pane | None = None

    @property
    def pane(self) -> QWidget | None:
        """What is drawn on; None: nothing is shown."""
        return self._pane

    def show(self, canvas: QWidget, spots: Spots) -> None:
        """Show a line through these places of the canvas."""
        if self._pane is None:
            self._pane = _Pane(canvas)
            self._pane.destroyed.connect(self._on_destroyed)
        self._pane.draw(spots)

    def hide(self) -> None:
        """Show none."""
        if self._pane is None:
            return
        self._pane.destroyed.disconnect(self._on_destroyed)
        self._pane.hide()
        self._pane.deleteLater()
        self._pane = None

    def _on_destroyed(self) -> None:
        self._pane = None  # gone with the window


class _Pane(Glass):
    def __init__(self, canvas: QWidget) -> None:
        super().__init__(canvas)
        self._spots: Spots = []

    def draw(self, spots: Spots) -> None:
        self._spots = spots
        self.show()
        self.raise_()
        self.update()

    def outline(self) -> QPainterPath:
        path = QPainterPath()
        path.addPolygon(QPolygonF([QPointF(x, y) for x, y in self._spots]))
        return path
