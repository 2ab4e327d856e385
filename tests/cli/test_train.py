"""What training tells people is told in their words."""

from __future__ import annotations

from dataclasses import asdict

from napari_unet.cli.train import _describe, for_people
from napari_unet.engine.events import TrainStarted
from napari_unet.engine.network.record import HeldOut


def test_one_plane_and_one_block_are_told_as_one() -> None:
    block = HeldOut(2, (0, 8), (0, 8), 1)
    begun = TrainStarted("CPU", (2,), 1, (block,), (0, 1), 1)
    assert _describe(begun) == (
        "Training on CPU: 1 labelled pixel on plane 2; held out for validation: 1 block"
    )
    assert for_people({"held_out": [asdict(block)]}) == {"held_out": "1 pixel in 1 block"}
