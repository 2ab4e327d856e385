"""What training tells people is told in their words."""

from __future__ import annotations

import errno
from dataclasses import asdict
from pathlib import Path

import pytest

from napari_unet.cli import train
from napari_unet.cli.settings import TrainWishes
from napari_unet.cli.train import _describe, for_people
from napari_unet.config import TrainConfig
from napari_unet.engine.errors import FileError
from napari_unet.engine.events import TrainStarted
from napari_unet.engine.network.record import Diameter, DiameterSource, HeldOut
from napari_unet.io.checkpoints import load_model
from napari_unet.io.training_pairs import PairFiles


def test_one_plane_and_one_block_are_told_as_one() -> None:
    block = HeldOut(2, (0, 8), (0, 8), 1)
    begun = TrainStarted("CPU", (2,), 1, (block,), (0, 1), 1)
    assert _describe(begun) == (
        "Training on CPU: 1 labelled pixel on plane 2; held out for validation: 1 block"
    )
    assert for_people({"held_out": [asdict(block)]}) == {"held_out": "1 pixel in 1 block"}


def test_it_is_told_how_wide_objects_are_and_who_says_so() -> None:
    estimated = Diameter(57.4, DiameterSource.ESTIMATED)
    begun = TrainStarted("CPU", (2,), 50, (), (0, 1), 1, reduction=2, diameter=estimated)
    assert _describe(begun) == (
        "Training on CPU: 50 labelled pixels on plane 2; held out for validation: nothing; "
        "objects are 57 px wide (estimated from strokes); 2×2 pixels seen as one"
    )


def test_it_is_told_that_the_image_is_enlarged() -> None:
    begun = TrainStarted("CPU", (2,), 50, (), (0, 1), 1, enlargement=2)
    assert _describe(begun).endswith("; each pixel seen as 2×2")


@pytest.mark.parametrize("name", ["m.safetensors", f"{'long ' * 60}.safetensors"])
def test_what_cannot_be_written_is_told_before_the_training(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbid(self: Path, **_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    if name == "m.safetensors":
        monkeypatch.setattr(Path, "touch", forbid)  # root may write anywhere
    monkeypatch.setattr(train, "fit", lambda *_, **__: pytest.fail("the training began"))
    model = load_model(folder / "tiny.safetensors")
    wishes = TrainWishes(model, TrainConfig(steps=1), device="cpu")
    with pytest.raises(FileError, match="choose another folder or"):
        train.train_model(
            [PairFiles(folder / "cells.tif", folder / "strokes.tif")],
            wishes,
            output=folder / name,
            selection=None,
            stop=lambda: False,
        )
