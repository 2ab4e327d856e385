"""The overlap-tile strategy against one pass over a padded image, and rotated averaging."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from napari_unet.config import ObjectsConfig, Task, TilingConfig
from napari_unet.engine.network.unet import margin, output_size, stride
from napari_unet.engine.prediction.overlap_tile import OverlapTiler, predict_averaged
from napari_unet.engine.prediction.rotation import rotations
from napari_unet.engine.stack.normalization import measure
from napari_unet.engine.stack.planes import ArrayPlanes
from napari_unet.engine.stack.tiles import Span, Tile
from tests.engine.tiny import noise, probabilities, segmented, tiny_model

CLASSES = (1, 2, 3)
MODELS = {
    levels: tiny_model(levels=levels, base_channels=3, task=Task.CLASSES, values=CLASSES)
    for levels in range(1, 6)
}
OBJECTS = {
    levels: tiny_model(levels=levels, base_channels=3, seed=levels) for levels in range(1, 6)
}


def small_plane(draw: st.DrawFn, levels: int) -> npt.NDArray[np.uint8]:
    """Draw a plane of any odd or even size that tiles of one pixel cut into at most 150."""
    side = st.integers(1, min(60, 10 * stride(levels)))
    height, width = draw(side), draw(side)
    plane = noise(height, width, seed=draw(st.integers(0, 99)))
    plane.flat[0], plane.flat[-1] = 0, 255
    return plane


@st.composite
def cases(draw: st.DrawFn) -> tuple[int, npt.NDArray[np.uint8], int]:
    levels = draw(st.integers(1, 5))
    plane = small_plane(draw, levels)
    return levels, plane, draw(st.integers(1, max(2, *plane.shape)))


@pytest.mark.parametrize("levels", MODELS)
def test_an_untiled_plane_is_one_pass_over_the_mirrored_image(levels: int) -> None:
    model, image = MODELS[levels], noise(37, 50)
    context = margin(levels)
    size = next(n for n in range(50 + 2 * context, 999) if _fits(n, levels) >= 50)
    padding = [(context, size - context - side) for side in image.shape]
    padded = measure(ArrayPlanes(image)).apply(np.pad(image, padding, mode="reflect")[None])
    with torch.no_grad():
        logits = model.build(torch.device("cpu"))(torch.from_numpy(padded)[None])[0]
    expected = torch.softmax(logits, dim=0)[:, :37, :50].numpy()
    np.testing.assert_allclose(probabilities(model, image), expected, atol=1e-5)


def _fits(size: int, levels: int) -> int:
    try:
        return output_size(size, levels)
    except ValueError:
        return 0


@settings(max_examples=40, deadline=None, derandomize=True)
@given(cases())
def test_class_probabilities_and_labels_do_not_depend_on_the_tiles(
    case: tuple[int, npt.NDArray[np.uint8], int],
) -> None:
    levels, image, tile = case
    assume(image.size > 1)  # a single pixel has no range of grey values
    model, tiling = MODELS[levels], TilingConfig(tile=tile)
    whole = probabilities(model, image)
    np.testing.assert_allclose(probabilities(model, image, tiling=tiling), whole, atol=1e-5)
    second, first = np.sort(whole, axis=0)[-2:]
    decided = first - second > 1e-5  # by more than rounding errors of float32
    labels = segmented(model, image)
    assert (segmented(model, image, tiling=tiling) == labels)[decided].all()
    assert decided.mean() > 0.99


@settings(max_examples=40, deadline=None, derandomize=True)
@given(cases())
def test_no_object_label_depends_on_the_tiles(
    case: tuple[int, npt.NDArray[np.uint8], int],
) -> None:
    levels, image, tile = case
    assume(image.size > 1)  # a single pixel has no range of grey values
    model = OBJECTS[levels]
    found = np.sort(np.append(probabilities(model, image).ravel(), [0.3, 0.7]))
    found = found[(found >= 0.3) & (found <= 0.7)]
    widest = np.diff(found).argmax()  # a threshold that rounding errors do not cross
    threshold = float(found[widest : widest + 2].mean())
    objects = ObjectsConfig(threshold=threshold, min_size=3)
    labels = segmented(model, image, objects=objects)
    tiled = segmented(model, image, objects=objects, tiling=TilingConfig(tile=tile))
    np.testing.assert_array_equal(tiled, labels)


def test_the_models_of_these_tests_tell_something_apart() -> None:
    for model in MODELS.values():
        shares = np.bincount(segmented(model, noise(60, 60)).ravel(), minlength=4)[1:] / 3600
        assert shares.min() > 0.02
    for model in OBJECTS.values():
        assert 0.05 < (probabilities(model, noise(60, 60)) >= 0.5).mean() < 0.95


def test_colour_planes_are_tiled_exactly_too() -> None:
    model = tiny_model(channels=3, levels=3)
    image = noise(3, 41, 33)
    whole = probabilities(model, image)
    tiled = probabilities(model, image, tiling=TilingConfig(tile=8))
    np.testing.assert_allclose(tiled, whole, atol=1e-5)


@pytest.mark.parametrize("shape", [(40, 40), (37, 52), (1, 9)])
@pytest.mark.parametrize(("count", "turns"), [(4, 1), (4, 2), (2, 2), (8, 1)])
def test_averaging_over_rotations_turns_with_the_image(
    shape: tuple[int, int], count: int, turns: int
) -> None:
    model, image = tiny_model(levels=3), noise(*shape)
    tiling = TilingConfig(rotations=count)
    turned = probabilities(model, np.rot90(image, turns), tiling=tiling)
    expected = np.rot90(probabilities(model, image, tiling=tiling), turns, axes=(1, 2))
    np.testing.assert_allclose(turned, expected, atol=1e-5)


def test_plain_prediction_does_not_turn_with_the_image() -> None:
    model, image = tiny_model(levels=3), noise(40, 40)
    turned = probabilities(model, np.rot90(image))
    assert abs(turned - np.rot90(probabilities(model, image), axes=(1, 2))).max() > 0.05


def test_four_rotations_are_the_mean_of_four_turned_predictions() -> None:
    model, image = tiny_model(levels=2), noise(24, 36)
    turned = [np.rot90(probabilities(model, np.rot90(image, k)), -k, axes=(1, 2)) for k in range(4)]
    got = probabilities(model, image, tiling=TilingConfig(rotations=4))
    np.testing.assert_allclose(got, np.mean(turned, axis=0), atol=1e-5)


def test_one_rotation_is_the_plain_prediction() -> None:
    model, image = tiny_model(), noise(30, 31)
    one = probabilities(model, image, tiling=TilingConfig(rotations=1))
    np.testing.assert_array_equal(one, probabilities(model, image))


@settings(max_examples=10, deadline=None, derandomize=True)
@given(
    st.integers(1, 4), st.integers(5, 50), st.integers(5, 50), st.integers(4, 40), st.integers(2, 9)
)
def test_rotated_averages_do_not_depend_on_the_tiles(
    levels: int, height: int, width: int, tile: int, count: int
) -> None:
    model, image = MODELS[levels], noise(height, width)
    whole = probabilities(model, image, tiling=TilingConfig(rotations=count))
    tiled = probabilities(model, image, tiling=TilingConfig(rotations=count, tile=tile))
    np.testing.assert_allclose(tiled, whole, atol=1e-5)
    np.testing.assert_allclose(whole.sum(axis=0), 1, atol=1e-5)


@pytest.mark.parametrize("count", [2, 4, 7, 16])
def test_rotating_there_and_back_gives_a_smooth_image_again(count: int) -> None:
    levels = 3

    def crop(image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        context = margin(levels)
        return image[:, context:-context, context:-context]

    def read(tile: Tile) -> npt.NDArray[np.float32]:
        y = np.arange(tile.y.start, tile.y.stop)[:, None] / 9
        x = np.arange(tile.x.start, tile.x.stop)[None] / 7
        return (np.sin(y) * np.cos(x))[None].astype(np.float32)

    tile = Tile(Span(8, 48), Span(16, 80))
    got = predict_averaged(OverlapTiler(crop, levels), read, tile, rotations((60, 90), count))
    np.testing.assert_allclose(got, read(tile), atol=1e-6 if 4 % count == 0 else 0.01)
