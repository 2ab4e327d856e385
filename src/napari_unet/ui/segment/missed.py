"""The button that goes to the painted objects that the network itself did not find."""

from __future__ import annotations

from qtpy.QtWidgets import QPushButton

from napari_unet.ui.layers.jump import jump_to
from napari_unet.ui.segment.control import Segmentation


class MissedButton(QPushButton):
    """Goes from one to the next, and round again; hidden while there is none."""

    def __init__(self, segmentation: Segmentation) -> None:
        super().__init__("Show what it missed")
        self.setToolTip(
            "Goes to the next object that you painted whole and the network itself did not find: "
            "train on, or paint more like it."
        )
        self._segmentation = segmentation
        self._shown = 0
        self.clicked.connect(self._on_clicked)

    def refresh(self) -> None:
        """Show itself if there is somewhere to go."""
        self.setVisible(bool(self._segmentation.missed))

    def _on_clicked(self) -> None:
        places = self._segmentation.missed
        if places:
            jump_to(self._segmentation.workbench.viewer, *places[self._shown % len(places)])
            self._shown += 1
