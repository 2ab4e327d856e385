"""A segmentation in parts that processes do apart from each other, and that join to the same.

Tiles are settled in any order, wherever; a plane is decoded once its tiles are there; and its
objects are numbered after those of the planes before it. `segment` does the same in one process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from napari_unet.config import Along, ObjectsConfig
from napari_unet.engine.events import PlaneDone, Resume
from napari_unet.engine.network.device import DeviceChoice, engine_errors
from napari_unet.engine.objects.series_linking import linker_for
from napari_unet.engine.prediction.backend import Backend
from napari_unet.engine.prediction.decode import (
    Settled,
    is_settled,
    objects_on_plane,
    plane_decoder,
    settler,
)
from napari_unet.engine.prediction.object_planes import ObjectPlanes
from napari_unet.engine.prediction.plan import SegmentationPlan
from napari_unet.engine.prediction.predictor import Predictor
from napari_unet.engine.prediction.segmentation import lay_out
from napari_unet.engine.stack.normalization import Normalization
from napari_unet.engine.stack.planes import Planes
from napari_unet.engine.stack.reduction import tell_scaled
from napari_unet.engine.stack.run_labels import RunLabels
from napari_unet.engine.stack.tiles import Tile


class Parts:
    """Settles any tile of a stack, and decodes any plane whose tiles are settled.

    Parameters
    ----------
    plan, planes, device, backend
        As of `segment`; each process cuts planes into the same tiles only if it is told their side.
    normalization
        As another process has measured it; None: it is measured.

    Raises
    ------
    UnetPaintError
        As `segment`.
    """

    def __init__(
        self,
        plan: SegmentationPlan,
        planes: Planes,
        *,
        device: DeviceChoice,
        backend: Backend | None = None,
        normalization: Normalization | None = None,
    ) -> None:
        self._predictor = Predictor(
            plan.model,
            planes,
            device,
            plan.tiling.rotations,
            backend,
            normalization=normalization,
        )
        self.plan = plan
        self._settle = settler(plan.model, plan.kind, plan.objects)
        self._on_plane = objects_on_plane(plan.model, plan.objects, self._predictor.seen)
        self.side, self.tiles = lay_out(self._predictor, plan.tiling)

    @property
    def normalization(self) -> Normalization:
        """How grey values are seen, for other processes."""
        return self._predictor.normalization

    @property
    def computes(self) -> str:
        """What computes on the device."""
        return self._predictor.backend_name

    @property
    def note(self) -> str:
        """What people should know of it, in a sentence; or empty."""
        predictor = self._predictor
        return tell_scaled(predictor.planes, predictor.model.pixel_size, predictor.seen)

    def settle(self, plane: int, tile: Tile) -> Settled:
        """Predict a tile, and return what of it decides the result."""
        return self._settle(self._predictor.predict(plane, tile))

    def is_settled(self, tile: Tile, values: Settled) -> bool:
        """Return whether an array is what `settle` returns of a tile, by its shape and type."""
        return is_settled(values, tile, self._predictor.model, self._settle)

    def decode(self, plane: int, settled: Callable[[Tile], Settled]) -> PlaneDone:
        """Return the objects of a plane, numbered from 1; `settled` gives its tiles."""
        predictor = self._predictor
        decoder = plane_decoder(
            predictor.model,
            self.plan.kind,
            self._on_plane,
            predictor.planes.shape,
            offset=0,
            provisional=False,
        )
        with engine_errors(predictor.device):
            for tile in self.tiles:
                decoder.add(tile, settled(tile))
            uncut = decoder.finish()
            del decoder
            assert uncut is not None, "only numbered objects are decoded"
            cut = uncut.cut()
            del uncut
            labels, count = cut.finish()
        return PlaneDone(plane, labels, count)


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """A plane as `Parts.decode` returns it: it is cut, and finished."""

    labels: RunLabels
    count: int
    config: ObjectsConfig

    def finish(self, _missing: Sequence[Tile] = ()) -> tuple[RunLabels, int]:
        """Return its objects, 1 to `count`."""
        return self.labels, self.count


def number_planes(
    decoded: Iterable[PlaneDone],
    planes: Planes,
    order: Sequence[int],
    objects: ObjectsConfig,
    resume: Resume,
) -> Iterator[PlaneDone]:
    """Yield planes with their final numbers, linked if the settings say so.

    Parameters
    ----------
    decoded
        What `Parts.decode` returns of the planes of the `order`, in this order.
    planes
        The whole stack.
    resume
        The planes that were numbered before, as one process would have numbered them.

    Raises
    ------
    EngineError
        If there are more than 2^31 - 1 objects.
    """
    along = objects.linked
    linker = linker_for(planes, order, resume, along) if along else None
    cutting = ObjectPlanes(None, linker, resume.largest)
    for done in decoded:
        assert done.labels is not None
        yield from cutting.take(done.plane, Decoded(done.labels, done.objects, objects))
    yield from cutting.rest()


def numbered_together(
    planes: Planes, order: Sequence[int], objects: ObjectsConfig
) -> Iterator[tuple[int, ...]]:
    """Yield the planes that have to be numbered at once: each, or each series, in their order.

    Where objects are linked in z and t, the planes of one time are (see `SeriesLinker`).
    """
    if objects.linked is not Along.BOTH or planes.runs == 1:
        yield from ((plane,) for plane in order)
        return
    series: dict[int, list[int]] = {}
    for plane in order:
        series.setdefault(plane // planes.run, []).append(plane)
    yield from map(tuple, series.values())
