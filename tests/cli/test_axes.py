"""Channels, positions and axes as people choose them, from the image to the table."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile

from napari_unet.io.checkpoints import load_model
from napari_unet.io.images import open_image
from tests.cli.conftest import Command, save, sentence

Grey = npt.NDArray[np.uint16]


@pytest.fixture
def cells(folder: Path) -> Grey:
    """The sample's first planes, (4, Y, X)."""
    return np.asarray(tifffile.imread(folder / "cells.tif"))[:4, :48, :56]


def run(command: Command, *words: object) -> dict[str, Any]:
    outcome = command(*words, "--device", "cpu", "--json")
    assert outcome.exit_code == 0, outcome.stderr
    figures: dict[str, Any] = json.loads(outcome.stdout)
    return figures


def segment(command: Command, folder: Path, image: str, output: str, *words: object) -> Any:
    model = folder / "tiny.safetensors"
    run(command, "segment", folder / image, "--model", model, "--output", folder / output, *words)
    return open_image(folder / output)


def test_a_channel_of_a_hyperstack_is_segmented_and_measured_with_all_axes_and_units(
    command: Command, folder: Path, cells: Grey
) -> None:
    movie = np.stack([np.zeros_like(cells), cells], axis=1)  # (4, C, Y, X)
    about = {
        "axes": "TZCYX",
        "spacing": 2.0,
        "unit": "um",
        "finterval": 5.0,
        "Labels": ["DAPI", "GFP"] * 4,
    }
    values = movie.reshape(2, 2, 2, *cells.shape[1:])
    tifffile.imwrite(folder / "a.tif", values, imagej=True, metadata=about, resolution=(4.0, 4.0))
    save(folder / "alone.tif", cells)
    alone = segment(command, folder, "alone.tif", "alone_out.tif")
    table = folder / "a.csv"
    found = segment(command, folder, "a.tif", "out.tif", "--channels", "gfp", "--table", table)
    assert (found.axes, dict(found.spacing)) == ("TZYX", {"T": 5, "Z": 2, "Y": 0.25, "X": 0.25})
    labels = np.asarray(found.array).reshape(cells.shape)
    np.testing.assert_array_equal(labels, np.asarray(alone.array))
    last = list(csv.DictReader(table.read_text().splitlines()))[-1]
    assert (last["t"], last["z"], float(last["time_s"]), float(last["z_um"])) == ("1", "1", 5, 2)
    own = labels[3] == int(last["label"])
    assert float(last["intensity_mean"]) == pytest.approx(cells[3][own].mean())
    assert float(last["area_um2"]) == pytest.approx(own.sum() / 16)
    assert command("repeat", folder / "out.tif", "--device", "cpu").exit_code == 0


def test_each_position_of_a_file_has_a_result_of_its_own(
    command: Command, folder: Path, cells: Grey
) -> None:
    with tifffile.TiffWriter(folder / "a.ome.tif") as tif:
        for name, stack in (("left", cells[:2]), ("right 2", cells[2:, :32])):
            tif.write(stack, photometric="minisblack", metadata={"axes": "TYX", "Name": name})
    words = ("segment", folder / "a.ome.tif", "--model", folder / "tiny.safetensors")
    refused = sentence(command(*words, "--output", folder / "out.tif"))
    assert "(left: 2×48×56, right 2: 2×32×56); choose one" in refused
    done = run(command, *words, "--output", folder / "out", "--position", "all")
    assert (done["files"], done["done"]) == (2, 2)
    right = segment(command, folder, "a.ome.tif", "right.tif", "--position", "right 2")
    again = open_image(folder / "out" / "a right 2.tif")
    np.testing.assert_array_equal(np.asarray(again.array), np.asarray(right.array))
    assert open_image(folder / "out" / "a left.tif").array.shape == (2, 48, 56)
    assert command("repeat", folder / "right.tif", "--device", "cpu").exit_code == 0
    skipped = run(command, *words, "--output", folder / "out", "--position", "all")
    assert skipped["skipped"] == 2


def test_one_learns_from_the_channels_that_are_chosen(
    command: Command, folder: Path, cells: Grey
) -> None:
    values = np.stack([cells, cells // 2, cells // 4], axis=1)[:1]  # (1, 3, Y, X): read as T, Z
    save(folder / "a.tif", values)
    strokes = np.asarray(tifffile.imread(folder / "strokes.tif"))[:1, :48, :56]
    save(folder / "labels.tif", strokes)
    trained = run(
        command,
        *("train", folder / "a.tif", folder / "labels.tif", "--axes", "TCYX"),
        *("--channels", "2,0", "--model", folder / "m.safetensors"),
        *("--from", folder / "tiny.safetensors", "--steps", 1),
    )
    assert trained["steps"] == 1
    assert load_model(folder / "m.safetensors").network.in_channels == 2


def test_of_several_resolutions_the_finest_is_used_and_named(
    command: Command, folder: Path, cells: Grey
) -> None:
    with tifffile.TiffWriter(folder / "a.ome.tif") as tif:
        options: dict[str, Any] = {"photometric": "minisblack", "tile": (16, 16)}
        tif.write(cells[0], subifds=1, metadata={"axes": "YX"}, **options)
        tif.write(cells[0, ::2, ::2], subfiletype=1, **options)
    outcome = command(
        *("segment", folder / "a.ome.tif", "--model", folder / "tiny.safetensors"),
        *("--output", folder / "out.tif", "--device", "cpu"),
    )
    assert "'a' has 2 resolutions; the finest, 48×56 px, is used." in outcome.stderr
    assert open_image(folder / "out.tif").array.shape == (48, 56)
