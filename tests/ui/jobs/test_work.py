"""The jobs that write and read files, and the sample that napari's menu opens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import tifffile
import zarr
from napari.layers import Layer
from npe2 import PluginManifest
from npe2.manifest.contributions import MenuCommand

from napari_unet.engine.errors import FileError
from napari_unet.engine.events import never
from napari_unet.engine.model import Model
from napari_unet.io.stack import Layout
from napari_unet.ui.jobs.work import (
    DeviceFound,
    Exported,
    ModelOpened,
    ModelSaved,
    PlaneWritten,
    export_labels,
    find_device,
    read_model,
    write_model,
)
from napari_unet.ui.sample import open_sample

LAYOUT = Layout((4, 16, 12), "ZYX", {"Z": 2.0, "Y": 0.5, "X": 0.5})


@pytest.fixture
def array() -> Any:
    return np.random.default_rng(0).integers(0, 70_000, size=LAYOUT.shape, dtype=np.int32)


@pytest.mark.parametrize("kind", ["numpy", "dask", "zarr"])
def test_labels_are_written_as_they_are(array: Any, kind: str, tmp_path: Path) -> None:
    held: Any = array
    if kind == "dask":
        held = da.from_array(array, chunks=(1, 16, 12))  # type: ignore[no-untyped-call]
    elif kind == "zarr":
        held = zarr.create_array(tmp_path / "a.zarr", data=array, chunks=(1, 8, 8))
    path = tmp_path / "out.tif"
    told = list(export_labels(held, LAYOUT, path)(never))
    assert told == [*(PlaneWritten(n, 4) for n in (1, 2, 3, 4)), Exported(path)]
    np.testing.assert_array_equal(tifffile.imread(path), array)


def test_a_stopped_export_leaves_no_file(array: Any, tmp_path: Path) -> None:
    answers = iter([False, False, True])
    told = list(export_labels(array, LAYOUT, tmp_path / "out.tif")(lambda: next(answers)))
    assert told == [PlaneWritten(1, 4), PlaneWritten(2, 4)]
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_is_closed_leaves_no_file(array: Any, tmp_path: Path) -> None:
    export = export_labels(array, LAYOUT, tmp_path / "out.tif")(never)
    assert isinstance(export, Iterator)
    next(export)
    export.close()  # type: ignore[attr-defined]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_does_not_exist_is_one_sentence(array: Any, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="does not exist"):
        list(export_labels(array, LAYOUT, tmp_path / "nowhere" / "out.tif")(never))


def test_a_model_is_read_as_it_was_written(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    assert list(write_model(model, path)(never)) == [ModelSaved(path)]
    (opened,) = read_model(path)(never)
    assert isinstance(opened, ModelOpened)
    assert opened.model.network == model.network
    assert opened.model.values == model.values
    for name, weight in model.weights.items():
        np.testing.assert_array_equal(opened.model.weights[name].numpy(), weight.numpy())


def test_the_device_is_found() -> None:
    (found,) = find_device()(never)
    assert isinstance(found, DeviceFound)
    assert found.device.reason


def test_the_sample_is_a_stack_and_strokes_on_it() -> None:
    image, strokes = (Layer.create(*data) for data in open_sample())
    assert image.data.shape == strokes.data.shape
    assert image.axis_labels == ("t", "y", "x")
    np.testing.assert_allclose(image.scale, strokes.scale)
    assert set(np.unique(strokes.data)) >= {0, 1, 2}


def test_everything_in_the_manifest_can_be_imported() -> None:
    manifest = PluginManifest.from_distribution("napari-unet-paint")
    manifest.validate_imports()
    commands = {command.id for command in manifest.contributions.commands or []}
    for items in (manifest.contributions.menus or {}).values():
        assert {item.command for item in items if isinstance(item, MenuCommand)} <= commands
