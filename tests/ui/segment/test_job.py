"""Segmenting one image after the other, and how far it is, in words."""

from __future__ import annotations

import numpy as np

from napari_unet.engine.events import (
    FinishReason,
    MemoryShort,
    SegmentDone,
    TileDone,
)
from napari_unet.ui.segment.job import TurnStarted, TurnTimer


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
