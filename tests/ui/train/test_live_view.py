"""What a training run is told: the view once it has settled, and what was painted."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels
from pytestqt.qtbot import QtBot

from napari_unet.config import ObjectsConfig
from napari_unet.engine.events import View
from napari_unet.ui.layers.painted_planes import PaintedPlanesTracker
from napari_unet.ui.train.live_view import LiveView, visible

WHOLE = slice(0, 64), slice(0, 48)


@pytest.fixture
def live(viewer: ViewerModel, image: Image, labels: Labels, qtbot: QtBot) -> Iterator[LiveView]:
    live = LiveView(viewer, [image], [PaintedPlanesTracker(labels, viewer)])
    yield live
    live.release()


def test_the_view_is_there_from_the_start(live: LiveView) -> None:
    assert live.view() == View(1, *WHOLE)


def test_it_follows_the_user_to_another_plane(
    live: LiveView, viewer: ViewerModel, qtbot: QtBot
) -> None:
    viewer.dims.set_current_step(0, 2)
    qtbot.waitUntil(lambda: live.view() == View(2, *WHOLE), timeout=2000)


def test_nothing_is_previewed_while_people_scroll(live: LiveView, viewer: ViewerModel) -> None:
    for step in (2, 0, 2, 0):
        viewer.dims.set_current_step(0, step)
        live._look()
        assert live.view() == View(1, *WHOLE)
    live._look()
    assert live.view() == View(0, *WHOLE)


def test_other_data_in_the_layer_is_not_previewed(
    live: LiveView, viewer: ViewerModel, image: Image
) -> None:
    before, image.data = image.data, np.zeros((7, 80, 80), np.uint8)
    viewer.dims.set_current_step(0, 6)  # the run, which reads the array before, has no such plane
    for _ in range(2):
        live._look()
    assert live.view() is None
    image.data = before
    viewer.dims.set_current_step(0, 2)
    for _ in range(2):
        live._look()
    assert live.view() == View(2, *WHOLE)


def test_without_previews_there_is_no_view(
    viewer: ViewerModel, image: Image, labels: Labels, qtbot: QtBot
) -> None:
    tracker = PaintedPlanesTracker(labels, viewer)
    live = LiveView(viewer, [image], [tracker], preview=False)
    assert live.view() is None
    assert not live._timer.isActive()
    live.release()


def test_previews_are_cut_as_it_was_told_last(live: LiveView) -> None:
    assert live.objects() == ObjectsConfig()
    live.cut(ObjectsConfig(neck=0.2))
    assert live.objects().neck == 0.2


def test_strokes_are_told_of_once(live: LiveView, labels: Labels) -> None:
    labels.data_setitem((np.array([2]), np.array([5]), np.array([5])), 1)
    assert live.take_painted() == {2}
    assert live.take_painted() == frozenset()


def test_once_released_nothing_is_watched(
    viewer: ViewerModel, image: Image, labels: Labels
) -> None:
    before = {name: len(labels.events[name].callbacks) for name in ("paint", "data", "set_data")}
    live = LiveView(viewer, [image], [PaintedPlanesTracker(labels, viewer)])
    live.release()
    assert live.view() is None
    assert before == {name: len(labels.events[name].callbacks) for name in before}
    gone = weakref.ref(live)
    del live
    gc.collect()
    assert gone() is None


# What is visible


def test_a_viewer_that_draws_nothing_shows_the_whole_plane(
    viewer: ViewerModel, image: Image
) -> None:
    viewer.dims.set_current_step(0, 2)
    assert visible(viewer, image) == View(2, *WHOLE)


def test_what_was_drawn_is_visible(viewer: ViewerModel, image: Image) -> None:
    image.corner_pixels = np.array([[0, 10, 20], [0, 29, 40]])
    assert visible(viewer, image) == View(1, slice(10, 30), slice(20, 41))


def test_an_image_beside_the_window_is_not_visible(viewer: ViewerModel, image: Image) -> None:
    image.corner_pixels = np.array([[0, 63, 20], [0, 63, 40]])  # seen from below
    assert visible(viewer, image) is None


def test_planes_of_five_axes_are_numbered_in_c_order() -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((2, 3, 4, 8, 8), np.uint8), scale=(1, 5, 2, 1, 1))
    viewer.dims.set_current_step(range(3), (1, 2, 3))
    view = visible(viewer, image)
    assert view is not None
    assert view.plane == np.ravel_multi_index((1, 2, 3), (2, 3, 4))


def test_a_single_plane_is_plane_0_wherever_the_sliders_are(viewer: ViewerModel) -> None:
    flat = viewer.add_image(np.zeros((64, 48), np.uint8), scale=(0.5, 0.25), translate=(10, 20))
    viewer.dims.set_current_step(0, 2)
    assert visible(viewer, flat) == View(0, *WHOLE)


def test_nothing_is_visible_beside_the_stack(viewer: ViewerModel, image: Image) -> None:
    viewer.add_image(np.zeros((20, 64, 48), np.uint8), scale=(2, 0.5, 0.25))
    viewer.dims.set_point(0, 2.9)
    assert visible(viewer, image) == View(1, *WHOLE)  # between two planes, nearer to this one
    viewer.dims.set_point(0, 30)
    assert visible(viewer, image) is None


def test_nothing_is_visible_in_3d_along_other_axes_or_once_removed(
    viewer: ViewerModel, image: Image
) -> None:
    viewer.dims.ndisplay = 3
    assert visible(viewer, image) is None
    viewer.dims.ndisplay = 2
    viewer.dims.order = (1, 0, 2)
    assert visible(viewer, image) is None
    viewer.dims.order = (0, 2, 1)  # turned over, but the same plane
    assert visible(viewer, image) is not None
    viewer.layers.remove(image)
    assert visible(viewer, image) is None


def test_corners_of_a_coarse_level_are_told_in_pixels_of_the_finest() -> None:
    viewer = ViewerModel()
    levels = [np.zeros((n, n), np.uint8) for n in (512, 256, 128)]
    image = viewer.add_image(levels, multiscale=True)
    image.data_level = 1
    image.corner_pixels = np.array([[10, 20], [99, 255]])
    assert visible(viewer, image) == View(0, slice(20, 200), slice(40, 512))


def test_of_a_large_view_not_every_pixel_is_shown() -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((3000, 1500), np.uint8))
    view = visible(viewer, image)
    assert view == View(0, slice(0, 3000), slice(0, 1500), step=3)


def test_of_a_huge_view_the_middle_is_taken() -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.broadcast_to(np.uint8(0), (12_000, 6_000)))
    view = visible(viewer, image)
    assert view is not None
    height, width = view.y.stop - view.y.start, view.x.stop - view.x.start
    assert height * width <= 1 << 24
    assert height / width == pytest.approx(2, abs=0.01)
    assert (view.y.start + view.y.stop) / 2 == pytest.approx(6000, abs=1)
    assert (view.x.start + view.x.stop) / 2 == pytest.approx(3000, abs=1)
    assert view.step == 4
