"""Counts what is painted, again and again, while the brush goes on."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.layers import Labels
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]
from superqt.utils import qdebounced

from napari_unet.engine.paint import (
    PAINTED_BACKGROUND,
    Look,
    PaintedNumbers,
    Verdict,
    find_hint,
    is_label_image,
    one_is_an_object,
)
from napari_unet.engine.stack import ArrayPlanes
from napari_unet.ui.layers.inputs import labels_planes
from napari_unet.ui.layers.paint_count import SCHEMES, PaintCount
from napari_unet.ui.layers.painted_planes import PaintedPlanesTracker, bands
from napari_unet.ui.layers.used_numbers import largest_used
from napari_unet.ui.worker import begin_short

_log = logging.getLogger(__name__)

_SETTLE_MS = 300  # after the last change; a count then begins
_SMALL = 1 << 16  # numbers below this are counted in a table, others are sorted
_ONE = PAINTED_BACKGROUND  # unless the layer is a label image, in which it is an object


class PaintCounter(QObject):
    """Counts what is painted, again and again, in the background.

    The first count begins at once; another one when the layer has not changed for 0.3 s, which
    reads the planes that have.
    """

    counted = Signal(object)  # PaintCount

    def __init__(self, layer: Labels, viewer: ViewerModel | None = None) -> None:
        super().__init__()
        self.latest: PaintCount | None = None
        self._layer = layer
        self._number = 0  # the largest painted since the latest count began, and before
        self._tracker = PaintedPlanesTracker(layer, viewer)
        self._counts: dict[int, _PlaneCount] = {}  # of the painted planes; the worker's own
        self._worker: Any = None
        self._again = False
        self._soon = qdebounced(self._count, timeout=_SETTLE_MS)
        layer.events.paint.connect(self._on_paint)
        self._tracker.doubt_all()
        self._tracker.changed.connect(self._soon)
        self._count()

    @property
    def largest(self) -> int:
        """The largest number that is or was in use, strokes that are not yet counted included."""
        counted = self.latest.largest if self.latest else 0
        return max(self._number, counted, largest_used(self._layer) or 0)

    def look_again(self) -> None:
        """Count anew: something may have been written into the layer's array without a word."""
        self._tracker.doubt_all()

    def release(self) -> None:
        """Let go of the layer and count no more."""
        self._soon.cancel()
        self._layer.events.paint.disconnect(self._on_paint)
        self._tracker.changed.disconnect(self._soon)
        self._tracker.release()
        if self._worker is not None:
            self._worker.returned.disconnect(self._on_counted)
            self._worker.errored.disconnect(self._on_errored)
            self._worker.finished.disconnect(self._on_finished)
            self._worker = None

    def _on_paint(self) -> None:
        self._number = max(self._number, int(self._layer.selected_label))

    def _count(self) -> None:
        if self._worker is not None:
            self._again = True
            return
        self._again = False
        self._worker = begin_short(
            _recount,
            self._tracker,
            labels_planes(self._layer),
            self._counts,
            connect={
                "returned": self._on_counted,
                "errored": self._on_errored,
                "finished": self._on_finished,
            },
        )

    def _on_counted(self, count: PaintCount) -> None:
        self.latest = count
        self.counted.emit(count)

    def _on_errored(self, error: Exception) -> None:
        _log.error("The painted pixels could not be counted", exc_info=error)

    def _on_finished(self) -> None:
        self._worker = None
        if self._again:
            self._count()


@dataclass(frozen=True, slots=True, eq=False)
class _PlaneCount:
    ones: int
    unpainted: int
    numbers: npt.NDArray[Any]  # all but 0, ascending
    verdict: Verdict | None = None  # on whether 1 is an object
    paint: PaintedNumbers | None = None


def _recount(
    tracker: PaintedPlanesTracker, planes: ArrayPlanes, counts: dict[int, _PlaneCount]
) -> PaintCount:
    """Count the planes that have changed, and add up all."""
    for plane in tracker.take_changed():
        counts.pop(plane, None)
        if plane < planes.count:
            count = _count_plane(planes, plane)
            if len(count.numbers):
                counts[plane] = count
    painted = counts.values()
    found = [count.numbers for count in painted] or [np.zeros(0, np.int64)]
    looks = [count.paint for count in painted if count.paint is not None]
    return PaintCount(
        planes=len(painted),
        ones=sum(count.ones for count in painted),
        unpainted=sum(count.unpainted for count in painted),
        numbers=np.unique(np.concatenate(found)),
        is_label_image=is_label_image(
            count.verdict for count in painted if count.verdict is not None
        ),
        hints={scheme: find_hint(looks, scheme) for scheme in SCHEMES},
    )


def _count_plane(planes: ArrayPlanes, plane: int) -> _PlaneCount:
    look, histograms = Look(planes.shape), []
    for top, band in bands(planes, plane):
        histograms.append(_histogram(band))
        look.add(top, band)
    numbers, which = np.unique(np.concatenate([h[0] for h in histograms]), return_inverse=True)
    pixels = np.bincount(which, np.concatenate([h[1] for h in histograms])).astype(np.int64)
    histogram = dict(zip(numbers.tolist(), pixels.tolist(), strict=True))
    verdict = one_is_an_object(histogram, lambda: _where_ones_are(planes, plane))
    unpainted, painted = histogram.get(0, 0), numbers != 0
    paint = look.paint(numbers[painted].astype(np.int64), pixels[painted])
    return _PlaneCount(histogram.get(_ONE, 0), unpainted, numbers[painted], verdict, paint)


def _where_ones_are(planes: ArrayPlanes, plane: int) -> npt.NDArray[np.bool_]:
    """Return where label 1 is, in the bands that have some."""
    found = [(top, band == _ONE) for top, band in bands(planes, plane) if (band == _ONE).any()]
    if not found:  # erased meanwhile
        return np.zeros((1, planes.shape[1]), bool)
    first, last = found[0][0], found[-1][0] + len(found[-1][1])
    ones = np.zeros((last - first, planes.shape[1]), bool)
    for top, band in found:
        ones[top - first : top - first + len(band)] = band
    return ones


def _histogram(band: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return the numbers in the band, and the pixels of each."""
    if band.min() < 0 or band.max() >= _SMALL:
        return np.unique(band, return_counts=True)
    table = np.bincount(band.ravel())
    numbers = np.flatnonzero(table)
    return numbers, table[numbers]
