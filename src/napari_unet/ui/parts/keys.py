"""Keys for painting and correcting, bound to one viewer for as long as its dock lives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.components import ViewerModel

# Free in napari: the viewer's own keys and those of Labels are others. A layer's keys come first:
# while an image is selected, C sets its contrast.
BACKGROUND = "G"
NEXT_OBJECT = "N"
NEXT_CLASS = "C"
ERASE = "D"
TAKE_OBJECT = "T"
SPLIT = "S"
MERGE = "J"  # join: M is napari's
DELETE = "R"  # remove: D erases


class ViewerKeys:
    """Binds keys that are free in the viewer; a key that someone else has bound stays theirs.

    Parameters
    ----------
    actions
        Key → what it does.
    """

    def __init__(self, viewer: ViewerModel, actions: dict[str, Callable[[], None]]) -> None:
        self._viewer = viewer
        self._bound: dict[str, Any] = {}
        for key, action in actions.items():
            self._bind(key, action)

    def __contains__(self, key: object) -> bool:
        return key in self._bound

    def release(self) -> None:
        """Unbind the keys, but none that was bound again by someone else meanwhile."""
        for key, ours in self._bound.items():
            unbound = self._viewer.bind_key(key, None)
            if unbound is not None and unbound is not ours:
                self._viewer.bind_key(key, unbound)
        self._bound = {}

    def _bind(self, key: str, action: Callable[[], None]) -> None:
        def press(_viewer: ViewerModel) -> None:
            action()

        try:
            self._viewer.bind_key(key, press)
        except ValueError:  # of another dock in this viewer, or of the user's own script
            return
        self._bound[key] = press
