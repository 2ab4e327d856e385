"""napari's canvas: its graphics context is current while a layer is removed."""

from __future__ import annotations

from typing import Any

from napari.components import ViewerModel
from qtpy.QtWidgets import QMainWindow, QWidget


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
        for canvas in _canvases(self._inside):
            if canvas.isValid():
                canvas.makeCurrent()


def _canvases(inside: QWidget) -> list[Any]:
    """Return what draws with OpenGL in the middle of the window, around which are the docks."""
    window: QWidget | None = inside  # a dock that floats is a window of its own, with a parent
    while window is not None and not isinstance(window, QMainWindow):
        window = window.parentWidget()
    middle = window.centralWidget() if window is not None else None
    if middle is None:
        return []
    # by name: Qt 5 has the class in another module
    return [child for child in middle.findChildren(QWidget) if child.inherits("QOpenGLWidget")]
