"""Training in the background, and its events in words."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_unet.engine.counts import count, duration
from napari_unet.engine.errors import FileError, UnetPaintError
from napari_unet.engine.events import (
    TOO_LITTLE,
    Corrected,
    FinishReason,
    LabelsTaken,
    Live,
    MemoryShort,
    Reviewed,
    Skipped,
    StepDone,
    Stop,
    TrainDone,
    TrainEvent,
    TrainResumed,
    TrainStarted,
    Validated,
)
from napari_unet.engine.paint import TrainingSet, tell_of_objects
from napari_unet.io.failures import cannot_write
from napari_unet.io.library import model_path
from napari_unet.io.trained_on import Lesson, telling_lessons
from napari_unet.io.training_places import remove_place
from napari_unet.ui.progress import Progress, time_left
from napari_unet.ui.worker import Awaited, Job

if TYPE_CHECKING:
    from napari_unet.engine.network import Model, TrainRecord
    from napari_unet.engine.training import TrainingPlan
    from napari_unet.io.interrupted import Interrupted


LAST_TRAINED = "last trained"
"""Name of the model in the user's folder that every training replaces."""

_BUTTON_UP = 0.05  # seconds in which a pressed button has come up, and been drawn
_REVIEW, _REVIEW_STOPPED = 6.0, 2.0  # seconds that a look at the painted objects takes at most
_TOLD_FOR = 3.0  # seconds for which new strokes are told of


@dataclass(frozen=True, slots=True)
class LastTrainedSaved:
    """The model just trained is safe in a file."""

    path: Path


@dataclass(frozen=True, slots=True)
class TrainingBegins(Awaited):
    """The pressed button has come up: now is the time for a new layer."""


@dataclass(frozen=True, slots=True)
class LastTrainedNotSaved:
    """The model just trained is in memory only."""

    reason: str  # and what to do


@dataclass(frozen=True, slots=True)
class Keeping:
    """Where a training is kept, and under which names."""

    place: Path
    images: tuple[str, ...]
    labels: tuple[str, ...]
    interrupted: Interrupted | None = None  # that it goes on with; None: it begins anew


def train_on_labels(
    pairs: TrainingSet,
    plan: TrainingPlan,
    live: Live | None,
    *,
    lessons: Sequence[Lesson] = (),
    keeping: Keeping | None = None,
) -> Job:
    """Train; the events are those of `napari_unet.engine.training.fit`.

    The model remembers the `lessons`, if they are given. With `keeping`, all that is needed to go
    on is on disk until the training has ended whole and its model is saved.

    `TrainingBegins` comes before them. After the last of them the model is saved as "last
    trained" in the user's folder of models, so that a crash does not lose it: `LastTrainedSaved`
    or `LastTrainedNotSaved`. If training fails, its error comes after that; else `Reviewed` does,
    where objects are painted.
    """

    def run(stop: Stop) -> Iterator[object]:
        time.sleep(_BUTTON_UP)
        yield TrainingBegins()
        done = None
        events, start = _begin(pairs, plan, stop=stop, live=live, keeping=keeping)
        if lessons:
            events = telling_lessons(events, pairs, lessons, start)
        for event in events:
            yield event
            if isinstance(event, TrainDone):
                done = event
                saved = _save(event.model)
                yield saved
                is_whole = event.reason not in (FinishReason.STOPPED, FinishReason.FAILED)
                if keeping is not None and is_whole and isinstance(saved, LastTrainedSaved):
                    remove_place(keeping.place)
        if done is not None:
            yield from _review(done.model, pairs, plan, stop)

    return run


def _begin(
    pairs: TrainingSet,
    plan: TrainingPlan,
    *,
    stop: Stop,
    live: Live | None,
    keeping: Keeping | None,
) -> tuple[Iterator[TrainEvent], Model | None]:
    """Return the events of a training, and the model that it started from, if it was trained."""
    from napari_unet.engine.training import fit  # noqa: PLC0415
    from napari_unet.io.interrupted import KEEP_EVERY, About, KeptTraining  # noqa: PLC0415

    if keeping is None:
        return fit(pairs, plan, stop=stop, live=live), plan.model
    kept = KeptTraining(keeping.place, About(keeping.images, keeping.labels))
    state = None
    if keeping.interrupted is not None:
        kept.claim()
        state = keeping.interrupted.load()
    events = fit(pairs, plan, stop=stop, live=live, keep_every=KEEP_EVERY, interrupted=state)
    return kept.follow(events), plan.model if state is None else state.model


