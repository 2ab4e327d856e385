"""A result at several resolutions, so that planes of any size are quick to show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Layer

from napari_unet.ui.layers.arrays import new_array

_LARGE_SIDE = 8192  # pixels; napari shows larger planes only coarsely, and slowly
_COARSEST = 2048  # pixels; a level that is no larger is the last

# Of the memory for all levels: a level takes three times what those coarser than it do together.
_OF_FINEST = 3 / 4
_OF_COARSER = 3 / 4 * (1 - _OF_FINEST)


@dataclass(frozen=True, slots=True, eq=False)
class Pyramid:
    """An array, and of large planes copies of it, each half as large along Y and X.

    A copy holds the pixels at multiples of 2, 4, …, so no label is mixed with another.
    """

    levels: tuple[Any, ...]

    @classmethod
    def new(
        cls, shape: tuple[int, ...], dtype: npt.DTypeLike, name: str, *, share: float = 1
    ) -> Pyramid:
        """Return arrays of zeros, each in memory or on disk; see `arrays.new_array`.

        Parameters
        ----------
        share
            Part of the memory that all levels together may take.
        """
        finest, *coarser = _level_shapes(shape)
        if not coarser:
            return cls((new_array(finest, dtype, name, share=share),))
        title = f"{name} coarser"
        return cls(
            (
                new_array(finest, dtype, name, share=share * _OF_FINEST),
                *(new_array(each, dtype, title, share=share * _OF_COARSER) for each in coarser),
            )
        )

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


def _level_shapes(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    shapes = [shape]
    if max(shape[-2:]) > _LARGE_SIDE:
        while max(shape[-2:]) > _COARSEST:
            shape = (*shape[:-2], *(-(-side // 2) for side in shape[-2:]))
            shapes.append(shape)
    return shapes
