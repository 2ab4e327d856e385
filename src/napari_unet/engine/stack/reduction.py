"""Large and small objects: the network sees the image at another scale, everything else the plane.

Where objects are larger than the context of the network, each block of r x r pixels becomes one
pixel of the *reduced* plane, on a grid whose first block begins at pixel (0, 0). Labels follow by
majority vote, and probabilities come back by bilinear interpolation. Where objects are small, the
plane is enlarged instead (`enlargement`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet.config import ENLARGED, ObjectsConfig, TrainConfig, Unpainted
from napari_unet.engine.stack.enlargement import Between, EnlargedLabels, EnlargedPlanes, shrink
from napari_unet.engine.stack.pixel_size import PixelSize, pixels_in, side
from napari_unet.engine.stack.planes import DerivedPlanes, Planes
from napari_unet.engine.stack.tiles import Span, Tile, bands, read_mirrored

_BAND = 1 << 22  # pixels of the plane in memory at once

Image = npt.NDArray[np.float32]
"""(C, Y, X)"""


@dataclass(frozen=True, slots=True)
class Reduction:
    """Blocks of a plane that the network sees as one pixel each.

    The block (i, j) holds the pixels i·factor to (i + 1)·factor - 1 along Y, and so on along X.
    The last ones may reach beyond the plane.
    """

    factor: int  # side of a block, pixels of the plane; 1: nothing is reduced
    plane_shape: tuple[int, int]  # pixels (Y, X)
    enlargement: int = 1  # a pixel is seen as so many by so many; above 1, the factor is 1

    def __post_init__(self) -> None:
        assert self.factor == 1 or self.enlargement == 1

    @classmethod
    def scaled(cls, shape: tuple[int, int], factor: int, enlargement: int, by: float) -> Reduction:
        """Return how planes of other pixels are seen, so that things come out equally large.

        Parameters
        ----------
        shape
            Of these planes, pixels (Y, X).
        factor, enlargement
            How planes of the usual pixels are seen.
        by
            How many of these planes' pixels in a row are as long as a usual one.

        Notes
        -----
        Only whole numbers of pixels are seen as one, or one as whole numbers: the nearest are
        taken. More than `ENLARGED` would show nothing more.
        """
        if by == 1:
            return cls(factor, shape, enlargement)
        wanted = factor * by / enlargement
        nearest = min(
            [(1, ENLARGED), *((n, 1) for n in (1, int(wanted), int(wanted) + 1) if n)],
            key=lambda way: abs(math.log(way[0] / way[1] / wanted)),
        )
        return cls(nearest[0], shape, nearest[1])

    @property
    def changes(self) -> bool:
        """Whether the network sees another image than the plane."""
        return self.factor != self.enlargement

    @property
    def area(self) -> float:
        """Pixels of the plane that the network sees as one."""
        return (self.factor / self.enlargement) ** 2

    @property
    def shape(self) -> tuple[int, int]:
        """Return the shape of the plane that the network sees, blocks (Y, X)."""
        height, width = self.plane_shape
        rows, columns = -(-height // self.factor), -(-width // self.factor)
        return rows * self.enlargement, columns * self.enlargement

    def on_plane(self, blocks: int) -> int:
        """Return how many whole pixels of the plane so many blocks in a row are."""
        return blocks * self.factor // self.enlargement

    def image(self, planes: Planes) -> Planes:
        """Return the stack as the network sees it."""
        if self.enlargement > 1:
            return EnlargedPlanes(planes, self.enlargement)
        return planes if self.factor == 1 else ReducedPlanes(planes, self)

    def labels(self, labels: Planes, unpainted: Unpainted) -> Planes:
        """Return the labels of the stack as the network sees it."""
        if self.enlargement > 1:
            return EnlargedLabels(labels, self.enlargement)
        return labels if self.factor == 1 else ReducedLabels(labels, self, unpainted)

    def predict(self, predict: Callable[[Tile], Image], tile: Tile) -> Image:
        """Return the prediction of a tile of the plane, (K, y, x).

        Parameters
        ----------
        predict
            Gives the prediction of a tile of the reduced plane.
        tile
            Wanted rectangle of the plane.

        Notes
        -----
        A block's value stands in the middle of the block; between the middles of neighbouring
        blocks the values are interpolated linearly, along Y and then X. Beyond the outermost
        middles they stay the same. A pixel gets the same value whatever tile it is part of. Of an
        enlarged plane, it is the mean of those of the pixels as which it is seen.
        """
        if self.enlargement > 1:
            y, x = (
                Span(side.start * self.enlargement, side.stop * self.enlargement)
                for side in (tile.y, tile.x)
            )
            return shrink(predict(Tile(y, x)), self.enlargement)
        if self.factor == 1:
            return predict(tile)
        rows = Between.of(tile.y.as_slice, self.factor, self.shape[0])
        columns = Between.of(tile.x.as_slice, self.factor, self.shape[1])
        values = predict(Tile(rows.needed, columns.needed))
        return columns.interpolate(rows.interpolate(values, axis=1), axis=2)

    def border(self, config: TrainConfig) -> TrainConfig:
        """Return how to weigh borders in blocks: their width is given in pixels of the plane."""
        return replace(config, sigma=config.sigma * self.enlargement / self.factor)

    def objects(self, config: ObjectsConfig) -> ObjectsConfig:
        """Return how to cut objects on the plane: the border was trained in blocks."""
        return replace(config, gap=self.on_plane(config.gap))

    def bands(self, y: slice, x: slice) -> list[slice]:
        """Cut rows of blocks into bands of about 2^22 pixels, and at least one row."""
        shape = y.stop - y.start, x.stop - x.start
        return list(bands(shape, _BAND // self.factor**2, first=y.start))

    def covered(self, y: slice, x: slice) -> Tile:
        """Return the pixels of these blocks; some may lie beyond the plane."""
        return Tile(
            *(Span(side.start * self.factor, side.stop * self.factor) for side in (y, x)),
        )


def tell_scaled(planes: Planes, wanted: PixelSize | None, seen: Reduction) -> str:
    """Return in a sentence that pixels are not as large as wanted; empty: they are, or unknown.

    Parameters
    ----------
    wanted
        That of the images that a model was trained on.
    seen
        How the planes are seen for it.
    """
    own = planes.pixel_size
    if wanted is None or own is None or pixels_in(wanted, own) == 1:
        return ""
    how = (
        f"{seen.factor}×{seen.factor} of them are seen as one"
        if seen.factor > 1
        else f"each is seen as {seen.enlargement}×{seen.enlargement}"
        if seen.enlargement > 1
        else "they are seen as they are"
    )
    return (
        f"The pixels of '{planes.name}' are {side(own):.3g} µm wide, those that were trained on "
        f"{side(wanted):.3g} µm: {how}."
    )


class ReducedPlanes(DerivedPlanes):
    """The means of the blocks of a stack.

    Parameters
    ----------
    planes
        The stack.
    reduction
        The blocks; the part of a block that lies beyond the plane is filled with the mirrored
        plane.
    """

    def __init__(self, planes: Planes, reduction: Reduction) -> None:
        super().__init__(
            planes,
            shape=reduction.shape,
            dtype=np.result_type(planes.dtype, np.float32),
            scale=reduction.factor,
        )
        self._planes = planes
        self._reduction = reduction

    def read(self, plane: int, y: slice, x: slice) -> npt.NDArray[Any]:
        """Return the means of the blocks as (C, y, x); NaN and infinite values stay such."""
        parts = [self._means(plane, band, x) for band in self._reduction.bands(y, x)]
        return np.concatenate(parts, axis=1)

    def _means(self, plane: int, y: slice, x: slice) -> npt.NDArray[Any]:
        region = read_mirrored(self._planes, plane, self._reduction.covered(y, x))
        with np.errstate(invalid="ignore", over="ignore"):
            return shrink(region.astype(self.dtype), self._reduction.factor)


class ReducedLabels(DerivedPlanes):
    """The labels that most pixels of each block have; of equally many, the lowest.

    Parameters
    ----------
    labels
        The painted labels; they may be painted on meanwhile.
    reduction
        The blocks; the part of a block that lies beyond the plane is filled with the mirrored
        plane.
    unpainted
        What 0 means. Where it is ignored, only painted pixels vote, so that a thin stroke stays.
    """

    def __init__(self, labels: Planes, reduction: Reduction, unpainted: Unpainted) -> None:
        super().__init__(labels, shape=reduction.shape, scale=reduction.factor)
        self._labels = labels
        self._reduction = reduction
        self._zero_votes = unpainted is Unpainted.BACKGROUND

    def read(self, plane: int, y: slice, x: slice) -> npt.NDArray[Any]:
        """Return the labels of the blocks as (1, y, x), in the stored type."""
        parts = [self._voted(plane, band, x) for band in self._reduction.bands(y, x)]
        return np.concatenate(parts, axis=1)

    def _voted(self, plane: int, y: slice, x: slice) -> npt.NDArray[Any]:
        covered = self._reduction.covered(y, x)
        region = np.array(read_mirrored(self._labels, plane, covered)[0])  # may change meanwhile
        factor = self._reduction.factor
        height, width = region.shape[0] // factor, region.shape[1] // factor
        blocks = region.reshape(height, factor, width, factor).swapaxes(1, 2)
        votes = blocks.reshape(height * width, factor**2)
        return _majority(votes, zero_votes=self._zero_votes).reshape(1, height, width)


def _majority(votes: npt.NDArray[Any], *, zero_votes: bool) -> npt.NDArray[Any]:
    """Return the most frequent value of each row (n, votes); of equally frequent ones the lowest.

    Without `zero_votes` a 0 wins only where there is nothing else.
    """
    lowest: npt.NDArray[Any] = votes.min(axis=1)
    mixed = np.flatnonzero(lowest != votes.max(axis=1))
    lowest[mixed] = _longest_run(np.sort(votes[mixed], axis=1), zero_votes=zero_votes)
    return lowest


def _longest_run(votes: npt.NDArray[Any], *, zero_votes: bool) -> npt.NDArray[Any]:
    """Return the value of the first of the longest runs in each sorted row."""
    winners = votes[:, 0].copy()
    for length in range(1, votes.shape[1] + 1):
        starts, ends = votes[:, : votes.shape[1] - length + 1], votes[:, length - 1 :]
        is_run = starts == ends
        if not zero_votes:
            is_run &= starts != 0
        rows = np.flatnonzero(is_run.any(axis=1))
        if not len(rows):
            break
        winners[rows] = starts[rows, is_run[rows].argmax(axis=1)]
    return winners
