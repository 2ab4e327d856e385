"""Numbers of any type as whole numbers in the same order, so that they can be sorted bit by bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[Any]
"""Unsigned whole numbers of the size of the values."""


def to_bits(values: npt.NDArray[Any]) -> Bits:
    """Return whole numbers from 0 upwards that are in the order of the values.

    Examples
    --------
    >>> to_bits(np.array([-2, 0, 3], np.int8)).tolist()
    [126, 128, 131]
    """
    bits: Bits
    bits, sign = _unsigned(values)
    if values.dtype.kind == "i":
        bits ^= sign
    if values.dtype.kind == "f":  # IEEE 754: negative ones run the other way
        found: Bits = np.where(bits & sign, ~bits, bits | sign)
        return found
    return bits


def from_bits(bits: Bits, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return the values of `to_bits`, in the byte order of this computer."""
    sign = _unsigned(bits)[1]
    if dtype.kind == "i":
        bits = bits ^ sign
    elif dtype.kind == "f":
        bits = np.where(bits & sign, bits & ~sign, ~bits)
    return bits.view(dtype.newbyteorder("="))


def _unsigned(values: npt.NDArray[Any]) -> tuple[Bits, Any]:
    """Return the bits of values as they are stored here, and the one that is the sign."""
    native = np.array(values, values.dtype.newbyteorder("="), order="C")
    kind = np.dtype(f"u{native.itemsize}").type
    return native.view(kind), kind(1 << (8 * native.itemsize - 1))
