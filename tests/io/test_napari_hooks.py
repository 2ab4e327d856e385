"""napari opens and saves through this package's reader and writer, lazily and with scale."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import npe2
import numpy as np
import numpy.typing as npt
import pytest
import tifffile
import zarr
from napari.components import ViewerModel
from napari.layers import Image, Labels
from napari_builtins.io import napari_get_reader, napari_write_labels  # type: ignore[import-untyped]

from napari_unet.engine.errors import FileError
from napari_unet.io import napari_hooks
from napari_unet.io.images import open_image
from napari_unet.io.labels import write_labels
from napari_unet.io.lazy import LazyArray
from napari_unet.io.napari_hooks import get_reader, read_layers, write_labels_layer

Grey = npt.NDArray[np.uint16]
PLUGIN = "napari-unet-paint"


@pytest.fixture
def movie(tmp_path: Path, rng: np.random.Generator) -> tuple[Path, Grey]:
    """Volumes over time, 2 µm × 0.2 µm × 0.25 µm, every 30 s."""
    data = rng.integers(0, 4096, (7, 4, 40, 52), dtype=np.uint16)
    meta = {"axes": "TZYX", "unit": "um", "spacing": 2.0, "finterval": 30.0}
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, data, imagej=True, resolution=(4.0, 5.0), metadata=meta)
    return path, data


def layers(path: Path | list[str]) -> list[Any]:
    given = path if isinstance(path, list) else str(path)
    reader = get_reader(given)
    assert reader is not None
    return reader(given)


def plain_units(layer: Image | Labels) -> list[str]:
    return [str(unit) for unit in layer.units]


def test_a_movie_becomes_a_layer_with_scale_units_and_axes(movie: tuple[Path, Grey]) -> None:
    path, data = movie
    [(array, settings, kind)] = layers(path)
    layer = Image(array, **settings)
    assert kind == "image"
    assert layer.name == "movie"
    np.testing.assert_allclose(layer.scale, [30.0, 2.0, 0.2, 0.25])
    assert plain_units(layer) == ["second", "micrometer", "micrometer", "micrometer"]
    assert layer.axis_labels == ("t", "z", "y", "x")
    np.testing.assert_array_equal(np.asarray(layer.data), data)


def test_the_viewer_reads_the_planes_that_it_shows_only(
    movie: tuple[Path, Grey], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[int, ...]] = []
    plain = LazyArray.__getitem__

    def getitem(self: LazyArray, index: Any) -> npt.NDArray[Any]:
        region = plain(self, index)
        read.append(region.shape)
        return region

    monkeypatch.setattr(LazyArray, "__getitem__", getitem)
    path, data = movie
    viewer = ViewerModel()
    [(array, settings, _)] = layers(path)
    layer = viewer.add_image(array, **settings)
    viewer.dims.set_point(0, 5 * 30.0)
    assert read
    assert all(shape == (1, 1, 40, 52) for shape in read)
    np.testing.assert_array_equal(layer._slice.image.raw, data[5, viewer.dims.current_step[1]])
    read.clear()
    viewer.dims.ndisplay = 3
    assert read == [(1, 4, 40, 52)]


def test_unknown_distances_are_pixels(tmp_path: Path, grey: Grey) -> None:
    tifffile.imwrite(tmp_path / "a.tif", grey, photometric="minisblack")
    [(array, settings, _)] = layers(tmp_path / "a.tif")
    layer = Image(array, **settings)
    assert plain_units(layer) == ["pixel"] * 3
    np.testing.assert_array_equal(layer.scale, [1, 1, 1])


def test_channels_become_a_layer_each(tmp_path: Path, grey: Grey) -> None:
    data = grey.reshape(3, 2, 40, 52)
    tifffile.imwrite(tmp_path / "a.tif", data, imagej=True, metadata={"axes": "TCYX"})
    found = layers(tmp_path / "a.tif")
    assert [settings["name"] for _, settings, _ in found] == ["a C0", "a C1"]
    for channel, (array, settings, _) in enumerate(found):
        layer = Image(array, **settings)
        assert layer.axis_labels == ("t", "y", "x")
        np.testing.assert_array_equal(np.asarray(layer.data), data[:, channel])


def test_channels_are_called_and_coloured_as_the_file_says(tmp_path: Path, grey: Grey) -> None:
    told = {"Name": ["DAPI", ""], "Color": [65535, -1]}  # blue, white
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(
        path, grey[:2], photometric="minisblack", metadata={"axes": "CYX", "Channel": told}
    )
    blue, white = (Image(array, **settings) for array, settings, _ in layers(path))
    assert (blue.name, white.name) == ("a DAPI", "a C1")
    np.testing.assert_array_equal(blue.colormap.colors[-1], [0, 0, 1, 1])
    assert white.colormap.name == "gray"


def test_a_display_range_that_the_file_states_is_that_of_the_layer(
    tmp_path: Path, grey: Grey
) -> None:
    meta = {"axes": "ZYX", "min": 100.0, "max": 900.0}
    tifffile.imwrite(tmp_path / "a.tif", grey, imagej=True, metadata=meta)
    [(array, settings, _)] = layers(tmp_path / "a.tif")
    assert Image(array, **settings).contrast_limits == [100, 900]


def test_an_image_whose_low_values_are_white_is_shown_so(tmp_path: Path, grey: Grey) -> None:
    tifffile.imwrite(tmp_path / "a.tif", grey, photometric="miniswhite")
    [(array, settings, _)] = layers(tmp_path / "a.tif")
    layer = Image(array, **settings)
    np.testing.assert_array_equal(layer.colormap.colors[-1], [0, 0, 0, 1])
    np.testing.assert_array_equal(np.asarray(layer.data), grey)


@pytest.mark.parametrize("name", ["Labels.tif", "cells_cp_masks.tif"])
def test_three_planes_of_labels_that_napari_saved_come_back_as_labels(
    name: str, tmp_path: Path
) -> None:
    data = np.zeros((3, 40, 52), np.int32)
    data[1, 4:9, 4:9] = 7
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # tifffile's, about RGB
        napari_write_labels(str(tmp_path / name), data, {"name": "a"})
    [(array, settings, kind)] = layers(tmp_path / name)
    assert kind == "labels"
    np.testing.assert_array_equal(Labels(array, **settings).data, data)


def test_colour_pictures_stay_colour_pictures(tmp_path: Path, rng: np.random.Generator) -> None:
    data = rng.integers(0, 255, (2, 40, 52, 3), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", data, photometric="rgb")
    [(array, settings, _)] = layers(tmp_path / "a.tif")
    layer = Image(array, **settings)
    assert (layer.rgb, layer.ndim) == (True, 3)


def test_labels_larger_than_the_free_memory_are_refused_before_they_are_read(
    tmp_path: Path,
) -> None:
    path = tmp_path / "cells_labels.zarr"
    side = 2**20
    zarr.create_array(str(path), shape=(side, side), chunks=(512, 512), dtype="uint32")
    with pytest.raises(FileError, match=r"take 4,398.0 GB of memory, and .* GB are free; open a"):
        napari_hooks.read_layers(str(path))


def test_label_files_become_labels_that_can_be_painted(tmp_path: Path) -> None:
    data = np.zeros((3, 40, 52), np.int32)
    data[1, 4:9, 4:9] = 70_000
    for name in ("a.tif", "a.zarr"):
        write_labels(
            tmp_path / name, data, shape=data.shape, axes="TYX", spacing={"Y": 0.2, "X": 0.2}
        )
        [(array, settings, kind)] = layers(tmp_path / name)
        assert kind == "labels"
        layer = Labels(array, **settings)
        layer.fill((1, 4, 4), 5)
        assert layer.data[1, 8, 8] == 5
        np.testing.assert_allclose(layer.scale, [1, 0.2, 0.2])


def test_folders_and_lists_of_planes_open_as_stacks(tmp_path: Path, grey: Grey) -> None:
    (tmp_path / "cells").mkdir()
    files = [str(tmp_path / "cells" / f"t{i}.tif") for i in range(6)]
    for file, plane in zip(files, grey, strict=True):
        iio.imwrite(file, plane)
    for given in (tmp_path / "cells", files[::-1]):
        [(array, settings, _)] = layers(given)
        assert (settings["name"], settings["axis_labels"]) == ("cells", ["t", "y", "x"])
        np.testing.assert_array_equal(np.asarray(array), grey)


def test_an_image_inside_an_ome_zarr_opens(tmp_path: Path) -> None:
    data = np.zeros((3, 40, 52), np.uint32)
    write_labels(tmp_path / "a.zarr", data, shape=data.shape, axes="TYX", spacing={})
    (tmp_path / "a.zarr").rename(tmp_path / "0")
    [(array, _, _)] = layers(tmp_path / "0")
    assert array.shape == data.shape


@pytest.mark.parametrize("name", ["a.png", "a.csv", "folder"])
def test_what_belongs_to_others_is_left_to_them(name: str, tmp_path: Path) -> None:
    if name == "folder":
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_text("")
    assert get_reader(str(tmp_path / name)) is None
    assert get_reader([str(tmp_path)]) is None


# Saving


@pytest.mark.parametrize("name", ["out.tif", "out.zarr"])
@pytest.mark.parametrize("largest", [5, 70_000])
def test_a_saved_layer_keeps_numbers_scale_units_and_axes(
    name: str, largest: int, movie: tuple[Path, Grey], tmp_path: Path
) -> None:
    [(array, settings, _)] = layers(movie[0])
    image = Image(array, **settings)
    data = np.zeros(image.data.shape, np.int32)
    data[3, 2, 4:9, 4:9] = largest
    layer = Labels(data, scale=image.scale, units=image.units, axis_labels=image.axis_labels)
    assert write_labels_layer(str(tmp_path / name), *layer.as_layer_data_tuple()[:2]) == [
        str(tmp_path / name)
    ]
    stack = open_image(tmp_path / name)
    assert stack.axes == "TZYX"
    assert stack.spacing == pytest.approx({"T": 30.0, "Z": 2.0, "Y": 0.2, "X": 0.25})
    np.testing.assert_array_equal(np.asarray(stack.array), data)


@pytest.mark.parametrize(
    ("settings", "axes", "spacing"),
    [
        ({}, "TZYX", {}),
        ({"axis_labels": ("frame", "z", "row", "column")}, "TZYX", {}),
        ({"axis_labels": ("z", "t", "y", "x")}, "ZTYX", {}),
        ({"scale": (1, 2, 3, 4)}, "TZYX", {}),  # pixels
        (
            {"scale": (2, 500, 0.3, 0.4), "units": ("minute", "nm", "um", "um")},
            "TZYX",
            {"T": 120.0, "Z": 0.5, "Y": 0.3, "X": 0.4},
        ),
    ],
)
def test_layers_without_names_or_units_are_saved_too(
    settings: dict[str, Any], axes: str, spacing: dict[str, float], tmp_path: Path
) -> None:
    layer = Labels(np.ones((2, 3, 8, 9), np.uint8), **settings)
    write_labels_layer(str(tmp_path / "a.tif"), *layer.as_layer_data_tuple()[:2])
    stack = open_image(tmp_path / "a.tif")
    assert stack.axes == axes
    assert stack.spacing == pytest.approx(spacing)


def test_a_channel_has_no_length(tmp_path: Path) -> None:
    layer = Labels(np.ones((3, 8, 9), np.uint8), axis_labels=("c", "y", "x"), units=("um",) * 3)
    write_labels_layer(str(tmp_path / "a.zarr"), *layer.as_layer_data_tuple()[:2])
    ome: Any = zarr.open_group(str(tmp_path / "a.zarr"), mode="r").attrs["ome"]
    assert ome["multiscales"][0]["axes"][0] == {"name": "c", "type": "channel"}


def test_the_full_resolution_of_a_pyramid_is_saved(tmp_path: Path) -> None:
    full = np.arange(64 * 64, dtype=np.int32).reshape(64, 64)
    layer = Labels([full, full[::2, ::2]], multiscale=True)
    write_labels_layer(str(tmp_path / "a.tif"), *layer.as_layer_data_tuple()[:2])
    np.testing.assert_array_equal(np.asarray(open_image(tmp_path / "a.tif").array), full)


@pytest.mark.parametrize("largest", [5, 70_000])
def test_naparis_own_reader_reads_the_same(largest: int, tmp_path: Path) -> None:
    data = np.zeros((3, 2, 40, 52), np.int32)
    data[2, 1, 3:9] = largest
    path = str(tmp_path / "a.tif")
    write_labels(path, data.reshape(6, 40, 52), shape=data.shape, axes="TZYX", spacing={})
    reader = napari_get_reader(path)
    assert reader is not None
    np.testing.assert_array_equal(reader(path)[0][0], data)


@pytest.mark.parametrize("ending", [".zip", ".geojson"])
def test_file_save_writes_outlines(ending: str, tmp_path: Path) -> None:
    manager = npe2.PluginManager()
    manager.register(npe2.PluginManifest.from_distribution(PLUGIN))
    path = tmp_path / f"cells{ending}"
    writer, _ = manager.get_writer(str(path), ["labels"], plugin_name=PLUGIN)
    assert writer is not None
    assert writer.filename_extensions == [ending]
    layer = Labels(np.eye(4, dtype=np.int32), axis_labels=("y", "x"))
    data, meta, _ = layer.as_layer_data_tuple()
    assert write_labels_layer(str(path), data, meta) == [str(path)]
    assert path.stat().st_size > 0


def test_features_of_a_layer_go_into_geojson(tmp_path: Path) -> None:
    features = {
        "index": [0, 1, 7],
        "speed": [np.nan, 2.5, 3.0],
        "kind": ["", "a", "b"],
        "area_px": [0, 99, 99],
    }
    layer = Labels(np.diag([1, 7, 9]).astype(np.int32), features=features)
    data, meta, _ = layer.as_layer_data_tuple()
    write_labels_layer(str(tmp_path / "a.geojson"), data, meta)
    found = json.loads((tmp_path / "a.geojson").read_text())["features"]
    measured = [feature["properties"]["measurements"] for feature in found]
    assert [row.get("speed") for row in measured] == [2.5, 3.0, None]
    assert [row["area_px"] for row in measured] == [1, 1, 1]  # what is measured now counts
    assert not any("kind" in row for row in measured)  # no number


# The manifest


def test_the_manifest_names_the_reader_and_the_writer() -> None:
    manifest = npe2.PluginManifest.from_distribution(PLUGIN)
    commands = {c.id: c.python_name for c in manifest.contributions.commands or []}
    [reader] = manifest.contributions.readers or []
    writers = manifest.contributions.writers or []
    module = napari_hooks.__name__
    assert commands[reader.command] == f"{module}:get_reader"
    assert {commands[writer.command] for writer in writers} == {f"{module}:write_labels_layer"}
    assert reader.accepts_directories
    assert {writer.display_name: writer.filename_extensions for writer in writers} == {
        "Label image": [".tif", ".tiff", ".zarr"],
        "ImageJ ROIs": [".zip"],
        "GeoJSON for QuPath": [".geojson"],
    }
    assert all(writer.layer_types == ["labels"] for writer in writers)
    assert reader.filename_patterns == ["*.tif", "*.tiff", "*.zarr"]


def test_each_image_of_a_file_of_several_is_a_layer_and_the_first_is_shown(
    tmp_path: Path, grey: Grey, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as tif:
        for name, stack in (("left", grey[:3]), ("middle", grey[:2]), ("right", grey[3:, :20])):
            about = {"axes": "ZYX", "Name": name}
            tif.write(stack, photometric="minisblack", metadata=about)
    layers = read_layers(str(tmp_path / "a.ome.tif"))
    names, shapes = [layer[1]["name"] for layer in layers], [layer[0].shape for layer in layers]
    assert names == ["a left", "a middle", "a right"]
    assert shapes == [(3, 40, 52), (2, 40, 52), (3, 20, 52)]
    assert [layer[1].get("visible", True) for layer in layers] == [True, False, False]
    np.testing.assert_array_equal(np.asarray(layers[2][0]), grey[3:, :20])
    monkeypatch.setattr(napari_hooks, "_MOST_IMAGES", 2)
    with pytest.warns(UserWarning, match=r"holds 3 images, of which the first 2 are open"):
        assert len(read_layers(str(tmp_path / "a.ome.tif"))) == 2
