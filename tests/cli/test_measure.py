"""Measure from the command line: a label image, alone or with its image, into a table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from napari_unet.batch.measuring import MeasureWishes
from napari_unet.cli.measure import measure_stack
from napari_unet.engine.errors import FileError
from napari_unet.io.labels import write_labels
from napari_unet.io.samples import Sample
from tests.cli.conftest import Command, save, sentence

Row = dict[str, str]


def rows(path: Path) -> list[Row]:
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8"))))


def measured(command: Command, *words: object) -> list[Row]:
    """Return the rows of the table that is printed."""
    outcome = command("measure", *words)
    assert outcome.exit_code == 0, outcome.output
    return list(csv.DictReader(io.StringIO(outcome.stdout)))


def test_each_object_has_a_row_with_its_size_and_brightness(
    command: Command, folder: Path, sample: Sample
) -> None:
    table = folder / "cells.csv"
    words = (folder / "truth.tif", folder / "cells.tif", "--output", table, "--json")
    outcome = command("measure", *words)

    assert outcome.exit_code == 0, outcome.output
    found = rows(table)
    assert json.loads(outcome.stdout) == {
        "output": str(table),
        "planes": 4,
        "rows": len(found),
        "lengths_in": "µm",
        "channels": 1,
    }
    side = sample.pixel_size[0]
    for row in found:
        plane, label = int(row["plane"]), int(row["label"])
        inside = sample.truth[plane] == label
        assert float(row["area_um2"]) == pytest.approx(inside.sum() * side * side, rel=1e-3)
        assert float(row["intensity_mean"]) == pytest.approx(sample.image[plane][inside].mean())
        assert row["t"] == row["plane"]
    assert len(found) == sum(len(np.unique(plane)) - 1 for plane in sample.truth)


def test_without_an_output_the_table_is_printed(command: Command, folder: Path) -> None:
    found = measured(command, folder / "truth.tif", "--planes", "1:3")
    assert {row["plane"] for row in found} == {"1", "2"}
    assert "intensity_mean" not in found[0]
    assert "area_px" in found[0]  # the labels are a plain TIFF


def test_json_needs_an_output(command: Command, folder: Path) -> None:
    outcome = command("measure", folder / "truth.tif", "--json")
    assert outcome.exit_code == 2
    assert "--output" in outcome.stderr


def test_volumes_and_their_spacing_can_be_told(command: Command, folder: Path) -> None:
    labels = np.zeros((3, 6, 8), np.uint8)
    labels[:2, 2:4, 2:5] = 9
    save(folder / "stack.tif", labels)

    (row,) = measured(
        command,
        *(folder / "stack.tif", "--volumes", "--axes", "zyx"),
        *("--pixel-size", 0.5, "--z-step", 2),
    )

    assert (row["label"], row["volume_um3"], row["centroid_z_um"]) == ("9", "6", "1")


def test_axes_are_named_as_told(command: Command, folder: Path) -> None:
    save(folder / "stack.tif", np.ones((3, 6, 8), np.uint8))
    assert [row["z"] for row in measured(command, folder / "stack.tif")] == ["0", "1", "2"]
    told = measured(command, folder / "stack.tif", "--axes", "TYX")
    assert [row["t"] for row in told] == ["0", "1", "2"]


def test_the_pixel_size_of_the_labels_serves_an_image_without_one(
    command: Command, folder: Path, sample: Sample
) -> None:
    save(folder / "plain.tif", sample.image)
    spacing = {"Y": 0.5, "X": 0.5}
    shape = sample.truth.shape
    write_labels(folder / "truth.tif", sample.truth, shape=shape, axes="ZYX", spacing=spacing)
    assert "area_um2" in measured(command, folder / "truth.tif", folder / "plain.tif")[0]


def test_volumes_without_the_distance_of_planes_are_in_pixels_and_it_is_said(
    command: Command, folder: Path
) -> None:
    save(folder / "stack.tif", np.ones((3, 6, 8), np.uint8))
    outcome = command("measure", folder / "stack.tif", "--volumes", "--pixel-size", 0.5)
    assert "add --z-step" in outcome.stderr
    assert "volume_px" in outcome.stdout


def test_painted_background_is_no_object(command: Command, folder: Path) -> None:
    words = (folder / "strokes.tif", "--unpainted", "ignored")
    assert "1" not in {row["label"] for row in measured(command, *words)}
    assert "1" in {row["label"] for row in measured(command, folder / "strokes.tif")}


def test_channels_that_are_labelled_as_planes_are_measured_as_planes(
    command: Command, folder: Path, sample: Sample
) -> None:
    image = sample.image[:3]
    tifffile.imwrite(folder / "channels.tif", image, imagej=True, metadata={"axes": "CYX"})
    save(folder / "labels.tif", sample.truth[:3])
    found = measured(command, folder / "labels.tif", folder / "channels.tif")
    assert {row["plane"] for row in found} == {"0", "1", "2"}


def test_all_channels_of_a_plane_are_measured(command: Command, folder: Path) -> None:
    image = np.stack([np.full((8, 8), 10), np.full((8, 8), 20)]).astype(np.uint8)
    tifffile.imwrite(folder / "two.tif", image, imagej=True, metadata={"axes": "CYX"})
    save(folder / "labels.tif", np.ones((8, 8), np.uint8))
    (row,) = measured(command, folder / "labels.tif", folder / "two.tif")
    assert (row["intensity_mean_1"], row["intensity_mean_2"]) == ("10", "20")


def test_no_objects_are_a_first_line_and_a_sentence(command: Command, folder: Path) -> None:
    save(folder / "empty.tif", np.zeros((2, 8, 8), np.uint8))
    outcome = command("measure", folder / "empty.tif", "--output", folder / "table.csv")
    assert outcome.exit_code == 0
    assert "no objects in 'empty.tif'" in outcome.stderr
    lines = (folder / "table.csv").read_text().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("label,plane,z,area_px")


def test_a_mask_is_told(command: Command, folder: Path) -> None:
    save(folder / "mask.tif", np.array([[255, 0, 255]], np.uint8))
    outcome = command("measure", folder / "mask.tif")
    assert "number 255, as in a mask" in outcome.stderr


def _other_shape(folder: Path) -> None:
    save(folder / "truth.tif", np.zeros((4, 30, 30), np.uint8))


def _fractions(folder: Path) -> None:
    save(folder / "truth.tif", np.full((4, 72, 80), 0.5, np.float32))


def _locked(folder: Path) -> None:
    (folder / "table.csv").mkdir()


def _nothing(_folder: Path) -> None: ...


BAD: list[tuple[str, Callable[[Path], object], tuple[str, ...], str]] = [
    ("no labels", lambda f: (f / "truth.tif").unlink(), (), "does not exist"),
    ("no image", lambda f: (f / "cells.tif").unlink(), (), "does not exist"),
    ("other shape", _other_shape, (), "painted on this image"),
    ("fractions", _fractions, (), "whole numbers"),
    ("a folder", _locked, (), "table.csv"),
    ("no such plane", _nothing, ("--planes", "9"), "does not exist"),
    ("no volumes in time", _nothing, ("--volumes",), "leave out --volumes"),
    ("too few axes", _nothing, ("--axes", "YX"), "3 axes"),
    ("another ending", _nothing, ("--output", "table.xlsx"), "must end in .csv"),
    ("a folder that is missing", _nothing, ("--output", "missing/table.csv"), "does not exist"),
]


@pytest.mark.parametrize(
    ("spoil", "words", "expected"), [b[1:] for b in BAD], ids=[b[0] for b in BAD]
)
def test_bad_input_is_one_sentence(
    command: Command,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Path], object],
    words: tuple[str, ...],
    expected: str,
) -> None:
    spoil(folder)
    monkeypatch.chdir(folder)
    before = sorted(path.name for path in folder.iterdir())
    outcome = command("measure", "truth.tif", "cells.tif", "--output", "table.csv", *words)
    assert expected in sentence(outcome)
    assert sorted(path.name for path in folder.iterdir()) == before


def test_words_that_name_no_axes_are_wrong_usage(command: Command, folder: Path) -> None:
    for axes in ("XY", "ZZYX", "Z-X"):
        outcome = command("measure", folder / "truth.tif", "--axes", axes)
        assert outcome.exit_code == 2
        assert "names no axes" in outcome.stderr


def test_a_stopped_measurement_leaves_the_older_table(folder: Path) -> None:
    table = folder / "table.csv"
    wishes = MeasureWishes()
    measure_stack(folder / "truth.tif", None, output=table, wishes=wishes)
    older = table.read_bytes()

    found = measure_stack(
        folder / "truth.tif", None, output=table, wishes=wishes, stop=lambda: True
    )

    assert table.read_bytes() == older
    part = Path(found["output"])
    assert (part.name, found["planes"]) == ("table.unfinished.csv", 1)
    assert {row["plane"] for row in rows(part)} == {"0"}
    measure_stack(folder / "truth.tif", None, output=table, wishes=wishes)
    assert table.read_bytes() == older


def test_segment_writes_a_table_of_its_objects(command: Command, folder: Path) -> None:
    output, table = folder / "out.tif", folder / "out.csv"
    outcome = command(
        *("segment", folder / "cells.tif", "--model", folder / "tiny.safetensors"),
        *("--output", output, "--table", table, "--planes", "0,2", "--json"),
    )

    assert outcome.exit_code == 0, outcome.output
    found, labels = rows(table), tifffile.imread(output)
    assert {row["plane"] for row in found} <= {"0", "2"}
    figures = json.loads(outcome.stdout)
    assert (figures["table"], figures["rows"]) == (str(table), len(found))
    assert len(found) == figures["objects"] > 0
    sizes = ndimage.sum_labels(labels > 0, labels, np.unique(labels)[1:])
    size = float(found[0]["area_um2"]) / sizes[0]
    areas = [float(row["area_um2"]) for row in found]
    assert sorted(areas) == pytest.approx(sorted(size * sizes))
    assert all(row["intensity_mean"] for row in found)


def test_probabilities_have_no_table(command: Command, folder: Path) -> None:
    outcome = command(
        *("segment", folder / "cells.tif", "--model", folder / "tiny.safetensors"),
        *("--output", folder / "out.tif", "--table", folder / "out.csv"),
        *("--output-kind", "probabilities"),
    )
    assert "no objects to measure" in sentence(outcome)
    assert not (folder / "out.tif").exists()


def test_a_segmentation_whose_table_fails_is_kept(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(path: Path, _names: object) -> object:
        raise FileError(f"'{path.name}' is open in another program; close the file there.")

    monkeypatch.setattr("napari_unet.batch.measuring.open_table_writer", locked)
    outcome = command(
        *("segment", folder / "cells.tif", "--model", folder / "tiny.safetensors"),
        *("--output", folder / "out.tif", "--table", folder / "out.csv", "--planes", "0"),
    )

    assert "close the file there" in sentence(outcome)
    assert "only its table is missing" in outcome.stderr
    assert tifffile.imread(folder / "out.tif")[0].any()
    assert not (folder / "out.csv").exists()
