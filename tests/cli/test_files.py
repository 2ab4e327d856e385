"""Files as other programs write them train, segment and compare on the command line."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile

from napari_unet.io.images import open_image
from napari_unet.io.samples import Sample, paint_strokes
from tests.cli.conftest import Command, save


def write(path: Path, data: npt.NDArray[Any], **how: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # tifffile's about its own guess
        tifffile.imwrite(path, data, **how)


def train(command: Command, folder: Path) -> str:
    """Train one step on image.tif and labels.tif and return what was said."""
    outcome = command(
        *("train", folder / "image.tif", folder / "labels.tif", "--steps", 1),
        *("--from", folder / "tiny.safetensors", "--model", folder / "trained.safetensors"),
    )
    assert outcome.exit_code == 0, outcome.output
    return outcome.stderr


def segment(command: Command, folder: Path, model: str) -> tuple[npt.NDArray[Any], str]:
    """Segment image.tif and return the labels and what was said."""
    outcome = command(
        *("segment", folder / "image.tif", "--output", folder / "out.tif"),
        *("--model", folder / model),
    )
    assert outcome.exit_code == 0, outcome.output
    return np.asarray(open_image(folder / "out.tif").array), outcome.stderr


def test_three_planes_of_plain_tifffile_are_trained_on(
    command: Command, folder: Path, sample: Sample
) -> None:
    write(folder / "image.tif", sample.image[:3])
    write(folder / "labels.tif", paint_strokes(sample.truth, [0, 2], cells=3)[:3].astype(np.int32))
    assert "on planes 0, 2;" in train(command, folder)


def test_planes_that_imagej_calls_channels_are_trained_on_segmented_and_compared(
    command: Command, folder: Path, sample: Sample
) -> None:
    write(folder / "image.tif", sample.image, imagej=True)
    save(folder / "labels.tif", paint_strokes(sample.truth, [0, 2], cells=3))
    assert "on planes 0, 2;" in train(command, folder)
    labels, said = segment(command, folder, "trained.safetensors")
    assert labels.shape == sample.truth.shape
    assert "takes one channel: the 4 channels of 'image' are read as planes." in said

    write(folder / "truth.tif", sample.truth.astype(np.uint16), imagej=True)
    outcome = command("evaluate", folder / "truth.tif", folder / "truth.tif", "--json")
    assert outcome.exit_code == 0, outcome.output
    assert '"seg": 1.0' in outcome.stdout


@pytest.mark.parametrize("samples", [3, 4])
def test_a_colour_picture_is_trained_on_and_segmented(
    samples: int, command: Command, folder: Path, sample: Sample
) -> None:
    grey = (sample.image[0] // 16).astype(np.uint8)
    write(folder / "image.tif", np.stack([grey] * samples, axis=-1), photometric="rgb")
    save(folder / "labels.tif", paint_strokes(sample.truth, [0], cells=3)[0])
    train(command, folder)
    labels, _ = segment(command, folder, "trained.safetensors")
    assert labels.shape == grey.shape


def test_damaged_metadata_get_a_note_and_the_pixels_are_segmented(
    command: Command, folder: Path, sample: Sample
) -> None:
    damaged = '<?xml version="1.0"?><OME><Experimenter UserName="A & B"/></OME>'
    write(folder / "image.tif", sample.image[0], description=damaged, metadata=None)
    labels, said = segment(command, folder, "tiny.safetensors")
    assert labels.shape == sample.image[0].shape
    assert said.startswith("Note: The OME-XML of ")
    assert ".py" not in said


def test_six_axes_come_back_as_six_axes(command: Command, folder: Path, sample: Sample) -> None:
    shape = (2, 1, 2, 1, *sample.image.shape[1:])
    save(folder / "image.tif", sample.image.reshape(shape))
    labels, _ = segment(command, folder, "tiny.safetensors")
    assert labels.shape == shape
