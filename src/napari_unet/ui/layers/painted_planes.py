"""Which planes of a labels layer have changed: strokes, undo, and whatever else writes to it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.layers import Labels
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_unet.engine.errors import FileError
from napari_unet.engine.stack import ArrayPlanes
from napari_unet.engine.stack import bands as engine_bands
from napari_unet.ui.layers.inputs import labels_planes
from napari_unet.ui.layers.paint_event import painted_planes

_BAND = 1 << 20  # pixels read in one go: the thread that paints is never held up for long


class PaintedPlanesTracker(QObject):
    """Knows which planes of a labels layer have changed since it was last asked.

    Made and released on the main thread. Brush, fill, polygon, undo, redo, replaced data, and
    arrays written to by others who refresh the layer are all noticed, at the end of a stroke.

    Parameters
    ----------
    layer
        At least two axes; the last two are Y and X.
    viewer
        Tells drawing another plane from drawing a changed one. Without it, each redrawing is
        followed by a look at all planes the next time the tracker is asked.

    Notes
    -----
    napari tells which planes a stroke has changed, but neither which ones an undo has, nor that
    there was one: it only draws the layer again. All planes are then held against a checksum of
    what they were, in the thread that asks; that takes about 0.1 s per GB of unpainted planes.
    """

    changed = Signal()  # something was painted, or may have been

    def __init__(self, layer: Labels, viewer: ViewerModel | None = None) -> None:
        super().__init__()
        self._layer = layer
        self._viewer = viewer
        self._planes = labels_planes(layer)
        self._lock = Lock()  # of the three below
        self._painted: set[int] = set()
        self._all = False  # any plane may have changed
        self._released = False
        self._checksums: dict[int, int] = {}  # of the planes as they were when last asked
        self._drawn = self._position()
        for event, callback in self._connections():
            event.connect(callback)

    def release(self) -> None:
        """Let go of the layer; what is being looked through ends early."""
        for event, callback in self._connections():
            event.disconnect(callback)
        with self._lock:
            self._released = True

    def doubt_all(self) -> None:
        """Look at all planes the next time: any of them may have changed."""
        with self._lock:
            self._all = True
        self.changed.emit()

    def take_changed(self) -> frozenset[int]:
        """Return the planes that differ from what they were when this was asked last.

        Of planes that it was not asked about before, those that were painted on; and, if any
        plane may have changed, all that are not empty. A plane that cannot be read may have
        changed, too. May be called from any thread, but from
        one at a time. Reads the planes.
        """
        with self._lock:
            planes, painted, everything = self._planes, self._painted, self._all
            self._painted, self._all = set(), False
        gone = {plane for plane in self._checksums if plane >= planes.count}
        for plane in gone:
            del self._checksums[plane]
        looked_at = range(planes.count) if everything else sorted(painted)
        return frozenset(gone | {p for p in looked_at if self._differs(planes, p, p in painted)})

    def _differs(self, planes: ArrayPlanes, plane: int, painted: bool) -> bool:  # noqa: FBT001
        if self._released or plane >= planes.count:
            return False
        before = self._checksums.pop(plane, None)
        try:
            now = _checksum(planes, plane)
        except (FileError, MemoryError):
            return True  # whoever reads it will be told why
        self._checksums[plane] = now
        return now != before if before is not None else painted or now != 0

    def _connections(self) -> list[tuple[Any, Any]]:
        events = self._layer.events
        return [
            (events.paint, self._on_paint),
            (events.set_data, self._on_drawn),
            (events.data, self._on_data),
            (events.visible, self.doubt_all),  # an undo in a hidden layer draws nothing
        ]

    def _on_paint(self, event: Any) -> None:
        painted = painted_planes(event.value, self._planes.leading_shape)
        with self._lock:
            if painted is None:
                self._all = True
            else:
                self._painted |= painted
        self.changed.emit()

    def _on_drawn(self) -> None:
        before, self._drawn = self._drawn, self._position()
        if self._viewer is None or self._drawn == before:  # not because people went elsewhere
            self.doubt_all()

    def _on_data(self) -> None:
        planes = labels_planes(self._layer)
        with self._lock:
            self._planes = planes
        self.doubt_all()

    def _position(self) -> tuple[int, ...]:
        """Return the displayed axes and the position along the others, in the layer's pixels."""
        if self._viewer is None:
            return ()
        dims = self._viewer.dims
        point = np.round(self._layer.world_to_data(dims.point)).astype(int)
        displayed = [axis - dims.ndim for axis in dims.displayed]
        point[[axis for axis in displayed if axis >= -len(point)]] = 0
        return *displayed, *point.tolist()


def _checksum(planes: ArrayPlanes, plane: int) -> int:
    """Return a number that changes with the plane; 0 if nothing is painted."""
    checksum = 0
    for start, band in bands(planes, plane):
        if band.any():
            checksum = zlib.crc32(np.ascontiguousarray(band).data, checksum + start) or 1
    return checksum


def bands(planes: ArrayPlanes, plane: int) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    """Yield the plane in bands of rows: the first row of each, and its values (y, X)."""
    for rows in engine_bands(planes.shape, _BAND):
        yield rows.start, planes.read(plane, rows, slice(0, planes.shape[1]))[0]
