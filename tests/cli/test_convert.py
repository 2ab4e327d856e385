"""Labels for other programs from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from roifile import roiread

from napari_unet.batch.converting import LabelsConverted, convert_labels
from napari_unet.io.images import open_image
from napari_unet.io.provenance_files import find_provenance, path_beside
from napari_unet.io.samples import Sample
from tests.cli.conftest import Command, save, sentence


def test_one_pass_writes_all_formats(command: Command, folder: Path, sample: Sample) -> None:
    names = ("cells.ome.tif", "cells.zarr", "cells.zip", "cells.geojson", "01_RES")
    outputs = [folder / name for name in names]
    outcome = command(
        *("convert", folder / "truth.tif", *outputs, "--image", folder / "cells.tif", "--json")
    )
    assert outcome.exit_code == 0, outcome.output
    assert json.loads(outcome.stdout) == {"outputs": [str(p) for p in outputs], "planes": 4}
    for path in outputs[:2]:
        np.testing.assert_array_equal(np.asarray(open_image(path).array), sample.truth)
    objects = sum(len(np.unique(plane)) - 1 for plane in sample.truth)
    rois = roiread(folder / "cells.zip")
    assert isinstance(rois, list)
    assert len(rois) == objects
    features = json.loads((folder / "cells.geojson").read_text())["features"]
    assert len(features) == objects
    assert features[-1]["geometry"]["plane"] == {"c": -1, "z": 0, "t": 3}
    assert "intensity_mean" in features[0]["properties"]["measurements"]
    masks = sorted((folder / "01_RES").glob("mask*.tif"))
    assert [mask.name for mask in masks] == [f"mask00{i}.tif" for i in range(4)]
    np.testing.assert_array_equal(tifffile.imread(masks[0]), sample.truth[0])
    back = command("convert", folder / "01_RES", folder / "back.tif", "--axes", "TYX")
    assert back.exit_code == 0, back.output  # masks are read as any labels
    np.testing.assert_array_equal(tifffile.imread(folder / "back.tif"), sample.truth)


def test_a_wish_says_what_the_name_does_not(command: Command, folder: Path) -> None:
    words = ("convert", folder / "truth.tif", folder / "tracks", "--axes", "TYX")
    refused = command(*words)
    assert refused.exit_code == 1
    assert "no known ending" in sentence(refused)
    assert command(*words, "--format", "ctc").exit_code == 0
    assert (folder / "tracks" / "res_track.txt").exists()


def test_the_record_goes_along(command: Command, folder: Path) -> None:
    (folder / "results").mkdir()
    words = ("segment", folder / "cells.tif", "--model", folder / "tiny.safetensors")
    assert command(*words, "--planes", "0", "--output", folder / "result.tif").exit_code == 0
    path_beside(folder / "result.tif").unlink()  # it is in the file as well
    output = folder / "results" / "cells.zip"
    assert command("convert", folder / "result.tif", output).exit_code == 0
    found = find_provenance(output)
    assert found is not None
    assert found == find_provenance(folder / "result.tif")
    assert Path(str(found.image.path)) == (folder / "cells.tif").resolve()


def test_stopping_leaves_no_file(folder: Path) -> None:
    before = set(folder.iterdir())
    answers = iter([False, False, True])
    events = list(
        convert_labels(
            *(folder / "truth.tif", [folder / "a.zip", folder / "b.tif"]),
            stop=lambda: next(answers),
        )
    )
    assert len(events) == 2
    assert not any(isinstance(event, LabelsConverted) for event in events)
    assert set(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("value", "expected"), [(0, "There are no objects"), (255, "have the number 255, as in a mask")]
)
def test_what_is_odd_is_said(value: int, expected: str, command: Command, folder: Path) -> None:
    mask = np.zeros((6, 8), np.uint8)
    mask[2:4, 2:4] = value
    save(folder / "mask.tif", mask)
    outcome = command("convert", folder / "mask.tif", folder / "mask.geojson")
    assert outcome.exit_code == 0
    assert expected in outcome.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["truth.tif", "out.png"], "no known ending; end the name in .tif"),
        (["truth.tif", "truth.tif"], "is named twice; give each output a name of its own"),
        (["truth.tif", "a.zip", "a.zip"], "is named twice"),
        (["truth.tif", "01_RES", "--axes", "ZYX"], "the axes TYX or TZYX"),
        (["truth.tif", "a.zip", "--axes", "QYX"], "a place along T, C and Z only"),
        (["truth.tif", "a.zip", "--format", "geojson"], "end it in .geojson"),
        (["truth.tif", "nowhere/a.zip"], "does not exist"),
        (["missing.tif", "a.zip"], "does not exist; check the path"),
    ],
)
def test_bad_input_is_one_sentence(
    words: list[str], expected: str, command: Command, folder: Path
) -> None:
    before = set(folder.iterdir())
    told = [word if word.startswith("--") or word.isalpha() else folder / word for word in words]
    outcome = command("convert", *told)
    assert outcome.exit_code == 1
    assert expected in sentence(outcome)
    assert set(folder.iterdir()) == before


def test_a_format_goes_with_one_output(command: Command, folder: Path) -> None:
    words = ("convert", folder / "truth.tif", folder / "a", folder / "b", "--format", "ctc")
    outcome = command(*words)
    assert outcome.exit_code == 2
    assert "one OUT" in outcome.stderr
