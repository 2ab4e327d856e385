"""napari's canvas: what must be done for it that neither napari nor vispy does."""

from __future__ import annotations

from typing import Any

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


class StrokeEvents:
    """Lets vispy forget the mouse events of a stroke as soon as the next one begins.

    Each mouse event of vispy 0.17 knows the event before it and the press that began it; that press
    knows the event before it, and so on: every move of every stroke since the window was opened
    stays in memory. vispy breaks the first of the two chains while the mouse hovers, not the other.

    Parameters
    ----------
    viewer
        Whose strokes are meant, whoever paints them and on which layer.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._callbacks = viewer.mouse_drag_callbacks
        self._callbacks.append(forget_strokes)

    def release(self) -> None:
        """Let go of the viewer."""
        if forget_strokes in self._callbacks:
            self._callbacks.remove(forget_strokes)


def forget_strokes(_viewer: ViewerModel, press: Any) -> None:
    """Cut what a press knows of the strokes before it; called by napari at each press."""
    for event in _known_by(press):
        event._forget_last_event()  # noqa: SLF001  vispy has no other word for it


def _known_by(press: Any) -> list[Any]:
    """Return the last event before a press, and the press that began the stroke of that one."""
    before = press.last_event
    known = [] if before is None else [before, before.press_event]
    return [event for event in known if event is not None]
