"""The preview: exactly on its region of its plane, and never in the user's way."""

from __future__ import annotations

import gc
import time
import weakref
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels

from napari_unet.engine.events import Previewed, View
from napari_unet.ui.layers.added import Purpose, made_for, purpose
from napari_unet.ui.layers.geometry import on_plane, place, placement
from napari_unet.ui.train.preview import PreviewLayer

ANGLE = np.deg2rad(30)
TURN = np.array([[np.cos(ANGLE), -np.sin(ANGLE)], [np.sin(ANGLE), np.cos(ANGLE)]])


def previewed(
    plane: int = 1, y: int = 8, x: int = 4, *, size: int = 16, value: int = 1
) -> Previewed:
    values = np.full((size, size), value, np.int32)
    return Previewed(View(plane, slice(y, y + size), slice(x, x + size)), values, 10, 3.0)


@pytest.fixture
def preview(viewer: ViewerModel, image: Image) -> PreviewLayer:
    preview = PreviewLayer(viewer)
    preview.begin([image])
    return preview


@pytest.mark.parametrize("shape", [(2, 64, 48), (64, 48), (1, 8, 8)])
def test_it_is_not_shown_on_other_data(
    shape: tuple[int, ...], preview: PreviewLayer, viewer: ViewerModel, image: Image
) -> None:
    image.data = np.zeros(shape, np.uint8)
    preview.prepare(previewed(2).view)
    preview.show(previewed(2))
    assert preview.layer is None
    assert "preview" not in viewer.layers


@pytest.mark.parametrize(
    "options",
    [
        {"scale": (2, 0.5, 0.25), "translate": (1, 10, 20), "units": ("um", "um", "um")},
        {"scale": (2, 0.5, 0.25), "rotate": 30, "translate": (1, 2, 3)},
        {"shear": (0, 0, 0.3), "scale": (3, 2, 1)},
        {"affine": np.block([[np.eye(2), np.zeros((2, 2))], [np.zeros((2, 2)), TURN]])},
        {"scale": (1, 2, 2), "affine": np.diag([2.0, 3, 4, 1]), "translate": (5, 6, 7)},
    ],
    ids=["scale", "rotate", "shear", "turned", "affine"],
)
def test_every_pixel_lies_on_its_pixel_of_the_image(options: dict[str, Any]) -> None:
    image = Image(np.zeros((5, 40, 30), np.uint8), **options)
    layer = Labels(np.zeros((1, 10, 10), np.int32), **place(image, 3, (12, 7)))
    for pixel in ((0, 0), (9, 0), (0, 9), (4, 6)):
        there = image.data_to_world((3, 12 + pixel[0], 7 + pixel[1]))
        assert np.allclose(layer.data_to_world((0, *pixel)), there)
    assert layer.units == image.units


@pytest.mark.parametrize("leading", [(), (4,), (2, 4), (2, 3, 4)])
def test_stacks_of_two_to_five_axes(leading: tuple[int, ...]) -> None:
    image = Image(np.zeros((*leading, 40, 30), np.uint8))
    plane = int(np.prod(leading)) - 1 if leading else 0
    values = on_plane(image, np.ones((10, 10), np.int32))
    layer = Labels(values, **place(image, plane, (12, 7)))
    last = tuple(n - 1 for n in leading)
    assert np.allclose(layer.data_to_world((0,) * image.ndim), (*last, 12, 7))


def test_it_is_shown_on_its_plane_only(
    viewer: ViewerModel, image: Image, preview: PreviewLayer
) -> None:
    preview.show(previewed(plane=1, value=3))
    assert preview.layer is not None
    seen = []
    for step in range(3):
        viewer.dims.set_current_step(0, step)
        world = [2.0 * step, *image.data_to_world((0, 10, 6))[1:]]
        seen.append(preview.layer.get_value(world, world=True))
    assert seen == [None, 3, None]


