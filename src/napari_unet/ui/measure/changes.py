"""Whether a labels layer is still what was measured."""

from __future__ import annotations

from typing import Any

from napari.components import ViewerModel
from napari.layers import Labels
from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_unet.ui.layers.painted_planes import PaintedPlanesTracker
from napari_unet.ui.worker import begin_short

_WAIT_MS = 500


class Changes(QObject):
    """Tells once that a layer differs from what it was when `remember` was called.

    What may have been a change, such as an undo, is looked into in a thread of its own.
    """

    found = Signal()

    def __init__(self, layer: Labels, viewer: ViewerModel) -> None:
        super().__init__()
        self._tracker = PaintedPlanesTracker(layer, viewer)
        self._tracker.doubt_all()
        self._remembered = False
        self._worker: Any = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_WAIT_MS)
        self._timer.timeout.connect(self._look)
        self._tracker.changed.connect(self._timer.start)

    def remember(self) -> None:
        """Take the layer as it is now; may be called from any thread. Reads all planes."""
        self._tracker.take_changed()
        self._remembered = True

    def release(self) -> None:
        """Let go of the layer, and tell nothing more."""
        self._timer.stop()
        self._tracker.changed.disconnect(self._timer.start)
        self._tracker.release()
        if self._worker is not None:
            self._worker.returned.disconnect(self._on_looked)
            self._worker = None

    def _look(self) -> None:
        if self._worker is not None or not self._remembered:
            self._timer.start()  # once more when it is known
            return
        self._worker = begin_short(
            self._tracker.take_changed, connect={"returned": self._on_looked}
        )

    def _on_looked(self, planes: frozenset[int]) -> None:
        self._worker = None
        if planes:
            self.found.emit()
