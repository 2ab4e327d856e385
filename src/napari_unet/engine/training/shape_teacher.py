"""What the shape field is to be: what paint says of it, and elsewhere what the network said before.

A few scribbles say little about shapes, and a network that learns them forgets what shapes are. So
wherever paint leaves it open, the field is held to the first answer, brought within the bounds
that the paint sets, and parted and joined as the scribbles say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from napari_unet.engine.network.unet import UNet, stride
from napari_unet.engine.paint.painted_planes import PaintedPlane
from napari_unet.engine.paint.shape_bounds import ShapeBounds
from napari_unet.engine.prediction.overlap_tile import OverlapTiler, network_probabilities
from napari_unet.engine.stack.planes import ArrayPlanes
from napari_unet.engine.stack.tiles import Tile, cut_plane, read_mirrored
from napari_unet.engine.training.parted_field import part_field

# Weights of a pixel; that of one whose field is known is 1.
_OPEN = 0.5  # it is the first answer's
_PARTED = 15.0  # scribbles say otherwise than the first answer: few pixels, on which much depends
_OTHERWISE = 0.02  # of the field

_SIDE = 256  # pixels of the tiles in which it is predicted

ShapeTarget = npt.NDArray[np.float32]
"""(2, y, x): what the field is to be, and the weight of each pixel."""
Field = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Taught:
    answer: Field  # (y, x) of the network, before it learned
    bounds: ShapeBounds
    target: ShapeTarget


def predict_field(network: UNet, device: torch.device, image: Field) -> Field:
    """Return the shape field (y, x) that a network gives of an image (C, y, x)."""
    height, width = image.shape[1:]
    levels = network.config.levels
    tiler = OverlapTiler(
        network_probabilities(network, device, slice(network.config.classes, None)), levels
    )
    source = ArrayPlanes(image[np.newaxis], channel_axis=1)

    def read(wanted: Tile) -> Field:
        return read_mirrored(source, 0, wanted)

    found = np.empty((height, width), dtype=np.float32)
    for tile in cut_plane((height, width), _SIDE, stride(levels)):
        found[tile.y.as_slice, tile.x.as_slice] = tiler.predict(read, tile)[0]
    return found


class ShapeTeacher:
    """Gives the shape field of painted planes, and remembers it.

    Parameters
    ----------
    first_answer
        The field (y, x) that the network gives before it learns, of an image (C, y, x).
    """

    def __init__(self, first_answer: Callable[[Field], Field]) -> None:
        self._first_answer = first_answer
        self._taught: dict[tuple[int, tuple[int, int], tuple[int, ...]], _Taught] = {}

    def targets(self, planes: Sequence[PaintedPlane]) -> list[ShapeTarget]:
        """Return what the field is to be on each plane."""
        keys = [(plane.number, plane.origin, plane.image.shape) for plane in planes]
        taught = [
            self._teach(plane, self._taught.get(key))
            for key, plane in zip(keys, planes, strict=True)
        ]
        self._taught = dict(zip(keys, taught, strict=True))
        return [one.target for one in taught]

    def _teach(self, plane: PaintedPlane, before: _Taught | None) -> _Taught:
        assert plane.bounds is not None
        if before is not None and before.bounds is plane.bounds:
            return before
        answer = self._first_answer(plane.image) if before is None else before.answer
        return _Taught(answer, plane.bounds, _target(plane.bounds, answer))


def _target(bounds: ShapeBounds, answer: Field) -> ShapeTarget:
    parted = part_field(answer, bounds.scribbles)
    weights = np.where(np.abs(parted - answer) > _OTHERWISE, _PARTED, _OPEN)
    weights[bounds.low == bounds.high] = 1
    return np.stack([np.clip(parted, bounds.low, bounds.high), weights]).astype(np.float32)
