"""The size of objects in the step Train: the number, and its circle on the image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.layers import Image
from qtpy.QtCore import QObject, QTimer
from qtpy.QtWidgets import QWidget

from napari_unet.config import NetworkConfig, Task, TrainConfig
from napari_unet.engine.errors import SettingsError
from napari_unet.ui.layers.geometry import pixel_size
from napari_unet.ui.parts.action import set_ready
from napari_unet.ui.parts.canvases import canvases
from napari_unet.ui.readiness import Readiness
from napari_unet.ui.train.diameter_field import DiameterField
from napari_unet.ui.train.size_circle import SizeCircle
from napari_unet.ui.train.sizing import Sizing
from napari_unet.ui.workbench import Workbench

_CIRCLE_MS = 4000  # for which the circle stays after a change
_ESTIMATE = "Look now how wide objects are, by what is painted; training does so by itself."


class SizePart(QObject):
    """A number in the form, and the circle: while people look at the number, and after a change.

    Parameters
    ----------
    workbench, sizing
        What is chosen, and what finds out how wide objects are.
    settings
        Gives the network and the settings with which training would begin now; may raise
        SettingsError.
    inside
        A widget in the viewer's window.
    """

    def __init__(
        self,
        workbench: Workbench,
        sizing: Sizing,
        settings: Callable[[], tuple[NetworkConfig, TrainConfig]],
        inside: QWidget,
    ) -> None:
        super().__init__()
        self.field = DiameterField()
        self.circle = SizeCircle(workbench.viewer)
        self._workbench = workbench
        self._sizing = sizing
        self._settings = settings
        self._inside = inside
        self._lingers = QTimer(self)
        self._lingers.setSingleShot(True)
        self._lingers.setInterval(_CIRCLE_MS)
        for signal, slot in self._connections():
            signal.connect(slot)

    @property
    def given(self) -> float | None:
        """The diameter that people gave, pixels; None: automatic, or classes, which have none."""
        return self.field.box.given if self._has_objects() else None

    def refresh(self) -> None:
        """Show what is known about the chosen image, for objects only."""
        self.field.show(objects=self._has_objects())
        set_ready(self.field.estimate, Readiness.of(self._workbench).why_not_train(), _ESTIMATE)
        self.field.show_found(self._sizing.diameter, _pixel(self._workbench.choices.image))
        self._draw()

    def release(self) -> None:
        """Let go of the viewer and the control."""
        for signal, slot in self._connections():
            signal.disconnect(slot)
        self._lingers.stop()
        self.circle.hide()

    def _connections(self) -> list[tuple[Any, Any]]:
        return [
            (self.field.box.attended, self._on_attended),
            (self.field.box.valueChanged, self._on_changed),
            (self.field.estimate.clicked, self._on_estimate_clicked),
            (self._sizing.found, self._on_found),
            (self._lingers.timeout, self._draw),
        ]

    def _has_objects(self) -> bool:
        return self._workbench.choices.task is Task.OBJECTS

    def _on_attended(self) -> None:
        if self.field.box.hasFocus():
            self._lingers.start()
        self._draw()

    def _on_changed(self) -> None:
        self.field.tell()
        self._lingers.start()
        self._draw()

    def _on_found(self) -> None:
        if self.field.box.given is None:
            self._lingers.start()
        self.refresh()

    def _on_estimate_clicked(self) -> None:
        self.refresh()  # layers may have changed without a word since
        if not self.field.estimate.isEnabled():
            return
        self.field.box.setValue(0)
        try:
            network, config = self._settings()
        except SettingsError as error:
            self._workbench.fail(error)
            return
        self._lingers.start()
        self._sizing.estimate(network, config)

    def _draw(self) -> None:
        """Show the circle, or none."""
        box, image = self.field.box, self._workbench.choices.image
        looked_at = self._has_objects() and (box.is_hovered or self._lingers.isActive())
        canvas = next(iter(canvases(self._inside)), None) if looked_at else None
        if canvas is None or image is None or self.field.pixels is None:
            self.circle.hide()
        else:
            self.circle.show(canvas, image, self.field.pixels)


def _pixel(image: Image | None) -> float | None:
    """Return the side of a square as large as a pixel, µm; None: unknown."""
    size = None if image is None else pixel_size(image)
    return None if size is None else float((size[0] * size[1]) ** 0.5)
