"""Pixel size, axes, and what the viewer looks at, from a layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels

from napari_unet.ui.layers.geometry import file_layout, focus, in_sight, pixel_size, placement


def test_pixel_size_is_in_micrometres() -> None:
    image = Image(np.zeros((8, 8)), scale=(500, 0.25), units=("nm", "um"))
    assert pixel_size(image) == pytest.approx((0.5, 0.25))


def test_pixel_size_is_unknown_without_a_length() -> None:
    assert pixel_size(Image(np.zeros((8, 8)), scale=(0.5, 0.5))) is None


@pytest.mark.parametrize(
    ("ndim", "options", "axes", "spacing"),
    [
        (2, {}, "YX", {}),
        (3, {}, "ZYX", {}),
        (4, {}, "TZYX", {}),
        (3, {"axis_labels": ("t", "y", "x")}, "TYX", {}),
        (4, {"axis_labels": ("z", "t", "y", "x")}, "ZTYX", {}),
        (3, {"axis_labels": ("c", "y", "x")}, "CYX", {}),
        (3, {"axis_labels": ("cells", "row", "column")}, "ZYX", {}),
        (
            3,
            {"units": ("s", "um", "um"), "scale": (60, 0.5, 0.5)},
            "TYX",
            {"T": 60, "Y": 0.5, "X": 0.5},
        ),
        (
            3,
            {"units": ("mm", "um", "um"), "scale": (0.002, 0.5, 0.5)},
            "ZYX",
            {"Z": 2, "Y": 0.5, "X": 0.5},
        ),
        (
            4,
            {"units": ("min", "um", "um", "um"), "scale": (2, 3, 0.5, 0.5)},
            "TZYX",
            {"T": 120, "Z": 3, "Y": 0.5, "X": 0.5},
        ),
    ],
)
def test_files_get_the_axes_and_distances_of_the_layer(
    ndim: int, options: dict[str, Any], axes: str, spacing: dict[str, float]
) -> None:
    layout = file_layout(Labels(np.zeros((2,) * ndim, dtype=np.uint8), **options))
    assert layout.axes == axes
    assert layout.shape == (2,) * ndim
    assert dict(layout.spacing) == pytest.approx(spacing)


def test_placement_makes_a_layer_that_lies_on_the_other() -> None:
    turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    affine = np.array([[1, 0.2, 3], [0, 2, 4], [0, 0, 1]])
    image = Image(
        np.zeros((8, 6)),
        scale=(2, 3),
        translate=(5, 7),
        rotate=turn,
        shear=[0.3],
        affine=affine,
        units=("um", "um"),
    )
    labels = Labels(np.zeros((8, 6), dtype=np.uint8), **placement(image))
    for index in ((0, 0), (7, 5), (3, 1)):
        np.testing.assert_allclose(labels.data_to_world(index), image.data_to_world(index))
    assert labels.units == image.units


def look_at(viewer: ViewerModel, *center: float) -> None:
    getattr(viewer, "scene", viewer).camera.center = center


def test_focus_is_the_pixel_in_the_middle_of_the_view(viewer: ViewerModel, image: Image) -> None:
    viewer.dims.set_current_step(0, 2)
    look_at(viewer, 0, 10 + 0.5 * 20, 20 + 0.25 * 30)  # translate + scale · pixel
    assert focus(viewer, image) == (2, 20, 30)


def test_focus_stays_inside_the_image(viewer: ViewerModel, image: Image) -> None:
    look_at(viewer, 0, -1e6, 1e6)
    assert focus(viewer, image)[1:] == (0, 47)


def test_focus_of_an_image_with_fewer_axes_than_the_viewer(viewer: ViewerModel) -> None:
    plane = viewer.add_image(np.zeros((64, 48), dtype=np.uint8))
    look_at(viewer, 0, 5, 6)
    assert focus(viewer, plane) == (5, 6)


def test_focus_where_other_axes_are_shown(viewer: ViewerModel, image: Image) -> None:
    viewer.dims.order = (1, 0, 2)  # Z against X
    viewer.dims.set_point(1, 10 + 0.5 * 20)
    look_at(viewer, 0, 2 * 1, 20 + 0.25 * 30)
    assert focus(viewer, image) == (1, 20, 30)
    assert in_sight(viewer, image, (0,))  # every plane is cut by the view
    assert in_sight(viewer, image, (2,))


def test_only_the_shown_plane_is_in_sight(viewer: ViewerModel, image: Image) -> None:
    viewer.dims.set_current_step(0, 2)
    assert [in_sight(viewer, image, (plane,)) for plane in range(3)] == [False, False, True]
