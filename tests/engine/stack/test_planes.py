"""Stacks as numbered planes, against numpy."""

from __future__ import annotations

import zlib

import dask.array
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_unet.engine.errors import FileError, ImageError
from napari_unet.engine.stack.planes import ArrayPlanes, ChannelPlanes, ColourPlanes


@st.composite
def stacks(draw: st.DrawFn) -> tuple[np.ndarray, int | None]:
    shape = draw(st.lists(st.integers(1, 4), min_size=2, max_size=5))
    axis = draw(st.none() | st.integers(-len(shape), len(shape) - 1)) if len(shape) > 2 else None
    return np.arange(np.prod(shape), dtype=np.uint16).reshape(shape), axis


@given(stacks(), st.data())
def test_any_region_of_any_plane_with_any_channel_axis(
    stack: tuple[np.ndarray, int | None], data: st.DataObject
) -> None:
    array, axis = stack
    planes = ArrayPlanes(array, channel_axis=axis)
    channels_first = array[np.newaxis] if axis is None else np.moveaxis(array, axis, 0)
    flat = channels_first.reshape(len(channels_first), -1, *channels_first.shape[-2:])
    assert (planes.channels, planes.count, *planes.shape) == flat.shape
    assert planes.dtype == np.uint16
    plane = data.draw(st.integers(0, planes.count - 1))
    top, left = (data.draw(st.integers(0, n - 1)) for n in planes.shape)
    y = slice(top, data.draw(st.integers(top + 1, planes.shape[0])))
    x = slice(left, data.draw(st.integers(left + 1, planes.shape[1])))
    region = planes.read(plane, y, x)
    np.testing.assert_array_equal(region, flat[:, plane, y, x])
    assert region.dtype == np.uint16


@given(stacks())
def test_plane_numbers_and_positions_are_one_to_one(stack: tuple[np.ndarray, int | None]) -> None:
    planes = ArrayPlanes(stack[0], channel_axis=stack[1])
    positions = [planes.position(plane) for plane in range(planes.count)]
    assert positions == list(np.ndindex(planes.leading_shape))
    assert [planes.number(position) for position in positions] == list(range(planes.count))


def test_only_the_wanted_region_is_computed() -> None:
    computed: list[tuple[int, ...]] = []

    def remember(block: np.ndarray) -> np.ndarray:
        computed.append(block.shape)
        return block

    lazy = dask.array.zeros((4, 64, 64), chunks=(1, 32, 32), dtype=np.uint8)
    planes = ArrayPlanes(
        lazy.map_blocks(remember, dtype=np.uint8, meta=np.empty((0, 0, 0), np.uint8))
    )
    assert not computed
    region = planes.read(2, slice(0, 10), slice(40, 50))
    assert isinstance(region, np.ndarray)
    assert region.shape == (1, 10, 10)
    assert len(computed) == 1


@pytest.mark.parametrize("dtype", [">u2", "<f4", "int8", "uint64", "float16"])
def test_any_integer_or_float_is_taken_as_it_is(dtype: str) -> None:
    planes = ArrayPlanes(np.zeros((3, 4), dtype))
    assert planes.dtype == np.dtype(dtype)
    assert planes.read(0, slice(0, 2), slice(0, 2)).dtype == np.dtype(dtype)


@pytest.mark.parametrize(
    ("array", "channel_axis", "sentence"),
    [
        (np.zeros((4, 4), bool), None, "'cells' holds bool values.*convert"),
        (np.zeros((4, 4), np.complex64), None, "'cells' holds complex64 values.*convert"),
        (np.zeros(4), None, "1 spatial axis"),
        (np.zeros((4, 3)), 1, "1 spatial axis"),
        (np.zeros((0, 4, 4)), None, r"empty \(shape \(0, 4, 4\)\)"),
        (np.zeros((4, 0)), None, "empty"),
    ],
)
def test_what_is_no_image_gets_one_sentence(
    array: np.ndarray, channel_axis: int | None, sentence: str
) -> None:
    with pytest.raises(ImageError, match=sentence):
        ArrayPlanes(array, channel_axis=channel_axis, name="cells")


@pytest.mark.parametrize(
    ("shape", "channel_axis", "run"),
    [
        ((8, 9), None, 1),
        ((5, 8, 9), None, 5),
        ((2, 5, 8, 9), None, 5),
        ((2, 3, 5, 8, 9), 1, 5),
        ((2, 5, 3, 8, 9), 2, 5),
        ((5, 8, 9, 3), -1, 5),
        ((8, 9, 3), -1, 1),
    ],
)
def test_a_run_is_the_length_of_the_innermost_stack_axis(
    shape: tuple[int, ...], channel_axis: int | None, run: int
) -> None:
    assert ArrayPlanes(np.zeros(shape, np.uint8), channel_axis=channel_axis).run == run


