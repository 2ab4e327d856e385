"""Each pixel seen as several: what is read, whatever part, and what is predicted on it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from napari_unet.config import ObjectsConfig, Task, TilingConfig, Unpainted
from napari_unet.engine.errors import ImageError
from napari_unet.engine.stack.enlargement import EnlargedLabels, EnlargedPlanes, shrink
from napari_unet.engine.stack.normalization import measure
from napari_unet.engine.stack.planes import ArrayPlanes, Planes
from napari_unet.engine.stack.reduction import Reduction
from tests.engine.scenes import QUICK
from tests.engine.tiny import noise, probabilities, tiny_model

CLASSES = (1, 2, 3)


def read_all(planes: Planes, plane: int = 0) -> npt.NDArray[Any]:
    return np.asarray(planes.read(plane, slice(0, planes.shape[0]), slice(0, planes.shape[1])))


def enlarged(image: npt.NDArray[Any], factor: int = 2) -> EnlargedPlanes:
    return EnlargedPlanes(ArrayPlanes(image), factor)


@pytest.mark.parametrize("factor", [2, 3])
def test_grey_values_are_interpolated_between_the_middles_of_pixels(factor: int) -> None:
    image = noise(12, 15).astype(np.float32)
    whole = read_all(enlarged(image, factor))[0]
    expected = ndimage.zoom(image, factor, order=1, mode="mirror", grid_mode=True)
    assert whole.shape == (12 * factor, 15 * factor)
    inner = np.s_[factor:-factor, factor:-factor]
    np.testing.assert_allclose(whole[inner], expected[inner], rtol=1e-4)


def test_means_over_what_a_pixel_is_seen_as_keep_its_brightness() -> None:
    flat = np.full((9, 7), 130, np.uint8)
    np.testing.assert_array_equal(shrink(read_all(enlarged(flat)), 2)[0], flat)


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "f4", "f8", ">u2"])
def test_any_grey_values_are_enlarged(dtype: str) -> None:
    stack = enlarged(noise(2, 6, 5).astype(dtype))
    values = read_all(stack, 1)
    assert (stack.count, stack.shape, stack.channels) == (2, (12, 10), 1)
    assert values.dtype == stack.dtype == np.result_type(np.dtype(dtype), np.float32)


sides = st.tuples(st.integers(0, 25), st.integers(1, 26)).filter(lambda side: side[0] < side[1])


@given(sides, sides, st.integers(2, 3))
def test_a_pixel_is_the_same_whatever_is_read(
    rows: tuple[int, int], columns: tuple[int, int], factor: int
) -> None:
    image = np.random.default_rng(0).normal(size=(2, 13, 13)).astype(np.float32)
    labels = (image[0] * 9).astype(np.int32) % 5
    y, x = slice(*rows), slice(*columns)
    stack = EnlargedPlanes(ArrayPlanes(image, channel_axis=0), factor)
    painted = EnlargedLabels(ArrayPlanes(labels), factor)
    np.testing.assert_array_equal(stack.read(0, y, x), read_all(stack)[:, y, x])
    np.testing.assert_array_equal(painted.read(0, y, x), read_all(painted)[:, y, x])


def test_labels_are_repeated_in_their_type() -> None:
    labels = np.array([[[0, 1]], [[2**31 - 1, 7]]], np.uint32)
    stack = EnlargedLabels(ArrayPlanes(labels), 2)
    got = read_all(stack, 1)
    np.testing.assert_array_equal(got[0], labels[1].repeat(2, axis=0).repeat(2, axis=1))
    assert got.dtype == stack.dtype == np.uint32


def test_missing_values_are_noticed() -> None:
    image = noise(12, 12).astype(np.float32)
    image[5, 5] = np.nan
    with pytest.raises(ImageError, match="NaN or infinite"):
        measure(enlarged(image))


@pytest.mark.parametrize("rotations", [1, 4])
@pytest.mark.parametrize("tile", [5, 16, 100])
def test_tiles_are_exact(tile: int, rotations: int) -> None:
    model = tiny_model(base_channels=3, task=Task.CLASSES, values=CLASSES)
    model = replace(model, enlargement=2)
    image = noise(37, 29)
    whole = probabilities(model, image, tiling=TilingConfig(tile=64, rotations=rotations))
    tiled = probabilities(model, image, tiling=TilingConfig(tile=tile, rotations=rotations))
    assert whole.shape == (3, 37, 29)
    np.testing.assert_allclose(tiled, whole, atol=1e-5)


def test_the_prediction_is_the_mean_of_that_of_the_enlarged_image() -> None:
    model = tiny_model(base_channels=3)
    image = noise(20, 24)
    large = probabilities(model, read_all(enlarged(image))[0])
    seen = probabilities(replace(model, enlargement=2), image)
    np.testing.assert_allclose(seen, shrink(large, 2), atol=1e-5)


def test_widths_in_pixels_of_the_plane_are_seen_larger() -> None:
    seen = Reduction(1, (5, 7), 2)
    assert (seen.shape, seen.changes, seen.area) == ((10, 14), True, 0.25)
    assert seen.on_plane(8) == 4
    assert seen.border(QUICK).sigma == 2 * QUICK.sigma
    assert seen.objects(ObjectsConfig(gap=2)).gap == 1
    planes = ArrayPlanes(noise(5, 7))
    assert isinstance(seen.image(planes), EnlargedPlanes)
    assert isinstance(seen.labels(planes, Unpainted.IGNORED), EnlargedLabels)
    assert not Reduction(1, (5, 7)).changes
