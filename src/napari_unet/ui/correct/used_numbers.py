"""Which numbers the objects of some layers have, and had: counted once, then followed."""

from __future__ import annotations

from typing import Any

from napari.layers import Labels
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_unet.engine.errors import EngineError, UnetPaintError
from napari_unet.ui.correct.take_over import largest_number
from napari_unet.ui.layers.paint_event import largest_painted
from napari_unet.ui.layers.used_numbers import forget_used, largest_used, note_used
from napari_unet.ui.worker import begin_short


class UsedNumbers(QObject):
    """Counts in a thread the layers of which nobody knows, and notes what is painted from then on.

    A segmentation has noted the numbers of its result.
    """

    known = Signal()  # of all layers
    failed = Signal(object)  # UnetPaintError: a layer cannot be read

    def __init__(self) -> None:
        super().__init__()
        self._layers: tuple[Labels, ...] = ()
        self._worker: Any = None

    def follow(self, layers: tuple[Labels, ...]) -> None:
        """Follow these layers, and no others."""
        if layers == self._layers:
            return
        for layer in self._layers:
            layer.events.paint.disconnect(self._on_painted)
            layer.events.data.disconnect(self._on_replaced)
        self._layers = layers
        for layer in layers:
            layer.events.paint.connect(self._on_painted)
            layer.events.data.connect(self._on_replaced)

    def are_known(self) -> bool:
        """Return whether the numbers of all layers are known; else `known` tells when they are."""
        unknown = [layer for layer in self._layers if largest_used(layer) is None]
        if unknown and self._worker is None:
            self._worker = begin_short(
                _largest,
                unknown[0],
                connect={"returned": self._on_counted, "errored": self._on_errored},
            )
        return not unknown

    def release(self) -> None:
        """Let go of the layers."""
        self.follow(())
        if self._worker is not None:
            self._worker.returned.disconnect(self._on_counted)
            self._worker.errored.disconnect(self._on_errored)
            self._worker = None

    def _on_counted(self, counted: tuple[Labels, int]) -> None:
        self._worker = None
        note_used(*counted)
        if self.are_known():
            self.known.emit()

    def _on_errored(self, error: Exception) -> None:
        self._worker = None
        if not isinstance(error, UnetPaintError):
            error = EngineError(f"The labels cannot be read ({error}). Please report it.")
        self.failed.emit(error)

    def _on_painted(self, event: Any) -> None:
        if largest_used(event.source) is not None:
            note_used(event.source, largest_painted(event.value))

    def _on_replaced(self, event: Any) -> None:
        forget_used(event.source)


def _largest(layer: Labels) -> tuple[Labels, int]:
    return layer, largest_number(layer)