def _review(
    model: Model, pairs: TrainingSet, plan: TrainingPlan, stop: Stop
) -> Iterator[Reviewed | Skipped]:
    """Look at the painted objects for a few seconds; after a stop for a moment."""
    from napari_unet.engine.prediction import review  # noqa: PLC0415

    was_stopped = stop()
    until = time.monotonic() + (_REVIEW_STOPPED if was_stopped else _REVIEW)

    def is_enough() -> bool:
        return time.monotonic() > until or (stop() and not was_stopped)

    try:
        reviewed = review(
            model,
            pairs,
            plan.scheme,
            device=plan.device,
            objects=plan.objects(),
            stop=is_enough,
        )
    except UnetPaintError as error:
        steps, seconds = model.record.steps, model.record.seconds
        yield Skipped(steps, seconds, f"The painted objects could not be looked at: {error}")
        return
    if reviewed is not None:
        yield reviewed


def _save(model: Model) -> LastTrainedSaved | LastTrainedNotSaved:
    from napari_unet.io.checkpoints import save_model  # noqa: PLC0415

    path = model_path(LAST_TRAINED)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return LastTrainedSaved(save_model(model, path))
    except OSError as error:
        return LastTrainedNotSaved(str(cannot_write(path, error)))
    except FileError as error:
        return LastTrainedNotSaved(str(error))


class TrainingWords:
    """Turns the events of one run into words."""

    def __init__(self) -> None:
        self._step = 0
        self._fraction = 0.0  # of the run that is done
        self._seconds = 0.0  # since the start
        self._iou: float | None = None
        self._judges = True  # what is painted says how well objects are found
        self._renewed = 0.0  # seconds since the start at which the limits began to count anew
        self._news: dict[type, str] = {}  # the latest of each kind, about new strokes
        self._news_until = 0.0  # seconds since the start
        self._done: TrainDone | None = None
        self._notes: tuple[str, ...] = ()  # about the images
        self.reviewed: Reviewed | None = None  # how the painted objects are found

    @property
    def has_ended(self) -> bool:
        """Whether the last event was told."""
        return self._done is not None

    def tell(self, event: object) -> Progress | None:
        """Return what to show for this event, None to leave the line as it is."""
        if isinstance(event, Reviewed):
            self.reviewed = event  # told beside the line
            return None
        text = self._resumed(event) if isinstance(event, TrainResumed) else self._text(event)
        return Progress(text, self._fraction) if text else None

    def where(self) -> str:
        """Return in a few words where the run stands: "step 120 · IoU 0.81".

        After its end, a second line says how well objects are found.
        """
        if self._done is None:
            place = f"step {self._step:,}" if self._step else "reading the labels"
            return "\n".join([" · ".join([place, *self._score()]), *self._notes])
        record = self._done.model.record
        known = self.reviewed or (None if tell_of_objects(record.whole_objects) else TOO_LITTLE)
        found = [str(known)] if known else []
        return "\n".join([describe_training(record), *found, *self._notes])

    def _text(self, event: object) -> str:
        text = ""
        match event:
            case TrainStarted():
                self._judges = tell_of_objects(event.whole_objects)
                self._notes = event.notes
                text = _started(event)
            case StepDone():
                text = self._stepped(event)
            case Validated():
                self._iou = event.iou
            case LabelsTaken():
                self._judges = tell_of_objects(event.whole_objects)
                self._renewed = event.seconds
                text = self._new(LabelsTaken, _taken(event), event.seconds)
            case MemoryShort():
                text = self._new(MemoryShort, str(event), self._seconds)
            case Skipped():
                text = self._new(Skipped, event.reason, event.seconds)
            case Corrected():
                text = self._new(Corrected, describe_correction(event), event.seconds)
            case TrainDone():
                self._done, self._fraction = event, 1
                text = _trained(event)
            case LastTrainedNotSaved(reason) if self._done:
                text = f"{_trained(self._done)} It is in memory only: {reason}"
        return text

    def _resumed(self, event: TrainResumed) -> str:
        self._step, self._seconds = event.step, event.seconds
        self._iou = event.validations[-1].iou if event.validations else None
        if event.is_same_paint:
            return f"Going on after step {event.step:,}."
        self._renewed = event.seconds
        return f"Going on after step {event.step:,}, with what is painted now."

    def _stepped(self, event: StepDone) -> str:
        self._step, self._fraction, self._seconds = event.step, event.progress, event.seconds
        if event.seconds < self._news_until:
            return self._told()
        left = time_left(event.seconds - self._renewed, event.progress)
        parts = [f"Step {event.step:,}", f"loss {event.loss:.3f}", *self._score()]
        return " · ".join([*parts, *([left] if left else [])])

    def _score(self) -> list[str]:
        return _iou(self._iou) if self._judges else []

    def _new(self, kind: type, text: str, seconds: float) -> str:
        """Tell this for a while, in place of earlier news of its kind and beside others."""
        if seconds >= self._news_until:
            self._news.clear()
        self._news.pop(kind, None)
        self._news[kind] = text
        self._news_until = seconds + _TOLD_FOR
        return self._told()

    def _told(self) -> str:
        return ". ".join(self._news.values())


