"""A tiny stack, strokes on it, a tiny model, and the command line in this very process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy.typing as npt
import pytest
import tifffile
import torch
from typer.testing import CliRunner, Result

from napari_unet.cli.app import app
from napari_unet.config import NetworkConfig, Task
from napari_unet.engine.network.model import Model, fresh_model
from napari_unet.engine.stack.normalization import Normalization
from napari_unet.io.checkpoints import save_model
from napari_unet.io.library import FOLDER_VARIABLE
from napari_unet.io.samples import Sample, paint_strokes, save_image, synthetic_cells

Command = Callable[..., Result]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def library(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep one's own models in a folder of the test."""
    folder = tmp_path_factory.mktemp("library") / "models"
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    return folder


@pytest.fixture(autouse=True)
def weights(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Bundle what the test puts into this folder, whatever models come with the package."""
    folder = tmp_path_factory.mktemp("weights")
    monkeypatch.setattr("napari_unet.io.library._WEIGHTS", folder)
    return folder


@pytest.fixture
def command() -> Command:
    """Run the command line and return its outcome."""
    runner = CliRunner()
    return lambda *words: runner.invoke(app, [str(word) for word in words])


@pytest.fixture(scope="session")
def sample() -> Sample:
    return synthetic_cells(seed=1, planes=4, shape=(72, 80))


@pytest.fixture
def folder(tmp_path: Path, sample: Sample, tiny: Model) -> Path:
    """A folder with cells.tif, strokes.tif, truth.tif and tiny.safetensors."""
    save_image(sample, tmp_path / "cells.tif")
    save(tmp_path / "strokes.tif", paint_strokes(sample.truth, [0, 2], cells=3))
    save(tmp_path / "truth.tif", sample.truth)
    save_model(tiny, tmp_path / "tiny.safetensors")
    return tmp_path


@pytest.fixture(scope="session")
def tiny() -> Model:
    """An untrained model, which finds something everywhere."""
    network = NetworkConfig(name="light", base_channels=4, levels=2)
    grey = Normalization((0.0,), (4095.0,))
    return fresh_model(network, grey, Task.OBJECTS, (0, 1), seed=3)


def sentence(outcome: Result) -> str:
    """Return the one sentence of a failure, or say why it is none."""
    assert outcome.exit_code == 1, outcome.output
    assert outcome.stdout == ""
    assert isinstance(outcome.exception, SystemExit)
    lines = [line for line in outcome.stderr.splitlines() if line.startswith("Error: ")]
    assert lines == outcome.stderr.splitlines()[-1:]
    assert lines[0].endswith((".", "…"))
    return lines[0].removeprefix("Error: ")


def save(path: Path, array: npt.NDArray[Any]) -> None:
    """Write a plain TIFF, as other programs do."""
    tifffile.imwrite(path, array, photometric="minisblack")
