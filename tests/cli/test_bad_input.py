"""Bad input gets one sentence with the cure and status 1; nothing is written, nothing is lost."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from safetensors.numpy import save_file

from napari_unet.cli import train
from napari_unet.engine.errors import FileError
from napari_unet.engine.training.trainer import Trainer
from napari_unet.io.checkpoints import load_model, save_model
from napari_unet.io.labels import write_labels
from tests.cli.conftest import Command, save, sentence

Spoil = Callable[[Path], object]


def names() -> list[str]:
    """Return what is in the working folder."""
    return sorted(path.name for path in Path().iterdir())


def _write(name: str, change: Callable[[Any], Any]) -> Spoil:
    """Return what replaces the pixels of a TIFF."""

    def spoil(folder: Path) -> None:
        save(folder / name, change(tifffile.imread(folder / name)))

    return spoil


def _image(change: Callable[[Any], Any]) -> Spoil:
    return _write("cells.tif", change)


def _labels(change: Callable[[Any], Any]) -> Spoil:
    return _write("strokes.tif", change)


def _with(value: float) -> Callable[[Any], Any]:
    """Return a change to float32 with one pixel of this value."""

    def change(pixels: Any) -> Any:
        changed = pixels.astype(np.float32)
        changed[0, 5, 5] = value
        return changed

    return change


def _truncate(name: str) -> Spoil:
    def spoil(folder: Path) -> None:
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: len(whole) // 2])

    return spoil


def _rgb(folder: Path) -> None:
    picture = np.zeros((72, 80, 3), np.uint8)
    tifffile.imwrite(folder / "cells.tif", picture, photometric="rgb")


def _nothing(folder: Path) -> None: ...


BAD_FOR_TRAINING: list[tuple[str, Spoil, tuple[str, ...], str]] = [
    ("missing image", lambda f: (f / "cells.tif").unlink(), (), "does not exist"),
    ("missing labels", lambda f: (f / "strokes.tif").unlink(), (), "does not exist"),
    ("no TIFF", lambda f: (f / "cells.tif").write_text("grey values"), (), "cells.tif"),
    ("empty file", lambda f: (f / "cells.tif").write_bytes(b""), (), "empty"),
    ("truncated image", _truncate("cells.tif"), (), "cells.tif"),
    ("truncated labels", _truncate("strokes.tif"), (), "strokes.tif"),
    ("constant image", _image(np.zeros_like), (), "constant"),
    ("NaN", _image(_with(np.nan)), (), "NaN"),
    ("infinity", _image(_with(np.inf)), (), "infinite"),
    ("complex image", _image(lambda a: a.astype(np.complex64)), (), "complex64"),
    ("bool image", _image(lambda a: a > 300), (), "bool"),
    ("labels of another size", _labels(lambda a: a[:, :-1]), (), "×"),
    ("labels of another length", _labels(lambda a: a[:2]), (), "×"),
    ("nothing painted", _labels(np.zeros_like), (), "Nothing is painted"),
    ("background only", _labels(lambda a: np.minimum(a, 1)), (), "at least one"),
    ("no background", _labels(lambda a: np.where(a == 1, 0, a)), (), "background"),
    (
        "one class only",
        _labels(lambda a: np.minimum(a, 1)),
        ("--task", "classes"),
        "Only one class",
    ),
    (
        "no object",
        _labels(np.zeros_like),
        ("--unpainted", "background"),
        "Nothing is painted",
    ),
    ("negative labels", _labels(lambda a: a.astype(np.int16) - 1), (), "negative"),
    ("fractions", _labels(lambda a: a + np.float32(0.5)), (), "fractions"),
    (
        "numbers beyond 31 bits",
        _labels(lambda a: np.where(a > 1, np.uint32(2**31 + 7), a.astype(np.uint32))),
        (),
        "2147483647",
    ),
    ("no such folder", _nothing, ("--model", "nowhere/m.safetensors"), "does not exist"),
    ("wrong ending", _nothing, ("--model", "model.pt"), ".safetensors"),
    ("no such plane", _nothing, ("--planes", "0,4"), "planes 0 to 3"),
    ("no plane", _nothing, ("--planes", "2:1"), "leaves no plane"),
    ("planes without paint", _nothing, ("--planes", "1"), "Nothing is painted"),
    ("no such model", _nothing, ("--from", "colleague"), "neither a file nor"),
    (
        "truncated model",
        _truncate("tiny.safetensors"),
        ("--from", "tiny.safetensors"),
        "truncated",
    ),
    (
        "model of another program",
        lambda f: save_file({"a": np.zeros(3)}, f / "tiny.safetensors"),
        ("--from", "tiny.safetensors"),
        "another program",
    ),
    ("device that is not there", _nothing, ("--device", "mps"), "not available"),
]


@pytest.mark.parametrize(
    ("spoil", "words", "expected"),
    [case[1:] for case in BAD_FOR_TRAINING],
    ids=[case[0] for case in BAD_FOR_TRAINING],
)
def test_bad_input_for_training_gets_one_sentence(
    command: Command,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Spoil,
    words: tuple[str, ...],
    expected: str,
) -> None:
    if "mps" in words and sys.platform == "darwin":
        pytest.skip("it is there")
    monkeypatch.chdir(folder)
    spoil(folder)
    Path("model.safetensors").write_bytes(b"of yesterday")
    before = names()

    outcome = command(
        *("train", "cells.tif", "strokes.tif", "--model", "model.safetensors"),
        *("--from", "tiny.safetensors", "--steps", 1, *words),
    )

    assert expected in sentence(outcome)
    assert names() == before
    assert Path("model.safetensors").read_bytes() == b"of yesterday"


BAD_FOR_SEGMENTATION: list[tuple[str, Spoil, tuple[str, ...], str]] = [
    ("constant image", _image(np.zeros_like), (), "constant"),
    ("NaN", _image(_with(np.nan)), (), "NaN"),
    ("colour picture", _rgb, (), "colour"),
    ("two channels", _image(lambda a: np.stack([a, a], axis=1)), (), "channels"),
    ("truncated image", _truncate("cells.tif"), (), "cells.tif"),
    ("truncated model", _truncate("tiny.safetensors"), (), "truncated"),
    ("no such folder", _nothing, ("--output", "nowhere/out.tif"), "does not exist"),
    ("unknown ending", _nothing, ("--output", "out.jpg"), ".tif"),
    ("onto its input", _nothing, ("--output", "cells.tif"), "input itself"),
    ("no such plane", _nothing, ("--planes", "7"), "planes 0 to 3"),
    ("device that is not there", _nothing, ("--device", "mps"), "not available"),
]


@pytest.mark.parametrize(
    ("spoil", "words", "expected"),
    [case[1:] for case in BAD_FOR_SEGMENTATION],
    ids=[case[0] for case in BAD_FOR_SEGMENTATION],
)
def test_bad_input_for_segmentation_gets_one_sentence(
    command: Command,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Spoil,
    words: tuple[str, ...],
    expected: str,
) -> None:
    if "mps" in words and sys.platform == "darwin":
        pytest.skip("it is there")
    monkeypatch.chdir(folder)
    spoil(folder)
    if expected == "channels":
        tifffile.imwrite(
            "cells.tif", np.zeros((3, 2, 72, 80), np.uint16), imagej=True, metadata={"axes": "ZCYX"}
        )
    Path("out.tif").write_bytes(b"of yesterday")
    before = names()

    outcome = command(
        *("segment", "cells.tif", "--model", "tiny.safetensors", "--output", "out.tif", *words)
    )

    assert expected in sentence(outcome)
    assert names() == before
    assert Path("out.tif").read_bytes() == b"of yesterday"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("segmentation.tif", "truth.tif"), "does not exist"),
        (("strokes.tif", "nowhere.tif"), "does not exist"),
        (("strokes.tif", "small.tif"), "×"),
        (("strokes.tif", "truth.tif", "--planes", "9"), "planes 0 to 3"),
        (("strokes.tif", "one", "--planes", "1"), "has the planes 0"),
        (("cells.tif", "probabilities.tif"), "fractions"),
    ],
)
def test_bad_input_for_evaluation_gets_one_sentence(
    command: Command,
    folder: Path,
    sample: Any,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    expected: str,
) -> None:
    monkeypatch.chdir(folder)
    save(Path("small.tif"), sample.truth[:, :9])
    save(Path("probabilities.tif"), sample.truth * np.float32(0.3))
    Path("one").mkdir()
    save(Path("one/t000.tif"), sample.truth[0])

    assert expected in sentence(command("evaluate", *words))


@pytest.mark.parametrize(
    "words",
    [
        ("train",),
        ("train", "cells.tif", "strokes.tif"),
        ("train", "cells.tif", "strokes.tif", "--model", "m.safetensors", "--seconds", "0"),
        ("train", "cells.tif", "strokes.tif", "--model", "m.safetensors", "--steps", "0"),
        ("train", "cells.tif", "strokes.tif", "--model", "m.safetensors", "--task", "spots"),
        ("train", "cells.tif", "strokes.tif", "--model", "m.safetensors", "--device", "tpu"),
        ("train", "cells.tif", "strokes.tif", "--model", "m.safetensors", "--planes", "a"),
        ("train", "cells.tif", "strokes.tif", "--model", "m.safetensors", "--network", "huge"),
        (
            *("train", "cells.tif", "strokes.tif", "--model", "m.safetensors"),
            *("--from", "tiny.safetensors", "--network", "2015"),
        ),
        ("segment", "cells.tif", "--model", "tiny.safetensors", "--output", "o.tif", "--tile", "0"),
        ("segment", "cells.tif", "--model", "m", "--output", "o.tif", "--rotations", "99"),
        ("segment", "cells.tif", "--model", "m", "--output", "o.tif", "--output-kind", "mesh"),
        ("demo", "--seconds", "-1"),
        ("models", "show"),
        ("paint",),
    ],
)
def test_wrong_usage_has_status_2(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.chdir(folder)
    outcome = command(*words)
    assert outcome.exit_code == 2
    assert outcome.stdout == ""
    assert "Error" in outcome.stderr
    assert names() == ["cells.tif", "strokes.tif", "tiny.safetensors", "truth.tif"]


@pytest.mark.parametrize("shape", [(3, 3), (40, 1), (1, 40), (1, 1)])
def test_images_smaller_than_a_tile_are_segmented(
    command: Command, folder: Path, shape: tuple[int, int]
) -> None:
    image = np.arange(2 * shape[0] * shape[1], dtype=np.uint8).reshape(2, *shape)
    write_labels(folder / "small.tif", image, shape=image.shape, axes="TYX", spacing={})
    outcome = command(
        *("segment", folder / "small.tif", "--model", folder / "tiny.safetensors"),
        *("--output", folder / "out.tif", "--json"),
    )
    assert outcome.exit_code == 0, outcome.output
    assert json.loads(outcome.stdout)["planes"] == 2
    assert tifffile.imread(folder / "out.tif").size == image.size


def test_a_trained_model_survives_a_full_disk(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_once(model: Any, path: Path) -> Path:
        monkeypatch.setattr(train, "save_model", save_model)
        raise FileError("The disk is full.")

    monkeypatch.setattr(train, "save_model", fail_once)
    outcome = command(
        *("train", folder / "cells.tif", folder / "strokes.tif", "--steps", 1),
        *("--from", folder / "tiny.safetensors", "--model", folder / "m.safetensors"),
    )
    assert outcome.exit_code == 1
    assert "The disk is full." in outcome.stderr
    rescued = outcome.stderr.partition("saved as '")[2].partition("'")[0]
    assert load_model(rescued).record.steps == 1


def test_training_that_fails_on_its_way_saves_the_best_weights(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    advance = Trainer.advance

    def fail(trainer: Trainer, progress: float) -> float:
        if trainer.step == 3:
            raise RuntimeError("CUDA error: unspecified launch failure")
        return advance(trainer, progress)

    monkeypatch.setattr(Trainer, "advance", fail)
    outcome = command(
        *("train", folder / "cells.tif", folder / "strokes.tif", "--steps", 5),
        *("--model", folder / "m.safetensors", "--from", "scratch"),
    )
    assert "unspecified launch failure" in sentence(outcome)
    assert "Training failed; the weights of step" in outcome.stderr
    record = load_model(folder / "m.safetensors").record
    assert (record.finished, record.steps) == ("failed", 3)
