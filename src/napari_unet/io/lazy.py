"""An array that reads only what a slice asks for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

Index = tuple[int | slice, ...]
Spans = tuple[slice, ...]


class LazyArray:
    """Array that slices like numpy's, with integers, slices and ``...``; each slice is read anew.

    Parameters
    ----------
    shape, dtype
        Of the whole array.
    fetch
        Reads a region. It gets one entry per axis: an integer inside the axis, or a slice with
        start, stop and a positive step inside the axis; the integers' axes are dropped.
    """

    def __init__(
        self,
        shape: Sequence[int],
        dtype: npt.DTypeLike,
        fetch: Callable[[Index], npt.NDArray[Any]],
    ) -> None:
        self.shape = tuple(int(n) for n in shape)
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self._fetch = fetch

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that the whole array would take in memory."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"LazyArray(shape={self.shape}, dtype={self.dtype})"

    def __getitem__(self, index: Any) -> npt.NDArray[Any]:
        wanted, flips = self._normalise(index)
        kept = [i for i in wanted if isinstance(i, slice)]
        if any(i.start >= i.stop for i in kept):
            return np.empty([len(range(i.start, i.stop, i.step)) for i in kept], self.dtype)
        return self._fetch(wanted)[flips]

    def __array__(
        self,
        dtype: npt.DTypeLike | None = None,
        copy: bool | None = None,  # noqa: FBT001  # numpy's protocol
    ) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError("the pixels lie in a file; they cannot be had without a copy")
        return self[...].astype(self.dtype if dtype is None else dtype, copy=False)

    def take(self, position: int, axis: int) -> LazyArray:
        """Return the array at one position of an axis, without that axis; nothing is read."""

        def fetch(index: Index) -> npt.NDArray[Any]:
            return self._fetch((*index[:axis], position, *index[axis:]))

        return LazyArray((*self.shape[:axis], *self.shape[axis + 1 :]), self.dtype, fetch)

    def pick(self, positions: Sequence[int], axis: int) -> LazyArray:
        """Return the array with some positions of an axis only, in this order; nothing is read."""

        def read(index: Index, position: int) -> npt.NDArray[Any]:
            return self._fetch((*index[:axis], position, *index[axis + 1 :]))

        def fetch(index: Index) -> npt.NDArray[Any]:
            entry = index[axis]
            if not isinstance(entry, slice):
                return read(index, positions[entry])
            parts = [read(index, position) for position in positions[entry]]
            return np.stack(parts, axis=_kept(index, axis))

        shape = (*self.shape[:axis], len(positions), *self.shape[axis + 1 :])
        return LazyArray(shape, self.dtype, fetch)

    def move_axis(self, source: int, destination: int) -> LazyArray:
        """Return the array with one axis moved to another position; nothing is read."""
        shape = list(self.shape)
        shape.insert(destination, shape.pop(source))

        def fetch(index: Index) -> npt.NDArray[Any]:
            stored = list(index)
            entry = stored.pop(destination)
            stored.insert(source, entry)
            region = self._fetch(tuple(stored))
            if not isinstance(entry, slice):
                return region
            return np.moveaxis(region, _kept(stored, source), _kept(index, destination))

        return LazyArray(shape, self.dtype, fetch)

    def _normalise(self, index: Any) -> tuple[Index, tuple[slice, ...]]:
        """Return one in-bounds entry per axis, and the slices that put flipped axes back."""
        given = list(index) if isinstance(index, tuple) else [index]
        missing = self.ndim - sum(i is not Ellipsis for i in given)
        if missing < 0:
            raise IndexError(f"{len(given)} indices for an array of {self.ndim} axes")
        if not any(i is Ellipsis for i in given):
            given.append(Ellipsis)
        at = next(n for n, i in enumerate(given) if i is Ellipsis)
        given[at : at + 1] = [slice(None)] * missing

        wanted: list[int | slice] = []
        flips: list[slice] = []
        for axis, (entry, length) in enumerate(zip(given, self.shape, strict=True)):
            if isinstance(entry, slice):
                chosen = range(*entry.indices(length))
                flips.append(slice(None, None, -1 if chosen.step < 0 else 1))
                chosen = chosen[::-1] if chosen.step < 0 else chosen
                stop = chosen[-1] + 1 if chosen else chosen.start
                wanted.append(slice(chosen.start, stop, chosen.step))
            else:
                wanted.append(_inside(entry, length, axis))
        return tuple(wanted), tuple(flips)


def _kept(index: Sequence[int | slice], before: int) -> int:
    """Count the axes before a position that an index keeps."""
    return sum(isinstance(entry, slice) for entry in index[:before])


def _inside(entry: Any, length: int, axis: int) -> int:
    if isinstance(entry, bool) or not hasattr(entry, "__index__"):
        raise IndexError(f"only integers, slices and ... can index this array, got {entry!r}")
    position = int(entry.__index__())
    if not -length <= position < length:
        raise IndexError(f"index {position} is out of bounds for axis {axis} of length {length}")
    return position % length


def page_array(
    leading_shape: Sequence[int],
    page_shape: Sequence[int],
    dtype: npt.DTypeLike,
    read: Callable[[int, Spans], npt.NDArray[Any]],
) -> LazyArray:
    """Return an array over numbered pages.

    Parameters
    ----------
    leading_shape
        Axes that number the pages, in C order.
    page_shape
        Axes of a page, such as (Y, X).
    read
        Returns a region of a page, given its number and for each axis of the page a slice with
        start and stop inside the axis.
    """
    leading_shape = tuple(leading_shape)
    leading = len(leading_shape)

    def fetch(index: Index) -> npt.NDArray[Any]:
        spans = tuple(_span(entry) for entry in index[leading:])
        within = tuple(_step(entry) for entry in index[leading:])
        choices = [
            range(i.start, i.stop, i.step) if isinstance(i, slice) else (i,)
            for i in index[:leading]
        ]
        regions = [read(_number(at, leading_shape), spans)[within] for at in product(*choices)]
        kept = [len(c) for c, i in zip(choices, index, strict=False) if isinstance(i, slice)]
        return np.stack(regions).reshape((*kept, *regions[0].shape))

    return LazyArray((*leading_shape, *page_shape), dtype, fetch)


def _span(entry: int | slice) -> slice:
    """Return the pixels from the first to the last that are asked for."""
    return slice(entry.start, entry.stop) if isinstance(entry, slice) else slice(entry, entry + 1)


def _step(entry: int | slice) -> int | slice:
    """Return what to keep of the pixels of `_span`."""
    return slice(None, None, entry.step) if isinstance(entry, slice) else 0


def _number(position: tuple[int, ...], shape: tuple[int, ...]) -> int:
    return int(np.ravel_multi_index(position, shape)) if shape else 0
