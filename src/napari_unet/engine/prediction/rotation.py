"""Rotated copies of a plane, sampled piece by piece, for averaging over rotations."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_unet.engine.stack.tiles import Span, Tile


@dataclass(frozen=True, slots=True)
class Rotation:
    """Where the pixels of a rotated grid lie on the grid that it is read from.

    position = source_centre + R · (pixel - centre), all as (Y, X) in pixels; R turns by the angle
    whose cosine and sine are given.
    """

    cos: float
    sin: float
    centre: tuple[float, float]  # of the rotated grid
    source_centre: tuple[float, float]  # the same point on the grid that is read

    @property
    def identity(self) -> bool:
        """Whether nothing is turned."""
        return self.cos == 1

    def inverse(self) -> Rotation:
        """Return the rotation that reads the other way."""
        return Rotation(self.cos, -self.sin, self.source_centre, self.centre)

    def position(self, y: float, x: float) -> tuple[float, float]:
        """Return where a pixel of the rotated grid lies on the source grid."""
        y, x = y - self.centre[0], x - self.centre[1]
        return (
            self.source_centre[0] + self.cos * y - self.sin * x,
            self.source_centre[1] + self.sin * y + self.cos * x,
        )

    def needed(self, tile: Tile) -> Tile:
        """Return the pixels of the source grid between which the tile's pixels lie."""
        corners = [
            self.position(y, x)
            for y in (tile.y.start, tile.y.stop - 1)
            for x in (tile.x.start, tile.x.stop - 1)
        ]
        rows, columns = zip(*corners, strict=True)
        return Tile(
            Span(math.floor(min(rows)), math.ceil(max(rows)) + 1),
            Span(math.floor(min(columns)), math.ceil(max(columns)) + 1),
        )

    def sample(
        self, region: npt.NDArray[np.float32], area: Tile, tile: Tile
    ) -> npt.NDArray[np.float32]:
        """Interpolate bilinearly at the tile's pixels.

        Parameters
        ----------
        region
            (C, Y, X) values of the source grid.
        area
            Which pixels of the source grid these are: `needed(tile)`, or more.
        tile
            Which pixels of the rotated grid are wanted.

        Returns
        -------
        (C, y, x) float32
        """
        first = self.position(tile.y.start, tile.x.start)
        matrix = np.array([[self.cos, -self.sin], [self.sin, self.cos]])
        offset = (first[0] - area.y.start, first[1] - area.x.start)
        result = np.empty((len(region), tile.y.length, tile.x.length), dtype=np.float32)
        for channel, values in zip(result, region, strict=True):
            # "nearest" only matters where rounding puts a position 1e-13 px outside the area.
            ndimage.affine_transform(
                values, matrix, offset, channel.shape, output=channel, order=1, mode="nearest"
            )
        return result


def rotations(shape: tuple[int, int], count: int) -> list[Rotation]:
    """Return the planes rotated by 0, 360/`count`, 2·360/`count`, … degrees.

    Each rotated grid has its pixel (0, 0) at the corner of the bounding box of the rotated
    plane. Multiples of 90 degrees put pixels exactly on pixels.

    Parameters
    ----------
    shape
        Of the plane, pixels (Y, X).
    """
    return [_rotation(shape, *_cos_sin(k, count)) for k in range(count)]


def _rotation(shape: tuple[int, int], cos: float, sin: float) -> Rotation:
    height, width = shape
    box = (height * abs(cos) + width * abs(sin), height * abs(sin) + width * abs(cos))
    sides = [math.ceil(round(side, 6)) for side in box]  # no extra pixel for rounding errors
    return Rotation(cos, sin, _centre(*sides), _centre(height, width))


def _centre(height: int, width: int) -> tuple[float, float]:
    return ((height - 1) / 2, (width - 1) / 2)


def _cos_sin(k: int, count: int) -> tuple[float, float]:
    """Return cosine and sine of k·360/count degrees, exact at multiples of 90."""
    quarters, rest = divmod(4 * k, count)
    angle = rest / count * math.pi / 2
    cos, sin = (math.cos(angle), math.sin(angle)) if rest else (1.0, 0.0)
    for _ in range(quarters):
        cos, sin = -sin, cos
    return cos, sin
