"""How the command line reads labels: as they are meant, or not without a question."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from napari_unet.engine.network.model import Model
from napari_unet.io.checkpoints import load_model, save_model
from napari_unet.io.samples import Sample, paint_strokes
from tests.cli.conftest import Command, save, sentence

_SIDE = 64


@pytest.fixture
def field(tmp_path: Path, tiny: Model) -> Path:
    """A folder with image.tif, one plane of nine square nuclei; truth.tif; tiny.safetensors."""
    truth = nuclei()
    rng = np.random.default_rng(0)
    image = rng.normal(500, 50, truth.shape) + 1000 * (truth > 0)
    save(tmp_path / "image.tif", image.astype(np.uint16))
    save(tmp_path / "truth.tif", truth)
    save_model(tiny, tmp_path / "tiny.safetensors")
    return tmp_path


def nuclei() -> npt.NDArray[np.uint16]:
    truth = np.zeros((_SIDE, _SIDE), np.uint16)
    for number, (y, x) in enumerate(np.ndindex(3, 3), start=1):
        truth[4 + 20 * y : 16 + 20 * y, 4 + 20 * x : 16 + 20 * x] = number
    return truth


def train(command: Command, folder: Path, labels: str, *more: object) -> Any:
    return command(
        *("train", folder / "image.tif", folder / labels, "--model", folder / "m.safetensors"),
        *("--from", folder / "tiny.safetensors", "--steps", 1, *more),
    )


def test_a_label_image_is_not_read_as_strokes_without_a_question(
    command: Command, field: Path
) -> None:
    refused = sentence(train(command, field, "truth.tif"))
    assert "--unpainted background" in refused
    assert "--unpainted ignored" in refused
    assert not (field / "m.safetensors").exists()


@pytest.mark.parametrize("reading", ["background", "ignored"])
def test_who_says_how_labels_are_read_is_not_asked(
    command: Command, field: Path, reading: str
) -> None:
    outcome = train(command, field, "truth.tif", "--unpainted", reading)

    assert outcome.exit_code == 0, outcome.stderr


def test_strokes_are_read_as_strokes_without_a_question(command: Command, field: Path) -> None:
    strokes = nuclei() + (nuclei() > 0).astype(np.uint16)
    strokes[18:22], strokes[:, 18:22] = 1, 1
    save(field / "strokes.tif", strokes)

    assert train(command, field, "strokes.tif").exit_code == 0
    assert load_model(field / "m.safetensors").record.labelled_pixels > 0


@pytest.mark.parametrize("white", [1, 255])
@pytest.mark.parametrize("task", ["objects", "classes"])
def test_masks_are_refused_with_the_cure_which_works(
    command: Command, field: Path, white: int, task: str
) -> None:
    save(field / "mask.tif", ((nuclei() > 0) * white).astype(np.uint8))

    assert "--unpainted background" in sentence(train(command, field, "mask.tif", "--task", task))
    cured = train(command, field, "mask.tif", "--task", task, "--unpainted", "background")
    assert cured.exit_code == 0, cured.stderr


def test_one_plane_of_labels_is_trained_on_where_it_is_said_to_lie(
    command: Command, folder: Path, sample: Sample
) -> None:
    strokes = paint_strokes(sample.truth, [2], cells=3)[2]
    save(folder / "exp3_labels.tif", strokes)
    words = (
        *("train", folder / "cells.tif", folder / "exp3_labels.tif", "--steps", 1),
        *("--model", folder / "m.safetensors", "--from", folder / "tiny.safetensors"),
    )
    assert "--planes" in sentence(command(*words))
    outcome = command(*words, "--planes", 2, "--json")
    assert json.loads(outcome.stdout)["planes"] == [2]


def test_one_plane_of_truth_is_compared_where_it_is_said_to_lie(
    command: Command, folder: Path, sample: Sample
) -> None:
    save(folder / "checked.tif", sample.truth[1])
    assert "--planes" in sentence(command("evaluate", folder / "truth.tif", folder / "checked.tif"))
    outcome = command(
        *("evaluate", folder / "truth.tif", folder / "checked.tif", "--planes", 1, "--json")
    )
    assert json.loads(outcome.stdout)["seg"] == 1


def test_what_seems_odd_about_paint_is_told(command: Command, field: Path) -> None:
    labels = nuclei()
    labels[labels == 0] = 1
    save(field / "odd.tif", labels)
    outcome = train(command, field, "odd.tif", "--task", "classes")
    assert outcome.exit_code == 0
    assert "choose task objects" in outcome.stderr
    assert "choose task" not in train(command, field, "odd.tif").stderr
