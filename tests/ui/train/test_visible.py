"""What is visible: the shown plane, and the part of it that napari has drawn."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from napari_unet.engine.events import View
from napari_unet.ui.train.live_view import visible

WHOLE = slice(0, 64), slice(0, 48)


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


def test_of_a_large_view_the_middle_is_taken() -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((3000, 1500), np.uint8))
    view = visible(viewer, image)
    assert view is not None
    height, width = view.y.stop - view.y.start, view.x.stop - view.x.start
    assert height * width <= 1 << 20
    assert height / width == pytest.approx(2, abs=0.01)
    assert (view.y.start + view.y.stop) / 2 == pytest.approx(1500, abs=1)
    assert (view.x.start + view.x.stop) / 2 == pytest.approx(750, abs=1)
