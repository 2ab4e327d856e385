"""Axes are what the writer of a TIFF said, or meant."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from napari.layers import Labels
from napari_builtins.io import napari_write_labels  # type: ignore[import-untyped]

from napari_unet.io.read_tiff import open_tiff


def written(path: Path, data: npt.NDArray[Any], **how: Any) -> Path:
    """Write a file as tifffile does if nobody tells it what the axes are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # tifffile's about its own guess
        tifffile.imwrite(path, data, **how)
    return path


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32"])
@pytest.mark.parametrize("planes", [3, 4])
@pytest.mark.parametrize("how", [{}, {"metadata": None}, {"compression": "zlib"}])
def test_three_or_four_planes_are_no_colour_picture(
    how: dict[str, Any], planes: int, dtype: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    data = rng.integers(0, 99, (planes, 40, 52)).astype(dtype)
    stack = open_tiff(written(tmp_path / "a.tif", data, **how))
    assert stack.axes == "ZYX"
    np.testing.assert_array_equal(np.asarray(stack.array), data)
    np.testing.assert_array_equal(stack.array[1, 5:9, ::2], data[1, 5:9, ::2])


def test_three_planes_of_many_frames_are_no_colour_pictures(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    data = rng.integers(0, 99, (5, 3, 40, 52), dtype=np.uint16)
    stack = open_tiff(written(tmp_path / "a.tif", data))
    assert stack.axes == "TZYX"
    np.testing.assert_array_equal(np.asarray(stack.array), data)


@pytest.mark.parametrize("dtype", ["uint8", "int32"])
def test_three_planes_of_labels_that_napari_saved_are_three_planes(
    dtype: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    layer = Labels(rng.integers(0, 99, (3, 40, 52)).astype(dtype))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        path = napari_write_labels(str(tmp_path / "a.tif"), layer.data, {"name": "a"})
    stack = open_tiff(Path(path))
    assert stack.axes == "ZYX"
    np.testing.assert_array_equal(np.asarray(stack.array), layer.data)


@pytest.mark.parametrize(
    ("shape", "stated", "axes"),
    [
        ((3, 40, 52), "ZYX", "ZYX"),
        ((3, 40, 52), "cyx", "CYX"),
        ((2, 40, 52), "SYX", "CYX"),  # two samples are no colours
        ((40, 52, 2), "YXC", "CYX"),
        ((40, 52, 3), "YXC", "CYX"),
        ((40, 52, 3), "YXS", "YXS"),
        ((52, 40, 7), "XYZ", "ZYX"),
        ((40, 52, 2, 5), "YXCT", "CTYX"),
        ((7, 40, 52), "QQQ", "ZYX"),
        ((1, 40, 52), "TYX", "TYX"),
    ],
)
def test_stated_axes_count_and_are_put_in_order(
    shape: tuple[int, ...], stated: str, axes: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    data = rng.integers(0, 99, shape, dtype=np.uint8)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, data, photometric="minisblack", metadata={"axes": stated})
    stack = open_tiff(path)
    assert stack.axes == axes
    if stated != "QQQ":
        order = [
            stated.upper().replace("S", axes[-1] if axes[-1] == "S" else "C").index(a) for a in axes
        ]
        data = np.transpose(data, order)
    np.testing.assert_array_equal(np.asarray(stack.array), data)
    np.testing.assert_array_equal(stack.array[..., 3:9, 2], data[..., 3:9, 2])


@pytest.mark.parametrize(
    ("shape", "dtype", "axes"),
    [
        ((40, 52, 3), "uint8", "YXS"),
        ((40, 52, 4), "uint16", "YXS"),
        ((40, 52, 3), "int32", "CYX"),  # signed numbers are labels
        ((40, 52, 5), "uint8", "CYX"),
    ],
)
def test_samples_are_colours_where_they_can_be(
    shape: tuple[int, ...], dtype: str, axes: str, tmp_path: Path
) -> None:
    data = np.zeros(shape, dtype)
    assert open_tiff(written(tmp_path / "a.tif", data, photometric="rgb")).axes == axes


@pytest.mark.parametrize("how", [{}, {"metadata": {"axes": "YXZ"}}])
def test_an_axis_of_length_1_behind_the_plane_is_no_plane(
    how: dict[str, Any], tmp_path: Path, rng: np.random.Generator
) -> None:
    data = rng.integers(0, 99, (40, 52, 1), dtype=np.uint8)
    stack = open_tiff(written(tmp_path / "a.tif", data, **how))
    assert stack.array.shape[-2:] == (40, 52)
    np.testing.assert_array_equal(np.asarray(stack.array).squeeze(), data[..., 0])


def test_a_long_ome_image_that_states_channels_has_channels(tmp_path: Path) -> None:
    data = np.zeros((70, 8, 9), np.uint8)
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, data, photometric="minisblack", metadata={"axes": "CYX"})
    assert open_tiff(path).axes == "CYX"
