"""The training job keeps what it has trained, and its events are told in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_unet.config import RECIPES, NetworkConfig, ObjectsConfig, Task, TrainConfig, Unpainted
from napari_unet.engine import prediction as prediction_room
from napari_unet.engine import training as training_room
from napari_unet.engine.errors import EngineError
from napari_unet.engine.events import (
    TOO_LITTLE,
    Corrected,
    FinishReason,
    LabelsTaken,
    MemoryShort,
    Reviewed,
    Skipped,
    StepDone,
    TrainDone,
    TrainStarted,
    Validated,
    View,
    never,
)
from napari_unet.engine.network.model import Model
from napari_unet.engine.network.record import HeldOut, TrainRecord
from napari_unet.engine.paint import TrainingSet
from napari_unet.engine.paint.label_scheme import LabelScheme
from napari_unet.engine.stack.planes import ArrayPlanes
from napari_unet.engine.training.plan import TrainingPlan
from napari_unet.io.checkpoints import load_model
from napari_unet.io.library import FOLDER_VARIABLE
from napari_unet.io.provenance import Source
from napari_unet.io.trained_on import Lesson
from napari_unet.ui.train.job import (
    LastTrainedNotSaved,
    LastTrainedSaved,
    TrainingBegins,
    TrainingWords,
    train_on_labels,
)
from tests.ui.conftest import CPU


class Watching:
    """Someone who looks at the first plane and paints nothing."""

    def view(self) -> View:
        return View(0, slice(0, 8), slice(0, 8))

    def take_painted(self) -> frozenset[int]:
        return frozenset()


LIVE = Watching()
PLANES = ArrayPlanes(np.zeros((8, 8), np.uint8))
PAIRS = TrainingSet.of((PLANES, PLANES))
PLAN = TrainingPlan(
    start=NetworkConfig(dropout=0.5),
    scheme=LabelScheme(Task.CLASSES, Unpainted.BACKGROUND),
    config=TrainConfig(seconds=3),
    device=CPU,
    objects=lambda: ObjectsConfig(min_size=5),
)


@pytest.fixture
def trained(model: Model) -> TrainDone:
    record = TrainRecord(steps=300, best_step=280, seconds=61, validation_iou=0.834)
    return TrainDone(FinishReason.TIME, replace(model, record=record))


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch, trained: TrainDone) -> dict[str, Any]:
    """Put a fake in the place of the engine; return what it was asked."""
    asked: dict[str, Any] = {}

    def fit(*stacks_and_plan: Any, **beside: Any) -> Iterator[object]:
        asked.update(beside, given=stacks_and_plan)
        yield trained

    monkeypatch.setattr(training_room, "fit", fit)
    return asked


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "not made yet" / "models"
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    return folder


def test_every_argument_reaches_the_engine(fitted: dict[str, Any], folder: Path) -> None:
    list(train_on_labels(PAIRS, PLAN, LIVE)(never))
    assert fitted == {"given": (PAIRS, PLAN), "stop": never, "live": LIVE}


def test_the_model_is_saved_at_once(
    fitted: dict[str, Any], folder: Path, trained: TrainDone
) -> None:
    events = list(train_on_labels(PAIRS, PLAN, None)(never))
    path = folder / "last trained.safetensors"
    assert events == [TrainingBegins(), trained, LastTrainedSaved(path)]
    assert load_model(path).record.steps == 300


def test_the_saved_model_says_what_it_was_trained_on(
    fitted: dict[str, Any], folder: Path, trained: TrainDone
) -> None:
    source = Source("cells", "", (64, 48), "YX")
    lesson = Lesson(source, replace(source, name="strokes"), Unpainted.IGNORED)
    events = list(train_on_labels(PAIRS, PLAN, None, lessons=[lesson])(never))
    assert isinstance(events[1], TrainDone)
    (told,) = load_model(folder / "last trained.safetensors").record.trained_on
    assert (told.image, told.labels) == ("cells", "strokes")
    assert events[1].model.record.trained_on == (told,)


def test_a_folder_that_cannot_be_written_loses_nothing(
    fitted: dict[str, Any], folder: Path, trained: TrainDone
) -> None:
    folder.parent.write_text("a file in the place of the folder")
    _, first, last = train_on_labels(PAIRS, PLAN, None)(never)
    assert first is trained
    assert isinstance(last, LastTrainedNotSaved)
    words = TrainingWords()
    words.tell(first)
    told = words.tell(last)
    assert told is not None
    assert told.text.startswith("Trained 300 steps in 61 s (time is up).")
    assert "in memory only" in told.text
    assert str(folder) in told.text


def test_training_that_fails_has_saved_what_it_learned_before(
    monkeypatch: pytest.MonkeyPatch, folder: Path, trained: TrainDone
) -> None:
    def fit(*_: Any, **__: Any) -> Iterator[object]:
        yield replace(trained, reason=FinishReason.FAILED)
        raise EngineError("The computation failed.")

    monkeypatch.setattr(training_room, "fit", fit)
    events = train_on_labels(PAIRS, PLAN, None)(never)
    assert [type(next(events)) for _ in range(3)] == [TrainingBegins, TrainDone, LastTrainedSaved]
    with pytest.raises(EngineError, match="failed"):
        next(events)
    assert load_model(folder / "last trained.safetensors").record.steps == 300


def told(*events: object) -> list[tuple[str, float | None]]:
    words = TrainingWords()
    lines = [words.tell(event) for event in events]
    return [(line.text, line.fraction) for line in lines if line is not None]


def test_a_run_in_words(trained: TrainDone) -> None:
    held_out = (HeldOut(1, (0, 8), (0, 8), 204),)
    assert told(
        TrainStarted("CPU", (1, 2), 12400, held_out, (0, 1), 99),
        StepDone(1, 0.6931, 0.5, 0.01),
        Validated(1, 1.0, 0.5, 0.812, best=True),
        StepDone(120, 0.2134, 20.0, 0.25),
        trained,
    ) == [
        ("Training on 2 painted planes, 12,400 px; 204 px held out to validate.", 0),
        ("Step 1 · loss 0.693", 0.01),
        ("Step 120 · loss 0.213 · IoU 0.81 · 60 s left", 0.25),
        ("Trained 300 steps in 61 s (time is up). Validation IoU 0.83, kept from step 280.", 1),
    ]


def test_new_strokes_are_told_of_for_a_while() -> None:
    both = "Last correction: 8 % of 1,240 px were wrong. New strokes taken in: 3 planes, 12,400 px"
    assert told(
        StepDone(99, 0.2, 9.9, 0.25),
        Corrected(100, 10.0, 1240, 0.08),
        LabelsTaken(100, 10.1, (1, 2, 5), 12400, ()),
        StepDone(101, 0.2, 12.0, 0.3),
        StepDone(140, 0.2, 14.0, 0.5),
    ) == [
        ("Step 99 · loss 0.200 · 30 s left", 0.25),
        ("Last correction: 8 % of 1,240 px were wrong", 0.25),
        (both, 0.25),
        (both, 0.3),
        ("Step 140 · loss 0.200 · 4 s left", 0.5),
    ]


def test_each_kind_of_news_is_told_once() -> None:
    lines = told(
        StepDone(99, 0.2, 9.9, 0.25),
        Corrected(100, 10.0, 1240, 0.08),
        LabelsTaken(100, 10.1, (1, 2, 5), 12400, ()),
        Corrected(104, 11.0, 300, 0.5),
        LabelsTaken(104, 11.1, (1, 2, 5), 12700, ()),
    )
    last = "Last correction: 50 % of 300 px were wrong. New strokes taken in: 3 planes, 12,700 px"
    assert lines[-1] == (last, 0.25)


def test_the_time_left_counts_from_the_last_strokes() -> None:
    """They make the limits start anew: 10 s of 40 are over, whatever came before."""
    *_, (text, _) = told(LabelsTaken(100, 90.0, (1,), 12400, ()), StepDone(140, 0.2, 100.0, 0.25))
    assert text == "Step 140 · loss 0.200 · 30 s left"


def test_too_little_memory_is_told_of_for_a_while() -> None:
    short = "Memory is short: going on with 98 px at a time on GPU (fastest found)"
    assert told(
        StepDone(1, 0.2, 1.0, 0.25),
        MemoryShort("GPU (fastest found)", 98),
        StepDone(2, 0.2, 2.0, 0.3),
        StepDone(3, 0.2, 30.0, 0.5),
    )[1:] == [(short, 0.25), (short, 0.3), ("Step 3 · loss 0.200 · 30 s left", 0.5)]


def test_what_could_not_be_done_is_told_of_for_a_while() -> None:
    reason = "There is no preview of what you look at: plane 7 cannot be read."
    assert told(
        StepDone(1, 0.2, 1.0, 0.25),
        Skipped(1, 1.0, reason),
        StepDone(2, 0.2, 2.0, 0.3),
        StepDone(3, 0.2, 30.0, 0.5),
    )[1:] == [(reason, 0.25), (reason, 0.3), ("Step 3 · loss 0.200 · 30 s left", 0.5)]


def test_a_run_without_validation_says_so(model: Model) -> None:
    words = TrainingWords()
    record = TrainRecord(steps=1, best_step=1, seconds=1)
    done = words.tell(TrainDone(FinishReason.COMPLETED, replace(model, record=record)))
    assert done is not None
    assert done.text == "Trained 1 step in 1 s. Too little is painted to validate."
    assert words.where() == "Trained 1 step"


def test_a_run_that_was_stopped_before_new_strokes_were_validated_says_so(model: Model) -> None:
    record = TrainRecord(
        steps=9, best_step=9, seconds=1, held_out=(HeldOut(0, (0, 8), (0, 8), 64),)
    )
    ((text, _),) = told(TrainDone(FinishReason.STOPPED, replace(model, record=record)))
    assert text == (
        "Trained 9 steps in 1 s (stopped). "
        "The last weights are kept, not validated since the last strokes."
    )


def test_a_run_that_was_to_hold_nothing_out_says_so(model: Model) -> None:
    settings = asdict(RECIPES["2015"])
    record = TrainRecord(steps=1, best_step=1, seconds=1, settings=settings)
    ((text, _),) = told(TrainDone(FinishReason.COMPLETED, replace(model, record=record)))
    assert text == "Trained 1 step in 1 s. Nothing was held out to validate."


def test_the_best_step_is_named_unless_it_is_the_last(trained: TrainDone) -> None:
    record = replace(trained.model.record, best_step=300)
    words = TrainingWords()
    words.tell(trained)
    assert words.where() == "Trained 300 steps · IoU 0.83 · best at 280"
    words.tell(replace(trained, model=replace(trained.model, record=record)))
    assert words.where() == "Trained 300 steps · IoU 0.83"


def test_the_start_is_named_if_no_step_was_better(trained: TrainDone) -> None:
    record = replace(trained.model.record, best_step=0)
    done = replace(trained, model=replace(trained.model, record=record))
    words = TrainingWords()
    line = words.tell(done)
    assert line is not None
    assert line.text.endswith("IoU 0.83: no step was better than the start, which is kept.")
    assert words.where() == "Trained 300 steps · IoU 0.83 · best at the start"


REVIEWED = Reviewed(7, 9, 0, 2, ((1, slice(0, 8), slice(0, 8)),) * 2, touching=True, tells=True)


def test_of_strokes_no_iou_is_told_but_that_they_judge_nothing(trained: TrainDone) -> None:
    record = replace(trained.model.record, whole_objects=1)
    done = replace(trained, model=replace(trained.model, record=record))
    started = TrainStarted("CPU", (1,), 900, (), (0, 1), 99, whole_objects=1)
    *_, (step, _), (end, _) = told(
        started, Validated(1, 1.0, 0.5, 1.0, best=True), StepDone(9, 0.2, 2.0, 0.25), done
    )
    assert step == "Step 9 · loss 0.200 · 6 s left"
    assert end == "Trained 300 steps in 61 s (time is up), kept from step 280."
    words = TrainingWords()
    words.tell(done)
    assert words.where() == f"Trained 300 steps · best at 280\n{TOO_LITTLE}"


def test_with_objects_painted_whole_meanwhile_the_iou_is_told_again() -> None:
    strokes = TrainStarted("CPU", (1,), 900, (), (0, 1), 99, whole_objects=0)
    taken = LabelsTaken(1, 1.0, (1,), 900, (), whole_objects=2)
    validated = Validated(1, 1.0, 0.5, 0.9, best=True)
    *_, (text, _) = told(strokes, validated, taken, StepDone(9, 0.2, 20.0, 0.25))
    assert "IoU 0.90" in text


def test_how_the_painted_objects_are_found_is_told_at_last(trained: TrainDone) -> None:
    words = TrainingWords()
    words.tell(trained)
    assert words.tell(REVIEWED) is None  # the last line stays
    found = "It finds 7 of 9 objects painted whole (2 merged)."
    assert words.where() == f"Trained 300 steps · IoU 0.83 · best at 280\n{found}"


@pytest.mark.parametrize("stopped", [False, True])
def test_the_painted_objects_are_looked_at_even_after_a_stop(
    monkeypatch: pytest.MonkeyPatch, fitted: dict[str, Any], folder: Path, stopped: bool
) -> None:
    asked: list[Any] = []

    def review(*stacks_and_scheme: Any, stop: Any, **how: Any) -> Reviewed:
        asked.append((*stacks_and_scheme, how, stop()))
        return REVIEWED

    monkeypatch.setattr(prediction_room, "review", review)
    *_, done, _, last = train_on_labels(PAIRS, PLAN, None)(lambda: stopped)
    assert last is REVIEWED
    assert isinstance(done, TrainDone)
    how = {"device": CPU, "objects": PLAN.objects()}
    assert asked == [(done.model, PAIRS, PLAN.scheme, how, False)]


def test_a_look_that_fails_is_no_failed_training(
    monkeypatch: pytest.MonkeyPatch, fitted: dict[str, Any], folder: Path
) -> None:
    def review(*_: Any, **__: Any) -> Reviewed:
        raise EngineError("The device has gone.")

    monkeypatch.setattr(prediction_room, "review", review)
    *_, last = train_on_labels(PAIRS, PLAN, None)(never)
    assert isinstance(last, Skipped)
    assert "could not be looked at: The device has gone." in last.reason
