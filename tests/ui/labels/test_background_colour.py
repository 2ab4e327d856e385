"""Painted background is seen through, and objects keep their colours."""

from __future__ import annotations

import numpy as np
from napari.layers import Labels

from napari_unet.ui.labels.background_colour import show_background

NUMBERS = np.array([1, 2, 3, 50, 51, 980])


def painted() -> Labels:
    return Labels(np.zeros((4, 4), np.uint16))


def test_the_image_is_seen_through_the_background_and_no_object_looks_like_it() -> None:
    labels = painted()
    usual = labels.colormap.map(NUMBERS)
    show_background(labels, 1)
    colours = labels.colormap.map(NUMBERS)
    assert colours[0, 3] < 0.5
    np.testing.assert_array_equal(colours[1:], usual[1:])
    assert (colours[1:, 3] == 1).all()


def test_all_are_drawn_as_usual_where_1_is_no_background() -> None:
    labels = painted()
    usual = labels.colormap.map(NUMBERS)
    show_background(labels, 1)
    show_background(labels, 0)
    np.testing.assert_array_equal(labels.colormap.map(NUMBERS), usual)
    show_background(labels, 1)
    show_background(labels, None)
    np.testing.assert_array_equal(labels.colormap.map(NUMBERS), usual)


def test_shuffled_colours_are_left_alone() -> None:
    labels = painted()
    labels.new_colormap(seed=3)
    chosen = labels.colormap.map(NUMBERS)
    show_background(labels, 1)
    np.testing.assert_array_equal(labels.colormap.map(NUMBERS), chosen)
