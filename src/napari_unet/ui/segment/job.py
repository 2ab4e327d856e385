"""The jobs that segment images and cut results anew, and their progress in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from napari_unet.config import Along
from napari_unet.engine.events import (
    FinishReason,
    MemoryShort,
    PlaneDone,
    PlaneUncut,
    Resume,
    SegmentDone,
    SegmentStarted,
    Stop,
    TileDone,
    Uncut,
)
from napari_unet.engine.stack import Planes
from napari_unet.io.kept_planes import KeptPlanes
from napari_unet.io.kept_segmentation import KeptSegmentation
from napari_unet.io.making import hashing
from napari_unet.io.provenance import UsedModel
from napari_unet.ui.progress import Progress, Stopwatch, time_left
from napari_unet.ui.workbench import CurrentModel
from napari_unet.ui.worker import Awaited, Job

if TYPE_CHECKING:
    from napari_unet.engine.network import DeviceChoice
    from napari_unet.engine.prediction import SegmentationPlan


class Sink(Protocol):
    """Takes what is finished; called from the worker's thread."""

    def prepare(self) -> None:
        """Make room, before the first tile."""
        ...

    def write(self, event: TileDone | PlaneDone) -> None:
        """Take a tile or a plane."""
        ...

    def keep(self, event: PlaneUncut) -> None:
        """Keep what a plane is cut from."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """One image to segment: the arguments of `napari_unet.engine.prediction.segment`."""

    plan: SegmentationPlan
    planes: Planes
    device: DeviceChoice
    numbers: tuple[int, ...] | None  # None: all planes
    focus: tuple[int, int, int]
    resume: Resume
    painted: Planes | None  # overrides the prediction
    sink: Sink
    kept: KeptSegmentation | None = None  # on disk, for the case of a crash
    current: CurrentModel | None = None  # the model as people know it


@dataclass(frozen=True, slots=True)
class TurnStarted(Awaited):
    """The next image begins, and needs its layers; told before its `SegmentStarted`."""

    number: int  # from 0


def segment_images(turns: Sequence[Turn]) -> Job:
    """Segment one image after the other into their sinks.

    Tiles are written here, in the worker's thread, so that the window has only to show them.
    Told are per image `TurnStarted`, the `UsedModel`, and the events of
    `napari_unet.engine.prediction.segment` with those of `hashing`.
    """

    def run(stop: Stop) -> Iterator[object]:
        from napari_unet.engine.prediction import segment  # noqa: PLC0415

        for number, turn in enumerate(turns):
            if number and stop():
                return
            keeping: dict[str, Any] = {} if turn.kept is None else {"kept": turn.kept}
            events = segment(
                turn.plan,
                turn.planes,
                device=turn.device,
                numbers=turn.numbers,
                focus=turn.focus,
                resume=turn.resume,
                painted=turn.painted,
                stop=stop,
                **keeping,
            )
            with _closing(turn.kept):
                for event in hashing(events, turn.planes, turn.painted):
                    match event:
                        case SegmentStarted():
                            turn.sink.prepare()
                            yield TurnStarted(number)
                            if turn.current is not None:
                                name, path = turn.current.name, turn.current.path
                                yield UsedModel.of(turn.plan.model, name, path)
                            if turn.kept is not None:
                                turn.kept.begin(event)
                        case TileDone() | PlaneDone():
                            turn.sink.write(event)
                        case PlaneUncut():  # large, and nothing to be seen
                            turn.sink.keep(event)
                            continue
                    yield event

    return run


@contextmanager
def _closing(kept: KeptSegmentation | None) -> Iterator[None]:
    """Let what was finished be on disk, whatever ends the work, unless that was soon."""
    try:
        yield
    finally:
        if kept is not None:
            kept.close(flush=False)


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """A result to cut anew: the arguments of `napari_unet.engine.prediction.recut`."""

    uncut: KeptPlanes[Uncut]
    order: tuple[int, ...]
    neck: float
    planes: Planes
    resume: Resume
    link: Along | None
    painted: Planes | None
    sink: Sink


def cut_results(cuts: Sequence[Cut]) -> Job:
    """Cut one result after the other anew, into their sinks.

    Told are `TurnStarted` per result, and the events of `napari_unet.engine.prediction.recut`.
    """

    def run(stop: Stop) -> Iterator[object]:
        from napari_unet.engine.prediction import recut  # noqa: PLC0415

        for number, cut in enumerate(cuts):
            if number and stop():
                return
            yield TurnStarted(number)
            events = recut(
                cut.uncut.read,
                cut.order,
                cut.neck,
                planes=cut.planes,
                resume=cut.resume,
                link=cut.link,
                painted=cut.painted,
                stop=stop,
            )
            for event in events:
                if isinstance(event, PlaneDone):
                    cut.sink.write(event)
                yield event

    return run


class TurnTimer(Stopwatch):
    """Tells how far the job is, how fast it is, and how long it still takes."""

    def __init__(self, turns: int) -> None:
        super().__init__()
        self._turns = turns
        self._turn = 0  # from 0
        self._fraction = 0.0  # of all turns that is done
        self._last_lap = 0.0
        self._pixels = 0
        self._shortage = ""  # of memory, in this turn
        self._note = ""  # about the image of this turn

    def lap(self) -> float:
        """Return the time worked since this was asked last, seconds."""
        before, self._last_lap = self._last_lap, self.seconds
        return self._last_lap - before

    def tell(self, event: object) -> Progress | None:
        """Return what to show for this event, None to leave the line as it is."""
        match event:
            case TurnStarted():
                self.resume()
                self._turn, self._shortage = event.number, ""
            case SegmentStarted():
                self._note = event.note
            case MemoryShort():
                self._shortage = str(event)
            case TileDone():
                return self._tell_tile(event)
            case SegmentDone(reason=FinishReason.STOPPED):
                return Progress("Segmenting was stopped.", self._fraction)
            case SegmentDone() if self._turn + 1 == self._turns:
                return Progress(" ".join(filter(None, ["Segmented.", self._note])), 1)
        return None

    def _tell_tile(self, event: TileDone) -> Progress:
        self._pixels += (event.y.stop - event.y.start) * (event.x.stop - event.x.start)
        fraction = self._fraction = (self._turn + event.done / event.total) / self._turns
        parts = [f"Tile {event.done:,} of {event.total:,}"]
        if self._turns > 1:
            parts.insert(0, f"Layer {self._turn + 1} of {self._turns}")
        seconds = self.seconds
        left = time_left(seconds, fraction)
        if left is not None:
            parts += [f"{self._pixels / 1e6 / seconds:.2f} Mpx/s", left]
        if self._shortage:
            parts.append(self._shortage)
        return Progress(" · ".join(parts), fraction)
