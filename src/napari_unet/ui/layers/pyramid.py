"""A result at several resolutions, so that planes of any size are quick to show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Layer

from napari_unet.ui.layers.arrays import new_array

__all__ = ["Pyramid"]

_LARGE_SIDE = 8192  # pixels; napari shows larger planes only coarsely, and slowly
_COARSEST = 2048  # pixels; a level that is no larger is the last


@dataclass(frozen=True, slots=True, eq=False)
class Pyramid:
    """An array, and of large planes copies of it, each half as large along Y and X.

    A copy holds the pixels at multiples of 2, 4, …, so no label is mixed with another.
    """

    levels: tuple[Any, ...]

    @classmethod
    def new(cls, shape: tuple[int, ...], dtype: npt.DTypeLike, name: str) -> Pyramid:
        """Return arrays of zeros, of which the coarsest are in memory; see `arrays.new_array`."""
        shapes = [shape]
        if max(shape[-2:]) > _LARGE_SIDE:
            while max(shape[-2:]) > _COARSEST:
                shape = (*shape[:-2], *(-(-side // 2) for side in shape[-2:]))
                shapes.append(shape)
        levels: list[Any] = []
        in_memory = 0  # bytes
        for level_shape in reversed(shapes):
            title = name if level_shape == shapes[0] else f"{name} coarser"
            level = new_array(level_shape, dtype, title, beside=in_memory)
            in_memory += level.nbytes if isinstance(level, np.ndarray) else 0
            levels.insert(0, level)
        return cls(tuple(levels))

    @classmethod
    def of(cls, layer: Layer) -> Pyramid:
        """Return what a layer shows."""
        return cls(tuple(layer.data) if layer.multiscale else (layer.data,))

    @property
    def finest(self) -> Any:
        """The array at full resolution."""
        return self.levels[0]

    @property
    def is_multiscale(self) -> bool:
        """Whether there is more than one level."""
        return len(self.levels) > 1

    @property
    def data(self) -> Any:
        """What a layer takes as its data."""
        return list(self.levels) if self.is_multiscale else self.finest

    def is_shown_by(self, layer: Layer) -> bool:
        """Return whether these arrays are the layer's data."""
        shown = Pyramid.of(layer).levels
        return len(shown) == len(self.levels) and all(
            one is another for one, another in zip(shown, self.levels, strict=True)
        )

    def write(self, position: tuple[int, ...], y: slice, x: slice, values: Any) -> None:
        """Put values, (y, x) or a number, into a plane at a position of the leading axes."""
        for at, level in enumerate(self.levels):
            step = 2**at
            rows, columns = (
                slice(-(-side.start // step), -(-side.stop // step)) for side in (y, x)
            )
            inside = slice(-y.start % step, None, step), slice(-x.start % step, None, step)
            level[(*position, rows, columns)] = values[inside] if np.ndim(values) else values

    def clear(self) -> None:
        """Set everything to 0; on disk, empty chunks are deleted, not written."""
        for level in self.levels:
            for position in np.ndindex(level.shape[:-2]):
                level[position or ...] = 0