def test_it_follows_to_another_region_and_plane(
    viewer: ViewerModel, image: Image, preview: PreviewLayer
) -> None:
    preview.show(previewed(plane=0))
    first = preview.layer
    preview.show(previewed(plane=2, y=30, x=20, size=12, value=7))
    layer = preview.layer
    assert layer is first
    assert layer is not None
    assert layer.data.shape == (1, 12, 12)
    assert layer.data.max() == 7
    assert np.allclose(layer.data_to_world((0, 0, 0)), image.data_to_world((2, 30, 20)))
    assert sum(purpose(other) is not None for other in viewer.layers) == 1


def test_people_go_on_painting_where_they_were(
    viewer: ViewerModel, labels: Labels, preview: PreviewLayer
) -> None:
    viewer.layers.selection.active = labels
    labels.mode = "paint"
    preview.show(previewed())
    preview.show(previewed(plane=2))
    assert viewer.layers.selection.active is labels
    assert labels.mode == "paint"
    assert preview.layer is not None
    assert not preview.layer.editable  # strokes on it would be lost


def test_several_selected_layers_stay_selected(
    viewer: ViewerModel, image: Image, labels: Labels, preview: PreviewLayer
) -> None:
    viewer.layers.selection = {image, labels}
    preview.show(previewed())
    assert viewer.layers.selection == {image, labels}


def test_strokes_stay_on_top(viewer: ViewerModel, preview: PreviewLayer) -> None:
    preview.show(previewed())
    assert [layer.name for layer in viewer.layers] == ["cells", "preview", "strokes"]


def older_result(viewer: ViewerModel, image: Image) -> Labels:
    """Add the layer of an earlier segmentation, below the strokes."""
    layer = Labels(
        np.ones(image.data.shape, np.int32),
        name="older",
        metadata=made_for(Purpose.SEGMENTATION),
        **placement(image),
    )
    viewer.layers.insert(1, layer)
    return layer


def test_it_lies_above_older_results_and_below_the_strokes(
    viewer: ViewerModel, image: Image, preview: PreviewLayer
) -> None:
    older_result(viewer, image)
    preview.show(previewed())
    assert [layer.name for layer in viewer.layers] == ["cells", "older", "preview", "strokes"]


def test_one_that_was_there_before_is_raised_above_older_results(
    viewer: ViewerModel, image: Image, preview: PreviewLayer
) -> None:
    preview.show(previewed())
    viewer.layers.move(viewer.layers.index(older_result(viewer, image)), 3)
    preview.begin([image])
    assert [layer.name for layer in viewer.layers] == ["cells", "older", "preview", "strokes"]


def test_a_coarser_preview_covers_the_same_region(image: Image, preview: PreviewLayer) -> None:
    values = np.full((8, 6), 2, np.int32)
    view = View(1, slice(8, 40), slice(4, 28), step=4)
    preview.show(Previewed(view, values, 10, 3.0))
    layer = preview.layer
    assert layer is not None
    first, last = layer.data_to_world((0, -0.5, -0.5)), layer.data_to_world((0, 7.5, 5.5))
    np.testing.assert_allclose(first[1:], image.data_to_world((1, 7.5, 3.5))[1:])
    np.testing.assert_allclose(last[1:], image.data_to_world((1, 39.5, 27.5))[1:])
    preview.show(previewed(plane=1, y=8, x=4))  # people zoomed in
    np.testing.assert_allclose(layer.data_to_world((0, 0, 0)), image.data_to_world((1, 8, 4)))


def test_it_tells_how_old_it_is_while_it_is_seen(preview: PreviewLayer) -> None:
    ages = [preview.age]
    preview.show(previewed())
    ages.append(preview.age)
    preview._layer.visible = False  # type: ignore[union-attr]
    ages.append(preview.age)
    assert ages[1] is not None
    assert 0 <= ages[1] < 5
    assert ages[::2] == [None, None]


