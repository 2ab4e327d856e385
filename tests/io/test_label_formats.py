"""The name says in which format labels are written; a wish says it where the name does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_unet.engine.errors import FileError
from napari_unet.io.label_formats import LabelFormat, label_format


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cells.tif", "tiff"),
        ("cells.TIFF", "tiff"),
        ("cells.ome.tif", "ome-tiff"),
        ("cells.zarr", "ome-zarr"),
        ("cells.ome.zarr", "ome-zarr"),
        ("cells.zip", "imagej"),
        ("cells.GeoJSON", "geojson"),
        ("01_RES", "ctc"),
        ("folder.zarr/cells_res", "ctc"),
    ],
)
def test_the_ending_says_the_format(name: str, expected: str) -> None:
    assert label_format(Path(name)) == expected


@pytest.mark.parametrize(
    "name", ["cells", "cells.png", "cells.json", "01_RES.old", "image/labels/a"]
)
def test_other_endings_are_refused_with_those_that_are_known(name: str) -> None:
    with pytest.raises(FileError, match=r"no known ending; end the name in \.tif .*\.geojson"):
        label_format(Path(name))


@pytest.mark.parametrize(
    ("name", "wish"),
    [
        ("cells.tif", LabelFormat.OME_TIFF),
        ("cells.json", LabelFormat.GEOJSON),
        ("tracks", LabelFormat.TRACKING),
        ("HeLa 2.5", LabelFormat.TRACKING),
        ("cells.zip", LabelFormat.IMAGEJ),
    ],
)
def test_a_wish_is_heard_where_the_name_leaves_room(name: str, wish: LabelFormat) -> None:
    assert label_format(Path(name), wish) is wish


@pytest.mark.parametrize(
    ("name", "wish", "ending"),
    [
        ("cells.zip", LabelFormat.GEOJSON, r"\.geojson"),
        ("cells", LabelFormat.IMAGEJ, r"\.zip"),
        ("cells.zarr", LabelFormat.TRACKING, "_RES"),
        ("cells.tif", LabelFormat.OME_ZARR, r"\.zarr"),
    ],
)
def test_a_wish_that_the_name_contradicts_is_refused(
    name: str, wish: LabelFormat, ending: str
) -> None:
    with pytest.raises(FileError, match=f"'{name}' is no name for .*; end it in {ending}"):
        label_format(Path(name), wish)
