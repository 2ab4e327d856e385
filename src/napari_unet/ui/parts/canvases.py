"""What napari draws layers on."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QMainWindow, QWidget


def canvases(inside: QWidget) -> list[Any]:
    """Return what draws with OpenGL in the middle of the window, around which are the docks.

    Parameters
    ----------
    inside
        A widget in the viewer's window; in another window, or in none, there are none.
    """
    window: QWidget | None = inside  # a dock that floats is a window of its own, with a parent
    while window is not None and not isinstance(window, QMainWindow):
        window = window.parentWidget()
    middle = window.centralWidget() if window is not None else None
    if middle is None:
        return []
    # by name: Qt 5 has the class in another module
    return [child for child in middle.findChildren(QWidget) if child.inherits("QOpenGLWidget")]
