"""GeoJSON for QuPath: standard geometry, filled by scikit-image to the same labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_unet.engine.errors import FileError
from napari_unet.io.labels import LabelFormat, Layout, open_label_writer
from napari_unet.io.stack import Channel, ImageStack
from tests.io.objects import Numbers, filled, objects


def write(
    path: Path, labels: Numbers, axes: str, image: ImageStack | None = None, **spacing: float
) -> dict[str, Any]:
    layout = Layout(labels.shape, axes, spacing)
    with open_label_writer(path, layout, image=image) as writer:
        for plane in labels.reshape(-1, *labels.shape[-2:]):
            writer.write(plane[:7])
            writer.write(plane[7:])
    found: dict[str, Any] = json.loads(path.read_text("ascii"))
    return found


def test_scikit_image_fills_the_polygons_to_the_same_labels(tmp_path: Path) -> None:
    labels = objects((2, 3, 20, 24))
    found = np.zeros_like(labels)
    collection = write(tmp_path / "cells.geojson", labels, "TZYX")
    assert collection["type"] == "FeatureCollection"
    for feature in collection["features"]:
        geometry, properties = feature["geometry"], feature["properties"]
        assert feature["type"] == "Feature"
        assert properties["objectType"] == "detection"
        parts = geometry["coordinates"]
        if geometry["type"] == "Polygon":
            parts = [parts]
        rings = [ring for part in parts for ring in part]
        assert all(ring[0] == ring[-1] for ring in rings)
        plane = geometry["plane"]
        assert plane["c"] == -1  # all channels
        inside = filled([np.array(ring[:-1]) for ring in rings], (20, 24))
        found[plane["t"], plane["z"]][inside] = int(properties["name"])
    np.testing.assert_array_equal(found, labels)


def test_holes_belong_to_the_part_that_they_are_in(tmp_path: Path) -> None:
    collection = write(tmp_path / "cells.geojson", objects((20, 24)), "YX")
    geometry = {f["properties"]["name"]: f["geometry"] for f in collection["features"]}
    assert [len(part) for part in geometry["3"]["coordinates"]] == [2, 1]
    assert geometry["300"]["type"] == "MultiPolygon"
    assert geometry["70000"]["type"] == "Polygon"


def test_each_object_is_measured_with_its_grey_values(tmp_path: Path) -> None:
    labels = objects((3, 20, 24))
    grey = np.stack([labels % 100, labels * 0 + 7], axis=1).astype(np.uint16)
    channels = (Channel("DAPI"), Channel("GFP"))
    image = ImageStack(grey, "ZCYX", {}, "cells", channels=channels)
    collection = write(tmp_path / "a.geojson", labels, "ZYX", image, Y=0.5, X=0.5)
    measured = collection["features"][4]["properties"]["measurements"]
    assert measured["label"] == 301
    assert measured["area_um2"] == 16 / 4
    assert (measured["intensity_mean_DAPI"], measured["intensity_mean_GFP"]) == (1, 7)
    assert not {"plane", "z", "t"} & set(measured)


def test_what_is_no_number_is_left_out(tmp_path: Path) -> None:
    collection = write(tmp_path / "a.geojson", objects((20, 24)), "YX", Y=0.5, X=0.25)
    assert "perimeter_um" not in collection["features"][0]["properties"]["measurements"]


def test_no_objects_are_a_collection_of_none(tmp_path: Path) -> None:
    labels = np.zeros((2, 20, 24), np.int32)
    assert write(tmp_path / "a.geojson", labels, "TYX")["features"] == []


def test_the_file_says_what_made_it_where_others_do_not_look(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    wish = LabelFormat.GEOJSON
    with open_label_writer(path, Layout((20, 24), "YX"), wish=wish) as writer:
        writer.write(objects((20, 24)))
        writer.note_provenance('{"format": "ours"}')
    found = json.loads(path.read_text("ascii"))
    assert found["napari-unet-paint provenance"] == {"format": "ours"}
    assert len(found["features"]) == 3


def test_axes_without_a_place_in_qupath_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="the axes QYX"):
        write(tmp_path / "a.geojson", objects((2, 20, 24)), "QYX")
