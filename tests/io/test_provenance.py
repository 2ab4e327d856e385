"""A record says what made a segmentation, wherever it lies, and nothing else is taken for one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import tifffile
import zarr

from benchmarks.records import record
from napari_unet.engine.errors import FileError
from napari_unet.io.images import open_image
from napari_unet.io.labels import Layout, open_label_writer, open_probability_writer
from napari_unet.io.provenance import FORMAT, SCHEMA, from_text, to_text
from napari_unet.io.provenance_files import (
    mend_beside,
    path_beside,
    read_provenance,
    write_beside,
)

OME = "{http://www.openmicroscopy.org/Schemas/OME/2016-06}"


def write_result(path: Path, *, largest: int = 9, axes: str = "ZYX", planes: int = 3) -> Path:
    """Write labels that carry the record."""
    layout = Layout((planes, 40, 50), axes, {"Y": 0.5, "X": 0.5})
    with open_label_writer(path, layout) as writer:
        for plane in range(planes):
            writer.write(np.full((40, 50), largest - plane, np.uint32))
        writer.note_provenance(to_text(record(), None))
    return path


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("labels.tif", {}),
        ("wide.tif", {"largest": 70_000}),
        ("named.ome.tif", {}),
        ("other axes.tif", {"axes": "PYX"}),
        ("labels.zarr", {}),
    ],
)
def test_a_result_says_what_made_it_in_every_format(
    name: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    path = write_result(tmp_path / name, **settings)
    assert read_provenance(path) == record()
    largest = settings.get("largest", 9)
    assert np.asarray(open_image(path).array)[:, 0, 0].tolist() == [largest - n for n in range(3)]


def test_probabilities_say_what_made_them(tmp_path: Path) -> None:
    layout = Layout((2, 40, 50), "CYX")
    for name in ("p.tif", "p.zarr"):
        with open_probability_writer(tmp_path / name, layout) as writer:
            writer.write(np.full((2, 40, 50), 0.5, np.float32))
            writer.note_provenance(to_text(record(), None))
        assert read_provenance(tmp_path / name) == record()


def test_imagej_shows_it_as_info_and_reads_all_else_as_before(tmp_path: Path) -> None:
    path = write_result(tmp_path / "labels.tif")
    with tifffile.TiffFile(path) as tif:
        meta = tif.imagej_metadata
        assert meta is not None
        written, told = meta["Info"].splitlines()
        assert written.startswith("Written by napari-unet-paint")
        assert json.loads(told)["image"]["name"] == "cells µm & <b>"
        assert (meta["images"], meta["slices"], meta["unit"], meta["max"]) == (3, 3, "um", 9.0)
        assert set(meta) == {
            *("ImageJ", "images", "slices", "hyperstack", "mode", "unit"),
            *("loop", "min", "max", "Info"),
        }
        assert tif.series[0].axes == "ZYX"
        assert tif.asarray()[0, 0, 0] == 9
        assert [50839 in page.aspage().tags for page in tif.pages] == [True, False, False]


def test_ome_keeps_it_in_an_annotation(tmp_path: Path) -> None:
    path = write_result(tmp_path / "labels.ome.tif")
    root = ET.fromstring(str(tifffile.tiffcomment(path)))
    found = root.find(f"{OME}StructuredAnnotations/{OME}CommentAnnotation/{OME}Value")
    assert found is not None
    assert json.loads(str(found.text))["planes"] == [1, 0, 2]
    with tifffile.TiffFile(path) as tif:
        assert tif.is_ome
        assert tif.series[0].axes == "ZYX"


def test_zarr_keeps_it_in_its_attributes(tmp_path: Path) -> None:
    group = zarr.open_group(str(write_result(tmp_path / "labels.zarr")), mode="r")
    told: Any = group.attrs[FORMAT]
    assert told["model"]["name"] == "my model"
    assert "multiscales" in dict(group.attrs)["ome"]  # type: ignore[operator]


def test_the_record_beside_a_result_can_be_moved_with_it(tmp_path: Path) -> None:
    image = tmp_path / "in" / "cells.tif"
    told = replace(record(), image=replace(record().image, path=str(image)))
    (tmp_path / "out").mkdir()
    beside = write_beside(tmp_path / "out" / "cells.tif", told)
    assert beside == tmp_path / "out" / "cells.tif.json"
    assert read_provenance(beside).image.path == "../in/cells.tif"


def test_an_earlier_record_is_replaced_and_no_other_file(tmp_path: Path) -> None:
    result = tmp_path / "cells.tif"
    assert write_beside(result, record()) is not None
    other = replace(record(), planes=(0,))
    assert write_beside(result, other) is not None
    assert read_provenance(path_beside(result)).planes == (0,)
    path_beside(result).write_text("{}")
    assert write_beside(result, record()) is None
    assert path_beside(result).read_text() == "{}"


@pytest.mark.parametrize("name", ["cells.tif", "cells.zarr"])
def test_a_record_beside_a_result_of_another_run_describes_it_to_nobody(
    name: str, tmp_path: Path
) -> None:
    result = write_result(tmp_path / name)
    beside = write_beside(result, replace(record(), planes=(0,)))  # then it was killed
    assert beside is not None

    assert read_provenance(beside) == read_provenance(result) == record()
    mend_beside(result)
    assert json.loads(beside.read_text())["planes"] == list(record().planes)
    before = beside.stat().st_mtime_ns
    mend_beside(result)
    assert beside.stat().st_mtime_ns == before
    beside.unlink()
    mend_beside(result)
    assert beside.exists()
    beside.write_text("{}")
    mend_beside(result)
    assert beside.read_text() == "{}"


def test_a_result_that_another_program_has_saved_is_described_beside_it(tmp_path: Path) -> None:
    result = tmp_path / "cells.tif"
    tifffile.imwrite(result, np.zeros((9, 9), np.uint16))
    beside = write_beside(result, record())
    assert beside is not None
    assert read_provenance(result) == read_provenance(beside)
    assert read_provenance(result).planes == record().planes


def test_any_name_of_a_layer_can_be_told() -> None:
    name = "a\nb\x1b[2J" + "c" * 9000
    told = from_text(to_text(replace(record(), image=replace(record().image, name=name)), None), "")
    assert told.image.name.startswith("a b�[2Jc")
    assert len(told.image.name) < 5000


def test_a_newer_version_may_tell_more() -> None:
    told = json.loads(to_text(record(), None))
    told["mood"] = told["model"]["mood"] = told["objects"]["mood"] = "good"
    assert from_text(json.dumps(told), "") == record()


def told(change: Callable[[dict[str, Any]], None]) -> str:
    found = json.loads(to_text(record(), None))
    change(found)
    return json.dumps(found)


@pytest.mark.parametrize(
    "text",
    [
        "[1]",
        "{}",
        '{"format": "something else"}',
        "[" * 100_000,
        told(lambda t: t.update(schema="1")),
        told(lambda t: t.pop("image")),
        told(lambda t: t.update(planes=[-1])),
        told(lambda t: t.update(planes=[10**99])),
        told(lambda t: t.update(planes="all")),
        told(lambda t: t.update(kind="program")),
        told(lambda t: t.update(device="\x1b[2J")),
        told(lambda t: t.update(device="x" * 10_000)),
        told(lambda t: t.update(versions={"torch": 2})),
        told(lambda t: t.update(mood=[[[[[[[[[[]]]]]]]]]])),
        told(lambda t: t["image"].update(hash="import os")),
        told(lambda t: t["image"].update(shape=[0])),
        told(lambda t: t["image"].update(spacing={"X": "wide"})),
        told(lambda t: t["model"].update(hash="")),
        told(lambda t: t["tiling"].update(rotations=10**9)),
        told(lambda t: t["objects"].update(threshold=float("nan"))),
    ],
)
def test_what_is_no_record_is_refused_with_one_sentence(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(FileError, match="is no record of a segmentation"):
        read_provenance(path)


def test_a_record_of_a_newer_schema_is_refused() -> None:
    with pytest.raises(FileError, match="newer version"):
        from_text(told(lambda t: t.update(schema=SCHEMA + 1)), "x.json")


def test_a_file_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_unet.io.provenance_files._LARGEST", 1000)
    paths = [write_result(tmp_path / name) for name in ("a.tif", "a.ome.tif", "a.zarr")]
    for path in (*paths, write_beside(tmp_path / "b", record())):
        assert path is not None
        with pytest.raises(FileError, match="too large"):
            read_provenance(path)


def test_files_that_say_nothing_of_it_are_told_from_damaged_ones(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "plain.tif", np.zeros((4, 4), np.uint8), imagej=True)
    zarr.create_array(str(tmp_path / "plain.zarr"), data=np.zeros((4, 4)))
    (tmp_path / "empty.json").touch()
    for name in ("plain.tif", "plain.zarr", "empty.json"):
        with pytest.raises(FileError, match="does not say what made it"):
            read_provenance(tmp_path / name)
    (tmp_path / "none.tif").write_bytes(b"no image")
    with pytest.raises(FileError, match="no TIFF file"):
        read_provenance(tmp_path / "none.tif")


def test_planes_corrected_by_hand_are_not_the_models() -> None:
    assert record().untouched == (1, 0)
