"""Bits are in the order of the values, and give them back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_unet.engine.measurements.ordered_bits import from_bits, to_bits

TYPES = ("u1", "u2", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8")


@given(st.sampled_from(TYPES).flatmap(lambda t: arrays(t, 6)))
def test_the_order_and_the_values_stay(values: npt.NDArray[np.generic]) -> None:
    values = values[values == values]  # no numbers that are none
    bits = to_bits(values)

    np.testing.assert_array_equal(from_bits(bits, values.dtype), values)
    order = np.argsort(bits)
    np.testing.assert_array_equal(values[order], np.sort(values))


def test_what_is_given_stays_as_it_is() -> None:
    values = np.array([-1, 2], np.int32)
    to_bits(values)
    assert values.tolist() == [-1, 2]
