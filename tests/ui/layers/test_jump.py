"""Where one is brought to, in 2D, in 3D, and along turned axes."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels

from napari_unet.ui.layers.geometry import camera
from napari_unet.ui.layers.jump import jump_to, look_at


@pytest.fixture
def layer(viewer: ViewerModel) -> Labels:
    """Labels of three planes, at (0, 10, 20) with steps of (2, 0.5, 0.25)."""
    labels = viewer.layers["strokes"]
    assert isinstance(labels, Labels)
    return labels


def test_a_pixel_comes_into_the_middle_at_the_same_zoom(viewer: ViewerModel, layer: Labels) -> None:
    camera(viewer).zoom = 3.5
    look_at(viewer, layer, 2, 30, 20)
    assert viewer.dims.point[0] == 4
    assert camera(viewer).center == (0, 25, 25)
    assert camera(viewer).zoom == 3.5


def test_in_three_dimensions_the_middle_has_a_depth(viewer: ViewerModel, layer: Labels) -> None:
    viewer.dims.ndisplay = 3
    look_at(viewer, layer, 2, 30, 20)
    assert camera(viewer).center == (4, 25, 25)
    assert viewer.dims.ndisplay == 3


def test_along_turned_axes_the_slider_goes_to_the_row(viewer: ViewerModel, layer: Labels) -> None:
    viewer.dims.order = (1, 0, 2)
    look_at(viewer, layer, 2, 30, 20)
    assert viewer.dims.point[1] == 25
    assert camera(viewer).center == (0, 4, 25)


def test_a_layer_with_more_axes_than_the_labels_does_not_matter(viewer: ViewerModel) -> None:
    plane = viewer.add_labels(np.zeros((9, 9), np.uint8))
    look_at(viewer, plane, 0, 3, 4)
    assert camera(viewer).center == (0, 3, 4)


def test_a_place_fills_a_third_of_the_view(viewer: ViewerModel, layer: Labels) -> None:
    viewer.dims.order = (1, 0, 2)
    jump_to(viewer, layer, 1, slice(10, 21), slice(4, 9))
    assert viewer.dims.order == (0, 1, 2)
    assert viewer.dims.point[0] == 2
    assert camera(viewer).center == (0, 17.5, 21.5)
