"""Blocks of pixels against loops over them, and prediction on them against one pass."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_unet.config import ObjectsConfig, OutputKind, Task, TilingConfig, Unpainted
from napari_unet.engine.errors import ImageError
from napari_unet.engine.objects.decoder import settle_objects
from napari_unet.engine.prediction.decode import objects_on_plane, plane_decoder
from napari_unet.engine.stack import reduction
from napari_unet.engine.stack.normalization import measure
from napari_unet.engine.stack.planes import ArrayPlanes, Planes
from napari_unet.engine.stack.reduction import ReducedLabels, ReducedPlanes, Reduction
from napari_unet.engine.stack.tiles import Span, Tile
from tests.engine.scenes import QUICK, bright_squares, result
from tests.engine.tiny import noise, probabilities, tiny_model

CLASSES = (1, 2, 3)
MODELS = {
    levels: tiny_model(levels=levels, base_channels=3, task=Task.CLASSES, values=CLASSES)
    for levels in range(1, 4)
}


def read_all(planes: Planes, plane: int = 0) -> npt.NDArray[Any]:
    return np.asarray(planes.read(plane, slice(0, planes.shape[0]), slice(0, planes.shape[1])))


def reduced(image: npt.NDArray[Any], factor: int) -> ReducedPlanes:
    planes = ArrayPlanes(image)
    return ReducedPlanes(planes, Reduction(factor, planes.shape))


def reduced_labels(labels: npt.NDArray[Any], factor: int, unpainted: Unpainted) -> npt.NDArray[Any]:
    planes = ArrayPlanes(labels)
    votes = ReducedLabels(planes, Reduction(factor, planes.shape), unpainted)
    return np.asarray(read_all(votes)[0])


def blocks(plane: npt.NDArray[Any], factor: int) -> npt.NDArray[Any]:
    """Return (rows, columns, factor²) of a plane that is mirrored to whole blocks."""
    padding = [(0, -side % factor) for side in plane.shape]
    padded = np.pad(plane, padding, mode="reflect")
    height, width = (side // factor for side in padded.shape)
    cut = [
        [padded[y * factor : (y + 1) * factor, x * factor : (x + 1) * factor].ravel()
         for x in range(width)]
        for y in range(height)
    ]  # fmt: skip
    return np.array(cut)


# Images


@pytest.mark.parametrize("factor", range(2, 9))
@pytest.mark.parametrize("shape", [(40, 48), (37, 50), (8, 9)])
def test_a_block_is_the_mean_of_its_pixels(factor: int, shape: tuple[int, int]) -> None:
    image = noise(*shape)
    expected = blocks(image, factor).astype(float).mean(axis=2)
    np.testing.assert_allclose(read_all(reduced(image, factor))[0], expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "f2", "f4", "f8", ">u2"])
def test_any_grey_values_are_averaged(dtype: str) -> None:
    image = noise(2, 12, 15).astype(dtype)
    stack = reduced(image, 3)
    values = read_all(stack, 1)
    assert (stack.count, stack.shape, values.dtype) == (2, (4, 5), stack.dtype)
    assert values.dtype == np.result_type(np.dtype(dtype).newbyteorder("="), np.float32)
    np.testing.assert_allclose(values[0], blocks(image[1].astype(float), 3).mean(axis=2), rtol=1e-6)


def test_a_block_is_the_same_whatever_is_read() -> None:
    image = np.random.default_rng(0).normal(size=(3, 65, 43)).astype(np.float32)
    planes = ArrayPlanes(image, channel_axis=0)
    stack = ReducedPlanes(planes, Reduction(4, planes.shape))
    whole = read_all(stack)
    assert whole.shape == (3, 17, 11)
    for y, x in [(slice(0, 1), slice(10, 11)), (slice(3, 17), slice(2, 3)), (slice(5, 9),) * 2]:
        np.testing.assert_array_equal(stack.read(0, y, x), whole[:, y, x])


def test_missing_values_are_noticed() -> None:
    image = noise(12, 12).astype(np.float32)
    image[5, 5], image[5, 6], image[6, 6] = np.nan, np.inf, -np.inf
    with pytest.raises(ImageError, match="NaN or infinite"):
        measure(reduced(image, 4))


# Labels


@pytest.mark.parametrize("unpainted", Unpainted)
@pytest.mark.parametrize("factor", [2, 3, 5, 8])
def test_the_majority_of_a_block_labels_it(unpainted: Unpainted, factor: int) -> None:
    rng = np.random.default_rng(factor)
    labels = rng.choice([0, 1, 2, 7], size=(45, 38), p=[0.6, 0.2, 0.15, 0.05]).astype(np.int32)
    got = reduced_labels(labels, factor, unpainted)
    for index, votes in zip(
        np.ndindex(got.shape), blocks(labels, factor).reshape(-1, factor**2), strict=True
    ):
        counts = Counter(votes.tolist())
        if unpainted is Unpainted.IGNORED and len(counts) > 1:
            counts.pop(0, None)
        most = max(counts.values())
        assert got[index] == min(value for value, count in counts.items() if count == most)


def test_a_thin_stroke_stays_where_unpainted_is_ignored() -> None:
    labels = np.zeros((16, 16), np.int32)
    labels[5, 2:14] = 3
    ignored = reduced_labels(labels, 4, Unpainted.IGNORED)
    assert np.argwhere(ignored == 3).tolist() == [[1, 0], [1, 1], [1, 2], [1, 3]]
    assert not reduced_labels(labels, 4, Unpainted.BACKGROUND).any()


def test_labels_keep_their_type_and_large_numbers() -> None:
    labels = np.zeros((2, 8, 8), np.uint32)
    labels[1, :4] = 2**31 - 1
    planes = ArrayPlanes(labels)
    stack = ReducedLabels(planes, Reduction(2, planes.shape), Unpainted.IGNORED)
    assert read_all(stack, 1)[0, 0, 0] == 2**31 - 1
    assert stack.dtype == read_all(stack, 1).dtype == np.uint32


def test_large_planes_are_read_in_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    image, labels = noise(50, 41), noise(50, 41) % 5
    whole = read_all(reduced(image, 3)), reduced_labels(labels, 3, Unpainted.IGNORED)
    monkeypatch.setattr(reduction, "_BAND", 3 * 9 * 14)  # three rows of blocks
    assert Reduction(3, (50, 41)).bands(slice(2, 9), slice(0, 14)) == [
        slice(2, 5),
        slice(5, 8),
        slice(8, 9),
    ]
    np.testing.assert_array_equal(read_all(reduced(image, 3)), whole[0])
    np.testing.assert_array_equal(reduced_labels(labels, 3, Unpainted.IGNORED), whole[1])


# Prediction


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_blocks_are_interpolated_between_their_middles(factor: int) -> None:
    """A slope comes back as a slope; beyond the outermost middles it is flat."""
    shape = (5 * factor, 4 * factor - 1)
    blocks_of = Reduction(factor, shape)
    middle = (factor - 1) / 2

    def slope(tile: Tile) -> npt.NDArray[np.float32]:
        y, x = np.mgrid[tile.y.as_slice, tile.x.as_slice] * factor + middle
        return np.asarray((2 * y + 3 * x)[np.newaxis], np.float32)

    got = blocks_of.predict(slope, Tile(Span(0, shape[0]), Span(0, shape[1])))
    y, x = np.mgrid[: shape[0], : shape[1]]
    y = y.clip(middle, shape[0] - 1 - middle)
    x = x.clip(middle, 4 * factor - 1 - middle)
    np.testing.assert_allclose(got[0], 2 * y + 3 * x, rtol=1e-5)


def test_only_blocks_of_the_plane_are_predicted() -> None:
    blocks_of = Reduction(3, (10, 7))
    asked: list[Tile] = []

    def remember(tile: Tile) -> npt.NDArray[np.float32]:
        asked.append(tile)
        return np.zeros((1, tile.y.length, tile.x.length), np.float32)

    assert blocks_of.predict(remember, Tile(Span(0, 10), Span(0, 7))).shape == (1, 10, 7)
    assert blocks_of.predict(remember, Tile(Span(4, 5), Span(5, 6))).shape == (1, 1, 1)
    assert asked == [Tile(Span(0, 4), Span(0, 3)), Tile(Span(1, 3), Span(1, 3))]


def test_without_reduction_nothing_is_wrapped() -> None:
    planes, pixels = ArrayPlanes(noise(9, 9)), Reduction(1, (9, 9))
    assert pixels.image(planes) is planes
    assert pixels.labels(planes, Unpainted.IGNORED) is planes


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    levels=st.integers(1, 3),
    factor=st.integers(2, 8),
    height=st.integers(1, 70),
    width=st.integers(2, 70),
    tile=st.integers(6, 70),
    count=st.sampled_from([1, 1, 2, 3]),
)
def test_probabilities_do_not_depend_on_the_tiles(
    levels: int, factor: int, height: int, width: int, tile: int, count: int
) -> None:
    image = noise(height, width)
    image.flat[0], image.flat[-1] = 0, 255
    if reduced(image, factor).shape == (1, 1):
        return  # constant
    model = replace(MODELS[levels], reduction=factor)
    whole = probabilities(model, image, tiling=TilingConfig(rotations=count))
    tiled = probabilities(model, image, tiling=TilingConfig(rotations=count, tile=tile))
    assert whole.shape == (3, height, width)
    np.testing.assert_allclose(tiled, whole, atol=1e-5)
    np.testing.assert_allclose(whole.sum(axis=0), 1, atol=1e-5)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_probabilities_of_blocks_are_spread_over_the_plane(factor: int) -> None:
    image = noise(20 * factor - 1, 16 * factor)
    of_blocks = probabilities(MODELS[2], read_all(reduced(image, factor))[0])
    middle = (factor - 1) / 2
    y, x = (np.mgrid[: image.shape[0], : image.shape[1]] - middle) / factor
    expected = [ndimage.map_coordinates(p, [y, x], order=1, mode="nearest") for p in of_blocks]
    got = probabilities(replace(MODELS[2], reduction=factor), image)
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_a_model_that_is_not_decided_yet_sees_every_pixel() -> None:
    image = noise(30, 31)
    model = MODELS[2]
    undecided = probabilities(replace(model, reduction=None), image)
    np.testing.assert_array_equal(undecided, probabilities(model, image))


def test_the_border_is_given_back_in_blocks() -> None:
    assert Reduction(3, (9, 9)).objects(ObjectsConfig(gap=2)) == ObjectsConfig(gap=6)
    probability = np.ones((1, 20, 46), np.float32)
    probability[..., 20:27] = 0  # as wide as a border of three pixels into each of two objects
    for factor, border in [(None, 7), (1, 7), (2, 7), (3, 0)]:
        model = replace(tiny_model(), reduction=factor)
        seen = model.seen(ArrayPlanes(probability[0]))
        on_plane = objects_on_plane(model, ObjectsConfig(), seen)
        decoder = plane_decoder(model, OutputKind.LABELS, on_plane, (20, 46), offset=0)
        decoder.add(Tile(Span(0, 20), Span(0, 46)), settle_objects(probability, 0.5, 0))
        plane = decoder.finish()
        assert plane is not None
        labels, count = plane.cut().finish()
        assert (count, (np.asarray(labels)[10] == 0).sum()) == (2, border)


@pytest.mark.parametrize("factor", [3, 8])
def test_a_narrow_border_on_a_reduced_plane_trains(factor: int) -> None:
    """Less than a block wide, it has no weight anywhere; it was an error that named shapes."""
    image, truth = bright_squares(size=192)
    config = replace(QUICK, steps=1, sigma=0.5, reduction=factor, patch=16)

    assert result(config, image=image, labels=truth + 1).model.reduction == factor
