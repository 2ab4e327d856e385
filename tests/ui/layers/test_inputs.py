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

from napari_unet.io.unfinished import UNFINISHED
from napari_unet.ui.layers.geometry import placement, same_placement
from napari_unet.ui.layers.inputs import (
    image_planes,
    labels_planes,
    lesson_planes,
    why_no_image,
    why_no_labels,
)
from napari_unet.ui.layers.new_labels import new_labels

WHOLE = slice(0, 64), slice(0, 48)


def test_an_image_that_cannot_be_used_says_what_to_do() -> None:
    reason = str(why_no_image((Image(np.zeros((8, 8), bool), name="odd"),)))
    assert re.search("'odd' holds bool values.*convert it", reason)


def test_no_image_says_how_to_open_one() -> None:
    assert "Open an image first" in str(why_no_image(()))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float32", "float64"])
def test_grey_images_of_any_depth_are_fine(dtype: str) -> None:
    assert why_no_image((Image(np.zeros((8, 8), dtype=dtype)),)) is None


@pytest.mark.parametrize(
    ("shape", "options", "sentence"),
    [
        ((64, 48), {}, "has 2 axes, but 'cells' has 3. Choose the image that they were painted"),
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
    assert sentence in str(why_no_labels(labels, (image,)))


@pytest.mark.parametrize("of_labels", [(64, 48), (1, 64, 48), (1, 1, 64, 48)])
@pytest.mark.parametrize("of_image", [(64, 48), (1, 64, 48), (1, 1, 64, 48)])
def test_leading_axes_of_one_are_no_axes(
    of_labels: tuple[int, ...], of_image: tuple[int, ...]
) -> None:
    scale = (3, 1, 0.5, 0.25)
    image = Image(np.zeros(of_image, np.uint8), scale=scale[-len(of_image) :])
    labels = Labels(np.ones(of_labels, np.uint8), scale=(1, 1, 0.5, 0.25)[-len(of_labels) :])
    assert why_no_labels(labels, (image,)) is None
    read = [layer.read(0, *WHOLE).shape for layer in (image_planes([image]), labels_planes(labels))]
    assert read == [(1, 64, 48)] * 2
    labels.translate = (0,) * (len(of_labels) - 1) + (5,)
    assert "lies elsewhere" in str(why_no_labels(labels, (image,)))


def test_a_leading_axis_of_one_before_a_stack_is_none(image: Image) -> None:
    labels = Labels(np.zeros((1, 3, 64, 48), np.uint8), scale=(1, *image.scale))
    labels.translate = (0, *image.translate)
    assert why_no_labels(labels, (image,)) is None


def test_labels_in_another_order_of_axes_are_refused() -> None:
    image = Image(np.zeros((4, 4, 8, 8)), axis_labels=("t", "z", "y", "x"), name="cells")
    labels = Labels(np.zeros((4, 4, 8, 8), int), axis_labels=("z", "t", "y", "x"), name="strokes")
    reason = str(why_no_labels(labels, (image,)))
    assert "'strokes' has the axes ZTYX, but 'cells' has TZYX" in reason
    unnamed = Labels(np.zeros((4, 4, 8, 8), int))
    assert why_no_labels(unnamed, (image,)) is None


@pytest.mark.parametrize("axes", ["cyx", "zcyx", "yxc"])
def test_channels_along_an_axis_are_not_taken_for_planes(axes: str) -> None:
    image = Image(np.zeros((2,) * len(axes)), axis_labels=tuple(axes), rgb=False, name="two")
    reason = str(why_no_image((image,)))
    assert reason.startswith("'two' holds 2 channels along an axis")
    assert "press Split channels" in reason
    one = Image(np.zeros((1, 8, 8)), axis_labels=("c", "y", "x"))
    assert why_no_image((one,)) is None


def test_no_labels_say_how_to_make_some(image: Image) -> None:
    assert "Press New labels" in str(why_no_labels(None, (image,)))


def test_labels_that_fit_are_fine(image: Image, labels: Labels) -> None:
    assert why_no_labels(labels, (image,)) is None


def test_new_labels_fit_the_image(image: Image) -> None:
    labels = new_labels([image])
    assert why_no_labels(labels, (image,)) is None
    assert labels.units == image.units
    assert np.iinfo(labels.data.dtype).max > 1000  # objects have a number each
    assert not labels.data.any()


def test_labels_fit_a_multiscale_image_at_its_finest_level() -> None:
    fine = np.zeros((128, 128), dtype=np.uint8)
    image = Image([fine, fine[::2, ::2]], multiscale=True)
    assert why_no_labels(new_labels([image]), (image,)) is None
    assert image_planes((image,)).shape == (128, 128)


@pytest.mark.parametrize("kind", ["numpy", "dask", "zarr"])
def test_images_are_read_plane_by_plane_whatever_holds_them(
    image: Image, kind: str, tmp_path: Path
) -> None:
    array: Any = image.data
    if kind == "dask":
        array = da.from_array(image.data, chunks=(1, 32, 32))  # type: ignore[no-untyped-call]
    elif kind == "zarr":
        array = zarr.create_array(tmp_path / "a.zarr", data=image.data, chunks=(1, 32, 32))
    planes = image_planes((Image(array, multiscale=False),))
    assert (planes.count, planes.shape, planes.channels) == (3, (64, 48), 1)
    np.testing.assert_array_equal(planes.read(2, *WHOLE)[0], image.data[2])


@pytest.mark.parametrize(
    ("axes", "run", "runs"),
    [
        (("t", "z", "y", "x"), 5, 2),
        (("z", "t", "y", "x"), 5, 2),
        (("-4", "-3", "-2", "-1"), 5, 2),
        (("c", "z", "y", "x"), 5, 1),
        (("p", "z", "y", "x"), 5, 1),
        (("Time", "depth", "y", "x"), 5, 2),
        (("t", "c", "y", "x"), 1, 1),
    ],
)
def test_planes_follow_one_another_in_z_and_t_only(
    axes: tuple[str, ...], run: int, runs: int
) -> None:
    planes = image_planes([Image(np.zeros((2, 5, 8, 8), np.uint8), axis_labels=axes)])
    assert (planes.count, planes.run, planes.runs) == (10, run, runs)
    colours = np.zeros((2, 5, 8, 8, 3), np.uint8)
    planes = image_planes([Image(colours, rgb=True, axis_labels=axes)])
    assert (planes.count, planes.run, planes.runs) == (10, run, runs)


def test_a_plane_that_is_not_segmented_to_its_end_teaches_nothing(labels: Labels) -> None:
    labels.data[:, :9] = 2
    planes = lesson_planes(labels)
    labels.metadata[UNFINISHED] = (1,)
    assert [bool(planes.read(plane, *WHOLE).any()) for plane in range(3)] == [True, False, True]
    del labels.metadata[UNFINISHED]
    np.testing.assert_array_equal(planes.read(1, *WHOLE)[0], labels.data[1])


def test_labels_are_read_as_they_are_when_they_are_read(labels: Labels) -> None:
    planes = labels_planes(labels)
    labels.paint((1, 10, 10), 3)
    assert planes.read(1, slice(10, 11), slice(10, 11)) == 3
    labels.undo()
    assert not planes.read(1, *WHOLE).any()


def test_several_images_are_the_channels_of_one_in_their_order(image: Image) -> None:
    other = Image(image.data.astype(np.uint16) + 300, name="other", **placement(image))
    assert why_no_image((image, other)) is None
    planes = image_planes((image, other))
    assert (planes.count, planes.channels, planes.dtype.name) == (3, 2, "uint16")
    np.testing.assert_array_equal(planes.read(1, *WHOLE)[0], image.data[1])
    np.testing.assert_array_equal(planes.read(1, *WHOLE)[1], other.data[1])


@pytest.mark.parametrize("colours", [3, 4])
def test_an_rgb_image_has_three_channels_and_no_transparency(colours: int) -> None:
    array = np.random.default_rng(1).integers(0, 255, (3, 64, 48, colours), dtype=np.uint8)
    image = Image(array, rgb=True, scale=(2, 0.5, 0.5))
    assert why_no_image((image,)) is None
    planes = image_planes((image,))
    assert (planes.count, planes.run, planes.shape, planes.channels) == (3, 3, (64, 48), 3)
    assert planes.dtype == np.uint8
    np.testing.assert_array_equal(planes.read(2, *WHOLE), np.moveaxis(array[2, ..., :3], -1, 0))
    assert why_no_labels(new_labels([image]), (image,)) is None


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"data": np.zeros((3, 64, 48, 3), np.uint8), "rgb": True}, "'other' is an RGB image"),
        ({"data": np.zeros((3, 64, 47), np.uint8)}, "has 3×64×47 pixels, but 'cells' has 3×64×48"),
        ({"data": np.zeros((3, 64, 48), np.uint8)}, "'other' lies elsewhere than 'cells'"),
    ],
)
def test_images_that_are_no_channels_of_one_another_say_what_to_do(
    image: Image, options: dict[str, Any], sentence: str
) -> None:
    reason = str(why_no_image((image, Image(name="other", **options))))
    assert sentence in reason
    assert reason.endswith("Choose other channels.")


def test_placement_is_the_same_only_if_every_pixel_is(image: Image, labels: Labels) -> None:
    assert same_placement(image, labels)
    labels.rotate = np.array([[1, 0, 0], [0, 0, 1], [0, 1, 0]])
    assert not same_placement(image, labels)
