"""Segmentation of a stack, plane by plane and tile by tile, as an iterator of events."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet.config import ObjectsConfig, OutputKind, TilingConfig
from napari_unet.engine.errors import SettingsError, UnetPaintError
from napari_unet.engine.events import (
    FinishReason,
    MemoryShort,
    PlaneDone,
    PlaneUncut,
    Resume,
    SegmentDone,
    SegmentEvent,
    SegmentStarted,
    Stop,
    TileDone,
    never,
)
from napari_unet.engine.network.device import DeviceChoice, engine_errors
from napari_unet.engine.network.unet import stride
from napari_unet.engine.objects.series_linking import linker_for
from napari_unet.engine.paint.training_set import require_labels_of
from napari_unet.engine.prediction.backend import Backend
from napari_unet.engine.prediction.decode import (
    PlaneDecoder,
    Probabilities,
    Settled,
    is_settled,
    objects_on_plane,
    plane_decoder,
    settler,
)
from napari_unet.engine.prediction.kept_work import KeptWork, NothingKept, resumed
from napari_unet.engine.prediction.object_planes import ObjectPlanes
from napari_unet.engine.prediction.painted_decoder import PlanePaint, override
from napari_unet.engine.prediction.plan import SegmentationPlan
from napari_unet.engine.prediction.predictor import Predictor
from napari_unet.engine.stack.parallel_map import ahead
from napari_unet.engine.stack.planes import Planes
from napari_unet.engine.stack.reduction import tell_scaled
from napari_unet.engine.stack.tiles import Tile, cut_plane, nearest_first, round_up


def segment(
    plan: SegmentationPlan,
    planes: Planes,
    *,
    device: DeviceChoice,
    numbers: Sequence[int] | None = None,
    focus: tuple[int, int, int] | None = None,
    resume: Resume | None = None,
    painted: Planes | None = None,
    kept: KeptWork = NothingKept(),  # noqa: B008 it has no state
    backend: Backend | None = None,
    provisional: bool = True,
    stop: Stop = never,
) -> Iterator[SegmentEvent]:
    """Segment a stack with a trained model.

    Parameters
    ----------
    plan
        The model, and how it segments.
    planes
        The stack; its grey value range is measured once, over the whole stack, so that planes
        and tiles agree and a stack of another exposure than the training stack still fits.
    device
        Where to compute.
    numbers
        Plane numbers, in the order to do them; default: all, the nearest to the focus first.
    focus
        (plane, y, x) that the viewer looks at; tiles nearest to it are done first.
    resume
        What an earlier run has finished; None: nothing.
    painted
        Labels of the model's task, painted on these planes, in which 0 is unpainted. What is
        painted overrides what is predicted, but for probabilities: background is 0, a class is
        that class, and objects are whole and apart as `objects.paint_over` says. Each plane is
        read when it is done. None: nothing is painted.
    kept
        Takes the tiles and planes that are finished, and has those of an earlier run that was the
        same (model, image, settings and order): they are not predicted again, and the result is
        as if it had never ended.
    backend
        The model's network on this device, where several stacks share one; None: one is built.
    provisional
        Whether the tiles of objects are numbered before their plane is done, for somebody who looks
        at them; else their foreground is 1.
    stop
        Asked after each tile; True ends the work, and finished tiles stay.

    Yields
    ------
    SegmentEvent
        `SegmentStarted`, then per plane its `TileDone` and `PlaneDone`, and `SegmentDone` at last.
        Planes of objects that were kept come first, without their tiles.
        Before the `PlaneDone` of a whole plane of objects comes `PlaneUncut`, for `recut`.
        Values are labels as int32, classes as uint8, probabilities as (K, Y, X) float32; for
        objects K is 1, the foreground. Object numbers are final with `PlaneDone`, and consecutive
        in the order in which planes are done; no two planes share one, unless they are linked:
        then an object has one number on all the planes that it reaches through, in z, in t, or in
        both; where there are both, the planes of one time are done together. `MemoryShort` where
        memory ran out and the work goes on in smaller parts or on the CPU.

    Raises
    ------
    ImageError
        If the image does not fit the model, is constant, or holds NaN or infinite values.
    SettingsError
        If a plane number does not exist, or a painted class does not fit into 8 bit.
    LabelsError
        If the painted labels are not as large as the image, or no labels.
    EngineError
        If the device fails.

    Notes
    -----
    Of a plane only the mask of its foreground is held, one bit per pixel, and its labels as runs;
    four more planes of runs while objects are linked (in t alone, four of each z), and in z and t
    together the planes of up to six times. The next tile is computed while the last one is decoded
    and taken. The memory of the device is let go after the last tile, and when the generator is
    closed.

    A plane is linked to the finished planes near it, two before and two after (see
    `linking.link`). Where the work comes from both sides, as it may after a change of focus or in
    an order of one's own, an object can have two numbers already; finished planes are not
    renumbered, so both stay.
    """
    started = time.monotonic()
    resume = resume or Resume()
    order = tuple(
        number
        for number in _plane_order(planes.count, numbers, 0 if focus is None else focus[0])
        if number not in resume.finished
    )
    if painted is not None:
        require_labels_of(planes, painted)
    predictor = Predictor(plan.model, planes, device, plan.tiling.rotations, backend)
    resume = resumed(resume, kept, order, planes)
    again = [plane for plane in order if plane in resume.finished]
    left = [plane for plane in order if plane not in resume.finished]
    along = plan.objects.linked if plan.is_numbered else None
    linker = linker_for(planes, left, resume, along) if along else None
    cutting = ObjectPlanes(painted if plan.is_numbered else None, linker, resume.largest)
    is_overridden = not plan.is_numbered and plan.kind is not OutputKind.PROBABILITIES
    pixels = painted if is_overridden else None
    try:
        side, tiles = lay_out(predictor, plan.tiling)
        if focus is not None:
            tiles = nearest_first(tiles, *focus[1:])
        count, computes = len(left) * len(tiles), predictor.backend_name
        note = tell_scaled(planes, plan.model.pixel_size, predictor.seen)
        yield SegmentStarted(str(device), order, count, side, computes, note)
        run = _Run(
            predictor,
            plan.kind,
            objects_on_plane(plan.model, plan.objects, predictor.seen),
            left,
            tiles,
            cutting,
            pixels,
            kept,
            settler(plan.model, plan.kind, plan.objects),
            stop,
            provisional=provisional,
        )
        yield from run.tell_kept(again)
        reason = yield from run.segment_planes()
        yield SegmentDone(reason, tuple(run.finished), time.monotonic() - started)
    finally:
        predictor.release()


def lay_out(predictor: Predictor, tiling: TilingConfig) -> tuple[int, list[Tile]]:
    """Return the side of the tiles that a plane is cut into, and the tiles, row by row."""
    shape, step = predictor.planes.shape, stride(predictor.model.network.levels)
    side = round_up(min(tiling.tile or predictor.tile_side, max(shape)), step)
    return side, cut_plane(shape, side, step)


def _plane_order(count: int, numbers: Sequence[int] | None, focus: int) -> tuple[int, ...]:
    """Return the plane numbers in the order in which they are done."""
    if numbers is None:
        return tuple(sorted(range(count), key=lambda plane: abs(plane - focus)))
    order = tuple(dict.fromkeys(int(number) for number in numbers))
    if not order:
        raise SettingsError("No plane is chosen; choose at least one plane to segment.")
    for number in order:
        if not 0 <= number < count:
            raise SettingsError(
                f"Plane {number} does not exist; the image has planes 0 to {count - 1}."
            )
    return order


@dataclass(slots=True)
class _Run:
    """A segmentation on its way."""

    predictor: Predictor
    kind: OutputKind
    on_plane: ObjectsConfig  # how foreground is cut there
    order: Sequence[int]
    tiles: list[Tile]
    cutting: ObjectPlanes
    painted: Planes | None  # overrides classes and masks pixel by pixel; objects: in `cutting`
    kept: KeptWork
    settle: Callable[[Probabilities], Settled]
    stop: Stop
    provisional: bool
    finished: list[int] = field(default_factory=list)  # planes
    tiles_done: int = 0
    stopped: bool = False
    told: MemoryShort | None = None

    @property
    def tiles_in_all(self) -> int:
        return len(self.order) * len(self.tiles)

    def tell_kept(self, planes: Iterable[int]) -> Iterator[PlaneDone]:
        for plane in planes:
            yield from self._tell([self.kept.plane(plane)])

    def segment_planes(self) -> Generator[SegmentEvent, None, FinishReason]:
        work = ahead(self._find, product(self.order, self.tiles), self.predictor.at_once)
        with closing(work) as found:
            for plane in self.order:
                try:
                    yield from self._segment_plane(plane, found)
                except UnetPaintError:
                    yield from self._tell_rest()
                    raise
                if self.stopped and self.tiles_done < self.tiles_in_all:
                    yield from self._tell_rest()
                    return FinishReason.STOPPED
        return FinishReason.COMPLETED

    def _find(self, place: tuple[int, Tile]) -> Settled:
        """Return a tile that was kept, or predict it."""
        settled = self.kept.tile(*place)
        model, tile = self.predictor.model, place[1]
        if settled is None or not is_settled(settled, tile, model, self.settle):
            settled = self.settle(self.predictor.predict(*place))
            self.kept.keep_tile(*place, settled)
        return settled

    def _segment_plane(
        self, plane: int, found: Iterator[tuple[tuple[int, Tile], Settled]]
    ) -> Iterator[SegmentEvent]:
        decoder = self._decoder(plane)
        tiles = iter(self.tiles)
        for tile, (_, settled) in zip(tiles, found, strict=False):
            yield from self._shortage()
            with engine_errors(self.predictor.device):
                values = decoder.add(tile, settled)
            self.tiles_done += 1
            y, x = tile.y.as_slice, tile.x.as_slice
            yield TileDone(plane, y, x, values, self.tiles_done, self.tiles_in_all)
            self.stopped = self.stop()
            if self.stopped:
                break
        if self.tiles_done == self.tiles_in_all:
            self.predictor.release()  # the last plane's objects may want the memory
        missing = tuple(tiles)
        with engine_errors(self.predictor.device):
            uncut = decoder.finish()
        del decoder  # and what it holds of the plane
        if uncut is None:
            left_out = tuple((tile.y.as_slice, tile.x.as_slice) for tile in missing)
            yield from self._tell([PlaneDone(plane, None, 0, left_out)])
            return
        if not missing:
            yield PlaneUncut(plane, uncut)
        with engine_errors(self.predictor.device):
            cut = uncut.cut()
            del uncut  # and what only cutting needs
            final = self.cutting.take(plane, cut, missing)
        for done in final:
            if done.complete:
                self.kept.keep_plane(done)
        yield from self._tell(final)

    def _decoder(self, plane: int) -> PlaneDecoder:
        model, shape = self.predictor.model, self.predictor.planes.shape
        offset = self.cutting.largest
        decoder = plane_decoder(
            model, self.kind, self.on_plane, shape, offset=offset, provisional=self.provisional
        )
        if self.painted is None:
            return decoder
        return override(decoder, PlanePaint(self.painted, plane), model.task)

    def _tell_rest(self) -> Iterator[PlaneDone]:
        """Tell the planes that waited for others of their series; with these they may change."""
        with engine_errors(self.predictor.device):
            final = self.cutting.rest()
        yield from self._tell(final)

    def _tell(self, planes: Sequence[PlaneDone]) -> Iterator[PlaneDone]:
        """Tell planes whose values are final."""
        for done in planes:
            if done.complete:
                self.finished.append(done.plane)
            yield done

    def _shortage(self) -> Iterator[SegmentEvent]:
        """Tell once what is done about too little memory."""
        shortage = self.predictor.shortage
        if shortage is not None and shortage != self.told:
            self.told = shortage
            yield shortage


def whole_planes(events: Iterable[SegmentEvent]) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    """Run a segmentation; yield the number of each plane and its values.

    Values are (Y, X) labels or classes, or (K, Y, X) probabilities; tiles that a stop left out
    are 0.

    Examples
    --------
    >>> labels = dict(whole_planes(segment(plan, planes, device=device)))  # doctest: +SKIP
    """
    tiles: list[TileDone] = []
    for event in events:
        if isinstance(event, TileDone):
            tiles.append(event)
        elif isinstance(event, PlaneDone):
            labels = event.labels
            yield event.plane, _joined(tiles, event) if labels is None else np.asarray(labels)
            tiles = []


def _joined(tiles: list[TileDone], end: PlaneDone) -> npt.NDArray[Any]:
    regions = [(tile.y, tile.x) for tile in tiles]
    height = max(y.stop for y, _ in (*regions, *end.missing))
    width = max(x.stop for _, x in (*regions, *end.missing))
    values = tiles[0].values
    whole = np.zeros((*values.shape[:-2], height, width), values.dtype)
    for tile in tiles:
        whole[..., tile.y, tile.x] = tile.values
    return whole
