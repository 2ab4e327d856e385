"""A stack as the engine sees it: numbered planes, read region by region."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from napari_unet.engine.errors import ImageError

__all__ = ["ArrayPlanes", "Planes"]


class Planes(Protocol):
    """Planes of one shape; nothing is read before `read` is called."""

    @property
    def count(self) -> int:
        """Number of planes."""
        ...

    @property
    def channels(self) -> int:
        """Number of channels of each plane."""
        ...

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of a plane, pixels (Y, X)."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Grey value type as stored."""
        ...

    def read(self, plane: int, y: slice, x: slice) -> npt.NDArray[Any]:
        """Return the region as (C, y, x), in the stored type; slices inside the plane."""
        ...


class ArrayPlanes:
    """Planes of any array that slices like numpy's: numpy, dask, zarr, memory map.

    Parameters
    ----------
    array
        The last two axes are Y and X (before them C, if `channel_axis` says so); all other
        axes are flattened into the plane number, in C order.
    channel_axis
        Axis that holds channels, None for a single channel.
    name
        How errors call the array.

    Raises
    ------
    ImageError
        If there are fewer than two axes, an axis is empty, or values are bool or complex.
    """

    def __init__(self, array: Any, *, channel_axis: int | None = None, name: str = "image") -> None:
        dtype: np.dtype[Any] = np.dtype(array.dtype)
        if dtype.kind not in "uif":
            raise ImageError(
                f"'{name}' holds {dtype.name} values, which have no grey scale; "
                "convert it to integers or floats (for example uint8 or float32) first."
            )
        spatial_dims = array.ndim - (channel_axis is not None)
        if spatial_dims < 2:
            raise ImageError(
                f"'{name}' has {spatial_dims} spatial axis; open an image with at least Y and X."
            )
        if 0 in array.shape:
            raise ImageError(f"'{name}' is empty (shape {tuple(array.shape)}); open another image.")
        self._array = array
        self._dtype = dtype
        self._name = name
        self._channel_axis = None if channel_axis is None else channel_axis % array.ndim
        other = [n for axis, n in enumerate(array.shape) if axis != self._channel_axis]
        self.leading_shape: tuple[int, ...] = tuple(int(n) for n in other[:-2])
        self._plane_shape = (int(other[-2]), int(other[-1]))

    @property
    def count(self) -> int:
        """Number of planes."""
        return math.prod(self.leading_shape)

    @property
    def channels(self) -> int:
        """Number of channels of each plane."""
        return 1 if self._channel_axis is None else int(self._array.shape[self._channel_axis])

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of a plane, pixels (Y, X)."""
        return self._plane_shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Grey value type as stored."""
        return self._dtype

    def position(self, plane: int) -> tuple[int, ...]:
        """Return the plane's indices along the leading axes."""
        return tuple(int(i) for i in np.unravel_index(plane, self.leading_shape or (1,)))[
            : len(self.leading_shape)
        ]

    def number(self, position: tuple[int, ...]) -> int:
        """Return the plane number at these indices along the leading axes."""
        return int(np.ravel_multi_index(position, self.leading_shape)) if self.leading_shape else 0

    def read(self, plane: int, y: slice, x: slice) -> npt.NDArray[Any]:
        """Return the region as (C, y, x), in the stored type; slices inside the plane."""
        index: list[Any] = [*self.position(plane), y, x]
        if self._channel_axis is None:
            return np.asarray(self._array[tuple(index)])[np.newaxis]
        index.insert(self._channel_axis, slice(None))
        region = np.asarray(self._array[tuple(index)])
        kept_axes = [i for i in index if isinstance(i, slice)]
        axis = sum(isinstance(i, slice) for i in index[: self._channel_axis])
        assert region.ndim == len(kept_axes)
        return np.moveaxis(region, axis, 0)
