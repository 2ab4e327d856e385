"""The range of a stack: what odd pixels, odd planes and sparse fields do to it, and what not."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from napari_unet.engine.stack.grey_range import GreyRange, measure_ranges
from napari_unet.engine.stack.normalization import Normalization, measure
from napari_unet.engine.stack.planes import ArrayPlanes
from napari_unet.io.samples import synthetic_cells

SIDE = 256
# On an offset as wide as their range, so that black is as far from them as white.
CELLS = synthetic_cells(seed=5, planes=8, shape=(SIDE, SIDE)).image + np.uint16(2000)


def nuclei(count: int, *, exposure: float = 1, offset: float = 100, seed: int = 0) -> Any:
    """A plane of round nuclei, at most 64, on camera noise."""
    rng = np.random.default_rng(seed)
    plane = rng.normal(offset, 5, (SIDE, SIDE))
    y, x = np.mgrid[:SIDE, :SIDE]
    for number in rng.permutation(64)[:count]:
        cy, cx = 16 + 32 * (number // 8), 16 + 32 * (number % 8)
        plane[(y - cy) ** 2 + (x - cx) ** 2 <= 49] += 1500 * exposure
    return np.rint(ndimage.gaussian_filter(plane, 1)).clip(0).astype(np.uint16)


def range_of(stack: npt.NDArray[Any]) -> GreyRange:
    (found,) = measure_ranges(ArrayPlanes(stack))
    return found


def spoilt(how: str) -> npt.NDArray[Any]:
    stack = CELLS.copy()
    if how == "saturated":
        stack[0] = 65535
    elif how == "black":
        stack[3] = 0
    elif how == "eight times":
        stack[2] *= 8
    elif how == "hot pixels":
        stack[np.random.default_rng(1).random(stack.shape) < 0.006] = 65535
    elif how == "dead pixels":
        stack[np.random.default_rng(1).random(stack.shape) < 0.006] = 0
    elif how == "white bar":
        stack[:, 230:245, 20:180] = 65535
    else:
        stack[:, 230:245, 20:180] = 0
    return stack


@pytest.mark.parametrize(
    "how",
    ["saturated", "black", "eight times", "hot pixels", "dead pixels", "white bar", "black bar"],
)
def test_odd_pixels_and_planes_do_not_decide_the_range(how: str) -> None:
    found, expected = range_of(spoilt(how)), range_of(CELLS)
    assert found.low == pytest.approx(expected.low, abs=0.1 * expected.width)
    assert found.high == pytest.approx(expected.high, abs=0.1 * expected.width)


@pytest.mark.parametrize("count", [2, 8, 64])
def test_the_range_reaches_up_to_the_objects_however_few_they_are(count: int) -> None:
    found = range_of(nuclei(count))
    assert not found.is_empty
    assert found.low == pytest.approx(95, abs=4)
    assert 1000 < found.high < 1650


def test_dark_objects_on_a_bright_background_are_found_as_well() -> None:
    found = range_of(2000 - nuclei(2))
    assert found.high == pytest.approx(1905, abs=4)
    assert 350 < found.low < 1000


def test_one_plane_with_objects_among_empty_ones_decides() -> None:
    stack = np.stack([nuclei(40 if plane == 4 else 0, seed=plane) for plane in range(30)])
    assert 1000 < range_of(stack).high < 1650


@pytest.mark.parametrize("blur", [0, 1])
@pytest.mark.parametrize("slope", [0, 0.02])
def test_camera_noise_is_empty_even_if_the_light_is_uneven(blur: float, slope: float) -> None:
    noise = np.random.default_rng(2).normal(100, 5, (SIDE, SIDE))
    noise = ndimage.gaussian_filter(noise, blur) if blur else noise
    assert range_of(noise + slope * np.arange(SIDE)).is_empty


def test_an_eight_bit_plane_of_three_dark_values_is_empty() -> None:
    dark = np.tile(np.repeat(np.array([2, 3, 3, 4], np.uint8), 64), (SIDE, 1))
    assert range_of(dark).is_empty


def test_cells_are_not_empty() -> None:
    assert not range_of(CELLS).is_empty


def test_few_cells_on_black_are_seen_wherever_they_lie() -> None:
    plane = np.zeros((2048, 2048), np.uint16)
    y, x = np.mgrid[:2048, :2048]
    for cell in range(20):
        plane[(y - 150) ** 2 + (x - 300 - 60 * cell) ** 2 <= 400] = 3000
    assert measure(ArrayPlanes(plane)) == Normalization((0.0,), (3000.0,))


TRAINED = measure(ArrayPlanes(nuclei(64)))


def seen(plane: npt.NDArray[Any]) -> Normalization:
    return measure(ArrayPlanes(plane), trained=TRAINED)


@pytest.mark.parametrize("count", [0, 8, 60])
def test_a_field_like_that_of_training_is_seen_as_that_was(count: int) -> None:
    assert seen(nuclei(count, seed=3)) == TRAINED


def test_a_channel_that_is_empty_is_seen_as_in_training() -> None:
    both = np.stack([nuclei(64), nuclei(64)])
    trained = measure(ArrayPlanes(both, channel_axis=0))
    both[1] = 100
    assert measure(ArrayPlanes(both, channel_axis=0), trained=trained).high == trained.high


@pytest.mark.parametrize(("exposure", "offset"), [(0.25, 100), (8, 100), (1, 3000)])
def test_another_camera_or_exposure_is_measured_anew(exposure: float, offset: float) -> None:
    plane = nuclei(64, exposure=exposure, offset=offset)
    assert seen(plane) == measure(ArrayPlanes(plane))


def test_fewer_bits_are_measured_anew_although_their_range_lies_inside_that_of_training() -> None:
    trained = measure(ArrayPlanes(nuclei(64, offset=20)))
    plane = (nuclei(64, offset=20) / 8).astype(np.uint8)
    assert measure(ArrayPlanes(plane), trained=trained) == measure(ArrayPlanes(plane))


def test_debris_that_outshines_the_cells_changes_nothing_of_what_is_known() -> None:
    plane = nuclei(64, seed=4)
    plane[:20, :40] += np.linspace(3000, 20_000, 800).reshape(20, 40).astype(np.uint16)
    assert measure(ArrayPlanes(plane)).high[0] > 5000
    assert seen(plane) == TRAINED


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("seed", range(4))
def test_whole_numbers_that_are_counted_have_the_range_of_those_that_are_sorted(
    bits: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    few = ndimage.gaussian_filter(rng.normal(0, 40, (90, 70)), seed)
    stack = (few - few.min()).clip(0, 2**bits - 1).astype(f">u{bits // 8}")
    stack[3, 5:9] = 2**bits - 1

    assert range_of(stack) == range_of(stack.astype(np.int64))
