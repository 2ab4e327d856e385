"""The overlap-tile strategy: exact probabilities of any rectangle of a plane.

Section 3 and fig. 2 of the U-Net paper, with its averaging over rotated versions of the input.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_unet.engine.network.device import free_cached_memory, is_out_of_memory
from napari_unet.engine.network.folded import FoldedUNet
from napari_unet.engine.network.precision import without_tensor_float
from napari_unet.engine.network.transfer import to_device, to_host
from napari_unet.engine.network.unet import UNet, answers, margin, stride, valid_output_size
from napari_unet.engine.prediction.rotation import Rotation
from napari_unet.engine.prediction.tile_side import SMALLEST_SIDE
from napari_unet.engine.stack.tiles import Span, Tile

Image = npt.NDArray[np.float32]
"""(C, Y, X)"""

Reader = Callable[[Tile], Image]
"""Gives the values of a rectangle, which may reach beyond the plane."""


def network_probabilities(
    network: UNet | FoldedUNet, device: torch.device, channels: slice
) -> Callable[[Image], Image]:
    """Return the function that turns an image into `answers`.

    Parameters
    ----------
    network
        Gives outputs (1, K, Y - 2 margin, X - 2 margin) for an image (1, C, Y, X).
    channels
        Which of the K answers are wanted.
    """

    @torch.inference_mode()
    def compute(image: Image) -> Image:
        batch = to_device(image, device)[None]
        # TensorFloat-32 would make the result depend on the tile's size by more than 1e-5.
        with without_tensor_float():
            outputs: Tensor = network(batch)  # (1, K, y, x)
        return to_host(answers(outputs, network.config)[0, channels])

    return compute


class OverlapTiler:
    """Predicts rectangles so that neighbours fit together without a seam.

    Parameters
    ----------
    compute
        Turns (C, Y, X) into (K, Y - 2 margin, X - 2 margin).
    levels
        Of the network: gives its margin, stride and possible sizes.
    """

    def __init__(self, compute: Callable[[Image], Image], levels: int) -> None:
        self._compute = compute
        self._levels = levels
        self.largest: int | None = None
        """Side that fits into memory, pixels; None: any so far."""

    def predict(self, read: Reader, tile: Tile) -> Image:
        """Return (K, y, x) for a rectangle, the same whatever rectangle a pixel is part of.

        A rectangle that does not fit into memory is halved and tried again.

        Raises
        ------
        MemoryError, RuntimeError
            If not even a small one fits; what `is_out_of_memory` knows.
        """
        side = max(tile.y.length, tile.x.length)
        if self.largest is None or side <= self.largest:
            try:
                return self._predict_at_once(read, tile)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error) or side <= SMALLEST_SIDE:
                    raise
            free_cached_memory()  # only now, since the error held what had been computed
            self.largest = max(SMALLEST_SIDE, side // 2)
        columns = _halves(tile.x, self.largest)
        rows = [
            np.concatenate([self.predict(read, Tile(y, x)) for x in columns], axis=2)
            for y in _halves(tile.y, self.largest)
        ]
        return np.concatenate(rows, axis=1)

    def _predict_at_once(self, read: Reader, tile: Tile) -> Image:
        area = Tile(self._computable(tile.y), self._computable(tile.x))
        values = self._compute(read(area.widen(margin(self._levels))))
        top, left = tile.y.start - area.y.start, tile.x.start - area.x.start
        return values[:, top : top + tile.y.length, left : left + tile.x.length]

    def _computable(self, span: Span) -> Span:
        """Return the smallest span around it that the network can give at its stride."""
        step = stride(self._levels)
        start = span.start // step * step
        return Span(start, start + valid_output_size(span.stop - start, self._levels))


def _halves(span: Span, largest: int) -> list[Span]:
    """Cut a span into parts of some pixels at most."""
    return [
        Span(start, min(start + largest, span.stop))
        for start in range(span.start, span.stop, largest)
    ]


def predict_averaged(
    tiler: OverlapTiler, read: Reader, tile: Tile, rotations: Sequence[Rotation]
) -> Image:
    """Return the mean prediction over rotated versions of the plane, (K, y, x).

    mean over k of R_k⁻¹ P(R_k image): P is the overlap-tile prediction on the grid of the rotated
    plane, R_k samples the mirrored plane bilinearly there, and R_k⁻¹ samples back.

    Parameters
    ----------
    tiler
        Predicts rectangles of the plane, or of a rotated grid.
    read
        Gives the normalised grey values of the plane.
    tile
        Wanted rectangle of the plane.
    rotations
        As `rotation.rotations` gives them; the paper takes 7, and 1 is the plain prediction.
    """
    total = _predict_rotated(tiler, read, tile, rotations[0])
    for rotation in rotations[1:]:
        total = total + _predict_rotated(tiler, read, tile, rotation)
    return total / np.float32(len(rotations)) if len(rotations) > 1 else total


def _predict_rotated(tiler: OverlapTiler, read: Reader, tile: Tile, rotation: Rotation) -> Image:
    if rotation.identity:
        return tiler.predict(read, tile)

    def read_rotated(wanted: Tile) -> Image:
        area = rotation.needed(wanted)
        return rotation.sample(read(area), area, wanted)

    back = rotation.inverse()
    area = back.needed(tile)
    return back.sample(tiler.predict(read_rotated, area), area, tile)