def test_name_opacity_and_visibility_are_the_users(preview: PreviewLayer) -> None:
    preview.show(previewed())
    layer = preview.layer
    assert layer is not None
    layer.name, layer.opacity, layer.visible = "what it sees", 0.2, False
    preview.show(previewed(plane=2))
    assert (layer.name, layer.opacity, layer.visible) == ("what it sees", 0.2, False)


def test_a_deleted_preview_stays_away_until_the_next_training(
    viewer: ViewerModel, image: Image, preview: PreviewLayer
) -> None:
    preview.show(previewed())
    assert preview.layer is not None
    viewer.layers.remove(preview.layer)
    preview.show(previewed())
    assert viewer.layers == [image, viewer.layers["strokes"]]
    preview.begin([image])
    preview.show(previewed())
    assert preview.layer in viewer.layers


def test_the_preview_of_a_closed_dock_is_used_again(
    viewer: ViewerModel, image: Image, preview: PreviewLayer
) -> None:
    preview.show(previewed())
    left = preview.layer
    preview.release()
    other = PreviewLayer(viewer)
    other.begin([image])
    other.show(previewed(plane=2, size=8))
    assert other.layer is left
    assert left is not None
    assert left.data.shape == (1, 8, 8)


def test_the_preview_of_another_image_goes(
    viewer: ViewerModel, image: Image, preview: PreviewLayer
) -> None:
    preview.show(previewed())
    other = viewer.add_image(np.zeros((64, 48), np.uint8), name="flat")
    preview.begin([other])
    assert [layer.name for layer in viewer.layers] == ["cells", "strokes", "flat"]
    preview.show(previewed(plane=0))
    assert viewer.layers["preview"].ndim == 2


def test_an_empty_layer_can_be_there_from_the_start(viewer: ViewerModel, image: Image) -> None:
    preview = PreviewLayer(viewer)
    preview.begin([image])
    preview.prepare(View(1, slice(8, 24), slice(4, 20)))
    layer = preview.layer
    assert layer is not None
    assert not layer.data.any()
    assert not layer.visible  # there is nothing to see yet
    preview.show(previewed(plane=1, value=3))
    assert viewer.layers["preview"] is layer
    assert layer.visible
    layer.visible = False  # by the user
    preview.show(previewed(plane=1, value=3))
    assert not layer.visible
    assert (viewer.layers["preview"].data == 3).all()
    viewer.layers.remove(layer)
    preview.show(previewed())
    assert "preview" not in viewer.layers


def test_a_removed_image_is_previewed_no_more(
    viewer: ViewerModel, image: Image, preview: PreviewLayer
) -> None:
    viewer.layers.remove(image)
    preview.show(previewed())
    assert preview.layer is None


def test_no_empty_layer_comes_after_the_end(viewer: ViewerModel, image: Image) -> None:
    preview = PreviewLayer(viewer)
    preview.begin([image])
    preview.release()
    preview.prepare(View(1, slice(8, 24), slice(4, 20)))
    assert "preview" not in viewer.layers


def test_once_released_it_holds_nothing(viewer: ViewerModel, image: Image) -> None:
    preview = PreviewLayer(viewer)
    preview.begin([image])
    preview.show(previewed())
    gone = weakref.ref(preview)
    del preview
    gc.collect()
    assert gone() is None


def test_an_update_takes_less_than_20_ms_at_512(viewer: ViewerModel) -> None:
    stack = viewer.add_image(np.zeros((10, 512, 512), np.uint8))
    preview = PreviewLayer(viewer)
    preview.begin([stack])
    objects = np.random.default_rng(0).integers(0, 200, (512, 512)).astype(np.int32)
    whole = slice(0, 512), slice(0, 512)
    took = []
    for plane in range(10):
        start = time.thread_time()
        preview.show(Previewed(View(plane, *whole), objects, 1, 1.0))
        took.append(time.thread_time() - start)
    assert np.median(took) < 0.020, took
