"""A stack as the engine sees it: numbered planes, read region by region."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from napari_unet.engine.counts import count, shape_text
from napari_unet.engine.errors import FileError, ImageError, UnetPaintError
from napari_unet.engine.stack.pixel_size import PixelSize

_COLOURS = 3  # red, green, blue; alpha is how the image is shown, not what was measured


class Planes(Protocol):
    """Planes of one shape; nothing is read before `read` is called."""

    @property
    def name(self) -> str:
        """How people know the stack, for errors."""
        ...

    @property
    def count(self) -> int:
        """Number of planes."""
        ...

    @property
    def run(self) -> int:
        """Planes that follow one another in z or t; each multiple of it begins a new series."""
        ...

    @property
    def runs(self) -> int:
        """Series that follow one another, as the z stacks of a movie; each multiple starts anew."""
        ...

    @property
    def followed(self) -> str:
        """What the axes of `runs` and `run` are: "TZ" or "ZT", "Z" or "T" alone, or neither."""
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

    @property
    def pixel_size(self) -> PixelSize | None:
        """Height and width of a pixel, µm; None: unknown."""
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
    followed
        Which of the axes before Y and X, those that come last, are Z or T: along them planes show
        the same things. Others may be positions, for example.
    pixel_size
        Height and width of a pixel, µm; None: unknown.

    Raises
    ------
    ImageError
        If there are fewer than two axes, an axis is empty, or values are bool or complex.
    """

    def __init__(
        self,
        array: Any,
        *,
        channel_axis: int | None = None,
        name: str = "image",
        followed: str = "TZ",
        pixel_size: PixelSize | None = None,
    ) -> None:
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
        self.name = name
        self.pixel_size = pixel_size
        self._channel_axis = None if channel_axis is None else channel_axis % array.ndim
        other = [n for axis, n in enumerate(array.shape) if axis != self._channel_axis]
        self.leading_shape: tuple[int, ...] = tuple(int(n) for n in other[:-2])
        self._plane_shape = (int(other[-2]), int(other[-1]))
        self.followed = followed[max(0, len(followed) - len(self.leading_shape)) :]
        first = len(self.leading_shape) - len(self.followed)
        self._lengths = self.leading_shape[first:]  # of the axes that are followed

    @property
    def count(self) -> int:
        """Number of planes."""
        return math.prod(self.leading_shape)

    @property
    def run(self) -> int:
        """Length of the last leading axis: planes that follow one another in z or t."""
        return self._lengths[-1] if self._lengths else 1

    @property
    def runs(self) -> int:
        """Length of the axis before it: series that follow one another in t or z."""
        return self._lengths[-2] if len(self._lengths) > 1 else 1

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
        """Return the region as (C, y, x), in the stored type; slices inside the plane.

        Raises
        ------
        FileError
            If what the array reads from fails: a file that is gone, a damaged chunk.
        """
        index: list[Any] = [*self.position(plane), y, x]
        if self._channel_axis is None:
            return self._region(plane, index)[np.newaxis]
        index.insert(self._channel_axis, slice(None))
        region = self._region(plane, index)
        kept_axes = [i for i in index if isinstance(i, slice)]
        axis = sum(isinstance(i, slice) for i in index[: self._channel_axis])
        assert region.ndim == len(kept_axes)
        return np.moveaxis(region, axis, 0)

    def _region(self, plane: int, index: list[Any]) -> npt.NDArray[Any]:
        try:
            return np.asarray(self._array[tuple(index)])
        except (MemoryError, UnetPaintError):
            raise  # said well enough
        except Exception as error:  # a lazy array is a stranger's code, with errors of its own
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise FileError(
                f"Plane {plane} of '{self.name}' cannot be read ({reason}); check that its file "
                "is there and whole, then open it again."
            ) from error


class ColourPlanes(ArrayPlanes):
    """Red, green and blue of colour pictures (..., Y, X, S); transparency is left out.

    Parameters
    ----------
    array, how
        As of `ArrayPlanes`.

    Raises
    ------
    ImageError
        As `ArrayPlanes`.
    """

    def __init__(self, array: Any, **how: Any) -> None:
        super().__init__(array, channel_axis=-1, **how)

    @property
    def channels(self) -> int:
        """Return 3."""
        return _COLOURS

    def read(self, plane: int, y: slice, x: slice) -> npt.NDArray[Any]:
        """Return the region as (3, y, x), in the stored type; slices inside the plane."""
        return super().read(plane, y, x)[:_COLOURS]


class DerivedPlanes:
    """What a stack that is made from another one, plane by plane, says about itself.

    Parameters
    ----------
    planes
        The other one: number, order and channels of the planes are as there.
    shape, dtype
        Of a plane, where they differ from the other one's.
    scale
        How many of the other one's pixels in a row are as long as one of these.
    """

    def __init__(
        self,
        planes: Planes,
        *,
        shape: tuple[int, int] | None = None,
        dtype: np.dtype[Any] | None = None,
        scale: float = 1,
    ) -> None:
        own = planes.pixel_size
        self.pixel_size = None if own is None else (own[0] * scale, own[1] * scale)
        self.name = planes.name
        self.count = planes.count
        self.run = planes.run
        self.runs = planes.runs
        self.followed = planes.followed
        self.channels = planes.channels
        self.shape = shape or planes.shape
        self.dtype: np.dtype[Any] = planes.dtype if dtype is None else dtype


class ChannelPlanes(DerivedPlanes):
    """Several stacks as the channels of one, in the order given.

    Parameters
    ----------
    parts
        Stacks of the same number of planes of the same shape; each may have several channels.
        Values are read in the type that numpy gives to arrays of all parts together.

    Raises
    ------
    ImageError
        If there is no stack, or the stacks differ in their number of planes or their shape.
    """

    def __init__(self, parts: Sequence[Planes]) -> None:
        if not parts:
            raise ImageError("No image is chosen; choose at least one as a channel.")
        first = parts[0]
        for number, part in enumerate(parts[1:], start=2):
            if (part.count, part.run, part.shape) != (first.count, first.run, first.shape):
                raise ImageError(
                    f"Channel {number} has {_size(part)}, but the first channel has "
                    f"{_size(first)}; choose images of one size as channels."
                )
        super().__init__(first, dtype=np.result_type(*(part.dtype for part in parts)))
        self.name = ", ".join(part.name for part in parts)
        self.channels = sum(part.channels for part in parts)
        self._parts = tuple(parts)

    def read(self, plane: int, y: slice, x: slice) -> npt.NDArray[Any]:
        """Return the region as (C, y, x), in the common type; slices inside the plane."""
        regions = [part.read(plane, y, x) for part in self._parts]
        return np.concatenate(regions, dtype=self.dtype)


def _size(planes: Planes) -> str:
    """Return "84 planes of 512×696 px", and the series that they form if there are several."""
    series = f" in series of {planes.run}" if planes.run < planes.count else ""
    return f"{count(planes.count, 'plane')}{series} of {shape_text(planes.shape)} px"