def describe_training(record: TrainRecord) -> str:
    """Return "Trained 300 steps · IoU 0.83 · best at 280"; of strokes alone, no IoU."""
    parts = [f"Trained {count(record.steps, 'step')}"]
    if tell_of_objects(record.whole_objects):
        parts += _iou(record.validation_iou)
    if record.validation_iou is not None and record.best_step < record.steps:
        parts.append(f"best at {record.best_step:,}" if record.best_step else "best at the start")
    return " · ".join(parts)


def describe_correction(event: Corrected) -> str:
    """Return "Last correction: 8 % of 1,240 px were wrong"."""
    return f"Last correction: {100 * event.wrong:.0f} % of {event.pixels:,} px were wrong"


def _taken(event: LabelsTaken) -> str:
    planes = count(len(event.planes), "plane")
    return f"New strokes taken in: {planes}, {event.labelled_pixels:,} px"


def _started(event: TrainStarted) -> str:
    held_out = sum(block.pixels for block in event.held_out)
    validation = f"; {held_out:,} px held out to validate" if held_out else ""
    several = f" of {event.images} images" if event.images > 1 else ""
    diameter = event.diameter
    size = f"; objects are {diameter.pixels:.0f} px wide ({diameter.source})" if diameter else ""
    shrunk = f"; the image is shrunk {event.reduction}×" if event.reduction > 1 else ""
    if event.enlargement > 1:
        shrunk = f"; the image is enlarged {event.enlargement}×"
    return (
        f"Training on {count(len(event.planes), 'painted plane')}{several}, "
        f"{event.labelled_pixels:,} px{validation}{size}{shrunk}."
    )


def _trained(event: TrainDone) -> str:
    record = event.model.record
    text = f"Trained {count(record.steps, 'step')} in {duration(record.seconds)}"
    if event.reason is not FinishReason.COMPLETED:
        text += f" ({event.reason})"
    if record.validation_iou is None:
        return f"{text}. {_why_not_validated(record)}."
    tells = tell_of_objects(record.whole_objects)
    text += f". Validation IoU {record.validation_iou:.2f}" if tells else ""
    if not record.best_step:
        text += ": no step was better than the start, which is kept."
    else:
        text += f", kept from step {record.best_step:,}."
    return text


def _why_not_validated(record: TrainRecord) -> str:
    if record.held_out:
        return "The last weights are kept, not validated since the last strokes"
    asked = record.settings.get("validation_share", 1) > 0
    return "Too little is painted to validate" if asked else "Nothing was held out to validate"


def _iou(iou: float | None) -> list[str]:
    return [] if iou is None else [f"IoU {iou:.2f}"]
