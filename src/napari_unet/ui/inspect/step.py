"""What the network sees: for trust, and to find out what is wrong with the labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.utils.colormaps import ensure_colormap
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_unet.config import NetworkConfig, TrainConfig
from napari_unet.engine.counts import count
from napari_unet.engine.errors import SettingsError
from napari_unet.ui.inspect.control import Inspecting
from napari_unet.ui.inspect.job import Inspected
from napari_unet.ui.parts.action import set_ready
from napari_unet.ui.parts.folded import Folded
from napari_unet.ui.parts.step import Step
from napari_unet.ui.parts.thumbnail import Thumbnail
from napari_unet.ui.readiness import Readiness
from napari_unet.ui.workbench import Workbench

_HOW = "Shows how much each painted pixel counts, and a patch as it is bent for training."


class InspectStep(Step):
    """The weight map of the shown plane as a layer, and an augmented patch in three pictures.

    Parameters
    ----------
    workbench, inspecting
        What is chosen, and what looks at it.
    settings
        Gives the network and the settings with which training would begin now; may raise
        SettingsError.
    """

    def __init__(
        self,
        workbench: Workbench,
        inspecting: Inspecting,
        settings: Callable[[], tuple[NetworkConfig, TrainConfig]],
    ) -> None:
        super().__init__(workbench, "What the network sees")
        self.show_button = QPushButton("Show")
        self.another = QPushButton("Another")
        self.grey = Thumbnail("Patch", "Grey values; the network answers inside the frame.")
        self.classes = Thumbnail("Labels", "What is to be learned, in the colours of the strokes.")
        self.weights = Thumbnail("Weights", "How much each pixel counts: dark little, bright much.")
        self._inspecting = inspecting
        self._settings = settings
        self._drawn = 0  # patches, with the seeds from that of the settings on
        self._pictures = QWidget()
        self._build()
        inspecting.inspected.connect(self._on_inspected)
        self.refresh()

    def refresh(self) -> None:
        """Enable the buttons, or say why not."""
        reason = Readiness.of(self.workbench).why_not_train()
        set_ready(self.show_button, reason, "Show the weight map and a patch of these settings.")
        set_ready(self.another, reason, "Draw another patch, with the next seed.")
        if self._pictures.isHidden():
            self.tell(reason or _HOW)

    def release(self) -> None:
        """Let go of the control."""
        self._inspecting.inspected.disconnect(self._on_inspected)

    def _build(self) -> None:
        self.title.hide()  # it is that of the fold
        buttons, pictures = QHBoxLayout(), QHBoxLayout(self._pictures)
        for layout in (buttons, pictures):
            layout.setContentsMargins(0, 0, 0, 0)
        buttons.addWidget(self.show_button)
        buttons.addWidget(self.another)
        for thumbnail in (self.grey, self.classes, self.weights):
            pictures.addWidget(thumbnail)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(buttons)
        column.addWidget(self.status)
        column.addWidget(self._pictures)
        self.body.addWidget(Folded(self.title.text(), content))
        self._pictures.hide()
        self.another.hide()
        self.show_button.clicked.connect(self._on_show_clicked)
        self.another.clicked.connect(self._on_another_clicked)

    def _on_show_clicked(self) -> None:
        self._drawn = 0
        self._start()

    def _on_another_clicked(self) -> None:
        self._drawn += 1
        self._start()

    def _start(self) -> None:
        self.refresh()  # layers may have changed without a word since
        if not self.show_button.isEnabled():
            return
        try:
            network, config = self._settings()
        except SettingsError as error:
            self.workbench.fail(error)
            return
        self._inspecting.start(network, config, seed=config.seed + self._drawn)

    def _on_inspected(self, event: Inspected) -> None:
        patch = event.patch
        self.grey.show_colours(_coloured(patch.grey, "gray"), margin=patch.margin)
        self.weights.show_colours(_coloured(patch.weights, "inferno"))
        labels = self.workbench.choices.labels
        if labels is not None:
            self.classes.show_colours(labels.colormap.map(patch.labels))
        self._pictures.show()
        self.another.show()
        held_out = f"; {count(event.held_out, 'block')} held out" if event.held_out else ""
        self.tell(f"Plane {event.plane}: weights up to {event.weights.max():.3g}{held_out}.")


def _coloured(values: npt.NDArray[np.float32], colormap: str) -> npt.NDArray[Any]:
    """Return (Y, X, 4) colours for values from 0 to the largest."""
    shares = values / max(float(values.max()), 1e-6)
    colours: npt.NDArray[Any] = ensure_colormap(colormap).map(shares.ravel())
    return colours.reshape(*values.shape, 4)
