"""Axes get their letters from whatever a file calls them."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet.io.axes import axis_letters, in_reading_order, name_axes
from napari_unet.io.lazy import LazyArray


@pytest.mark.parametrize(
    ("names", "kinds", "letters"),
    [
        (["t", "c", "z", "y", "x"], [], "TCZYX"),
        (["channel", "y", "x"], ["channel", "space", "space"], "CYX"),
        (["depth", "height", "width"], ["space"] * 3, "ZYX"),
        (["Time", "Channels", "Row", "Col"], [], "TCYX"),
        (["frames", "slices", "rows", "columns"], [], "TZYX"),
        (["dye", "v", "u"], ["channel", "space", "space"], "CYX"),
        (["lag", "y", "x"], ["time", "space", "space"], "TYX"),
        ([None, None, None], [], "ZYX"),
        (["dim_0", "dim_1", "dim_2", "dim_3"], [], "TZYX"),
        (["i", "j"], [], "YX"),
        (["x", "y", "z"], [], "XYZ"),
        (["", "y", "x"], [], "ZYX"),
    ],
)
def test_names_and_kinds_become_letters(
    names: list[str | None], kinds: list[str | None], letters: str
) -> None:
    assert axis_letters(names, kinds) == letters


def test_every_axis_gets_a_letter_of_its_own() -> None:
    assert name_axes("QQQQYX") == "PQTZYX"
    assert name_axes("CCYX") == "CZYX"
    many = name_axes("?" * 18 + "YX")
    assert (len(set(many)), many[-4:]) == (20, "TZYX")


@pytest.mark.parametrize(
    ("axes", "ordered"),
    [("ZYX", "ZYX"), ("YXC", "CYX"), ("XYZ", "ZYX"), ("SYX", "YXS"), ("YTXSC", "TCYXS")],
)
def test_y_and_x_come_last_and_colours_behind_them(axes: str, ordered: str) -> None:
    data = np.arange(2 * 3 * 4 * 5 * 6).reshape((*(2, 3, 4, 5, 6)[: len(axes)], -1))[..., 0]
    array, found = in_reading_order(LazyArray(data.shape, data.dtype, data.__getitem__), axes)
    assert found == ordered
    expected = np.transpose(data, [axes.index(axis) for axis in ordered])
    np.testing.assert_array_equal(np.asarray(array), expected)
    np.testing.assert_array_equal(array[1, ..., ::-1], expected[1, ..., ::-1])
