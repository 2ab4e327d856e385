"""Folders of images and labels are found as pairs, and what has no partner is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_unet.engine.errors import FileError, LabelsError, SettingsError, UnetPaintError
from napari_unet.io.training_pairs import PairFiles, find_pairs, open_pair


def write(path: Path, *shape: int, dtype: str = "uint8") -> Path:
    path.parent.mkdir(exist_ok=True)
    tifffile.imwrite(path, np.zeros(shape, dtype), photometric="minisblack")
    return path


def two_folders(folder: Path, labels: str = "{}_mask") -> PairFiles:
    for name, shape in {"a": (8, 9), "b": (20, 7), "c": (2, 8, 9)}.items():
        write(folder / "images" / f"{name}.tif", *shape)
        write(folder / "labels" / f"{labels.format(name)}.tif", *shape)
    return PairFiles(folder / "images", folder / "labels")


def names(pairs: list[PairFiles]) -> list[tuple[str, str]]:
    return [(pair.image.name, pair.labels.name) for pair in pairs]


@pytest.mark.parametrize("labels", ["{}", "{}_mask", "labels of {}"])
def test_images_of_any_size_and_number_of_planes_find_their_labels(
    tmp_path: Path, labels: str
) -> None:
    found, alone = find_pairs([two_folders(tmp_path, labels)])
    assert names(found) == [(f"{name}.tif", f"{labels.format(name)}.tif") for name in "abc"]
    assert alone == []
    opened = [open_pair(files) for files in found]
    assert [(one.pair.planes.count, one.pair.planes.shape) for one in opened] == [
        (1, (8, 9)),
        (1, (20, 7)),
        (2, (8, 9)),
    ]
    assert [source.name for source in opened[1].sources] == ["b", found[1].labels.name]


def test_what_has_no_partner_is_listed(tmp_path: Path) -> None:
    files = two_folders(tmp_path)
    (files.labels / "b_mask.tif").unlink()
    write(files.labels / "z_mask.tif", 8, 9)
    found, alone = find_pairs([files])
    assert names(found) == [("a.tif", "a_mask.tif"), ("c.tif", "c_mask.tif")]
    assert alone == [
        "These images have no labels and are left out: 'b.tif'.",
        "These labels have no image and are left out: 'z_mask.tif'.",
    ]


def test_a_folder_of_planes_of_one_size_is_one_image(tmp_path: Path) -> None:
    for name in ("t0", "t1"):
        write(tmp_path / "images" / f"{name}.tif", 8, 9)
        write(tmp_path / "labels" / f"{name}.tif", 8, 9)
    files = PairFiles(tmp_path / "images", tmp_path / "labels")
    assert find_pairs([files]) == ([files], [])
    assert open_pair(files).pair.planes.count == 2


def test_images_and_labels_may_lie_in_one_folder(tmp_path: Path) -> None:
    for name, side in (("a", 8), ("b", 20)):
        write(tmp_path / f"{name}.tif", side, side)
        write(tmp_path / f"{name}_labels.tif", side, side)
    found, _ = find_pairs([PairFiles(tmp_path, tmp_path)])
    assert names(found) == [("a.tif", "a_labels.tif"), ("b.tif", "b_labels.tif")]


def twice(files: PairFiles) -> list[PairFiles]:
    one = PairFiles(files.image / "a.tif", files.labels / "a_mask.tif")
    return [one, PairFiles(files.image / ".." / "images" / "a.tif", one.labels)]


def two_of_one(files: PairFiles) -> list[PairFiles]:
    write(files.labels / "a_labels.tif", 8, 9)
    return [files]


def other_names(files: PairFiles) -> list[PairFiles]:
    for path in files.labels.iterdir():
        path.rename(path.with_name(f"x{path.name}"))
    return [files]


def no_labels(files: PairFiles) -> list[PairFiles]:
    for path in files.labels.iterdir():
        path.unlink()
    return [files]


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda _: [], SettingsError, "No image is given; name an image and its labels"),
        (twice, SettingsError, "are given twice; give each pair once"),
        (two_of_one, LabelsError, "Both 'a_labels.tif' and 'a_mask.tif' are named like"),
        (other_names, LabelsError, "No file in .* is named like one in .*--pair"),
        (no_labels, FileError, "holds no label files; choose another"),
        (
            lambda f: [PairFiles(f.image, f.labels / "a_mask.tif")],
            LabelsError,
            "holds several images, but '.*' is no folder",
        ),
    ],
    ids=["nothing", "twice", "two labels", "other names", "no labels", "a file of labels"],
)
def test_what_cannot_be_paired_is_refused_with_a_cure(
    tmp_path: Path, make: object, error: type[UnetPaintError], says: str
) -> None:
    assert callable(make)
    with pytest.raises(error, match=says):
        find_pairs(make(two_folders(tmp_path)))
