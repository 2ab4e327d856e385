"""Keeps what is painted on disk, so that a crash takes no more than the last few seconds of it."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Layer
from qtpy.QtCore import QObject, QTimer

from napari_unet.engine import stack
from napari_unet.engine.errors import FileError, UnetPaintError
from napari_unet.engine.stack import ArrayPlanes
from napari_unet.io.unfinished import unfinished_in
from napari_unet.io.unsaved import UnsavedLabels, UnsavedRecord, new_path
from napari_unet.ui.layers.geometry import file_layout, full_resolution, long_shape
from napari_unet.ui.layers.inputs import image_planes, labels_planes
from napari_unet.ui.layers.painted_planes import PaintedPlanesTracker, bands
from napari_unet.ui.layers.stroke_folder import folder_to_keep_in
from napari_unet.ui.workbench import Workbench
from napari_unet.ui.worker import begin_short

_log = logging.getLogger(__name__)

_WAIT_MS = 2000  # from a stroke to its saving, at most; those between go with it
_LARGEST = 1 << 32  # bytes of a layer that is kept


class Autosave(QObject):
    """Follows the labels layers of a viewer, and keeps on disk what is painted on each.

    A layer whose array is on disk anyway, or larger than 4 GB, is left alone, and so are all if
    people have turned it off in napari's preferences. What was kept goes when the layer is
    exported or removed, and when the dock is closed: only a program that ends without a word
    leaves it.
    """

    def __init__(self, workbench: Workbench) -> None:
        super().__init__()
        self._workbench = workbench
        self._keepers: dict[Layer, _Keeper] = {}
        for layer in workbench.viewer.layers:
            self._follow(layer)
        events = workbench.viewer.layers.events
        events.inserted.connect(self._on_inserted)
        events.removed.connect(self._on_removed)
        workbench.exported.connect(self._on_exported)

    def adopt(self, labels: Labels, kept: UnsavedLabels) -> None:
        """Follow a layer that holds what `kept` does, and keep on there."""
        self._keepers[labels] = _Keeper(labels, self._workbench, kept)

    def release(self) -> None:
        """Let go of the viewer and its layers; nothing stays on disk."""
        events = self._workbench.viewer.layers.events
        events.inserted.disconnect(self._on_inserted)
        events.removed.disconnect(self._on_removed)
        self._workbench.exported.disconnect(self._on_exported)
        while self._keepers:
            self._keepers.popitem()[1].release()

    def _follow(self, layer: Layer) -> None:
        if isinstance(layer, Labels) and layer not in self._keepers:
            self._keepers[layer] = _Keeper(layer, self._workbench)

    def _on_inserted(self, event: Any) -> None:
        self._follow(event.value)

    def _on_removed(self, event: Any) -> None:
        keeper = self._keepers.pop(event.value, None)
        if keeper is not None:
            keeper.release()

    def _on_exported(self, layer: Layer, when: float) -> None:
        if layer in self._keepers:
            self._keepers[layer].forget(when)


class _Keeper(QObject):
    """Keeps one layer, from the first stroke on."""

    def __init__(
        self, layer: Labels, workbench: Workbench, kept: UnsavedLabels | None = None
    ) -> None:
        super().__init__()
        self._layer = layer
        self._workbench = workbench
        self._kept = kept
        self._tracker: PaintedPlanesTracker | None = None
        self._changed = 0.0  # when, monotonic seconds
        self._worker: Any = None
        self._failed = False  # the last saving: what it was to write is not known to be there
        self._told = False  # that it failed, and each after it
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_WAIT_MS)
        self._timer.timeout.connect(self._save)
        layer.events.paint.connect(self._on_paint)

    def forget(self, when: float) -> None:
        """Remove what is kept unless something was painted since then; the next stroke begins."""
        if self._changed < when:
            self._stop()

    def release(self) -> None:
        """Let go of the layer and remove what is kept."""
        self._layer.events.paint.disconnect(self._on_paint)
        self._stop()

    def _stop(self) -> None:
        self._timer.stop()
        if self._tracker is not None:
            self._tracker.changed.disconnect(self._on_changed)
            self._tracker.release()
            self._tracker = None
        if self._worker is not None:
            self._worker.errored.disconnect(self._on_errored)
            self._worker.finished.disconnect(self._on_finished)
            self._worker = None
        if self._kept is not None:
            self._kept.remove()
            self._kept = None

    def _on_paint(self) -> None:
        if self._tracker is not None or not _can_be_kept(self._layer):
            return
        self._tracker = PaintedPlanesTracker(self._layer, self._workbench.viewer)
        self._tracker.changed.connect(self._on_changed)
        self._tracker.doubt_all()  # what was there before goes with the stroke

    def _on_changed(self) -> None:
        self._changed = time.monotonic()
        if not self._timer.isActive():
            self._timer.start()

    def _save(self) -> None:
        if self._worker is not None:
            self._timer.start()  # it takes long: once more when it has ended
            return
        if self._tracker is None or not _can_be_kept(self._layer):
            return
        folder = folder_to_keep_in()
        if folder is None:
            self._stop()  # the next stroke asks again
            return
        layout, dtype = file_layout(self._layer), full_resolution(self._layer).dtype
        before, wanted = self._kept, (layout.shape, dtype, folder)
        if before is None or (before.layout.shape, before.dtype, before.path.parent) != wanted:
            self._kept = UnsavedLabels(layout, dtype, new_path(folder))
        assert self._kept is not None
        saving = _Saving(
            self._tracker,
            labels_planes(self._layer),
            self._kept,
            None if before is self._kept else before,
            self._record(),
            self._image(),
            everything=self._failed,
        )
        self._failed = False
        self._worker = begin_short(
            saving.run, connect={"errored": self._on_errored, "finished": self._on_finished}
        )

    def _record(self) -> UnsavedRecord:
        image = self._image()
        return UnsavedRecord(
            self._layer.name,
            "" if image is None else image.name,
            unfinished=unfinished_in(self._layer.metadata),
        )

    def _image(self) -> Image | None:
        """Return the chosen image if the labels can be its own."""
        image = self._workbench.choices.image
        fits = image is not None and long_shape(image) == long_shape(self._layer)
        return image if fits else None

    def _on_errored(self, error: Exception) -> None:
        self._failed = True
        _log.warning("The strokes on '%s' are not kept on disk", self._layer.name, exc_info=error)
        if not self._told:
            self._told = True
            self._workbench.fail(_not_kept(self._layer.name, error))

    def _on_finished(self) -> None:
        self._worker = None
        self._told = self._told and self._failed


def _not_kept(name: str, error: Exception) -> FileError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else error
    return FileError(
        f"What you paint on '{name}' is not kept on disk for now ({reason}), so a crash would lose "
        "it; export it, free some space, or choose another folder in napari's preferences."
    )


def fingerprint(image: Image) -> int | None:
    """Return a number that tells the image from others; None: it cannot be read."""
    try:
        return stack.fingerprint(image_planes((image,)))
    except (UnetPaintError, MemoryError):
        return None


def _can_be_kept(layer: Labels) -> bool:
    array = full_resolution(layer)
    return isinstance(array, np.ndarray) and array.ndim > 1 and 0 < array.nbytes <= _LARGEST


@dataclass(frozen=True, slots=True, eq=False)
class _Saving:
    """What is saved in one go, in a thread of its own."""

    tracker: PaintedPlanesTracker
    planes: ArrayPlanes
    kept: UnsavedLabels
    before: UnsavedLabels | None  # of another shape, type or folder; it goes when all is in `kept`
    record: UnsavedRecord  # without the fingerprint
    image: Image | None
    everything: bool = False  # not only what has changed

    def run(self) -> None:
        """Write the planes that have changed; into a new folder, all of them."""
        changed = sorted(self.tracker.take_changed())
        is_new = not self.kept.has_begun
        if is_new:
            seen = None if self.image is None else fingerprint(self.image)
            self.kept.begin(replace(self.record, fingerprint=seen))
        if self.everything or is_new:
            changed = list(range(self.planes.count))
        for plane in changed:
            if plane < self.planes.count:
                for row, rows in bands(self.planes, plane):
                    self.kept.write(plane, row, rows)
        self.kept.note_time()
        if self.before is not None:
            self.before.remove()
