"""Segmenting one image after the other, and how far it is, in words."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from napari_unet.config import ObjectsConfig, OutputKind, TilingConfig
from napari_unet.engine.events import (
    FinishReason,
    MemoryShort,
    PlaneDone,
    Resume,
    SegmentDone,
    SideTried,
    TileDone,
    never,
)
from napari_unet.engine.prediction import tile_trial
from napari_unet.engine.stack.planes import ArrayPlanes
from napari_unet.ui.jobs import segmenting
from napari_unet.ui.jobs.segmenting import Turn, TurnStarted, TurnTimer, segment_images
from tests.engine.tiny import CPU, noise, tiny_model


class Nowhere:
    """Takes what is finished, and forgets it."""

    def prepare(self) -> None:
        """Nothing to do."""

    def write(self, event: TileDone | PlaneDone) -> None:
        """Forget it."""


def turn() -> Turn:
    return Turn(
        model=tiny_model(),
        planes=ArrayPlanes(noise(1, 60, 60)),
        device=CPU,
        tiling=TilingConfig(),
        objects=ObjectsConfig(),
        kind=OutputKind.LABELS,
        numbers=None,
        focus=(0, 0, 0),
        resume=Resume(),
        sink=Nowhere(),
    )


def test_the_fastest_side_of_tiles_is_found_once_and_said_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tile_trial, "_WORTH", 0)
    turns = [turn(), turn()]
    timer = TurnTimer(len(turns))

    kinds = []
    for event in segment_images(turns)(never):
        kinds.append(type(event))
        progress = timer.tell(event)
        if isinstance(event, SideTried):
            assert progress is not None
            assert progress.text == "Finding the fastest tile size…"

    assert kinds[0] is SideTried
    assert kinds.count(SegmentDone) == 2
    assert SideTried not in kinds[kinds.index(TurnStarted) :]
    assert SideTried not in [type(event) for event in segment_images(turns)(never)]


def test_finding_the_size_of_tiles_does_not_count_for_the_time_that_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(segmenting, "time", SimpleNamespace(monotonic=lambda: clock.now))
    timer = TurnTimer(turns=1)

    begun = {1.0: SideTried(512, 0, 12), 9.0: SideTried(352, 1, 12), 21.0: TurnStarted(0)}
    for clock.now, event in begun.items():
        timer.tell(event)
    clock.now = 23.0

    assert timer.seconds == 3


def test_too_little_memory_stays_in_the_line_until_the_next_image() -> None:
    timer = TurnTimer(turns=2)
    tile = TileDone(0, slice(0, 8), slice(0, 8), np.zeros((8, 8)), done=1, total=4)

    def told(event: object) -> str:
        progress = timer.tell(event)
        assert progress is not None
        return progress.text

    timer.tell(TurnStarted(0))
    assert "Memory" not in told(tile)
    timer.tell(MemoryShort("CPU, 2 threads", 64))
    assert told(tile).endswith("Memory is short: going on with 64 px at a time on CPU, 2 threads")
    timer.tell(TurnStarted(1))
    assert "Memory" not in told(tile)


def test_a_segmentation_that_was_stopped_is_not_called_finished() -> None:
    timer = TurnTimer(turns=2)
    timer.tell(TurnStarted(0))
    done = timer.tell(SegmentDone(FinishReason.STOPPED, (), 1.0))
    assert done is not None
    assert (done.text, done.fraction) == ("Segmenting was stopped.", 0)