@pytest.mark.parametrize(
    ("shape", "followed", "run", "runs"),
    [
        ((8, 9), "TZ", 1, 1),
        ((5, 8, 9), "TZ", 5, 1),
        ((2, 5, 8, 9), "TZ", 5, 2),
        ((3, 2, 5, 8, 9), "TZ", 5, 2),
        ((2, 5, 8, 9), "Z", 5, 1),
        ((2, 5, 8, 9), "", 1, 1),
    ],
)
def test_runs_follow_one_another_as_far_as_their_axis_does(
    shape: tuple[int, ...], followed: str, run: int, runs: int
) -> None:
    planes = ArrayPlanes(np.zeros(shape, np.uint8), followed=followed)
    assert (planes.run, planes.runs) == (run, runs)
    channels = ChannelPlanes([planes, planes])
    assert (channels.run, channels.runs) == (run, runs)


def test_a_colour_picture_has_three_channels() -> None:
    picture = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
    planes = ArrayPlanes(picture, channel_axis=-1)
    assert (planes.count, planes.channels, planes.shape) == (2, 3, (4, 5))
    region = planes.read(1, slice(1, 3), slice(2, 5))
    np.testing.assert_array_equal(region[1], picture[1, 1:3, 2:5, 1])


@pytest.mark.parametrize("samples", [3, 4])
def test_the_transparency_of_a_colour_picture_is_no_channel(samples: int) -> None:
    picture = np.arange(2 * 4 * 5 * samples, dtype=np.uint8).reshape(2, 4, 5, samples)
    planes = ColourPlanes(picture)
    assert (planes.count, planes.channels, planes.shape) == (2, 3, (4, 5))
    region = planes.read(1, slice(1, 3), slice(2, 5))
    np.testing.assert_array_equal(region, np.moveaxis(picture[1, 1:3, 2:5, :3], -1, 0))


def test_stacks_become_channels_in_their_order() -> None:
    grey = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 4, 5)
    colour = np.arange(2 * 3 * 4 * 5 * 3, dtype=np.int16).reshape(2, 3, 4, 5, 3) - 100
    planes = ChannelPlanes([ArrayPlanes(grey), ArrayPlanes(colour, channel_axis=-1)])
    assert (planes.count, planes.run, planes.channels, planes.shape) == (6, 3, 4, (4, 5))
    assert planes.dtype == np.int16  # holds uint8 and int16 alike
    region = planes.read(4, slice(1, 3), slice(0, 4))
    assert region.dtype == np.int16
    np.testing.assert_array_equal(region[0], grey[1, 1, 1:3, :4])
    np.testing.assert_array_equal(region[1:], np.moveaxis(colour[1, 1, 1:3, :4], -1, 0))


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ((6, 4, 6), r"Channel 2 has 6 planes of 4×6 px, but the first channel has 6 planes of 4×5"),
        ((1, 4, 5), r"1 plane of 4×5 px"),
        ((2, 3, 4, 5), r"6 planes in series of 3 of 4×5 px"),
    ],
)
def test_stacks_of_another_size_are_no_channels(other: tuple[int, ...], sentence: str) -> None:
    parts = [ArrayPlanes(np.zeros(shape, np.uint8)) for shape in ((6, 4, 5), other)]
    with pytest.raises(ImageError, match=sentence):
        ChannelPlanes(parts)
    with pytest.raises(ImageError, match="No image is chosen"):
        ChannelPlanes([])


class Broken:
    """A lazy array that fails with what its format's library raises."""

    shape, ndim, dtype = (3, 8, 8), 3, np.dtype(np.uint8)

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __getitem__(self, index: object) -> np.ndarray:
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        OSError(116, "Stale file handle"),
        RuntimeError("error during blosc\ndecompression: -1"),
        KeyError("c/1/0"),
        zlib.error("Error -3 while decompressing data"),
    ],
)
@pytest.mark.parametrize("channel_axis", [None, 0])
def test_whatever_a_lazy_array_fails_with_is_one_sentence(
    error: Exception, channel_axis: int | None
) -> None:
    planes = ArrayPlanes(Broken(error), channel_axis=channel_axis, name="cells")
    with pytest.raises(FileError, match="Plane 0 of 'cells' cannot be read") as raised:
        planes.read(0, slice(0, 8), slice(0, 8))
    assert "\n" not in str(raised.value)
    assert raised.value.__cause__ is error


@pytest.mark.parametrize("error", [MemoryError(), ImageError("said well enough")])
def test_what_is_said_already_stays_as_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        ArrayPlanes(Broken(error)).read(0, slice(0, 8), slice(0, 8))
    assert raised.value is error
