"""New labels fit the image; large ones live on disk and survive a crash."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]
import pytest
import zarr
from napari.components import ViewerModel
from napari.layers import Image, Labels

from napari_unet.engine.errors import FileError
from napari_unet.io.napari_hooks import read_layers
from napari_unet.ui.layers import arrays
from napari_unet.ui.layers.arrays import new_array, stored_in
from napari_unet.ui.layers.geometry import same_placement
from napari_unet.ui.layers.new_labels import fit_brush, new_labels, start_painting


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where arrays go that are larger than 100 bytes."""
    folder = tmp_path / "labels"
    monkeypatch.setattr(arrays, "_LARGE", 100)
    monkeypatch.setattr(arrays, "_folder", lambda: folder)
    return folder


def test_small_arrays_are_in_memory(folder: Path) -> None:
    array = new_array((10, 10), np.uint8, "small")
    assert isinstance(array, np.ndarray)
    assert stored_in(array) is None
    assert not folder.exists()


def test_what_takes_an_eighth_of_the_free_memory_is_large(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Memory:
        available = 8 * 99

    monkeypatch.setattr(psutil, "virtual_memory", Memory)
    assert isinstance(new_array((10, 10), np.uint8, "large"), zarr.Array)


def test_large_arrays_are_on_disk_in_chunks_of_a_plane_or_less(folder: Path) -> None:
    array = new_array((3, 2, 1500, 40), np.uint16, "a/b: c")
    assert array.chunks == (1, 1, 1024, 40)
    assert (array.shape, array.dtype) == ((3, 2, 1500, 40), np.uint16)
    assert not array[2, 1].any()
    stored = stored_in(array)
    assert stored is not None
    assert stored.parent == folder
    assert stored.name.startswith("a_b_ c 20")
    assert stored.suffix == ".zarr"


def test_two_arrays_of_one_name_do_not_share_a_folder(folder: Path) -> None:
    first, second = (new_array((20, 20), np.uint8, "same " * 80) for _ in range(2))
    first[0, 0] = 1
    assert second[0, 0] == 0


def test_arrays_of_others_are_not_ours(folder: Path, tmp_path: Path) -> None:
    other = zarr.create_array(tmp_path / "other.zarr", shape=(2, 2), dtype="u1")
    assert stored_in(other) is None
    assert stored_in(zarr.zeros((2, 2))) is None


def test_a_folder_that_cannot_be_made_says_what_to_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write_text("in the way")
    with pytest.raises(FileError, match=r"cannot be made.*Free some memory or disk space"):
        new_array((20, 20), np.uint8, "large")


def test_painted_labels_open_again_after_a_crash(folder: Path, image: Image) -> None:
    labels = new_labels([image])
    labels.paint((1, 20, 20), 7)
    stored = stored_in(labels.data)
    ((data, settings, kind),) = read_layers(str(stored))
    assert kind == "labels"
    np.testing.assert_array_equal(data, np.asarray(labels.data))
    assert data[1, 20, 20] == 7
    assert list(settings["scale"]) == [2, 0.5, 0.25]
    assert settings["axis_labels"] == ["z", "y", "x"]


def test_strokes_on_disk_can_be_undone(folder: Path, image: Image, viewer: ViewerModel) -> None:
    labels = viewer.add_layer(new_labels([image]))
    viewer.dims.set_current_step(0, 1)
    labels.paint((1, 20, 20), 7)
    labels.fill((1, 0, 0), 3)
    labels.undo()
    labels.undo()
    assert not np.asarray(labels.data[:]).any()
    labels.redo()
    assert labels.data[1, 20, 20] == 7


@pytest.mark.parametrize("shape", [(64, 48), (2, 3, 64, 48)])
def test_labels_lie_on_images_of_any_number_of_axes(shape: tuple[int, ...]) -> None:
    image = Image(np.zeros(shape, np.uint8), scale=np.arange(1, len(shape) + 1))
    labels = new_labels([image])
    assert labels.data.shape == shape
    assert same_placement(labels, image)


def test_labels_of_an_rgb_image_have_no_colour_axis() -> None:
    image = Image(np.zeros((5, 64, 48, 3), np.uint8), rgb=True, scale=(2, 3, 3))
    labels = new_labels([image])
    assert labels.data.shape == (5, 64, 48)
    assert same_placement(labels, image)


@pytest.mark.parametrize(
    ("data", "options", "size"),
    [
        (np.zeros((64, 48), np.uint8), {}, 1),
        (np.zeros((64, 800), np.uint8), {}, 20),
        (np.zeros((8, 9000), np.uint8), {}, 40),
        ([np.zeros((800, 800)), np.zeros((400, 400))], {"multiscale": True}, 20),
    ],
)  # fmt: skip
def test_the_brush_fits_the_view(data: Any, options: dict[str, Any], size: int) -> None:
    labels = Labels(np.zeros((8, 8), np.uint8))
    fit_brush(labels, Image(data, **options))
    assert labels.brush_size == size


def test_start_painting_takes_the_brush_on_that_layer(viewer: ViewerModel, labels: Labels) -> None:
    viewer.layers.selection.active = viewer.layers[0]
    start_painting(viewer, labels, 5)
    assert viewer.layers.selection.active is labels
    assert (labels.mode, labels.selected_label) == ("paint", 5)
