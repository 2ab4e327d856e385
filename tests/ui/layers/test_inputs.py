"""Layers become planes, or one sentence that says what to do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr
from napari.layers import Image, Labels

from napari_unet.engine.planes import ArrayPlanes
from napari_unet.ui.layers.geometry import same_placement
from napari_unet.ui.layers.inputs import (
    PaintedPlanes,
    image_planes,
    new_labels,
    snapshot,
    why_no_image,
    why_no_labels,
)

WHOLE = slice(0, 64), slice(0, 48)


@pytest.mark.parametrize(
    ("array", "options", "sentence"),
    [
        (np.zeros((8, 8, 3), np.uint8), {"rgb": True}, "RGB image.*take Split RGB"),
        (np.zeros((8, 8), bool), {}, "holds bool values.*convert it"),
    ],
)
def test_an_image_that_cannot_be_used_says_what_to_do(
    array: Any, options: dict[str, Any], sentence: str
) -> None:
    image = Image(array, name="odd", **options)
    reason = why_no_image(image)
    assert reason is not None
    assert "'odd'" in reason
    assert re.search(sentence, reason)


def test_no_image_says_how_to_open_one() -> None:
    assert "Open an image first" in str(why_no_image(None))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float32", "float64"])
def test_grey_images_of_any_depth_are_fine(dtype: str) -> None:
    assert why_no_image(Image(np.zeros((8, 8), dtype=dtype))) is None


@pytest.mark.parametrize(
    ("shape", "options", "sentence"),
    [
        ((64, 48), {}, "has 2 axes, but 'cells' has 3. Press New"),
        ((3, 64, 47), {}, "has 3×64×47 pixels, but 'cells' has 3×64×48"),
        ((3, 64, 48), {}, "lies elsewhere"),
        ((3, 64, 48), {"scale": (2, 0.5, 0.25)}, "lies elsewhere"),
        ((3, 64, 48), {"scale": (1, 0.5, 0.25), "translate": (0, 10, 20)}, "lies elsewhere"),
    ],
)
def test_labels_that_do_not_fit_the_image_say_what_to_do(
    image: Image, shape: tuple[int, ...], options: dict[str, Any], sentence: str
) -> None:
    labels = Labels(np.zeros(shape, dtype=np.uint8), name="strokes", **options)
    assert sentence in str(why_no_labels(labels, image))


def test_no_labels_say_how_to_make_some(image: Image) -> None:
    assert "Press New" in str(why_no_labels(None, image))


def test_labels_that_fit_are_fine(image: Image, labels: Labels) -> None:
    assert why_no_labels(labels, image) is None


def test_new_labels_fit_the_image_and_are_ready_to_paint_on(image: Image) -> None:
    labels = new_labels(image)
    assert why_no_labels(labels, image) is None
    assert labels.units == image.units
    assert labels.mode == "paint"
    assert np.iinfo(labels.data.dtype).max > 1000  # objects have a number each
    assert not labels.data.any()


def test_labels_fit_a_multiscale_image_at_its_finest_level() -> None:
    fine = np.zeros((128, 128), dtype=np.uint8)
    image = Image([fine, fine[::2, ::2]], multiscale=True)
    assert why_no_labels(new_labels(image), image) is None
    assert image_planes(image).shape == (128, 128)


@pytest.mark.parametrize("kind", ["numpy", "dask", "zarr"])
def test_images_are_read_plane_by_plane_whatever_holds_them(
    image: Image, kind: str, tmp_path: Path
) -> None:
    array: Any = image.data
    if kind == "dask":
        array = da.from_array(image.data, chunks=(1, 32, 32))  # type: ignore[no-untyped-call]
    elif kind == "zarr":
        array = zarr.create_array(tmp_path / "a.zarr", data=image.data, chunks=(1, 32, 32))
    planes = image_planes(Image(array, multiscale=False))
    assert (planes.count, planes.shape, planes.channels) == (3, (64, 48), 1)
    np.testing.assert_array_equal(planes.read(2, *WHOLE)[0], image.data[2])


def test_a_snapshot_keeps_what_was_painted_when_it_was_taken(labels: Labels) -> None:
    labels.paint((1, 10, 10), 3)
    taken = snapshot(labels)
    before = labels.data.copy()
    labels.paint((0, 20, 20), 4)
    labels.paint((1, 10, 10), 5)
    labels.undo()
    labels.undo()
    labels.undo()
    assert not labels.data.any()
    for plane in range(3):
        np.testing.assert_array_equal(taken.read(plane, *WHOLE)[0], before[plane])


def test_a_snapshot_copies_painted_planes_only(labels: Labels) -> None:
    labels.paint((1, 10, 10), 3)
    taken = snapshot(labels)
    assert isinstance(taken, PaintedPlanes)
    assert list(taken.painted) == [1]
    assert (taken.count, taken.shape, taken.dtype) == (3, (64, 48), np.dtype(np.uint16))


def test_a_snapshot_reads_regions(labels: Labels) -> None:
    labels.paint((1, 10, 10), 3)
    region = slice(5, 20), slice(2, 14)
    taken = snapshot(labels)
    np.testing.assert_array_equal(taken.read(1, *region)[0], labels.data[1][region])
    assert taken.read(0, *region).shape == (1, 15, 12)


def test_negative_labels_reach_the_engine_which_knows_what_to_say() -> None:
    array = np.zeros((2, 8, 8), dtype=np.int16)
    array[1, 0, 0] = -1
    taken = snapshot(Labels(array))
    assert taken.read(1, slice(0, 8), slice(0, 8)).min() == -1


def test_labels_on_disk_are_left_to_the_worker(tmp_path: Path) -> None:
    array = zarr.create_array(tmp_path / "l.zarr", data=np.ones((2, 8, 8), np.uint8))
    assert isinstance(snapshot(Labels(array)), ArrayPlanes)


def test_planes_of_several_leading_axes_are_numbered_in_order() -> None:
    array = np.zeros((2, 3, 8, 8), dtype=np.uint8)
    array[1, 2, 4, 4] = 7
    taken = snapshot(Labels(array))
    assert isinstance(taken, PaintedPlanes)
    assert list(taken.painted) == [5]
    assert taken.read(5, slice(0, 8), slice(0, 8))[0, 4, 4] == 7


def test_placement_is_the_same_only_if_every_pixel_is(image: Image, labels: Labels) -> None:
    assert same_placement(image, labels)
    labels.rotate = np.array([[1, 0, 0], [0, 0, 1], [0, 1, 0]])
    assert not same_placement(image, labels)
