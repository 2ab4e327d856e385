"""napari's canvas: its graphics context is current while a layer is removed."""

from __future__ import annotations

from napari.components import ViewerModel
from qtpy.QtWidgets import QWidget

from napari_unet.ui.parts.canvases import canvases


class CanvasContext:
    """Makes the context of a viewer's canvas current before each layer is removed.

    napari deletes at once what a removed layer had on the graphics card, in whatever context is
    current: mostly that of the window, or of another viewer, where the same numbers may be other
    programs and textures. And a program that is deleted in another context than draws with it
    ends ours with Mesa's software OpenGL: as soon as it can, Mesa deletes the vertex shader, and
    leaves none bound. Where the next drawing needs the one that was bound before, as but one layer
    is drawn, it is not bound again, and is looked for at address 0 (Mesa 22.3, napari 0.9.2).

    Parameters
    ----------
    viewer
        Whose layers are removed.
    inside
        A widget in the viewer's window; in another window, or in none, nothing is done.
    """

    def __init__(self, viewer: ViewerModel, inside: QWidget) -> None:
        self._viewer = viewer
        self._inside = inside
        viewer.layers.events.removing.connect(self._make_current)

    def release(self) -> None:
        """Let go of the viewer."""
        self._viewer.layers.events.removing.disconnect(self._make_current)

    def _make_current(self) -> None:
        for canvas in canvases(self._inside):
            if canvas.isValid():
                canvas.makeCurrent()
