"""Small objects: the network sees each pixel as several, so that objects are as it knows them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet.engine.stack.planes import DerivedPlanes, Planes
from napari_unet.engine.stack.tiles import Span, Tile, read_mirrored

Image = npt.NDArray[Any]
"""(C, Y, X)"""


class EnlargedPlanes(DerivedPlanes):
    """A stack with so many pixels along Y and X for each of its own, interpolated linearly.

    Parameters
    ----------
    planes
        The stack; beyond its planes, they are mirrored.
    factor
        How many pixels come from one, along each axis.
    """

    def __init__(self, planes: Planes, factor: int) -> None:
        super().__init__(
            planes,
            shape=_enlarged(planes.shape, factor),
            dtype=np.result_type(planes.dtype, np.float32),
            scale=1 / factor,
        )
        self._planes = planes
        self._factor = factor

    def read(self, plane: int, y: slice, x: slice) -> Image:
        """Return the interpolated grey values as (C, y, x); NaN and infinite values stay such."""
        rows, columns = Between.of(y, self._factor), Between.of(x, self._factor)
        region = read_mirrored(self._planes, plane, Tile(rows.needed, columns.needed))
        grey = region.astype(self.dtype)
        with np.errstate(invalid="ignore"):
            return columns.interpolate(rows.interpolate(grey, axis=1), axis=2)


class EnlargedLabels(DerivedPlanes):
    """Labels with so many pixels along Y and X for each of their own, which have its label.

    Parameters
    ----------
    labels
        The painted labels; they may be painted on meanwhile.
    factor
        How many pixels come from one, along each axis.
    """

    def __init__(self, labels: Planes, factor: int) -> None:
        super().__init__(labels, shape=_enlarged(labels.shape, factor), scale=1 / factor)
        self._labels = labels
        self._factor = factor

    def read(self, plane: int, y: slice, x: slice) -> Image:
        """Return the labels as (1, y, x), in the stored type."""
        rows, columns = _covered(y, self._factor), _covered(x, self._factor)
        values = np.asarray(self._labels.read(plane, rows.as_slice, columns.as_slice))
        for axis, side, first in ((1, y, rows.start), (2, x, columns.start)):
            places = np.arange(side.start, side.stop) // self._factor - first
            values = values.take(places, axis)
        return values


@dataclass(frozen=True, slots=True, eq=False)
class Between:
    """Between which pixels of a coarse plane those of a fine one lie, along one axis."""

    needed: Span  # coarse pixels
    low: npt.NDArray[np.intp]  # (n,) index among the needed pixels, of the one before the fine one
    high: npt.NDArray[np.intp]  # (n,) of the one after it
    share: npt.NDArray[np.float64]  # (n,) how far the fine pixel lies on the way, 0 to 1

    @classmethod
    def of(cls, side: slice, factor: int, length: int | None = None) -> Between:
        """Return it for a side of the fine plane, which has so many pixels for a coarse one.

        Beyond the outermost middles values stay the same, where the coarse plane has a `length`;
        else it goes on.
        """
        position = (np.arange(side.start, side.stop) - (factor - 1) / 2) / factor
        if length is not None:
            position = np.clip(position, 0, length - 1)
        low = np.floor(position).astype(np.intp)
        high = low + 1 if length is None else np.minimum(low + 1, length - 1)
        needed = Span(int(low[0]), int(high[-1]) + 1)
        return cls(needed, low - needed.start, high - needed.start, position - low)

    def interpolate(self, values: Image, axis: int) -> Image:
        """Return the values at the fine pixels, for those of the needed ones along an axis."""
        low, high = values.take(self.low, axis), values.take(self.high, axis)
        shape = [1] * values.ndim
        shape[axis] = -1
        between: Image = low + (high - low) * self.share.astype(values.dtype).reshape(shape)
        return between


def shrink(values: Image, factor: int) -> Image:
    """Return the means of the blocks of (K, factor·y, factor·x) values, (K, y, x).

    They are added one by one: numpy's own sum adds in an order that depends on the array's shape.
    """
    rows = reduce(np.add, (values[:, start::factor] for start in range(factor)))
    total = reduce(np.add, (rows[:, :, start::factor] for start in range(factor)))
    means: Image = total / values.dtype.type(factor**2)
    return means


def _enlarged(shape: tuple[int, int], factor: int) -> tuple[int, int]:
    return shape[0] * factor, shape[1] * factor


def _covered(side: slice, factor: int) -> Span:
    """Return the pixels of the plane that some of the enlarged one come from."""
    return Span(side.start // factor, -(-side.stop // factor))
