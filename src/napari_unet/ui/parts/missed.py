"""The button that goes to the painted objects that the network itself did not find."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtWidgets import QPushButton

from napari_unet.ui.layers.jump import jump_to

Places = Sequence[tuple[Layer, int, slice, slice]]
"""Layer, plane, y and x."""


class MissedButton(QPushButton):
    """Goes from one to the next, and round again; hidden while there is none.

    Parameters
    ----------
    viewer
        Where they are shown.
    places
        Gives them as they are now.
    """

    def __init__(self, viewer: ViewerModel, places: Callable[[], Places]) -> None:
        super().__init__("Show what it missed")
        self.setToolTip(
            "Goes to the next object that you painted whole and the network itself did not find: "
            "train on, or paint more like it."
        )
        self._viewer = viewer
        self._places = places
        self._shown = 0
        self.clicked.connect(self._on_clicked)

    def refresh(self) -> None:
        """Show itself if there is somewhere to go."""
        self.setVisible(bool(self._places()))

    def _on_clicked(self) -> None:
        places = self._places()
        if places:
            jump_to(self._viewer, *places[self._shown % len(places)])
            self._shown += 1
