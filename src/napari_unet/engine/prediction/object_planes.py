"""Planes that are not cut yet → final ones: painted over, numbered on, and linked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_unet.engine.events import Cut, PlaneDone
from napari_unet.engine.objects.decoder import check_count
from napari_unet.engine.objects.linking import PlaneLinker
from napari_unet.engine.objects.series_linking import SeriesLinker
from napari_unet.engine.paint.smallest import smallest_object
from napari_unet.engine.prediction.painted_decoder import PlanePaint, override_objects
from napari_unet.engine.stack.planes import Planes
from napari_unet.engine.stack.tiles import Tile


@dataclass(slots=True)
class ObjectPlanes:
    """Cuts the planes of a stack into objects, one after the other."""

    painted: Planes | None  # overrides what is found
    linker: PlaneLinker | SeriesLinker | None  # None: no two planes share a number
    largest: int  # object number in use

    def take(self, plane: int, cut: Cut, missing: Sequence[Tile] = ()) -> list[PlaneDone]:
        """Take a plane; return the planes whose numbers are final now.

        Parameters
        ----------
        plane, cut
            Its number, and its objects.
        missing
            Tiles that are 0 in the result, which is then not painted over.

        Raises
        ------
        EngineError
            If there are more than 2^31 - 1 objects.
        LabelsError
            If the paint is no labels.
        """
        labels, count = cut.finish(missing)
        judged = None
        if self.painted is not None and not missing:
            paint, smallest = PlanePaint(self.painted, plane), smallest_object(cut.config)
            labels, count, judged = override_objects(labels, count, paint, smallest=smallest)
        check_count(self.largest + count)
        numbers = np.arange(self.largest, self.largest + count + 1)
        numbers[0] = 0
        left_out = tuple((tile.y.as_slice, tile.x.as_slice) for tile in missing)
        done = PlaneDone(plane, labels.mapped(numbers), count, left_out, judged)
        return self._count(self.linker.take(done, self.largest) if self.linker else [done])

    def rest(self) -> list[PlaneDone]:
        """Return the planes that waited for others of their series, as no more planes come."""
        return self._count(self.linker.rest(self.largest) if self.linker else [])

    def _count(self, planes: list[PlaneDone]) -> list[PlaneDone]:
        self.largest += sum(done.objects for done in planes)
        return planes
