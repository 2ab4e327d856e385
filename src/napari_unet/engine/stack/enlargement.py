"""Small objects: the network sees each pixel as several, so that objects are as it knows them."""

from __future__ import annotations

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
        rows, columns = _covered(y, self._factor).widen(1), _covered(x, self._factor).widen(1)
        grey = read_mirrored(self._planes, plane, Tile(rows, columns)).astype(self.dtype)
        with np.errstate(invalid="ignore"):
            tall = _between(grey, y, rows.start, self._factor, axis=1)
            return _between(tall, x, columns.start, self._factor, axis=2)


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


def shrink(values: npt.NDArray[np.float32], factor: int) -> npt.NDArray[np.float32]:
    """Return the means of the blocks of (K, factor·y, factor·x) values, (K, y, x).

    They are added one by one: numpy's own sum adds in an order that depends on the array's shape.
    """
    rows = reduce(np.add, (values[:, start::factor] for start in range(factor)))
    total = reduce(np.add, (rows[:, :, start::factor] for start in range(factor)))
    means: npt.NDArray[np.float32] = total / np.float32(factor**2)
    return means


def _enlarged(shape: tuple[int, int], factor: int) -> tuple[int, int]:
    return shape[0] * factor, shape[1] * factor


def _covered(side: slice, factor: int) -> Span:
    """Return the pixels of the plane that some of the enlarged one come from."""
    return Span(side.start // factor, -(-side.stop // factor))


def _between(values: Image, side: slice, first: int, factor: int, axis: int) -> Image:
    """Return the values at the pixels of a side of the enlarged plane, along an axis.

    `first` is the pixel of the plane that stands first in `values`; one more than is covered is
    there on either side.
    """
    position = (np.arange(side.start, side.stop) + 0.5) / factor - 0.5
    low = np.floor(position).astype(np.intp)
    shape = [1] * values.ndim
    shape[axis] = -1
    share = (position - low).astype(values.dtype).reshape(shape)
    before, after = values.take(low - first, axis), values.take(low - first + 1, axis)
    between: Image = before + (after - before) * share
    return between
