"""Events in words: one calm line, and how much is done."""

from __future__ import annotations

import time
from dataclasses import dataclass

from napari_unet.engine.events import (
    FinishReason,
    PlaneDone,
    SegmentDone,
    SegmentStarted,
    StepDone,
    TileDone,
    TrainDone,
    TrainStarted,
    Validated,
)
from napari_unet.ui.jobs.work import DeviceFound, Exported, ModelOpened, ModelSaved, PlaneWritten

__all__ = ["Progress", "Reporter", "describe_model"]

_SOON = 2.0  # seconds of work before a time left is told


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is."""

    text: str
    fraction: float | None = None  # 0 to 1; None: nobody knows


class Reporter:
    """Turns the events of one job into words."""

    def __init__(self) -> None:
        self._iou: float | None = None
        self._objects = 0
        self._started = time.monotonic()
        self._planes = 0
        self.ended = False  # the last event has been told

    def tell(self, event: object) -> Progress | None:
        """Return what to show for this event, None to leave the line as it is."""
        told = self._tell_training(event) or self._tell_segmenting(event) or _tell_files(event)
        self.ended = isinstance(event, TrainDone | SegmentDone | Exported)
        return told

    def _tell_training(self, event: object) -> Progress | None:
        match event:
            case TrainStarted():
                return Progress(_training(event), 0)
            case StepDone():
                return self._step(event)
            case Validated():
                self._iou = event.iou
            case TrainDone():
                return Progress(self._trained(event), 1)
        return None

    def _tell_segmenting(self, event: object) -> Progress | None:
        match event:
            case SegmentStarted():
                self._planes = len(event.planes)
                return Progress(f"Segmenting {_count(self._planes, 'plane')}…", 0)
            case TileDone():
                return self._tile(event)
            case PlaneDone():
                self._objects += event.objects
            case SegmentDone():
                return Progress(self._segmented(event), 1)
        return None

    def _step(self, event: StepDone) -> Progress:
        parts = [f"Step {event.step:,}", f"loss {event.loss:.3f}"]
        if self._iou is not None:
            parts.append(f"IoU {self._iou:.3f}")
        parts += _left(event.seconds, event.progress)
        return Progress(" · ".join(parts), event.progress)

    def _trained(self, event: TrainDone) -> str:
        record = event.model.record
        text = f"Trained {_count(record.steps, 'step')} in {_duration(record.seconds)}"
        if event.reason is not FinishReason.COMPLETED:
            text += f" ({event.reason})"
        if record.validation_iou is None:
            return f"{text}. Too little is painted to validate."
        return f"{text}. Validation IoU {record.validation_iou:.3f}, kept from step " + (
            f"{record.best_step:,}."
        )

    def _tile(self, event: TileDone) -> Progress:
        fraction = event.done / event.total
        parts = [f"Tile {event.done:,} of {event.total:,}"]
        parts += _left(time.monotonic() - self._started, fraction)
        return Progress(" · ".join(parts), fraction)

    def _segmented(self, event: SegmentDone) -> str:
        found = f", {_count(self._objects, 'object')}" if self._objects else ""
        if event.reason is FinishReason.STOPPED:
            return (
                f"Stopped with {len(event.planes):,} of {_count(self._planes, 'plane')} "
                f"done{found}; what is done stays in the layer."
            )
        planes = _count(len(event.planes), "plane")
        return f"Segmented {planes} in {_duration(event.seconds)}{found}."


def describe_model(event: TrainDone | ModelOpened) -> tuple[str, str]:
    """Return a model's name and score, and in some lines how it came about."""
    model = event.model
    record = model.record
    name = event.path.stem if isinstance(event, ModelOpened) else "Trained"
    score = "" if record.validation_iou is None else f", IoU {record.validation_iou:.3f}"
    story = [
        f"Task: {model.task}",
        f"Network: {model.network.name}",
        f"Started from: {record.start}",
        f"Trained: {record.started}, {_count(record.steps, 'step')} on {record.device}",
    ]
    if model.pixel_size is not None:
        y, x = model.pixel_size
        story.append(f"Pixel size: {y:.4g} × {x:.4g} µm")
    return f"{name}{score}", "\n".join(story)


def _training(event: TrainStarted) -> str:
    held_out = sum(block.pixels for block in event.held_out)
    validation = f"; {held_out:,} px held out to validate" if held_out else ""
    return (
        f"Training on {_count(len(event.planes), 'painted plane')}, "
        f"{event.labelled_pixels:,} px{validation}."
    )


def _tell_files(event: object) -> Progress | None:
    match event:
        case DeviceFound():
            return Progress("Ready.")
        case PlaneWritten(done, total):
            return Progress(f"Writing plane {done:,} of {total:,}", done / total)
        case Exported(path) | ModelSaved(path):
            return Progress(f"Saved {path.name} in {path.parent}.", 1)
        case ModelOpened(path):
            return Progress(f"Opened {path.name}.", 1)
    return None


def _left(seconds: float, fraction: float) -> list[str]:
    if seconds < _SOON or fraction <= 0:
        return []
    return [f"{_duration(seconds * (1 - fraction) / fraction)} left"]


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 90:
        return f"{whole} s"
    if whole < 90 * 60:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}" + ("" if number == 1 else "s")
