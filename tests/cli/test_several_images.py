"""One model from several images, on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from napari_unet.engine.training.schedule import Schedule
from napari_unet.engine.training.trainer import Trainer
from napari_unet.io.checkpoints import load_model
from napari_unet.io.hashes import stack_hash
from napari_unet.io.images import open_image
from napari_unet.io.samples import paint_strokes, synthetic_cells
from tests.cli.conftest import Command, save, sentence


@pytest.fixture
def sets(folder: Path) -> Path:
    """A folder with images/ of two sizes and types, and labels/ of them."""
    for name, shape, scale in (("a", (72, 80), 1), ("b", (64, 100), 8)):
        made = synthetic_cells(seed=len(name), planes=2, shape=shape)
        (folder / "images").mkdir(exist_ok=True)
        (folder / "labels").mkdir(exist_ok=True)
        image = (made.image // 16 * scale).astype(np.uint16 if scale > 1 else np.uint8)
        save(folder / "images" / f"{name}.tif", image)
        save(folder / "labels" / f"{name}_labels.tif", paint_strokes(made.truth, [0], cells=3))
    return folder


def words(folder: Path, *given: object) -> list[object]:
    return [
        *("train", *given, "--model", folder / "m.safetensors"),
        *("--from", folder / "tiny.safetensors", "--steps", 3, "--device", "cpu"),
    ]


def pair(folder: Path, name: str) -> tuple[object, ...]:
    return "--pair", folder / "images" / f"{name}.tif", folder / "labels" / f"{name}_labels.tif"


def test_two_folders_and_pairs_one_by_one_train_the_same_model(
    command: Command, sets: Path
) -> None:
    outcome = command(*words(sets, sets / "images", sets / "labels"), "--json")
    assert outcome.exit_code == 0, outcome.stderr
    figures = json.loads(outcome.stdout)
    assert (figures["images"], figures["planes"]) == (2, [0, 2])
    assert "on 2 planes of 2 images" in outcome.stderr
    assert "No pixel size is known: all images are taken" in outcome.stderr
    first = load_model(sets / "m.safetensors")
    told = first.record.images
    assert [(one.image, one.labels, one.planes, one.is_further) for one in told] == [
        ("a", "a_labels.tif", (0,), False),
        ("b", "b_labels.tif", (0,), True),
    ]
    for one in told:
        planes = open_image(sets / "images" / f"{one.image}.tif").planes()
        assert one.image_hash == stack_hash(planes, [0])
        assert one.labels_hash

    again = command(*words(sets, *pair(sets, "a"), *pair(sets, "b")))
    assert again.exit_code == 0, again.stderr
    second = load_model(sets / "m.safetensors")
    assert second.record.validation_loss == first.record.validation_loss

    result = sets / "out.tif"
    segment = ("segment", sets / "images" / "b.tif", "--model", sets / "m.safetensors")
    assert command(*segment, "--output", result).exit_code == 0
    assert command("repeat", result).exit_code == 0
    assert "of 'a' and 1 further image" in command("repeat", result, "--methods").stdout


def test_a_training_on_several_images_is_gone_on_with(
    command: Command, sets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Schedule, "may_keep", lambda *_: True)
    update = Trainer._update

    def fail(self: Trainer, progress: float) -> float:
        if self.step == 2:
            raise KeyboardInterrupt
        return update(self, progress)

    both = words(sets, *pair(sets, "a"), *pair(sets, "b"))
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_update", fail)
        command(*both)
    fewer = command(*words(sets, *pair(sets, "a")), "--resume")
    assert "was on 2 images, not 1; choose those, or begin anew" in sentence(fewer)
    resumed = command(*both, "--resume", "--json")
    assert resumed.exit_code == 0, resumed.stderr
    assert json.loads(resumed.stdout)["steps"] == 3


def test_an_unpainted_image_is_left_out_and_that_is_said(command: Command, sets: Path) -> None:
    save(sets / "labels" / "b_labels.tif", np.zeros((2, 64, 100), np.uint8))
    outcome = command(*words(sets, sets / "images", sets / "labels"))
    assert outcome.exit_code == 0, outcome.stderr
    assert "Nothing is painted on 'b': it is left out." in outcome.stderr
    assert [one.image for one in load_model(sets / "m.safetensors").record.images] == ["a"]


def test_wrong_pairs_end_with_their_sentence(command: Command, sets: Path) -> None:
    a, b = sets / "images" / "a.tif", sets / "labels" / "b_labels.tif"
    mixed = sentence(command(*words(sets, *pair(sets, "a"), "--pair", a, b)))
    assert "b_labels.tif' are 2×64×100 but the image is 2×72×80" in mixed
    planes = sentence(command(*words(sets, *pair(sets, "a"), *pair(sets, "b"), "--planes", 0)))
    assert "--planes chooses planes of one image, but 2 are given" in planes
    outcome = command(*words(sets, sets / "images"))
    assert outcome.exit_code == 2
    assert "needs its LABELS" in outcome.stderr
