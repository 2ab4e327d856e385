"""What is painted on a plane, in the place of what was predicted there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet.config import Task
from napari_unet.engine.errors import SettingsError
from napari_unet.engine.events import Judged
from napari_unet.engine.objects.paint_over import paint_over
from napari_unet.engine.objects.uncut import UncutPlane
from napari_unet.engine.paint.label_scheme import PAINTED_BACKGROUND
from napari_unet.engine.paint.painted_box import as_labels
from napari_unet.engine.prediction.decode import PlaneDecoder, Settled
from napari_unet.engine.scores.painted_objects import judge
from napari_unet.engine.stack.planes import Planes
from napari_unet.engine.stack.run_labels import LabelCollector, RunLabels
from napari_unet.engine.stack.tiles import Tile, bands


@dataclass(frozen=True, slots=True)
class PlanePaint:
    """The paint on one plane; 0 = unpainted, and it may be painted on meanwhile."""

    labels: Planes
    number: int  # of the plane

    def read(self, y: slice, x: slice) -> npt.NDArray[Any]:
        """Return a copy of a region, (y, x) int32.

        Raises
        ------
        LabelsError
            If the labels are not whole numbers from 0 to 2^31 - 1.
        """
        return as_labels(np.array(self.labels.read(self.number, y, x)[0]), self.number)

    def whole(self) -> RunLabels:
        """Return all of the plane, read once."""
        collector = LabelCollector(self.labels.shape)
        for rows in bands(self.labels.shape):
            collector.add(self.read(rows, slice(0, self.labels.shape[1])))
        return collector.labels()


def override(decoder: PlaneDecoder, painted: PlanePaint, task: Task) -> PlaneDecoder:
    """Return a decoder of which the painted pixels are as painted, each by itself.

    Parameters
    ----------
    decoder
        Of classes, or of the mask of objects.
    painted
        What is painted on the plane.
    task
        What the values of the decoder mean.
    """
    return _PaintedPixels(decoder, painted, task)


class _PaintedPixels:
    """Overrides each pixel by itself: classes, and the mask of objects."""

    def __init__(self, decoder: PlaneDecoder, painted: PlanePaint, task: Task) -> None:
        self._decoder = decoder
        self._painted = painted
        self._task = task

    def add(self, tile: Tile, settled: Settled) -> npt.NDArray[Any]:
        """Take a tile; return its final values.

        Raises
        ------
        SettingsError
            If a class is painted that does not fit into the values.
        """
        values = self._decoder.add(tile, settled)
        painted = self._painted.read(tile.y.as_slice, tile.x.as_slice)
        new = painted > PAINTED_BACKGROUND if self._task is Task.OBJECTS else painted
        if new.max(initial=0) > np.iinfo(values.dtype).max:
            raise SettingsError(
                f"The painted class {int(new.max())} does not fit into {8 * values.itemsize} bit; "
                "choose the output 'labels', or let paint not override."
            )
        np.copyto(values, new.astype(values.dtype), where=painted > 0)
        return values

    def finish(self) -> UncutPlane | None:
        """Return what the decoder of the prediction returns: all values are final."""
        return self._decoder.finish()


def override_objects(
    labels: RunLabels, count: int, painted: PlanePaint, *, smallest: int
) -> tuple[RunLabels, int, Judged | None]:
    """Return the objects of a whole plane as painted: which one paint belongs to needs all of it.

    Parameters
    ----------
    labels, count
        Objects 1 to `count`, as they were found.
    painted
        What is painted on the plane.
    smallest
        Pixels of the smallest object.

    Returns
    -------
    labels, count, judged
        1 to `count`; and how the painted objects were found, None if nothing is painted.
    """
    paint = painted.whole()
    if not paint.values.any():
        return labels, count, None
    settled, count = paint_over(labels, paint, smallest=smallest)
    return settled, count, judge(labels, settled, paint)
