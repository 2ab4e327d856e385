"""What people choose of an image: its axes, and some of its channels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_unet.engine.errors import SettingsError
from napari_unet.io.images import open_image
from napari_unet.io.stack import View

_LENGTHS = {"T": 3, "C": 2, "Z": 4, "Y": 6, "X": 8, "S": 3}


@pytest.fixture
def hyperstack(tmp_path: Path, rng: np.random.Generator) -> tuple[Path, Any]:
    """A movie (T, Z, C, Y, X) with the channels DAPI and GFP."""
    values = rng.integers(0, 999, (3, 4, 2, 6, 8)).astype(np.uint16)
    about = {"axes": "TZCYX", "Labels": ["DAPI", "GFP"] * 12, "spacing": 2.0, "unit": "um"}
    tifffile.imwrite(tmp_path / "a.tif", values, imagej=True, metadata=about)
    return tmp_path / "a.tif", values


@pytest.mark.parametrize(
    ("wanted", "numbers", "names"),
    [
        (("GFP",), [1], ["GFP"]),
        (("gfp", "0"), [1, 0], ["GFP", "DAPI"]),
        (("C1", "1"), [1], ["GFP"]),
    ],
)
def test_channels_are_chosen_by_name_or_number(
    hyperstack: tuple[Path, Any], wanted: tuple[str, ...], numbers: list[int], names: list[str]
) -> None:
    path, values = hyperstack
    stack = open_image(path, View(channels=wanted))
    assert [channel.name for channel in stack.channels] == names
    np.testing.assert_array_equal(np.asarray(stack.array), values[:, :, numbers])
    planes = stack.planes()
    assert (planes.count, planes.channels) == (12, len(numbers))
    region = planes.read(5, slice(1, 4), slice(0, 8))
    np.testing.assert_array_equal(region, values[1, 1, numbers, 1:4])


@pytest.mark.parametrize(
    "axes", ["TYX", "ZYX", "CYX", "TCYX", "ZCYX", "TCZYX", "TZCYX", "YXC", "YXS"]
)
def test_axes_that_a_file_does_not_name_are_what_people_say(
    axes: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    values = rng.integers(0, 255, [_LENGTHS[axis] for axis in axes]).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="minisblack")
    stack = open_image(tmp_path / "a.tif", View(axes=axes))
    order = [axes.index(axis) for axis in stack.axes]
    np.testing.assert_array_equal(np.asarray(stack.array), values.transpose(order))
    planes = stack.planes()
    assert planes.channels == (_LENGTHS["C"] if "C" in axes else 3 if "S" in axes else 1)
    assert planes.shape == (6, 8)
    assert planes.followed == "".join(axis for axis in axes if axis in "TZ")


def test_colours_are_channels_by_their_names(tmp_path: Path, rng: np.random.Generator) -> None:
    values = rng.integers(0, 255, (6, 8, 4)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", extrasamples=["unassalpha"])
    stack = open_image(tmp_path / "a.tif", View(channels=("green",)))
    assert stack.axes == "CYX"
    np.testing.assert_array_equal(np.asarray(stack.array), values[np.newaxis, ..., 1])


@pytest.mark.parametrize(
    ("view", "sentence"),
    [
        (View(channels=("RFP",)), "has no channel 'RFP'; it has DAPI, GFP"),
        (View(channels=("2",)), "has no channel '2'; it has DAPI, GFP"),
        (View(axes="ZYX"), "has 5 axes, read as TZCYX; write one letter for each"),
        (View(axes="TZSYX"), "has 2 where --axes TZSYX says S"),
        (View(axes="TZQYX", channels=("DAPI",)), "one channel and the axes TZQYX; leave out --cha"),
        (View("left"), "no position 'left'; it has one image; leave out --position"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(
    hyperstack: tuple[Path, Any], view: View, sentence: str
) -> None:
    with pytest.raises(SettingsError, match=sentence):
        open_image(hyperstack[0], view)


def test_an_image_of_one_channel_has_channel_0(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((6, 8), np.uint8))
    assert open_image(tmp_path / "a.tif", View(channels=("0",))).axes == "YX"
