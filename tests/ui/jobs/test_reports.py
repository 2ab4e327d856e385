"""Events in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

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
from napari_unet.engine.model import HeldOut, Model, TrainRecord
from napari_unet.ui.jobs import work
from napari_unet.ui.jobs.reports import Reporter, describe_model


def text(reporter: Reporter, event: object) -> str:
    progress = reporter.tell(event)
    assert progress is not None
    return progress.text


def test_training_is_told_step_by_step() -> None:
    reporter = Reporter()
    started = TrainStarted("CPU", (0, 4), 12345, (HeldOut(0, (0, 9), (0, 9), 678),), (0, 1), 9)
    assert text(reporter, started) == (
        "Training on 2 painted planes, 12,345 px; 678 px held out to validate."
    )
    assert text(reporter, StepDone(1, 0.69314, 0.5, 0.01)) == "Step 1 · loss 0.693"
    assert reporter.tell(Validated(1, 6, 0.5, 0.91234, best=True)) is None
    progress = reporter.tell(StepDone(1200, 0.1, 15, 0.25))
    assert progress is not None
    assert progress.text == "Step 1,200 · loss 0.100 · IoU 0.912 · 45 s left"
    assert progress.fraction == 0.25


def test_the_end_of_training_names_the_kept_weights(model: Model) -> None:
    record = TrainRecord(steps=120, best_step=100, seconds=60.2, validation_iou=0.91234)
    done = TrainDone(FinishReason.TIME, replace(model, record=record))
    reporter = Reporter()
    assert text(reporter, done) == (
        "Trained 120 steps in 60 s (time is up). Validation IoU 0.912, kept from step 100."
    )
    assert reporter.ended


def test_training_without_validation_says_so(model: Model) -> None:
    record = TrainRecord(steps=1, best_step=1, seconds=1)
    done = TrainDone(FinishReason.STOPPED, replace(model, record=record))
    assert text(Reporter(), done) == (
        "Trained 1 step in 1 s (stopped). Too little is painted to validate."
    )


def test_segmenting_is_told_tile_by_tile() -> None:
    reporter = Reporter()
    assert text(reporter, SegmentStarted("CPU", (1, 0, 2), 12, 256)) == "Segmenting 3 planes…"
    tile = TileDone(1, slice(0, 4), slice(0, 4), np.zeros((4, 4)), done=3, total=12)
    progress = reporter.tell(tile)
    assert progress is not None
    assert progress.text == "Tile 3 of 12"
    assert progress.fraction == 0.25
    reporter._started -= 30
    assert text(reporter, tile) == "Tile 3 of 12 · 1 min 30 s left"


def test_the_end_of_segmenting_counts_the_objects() -> None:
    reporter = Reporter()
    reporter.tell(SegmentStarted("CPU", (1, 0, 2), 12, 256))
    for plane in range(3):
        reporter.tell(PlaneDone(plane, np.zeros((4, 4)), objects=500, complete=True))
    done = SegmentDone(FinishReason.COMPLETED, (1, 0, 2), 3700)
    assert text(reporter, done) == "Segmented 3 planes in 61 min 40 s, 1,500 objects."


def test_a_stopped_segmentation_says_what_is_kept() -> None:
    reporter = Reporter()
    reporter.tell(SegmentStarted("CPU", (1, 0, 2), 12, 256))
    assert text(reporter, SegmentDone(FinishReason.STOPPED, (1,), 3)) == (
        "Stopped with 1 of 3 planes done; what is done stays in the layer."
    )


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (work.PlaneWritten(3, 12), "Writing plane 3 of 12"),
        (work.Exported(Path("folder/a.tif")), "Saved a.tif in folder."),
        (work.ModelSaved(Path("folder/m.safetensors")), "Saved m.safetensors in folder."),
        ("something else", None),
    ],
)
def test_files_are_told(event: object, words: str | None) -> None:
    progress = Reporter().tell(event)
    assert (progress.text if progress else None) == words


def test_a_model_is_named_with_its_score_and_its_story(model: Model) -> None:
    record = TrainRecord(started="2026-01-01", steps=12, validation_iou=0.5, device="CPU")
    model = replace(model, record=record, pixel_size=(0.25, 0.5))
    name, story = describe_model(TrainDone(FinishReason.TIME, model))
    assert name == "Trained, IoU 0.500"
    assert "Trained: 2026-01-01, 12 steps on CPU" in story
    assert "Pixel size: 0.25 × 0.5 µm" in story
    opened = work.ModelOpened(Path("folder/hela.safetensors"), replace(model, record=TrainRecord()))
    assert describe_model(opened)[0] == "hela"
