"""Which images names, folders and patterns mean, and what their results are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.records import record
from napari_unet.engine.errors import FileError, SettingsError
from napari_unet.io.input_files import find_inputs
from napari_unet.io.provenance import to_text


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder in which results lie beside and below the images."""
    monkeypatch.chdir(tmp_path)
    for name in (
        *("in/t2.tif", "in/t10.ome.tif", "in/.hidden.tif", "in/notes.txt", "in/[1].png"),
        *("in/day/a.tif", "in/day/a_mask.tif", "in/out/t2.tif", "in/z.zarr/0/c.tif"),
        *("in/old/t2.tif", "in/old/t2.tif.json"),
    ):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"")
    Path("in/old/t2.tif.json").write_text(to_text(record(), None))


def _found(*named: str, folder: str = "in/out", suffix: str = "") -> dict[str, str]:
    files = find_inputs([Path(name) for name in named], Path(folder), suffix)
    return {file.path.as_posix(): file.output.as_posix() for file in files}


def test_a_folder_stands_for_its_images_and_no_results_labels_or_hidden_files() -> None:
    assert _found("in") == {
        "in/[1].png": "in/out/[1].tif",
        "in/t2.tif": "in/out/t2.tif",
        "in/t10.ome.tif": "in/out/t10.tif",
        "in/day/a.tif": "in/out/day/a.tif",
        "in/z.zarr": "in/out/z.tif",
    }


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("in/*.tif", ["in/out/t2.tif", "in/out/t10.tif"]),
        ("in/**/a.tif", ["in/out/day/a.tif"]),
        ("i?/d*", ["in/out/in/day/a.tif"]),
        ("in/[1].png", ["in/out/[1].tif"]),  # a file of that name is no pattern
        ("in/**/*.tif", ["t2.tif", "t10.tif", "day/a.tif", "day/a_mask.tif"]),
    ],
)
def test_patterns_keep_what_lies_below_their_plain_part(pattern: str, expected: list[str]) -> None:
    outputs = _found(pattern).values()
    assert sorted(outputs) == sorted(
        str(Path("in/out") / name) if "/out/" not in name else name for name in expected
    )


def test_results_beside_their_images_are_taken_for_no_images() -> None:
    Path("in/day/a_seg.tif").write_bytes(b"")  # of a run that was killed before its record
    assert _found("in/day", folder="in/day", suffix="_seg") == {"in/day/a.tif": "in/day/a_seg.tif"}


def test_the_folder_of_the_results_may_hold_that_of_the_images() -> None:
    assert _found("in/day", folder=".") == {"in/day/a.tif": "a.tif"}


def test_a_file_that_is_named_twice_counts_once() -> None:
    assert len(_found("in/t2.tif", "in/*.tif", "in/../in/t2.tif")) == 2


@pytest.mark.parametrize(
    ("named", "folder", "expected"),
    [
        (("in/t2.tif", "in/day/../out/t2.tif"), "o", "would both be"),
        (("in/t2.tif", "in/T2.tif"), "o", "would both be"),  # one file on Windows
        (("in/t2.tif",), "in", "would take its place"),
    ],
)
def test_no_result_takes_the_place_of_another(
    named: tuple[str, ...], folder: str, expected: str
) -> None:
    Path("in/T2.tif").write_bytes(b"")
    with pytest.raises(SettingsError, match=expected):
        _found(*named, folder=folder)


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("nowhere.tif", "does not exist"),
        ("in/*.czi", "matches no image"),
        ("in/old", "only results of this program"),
        ("in/old/t2.tif", "give the image itself"),
    ],
)
def test_where_there_is_no_image_it_is_said(named: str, expected: str) -> None:
    with pytest.raises(FileError, match=expected):
        _found("in", named)
