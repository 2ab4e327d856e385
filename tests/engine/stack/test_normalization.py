"""Grey values → float32, measured once per stack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_unet.engine.errors import ImageError
from napari_unet.engine.stack.normalization import Normalization, measure
from napari_unet.engine.stack.planes import ArrayPlanes, ChannelPlanes, Planes
from napari_unet.engine.stack.reduction import Reduction

NOISE = np.random.default_rng(0).integers(0, 4096, (5, 64, 48)).astype(np.uint16)


def test_the_percentiles_of_a_small_plane_are_numpys() -> None:
    plane = np.add.outer(np.arange(64), np.arange(48) ** 2)
    found = measure(ArrayPlanes(plane))
    assert (*found.low, *found.high) == tuple(np.percentile(plane, (0.5, 99.5)))


def test_low_becomes_minus_one_and_high_one() -> None:
    grey = Normalization((100.0, 0.0), (300.0, 10.0))
    values = np.array([[[100, 200, 300, 400]], [[0, 5, 10, 15]]], np.uint16)
    np.testing.assert_array_equal(grey.apply(values), [[[-1, 0, 1, 2]]] * 2)
    assert grey.apply(values).dtype == np.float32


def test_what_is_far_outside_the_range_is_cut_off() -> None:
    values = np.array([[[0, 65535]]], np.uint16)
    np.testing.assert_array_equal(Normalization((200.0,), (300.0,)).apply(values), [[[-2, 2]]])


def test_each_channel_has_its_own_range() -> None:
    stack = np.stack([NOISE, NOISE * 3 + 7], axis=1)
    found = measure(ArrayPlanes(stack, channel_axis=1))
    alone = [measure(ArrayPlanes(stack[:, c])) for c in (0, 1)]
    assert found.low == (alone[0].low[0], alone[1].low[0])
    assert found.high == (alone[0].high[0], alone[1].high[0])


@given(st.integers(0, 63), st.integers(1, 64), st.integers(0, 47), st.integers(1, 48))
def test_a_tile_is_normalised_as_in_its_plane(y: int, h: int, x: int, w: int) -> None:
    planes = ArrayPlanes(NOISE)
    grey = measure(planes)
    tile = slice(y, min(64, y + h)), slice(x, min(48, x + w))
    whole = grey.apply(planes.read(3, slice(0, 64), slice(0, 48)))
    np.testing.assert_array_equal(grey.apply(planes.read(3, *tile)), whole[:, *tile])


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", ">u2", "i4", "u8", "f2", "f4", "f8"])
def test_every_grey_value_type_keeps_its_full_range(dtype: str) -> None:
    kind = np.dtype(dtype)
    info = np.finfo(kind) if kind.kind == "f" else np.iinfo(kind)
    limits = np.array([info.min, info.max], kind) if kind.itemsize < 4 else [-1000, 1000]
    if kind.kind == "u" and kind.itemsize >= 4:
        limits = [0, 2**40]
    stack = np.resize(np.array(limits, kind), (2, 10, 10))
    grey = measure(ArrayPlanes(stack))
    applied = grey.apply(stack[:1])
    np.testing.assert_array_equal(np.unique(applied), [-1, 1])


def test_half_precision_does_not_overflow() -> None:
    values = np.array([[[-60_000, -60_000, 60_000]]])
    half, single = (measure(ArrayPlanes(values.astype(t))) for t in (np.float16, np.float32))
    assert half.high == single.high
    assert half.high[0] == pytest.approx(-60_000 + 0.99 * 120_000, rel=0.01)


class CountingPlanes(ArrayPlanes):
    """Remembers what was read."""

    def __init__(self, array: Any) -> None:
        super().__init__(array)
        self.reads: list[tuple[int, int]] = []

    def read(self, plane: int, y: slice, x: slice) -> npt.NDArray[Any]:
        self.reads.append((plane, (y.stop - y.start) * (x.stop - x.start)))
        return super().read(plane, y, x)


def test_large_stacks_are_sampled_in_few_reads() -> None:
    planes = CountingPlanes(_Ramp((200, 3000, 3000)))
    grey = measure(planes)
    assert len({plane for plane, _ in planes.reads}) == 32
    assert len(planes.reads) == 32 * 8
    assert sum(pixels for _, pixels in planes.reads) < 1.2 * 2**26
    assert 0 <= grey.low[0] < 20 < 2980 < grey.high[0] < 3000


def test_huge_planes_are_read_in_bands_that_fit_into_memory() -> None:
    planes = CountingPlanes(_Ramp((2, 30_000, 30_000)))
    measure(planes)
    assert max(pixels for _, pixels in planes.reads) <= 2**22
    assert sum(pixels for _, pixels in planes.reads) < 1.1 * 2**26


class _Ramp:
    """A stack whose grey value is the row number, made when it is read."""

    dtype = np.dtype(np.uint16)

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.shape = shape
        self.ndim = 3

    def __getitem__(self, index: tuple[int, slice, slice]) -> npt.NDArray[np.uint16]:
        _, y, x = index
        rows = np.arange(y.start, y.stop, dtype=np.uint16)[:, np.newaxis]
        return np.broadcast_to(rows, (len(rows), x.stop - x.start))


def test_the_same_stack_always_gives_the_same_numbers() -> None:
    assert measure(ArrayPlanes(NOISE)) == measure(ArrayPlanes(NOISE.copy()))


def test_a_few_bright_pixels_on_an_even_background_are_an_image() -> None:
    stack = np.full((1, 64, 64), 7, np.uint8)
    stack[0, 3, 3:6] = 90
    assert measure(ArrayPlanes(stack)) == Normalization((7.0,), (90.0,))


@pytest.mark.parametrize("shape", [(1, 1, 50), (1, 50, 1), (3, 1, 1)])
def test_slender_images_are_measured(shape: tuple[int, ...]) -> None:
    stack = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    grey = measure(ArrayPlanes(stack))
    assert grey.low < grey.high


def _spoilt(value: float) -> npt.NDArray[np.float32]:
    stack = NOISE.astype(np.float32)
    stack[4, 63, 47] = value
    return stack


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinite_values_get_one_sentence(value: float) -> None:
    with pytest.raises(ImageError, match=r"Plane 4 of 'cells' holds NaN or inf.*nan_to_num"):
        measure(ArrayPlanes(_spoilt(value), name="cells"))
    with pytest.raises(ImageError, match=r"holds NaN or inf.*nan_to_num"):
        Normalization((0.0,), (1.0,)).apply(_spoilt(value)[4:])


@pytest.mark.parametrize("value", [0, 255])
def test_a_constant_image_gets_one_sentence(value: int) -> None:
    with pytest.raises(ImageError, match=r"'cells' is constant.*right file and channel"):
        measure(ArrayPlanes(np.full((2, 9, 9), value, np.uint8), name="cells"))


@pytest.mark.parametrize(
    ("seen", "name"),
    [
        (lambda planes: Reduction(3, planes.shape).image(planes), "cells"),
        (lambda planes: Reduction(1, planes.shape, 2).image(planes), "cells"),
        (lambda planes: ChannelPlanes([planes, planes]), "cells, cells"),
    ],
)
def test_an_image_keeps_its_name_however_it_is_seen(
    seen: Callable[[Planes], Planes], name: str
) -> None:
    constant = ArrayPlanes(np.zeros((2, 9, 9), np.uint8), name="cells")
    with pytest.raises(ImageError, match=f"'{name}' is constant"):
        measure(seen(constant))


def test_an_empty_channel_beside_others_is_dark_all_over() -> None:
    stack = np.stack([NOISE, np.full_like(NOISE, 7)])
    grey = measure(ArrayPlanes(stack, channel_axis=0))
    assert (grey.apply(stack[:, 0])[1] == -1).all()
