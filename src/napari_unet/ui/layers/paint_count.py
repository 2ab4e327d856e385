"""A count of what is painted that follows the brush, made in the background."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.layers import Labels
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]
from superqt.utils import create_worker, qdebounced

from napari_unet.config import MAX_CLASSES, Task, Unpainted
from napari_unet.engine.paint import Verdict, is_label_image, one_is_an_object
from napari_unet.engine.stack import ArrayPlanes
from napari_unet.ui.layers.inputs import labels_planes
from napari_unet.ui.layers.painted_planes import PaintedPlanesTracker, bands

__all__ = ["PaintCount", "PaintCounter", "why_not_enough"]

_log = logging.getLogger(__name__)

_SETTLE_MS = 300  # after the last change; a count then begins
_SMALL = 1 << 16  # numbers below this are counted in a table, others are sorted
_HOW_TO_START = {
    (Task.OBJECTS, Unpainted.IGNORED): "paint some background (1) and some objects (2, 3, …).",
    (Task.OBJECTS, Unpainted.BACKGROUND): "paint all objects of a plane or more (1, 2, …).",
    (Task.CLASSES, Unpainted.IGNORED): "paint some of each class (1, 2, …).",
    (Task.CLASSES, Unpainted.BACKGROUND): "paint all of each class on a plane or more (1, 2, …).",
}
_LABEL_IMAGE = (
    "This looks like a label image, in which 0 is the background and 1 an object: set Unpainted to "
    "'is background'. If 1 is background that you painted, paint some in a second place, too."
)
_MASK = "For a label image or mask, set Unpainted to 'is background'."
_WHITE = 255  # of masks
_MANY = 5  # objects, before any background is painted


@dataclass(frozen=True, slots=True, eq=False)
class PaintCount:
    """What is painted in a whole labels layer."""

    planes: int  # with any paint
    ones: int  # pixels of label 1, on all planes
    unpainted: int  # pixels of label 0, on the painted planes
    numbers: npt.NDArray[Any]  # all labels but 0, ascending
    is_label_image: bool = False  # 1 is plainly an object, and so 0 is the background

    @property
    def largest(self) -> int:
        """The largest number in use, 0 if nothing is painted."""
        return int(self.numbers[-1]) if len(self.numbers) else 0

    def background(self, unpainted: Unpainted) -> int:
        """Return the pixels that are background (task objects)."""
        return self.ones if unpainted is Unpainted.IGNORED else self.unpainted

    def kinds(self, task: Task, unpainted: Unpainted) -> int:
        """Return how many objects, or classes, are painted."""
        ignored = unpainted is Unpainted.IGNORED
        if task is Task.OBJECTS:
            return int((self.numbers > 1).sum()) if ignored else len(self.numbers)
        return len(self.numbers) + (not ignored and self.unpainted > 0)


def why_not_enough(count: PaintCount, task: Task, unpainted: Unpainted) -> str | None:
    """Return what is still to be painted before training can begin, None if it can."""
    if count.planes == 0:
        return f"Nothing is painted yet: {_HOW_TO_START[task, unpainted]}"
    kinds, ignored = count.kinds(task, unpainted), unpainted is Unpainted.IGNORED
    mask = f" {_MASK}" if ignored and _may_be_mask(count) else ""
    cures = [(bool(count.numbers[0] < 0), "Labels below 0 have no meaning: erase them.")]
    if task is Task.CLASSES:
        too_many = f"{MAX_CLASSES} classes are the most: if each object has a number, take Objects."
        cures += [(kinds < 2, f"Paint another class, too.{mask}"), (kinds > MAX_CLASSES, too_many)]
    else:
        background = (
            f"Paint some background as 1, too.{mask}" if ignored else "Leave some unpainted."
        )
        cures += [
            (kinds == 0, f"Paint at least one object (2, 3, …), too.{mask}"),
            (count.background(unpainted) == 0, background),
            (ignored and count.is_label_image, _LABEL_IMAGE),
        ]
    return next((cure for needed, cure in cures if needed), None)


def _may_be_mask(count: PaintCount) -> bool:
    """Return True if what is painted may be a mask, or a label image without a 1."""
    return count.numbers.tolist() in ([1], [_WHITE]) or (
        not count.ones and len(count.numbers) >= _MANY
    )


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
        """The largest number in use, strokes that are not yet counted included."""
        return max(self._number, self.latest.largest if self.latest else 0)

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
        self._worker = create_worker(
            _recount,
            self._tracker,
            labels_planes(self._layer),
            self._counts,
            _connect={
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
    return PaintCount(
        planes=len(painted),
        ones=sum(count.ones for count in painted),
        unpainted=sum(count.unpainted for count in painted),
        numbers=np.unique(np.concatenate(found)),
        is_label_image=is_label_image(
            count.verdict for count in painted if count.verdict is not None
        ),
    )


def _count_plane(planes: ArrayPlanes, plane: int) -> _PlaneCount:
    histograms = [_histogram(band) for _, band in bands(planes, plane)]
    numbers, which = np.unique(np.concatenate([h[0] for h in histograms]), return_inverse=True)
    pixels = np.bincount(which, np.concatenate([h[1] for h in histograms])).astype(np.int64)
    histogram = dict(zip(numbers.tolist(), pixels.tolist(), strict=True))
    verdict = one_is_an_object(histogram, lambda: _where_ones_are(planes, plane))
    return _PlaneCount(histogram.get(1, 0), histogram.get(0, 0), numbers[numbers != 0], verdict)


def _where_ones_are(planes: ArrayPlanes, plane: int) -> npt.NDArray[np.bool_]:
    """Return where label 1 is, in the bands that have some."""
    found = [(top, band == 1) for top, band in bands(planes, plane) if (band == 1).any()]
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
