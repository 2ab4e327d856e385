"""Where patches are cut: around painted pixels, each class as often as the others."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_unet.config import AugmentConfig, TrainConfig
from napari_unet.engine import augment
from napari_unet.engine.model import HeldOut
from napari_unet.engine.painted import PaintedPlane, PaintedStack
from napari_unet.engine.targets import IGNORED
from napari_unet.engine.unet import margin, valid_output_size

__all__ = ["Batch", "PatchCutter", "PatchSampler", "patch_context", "validation_batches"]

_MAX_POSITIONS = 1 << 18  # painted pixels of a class remembered per plane


@dataclass(frozen=True, slots=True)
class Batch:
    """Patches of one size; the images reach `margin` pixels further on each side."""

    images: Tensor  # (B, C, size + 2 margin, size + 2 margin) float32
    classes: Tensor  # (B, size, size) int64, IGNORED where unlabelled
    weights: Tensor  # (B, size, size) float32


def patch_context(config: TrainConfig, levels: int) -> int:
    """Return how far a patch around a painted pixel can reach, pixels."""
    half = valid_output_size(config.patch, levels) / 2 + margin(levels)
    elastic = 4 * config.augment.elastic_sigma
    return math.ceil(half * math.sqrt(2) + config.augment.shift + elastic)


class PatchCutter:
    """Cuts patches out of the painted planes; the planes stay on the device.

    Parameters
    ----------
    planes
        The painted planes.
    size
        Wanted output side of a patch, pixels; rounded up to what the network can give.
    levels
        Of the network, which fix the margin.
    """

    def __init__(
        self, planes: tuple[PaintedPlane, ...], *, size: int, levels: int, device: torch.device
    ) -> None:
        self.size = valid_output_size(size, levels)
        self._margin = margin(levels)
        self._device = device
        self._images = [torch.from_numpy(plane.image).to(device) for plane in planes]
        self._targets = [
            torch.from_numpy(np.stack([plane.classes.astype(np.float32), plane.weights])).to(device)
            for plane in planes
        ]  # (2, y, x): classes and weights, warped together

    def cut(
        self,
        plane: int,
        centre: tuple[float, float],
        deformation: augment.Deformation,
        grey: augment.GreyChange,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return image (C, size + 2 margin, …), classes (size, size) and weights (size, size).

        Parameters
        ----------
        plane
            Index into the painted planes.
        centre
            Of the patch, in the arrays of that plane, pixels.
        """
        around = torch.tensor(centre, device=self._device)[:, None, None]
        coordinates = deformation.coordinates(self.size + 2 * self._margin, self._device) + around
        inner = slice(self._margin, self._margin + self.size)
        image = grey.apply(augment.sample(self._images[plane], coordinates, mode="bilinear"))
        targets = augment.sample(self._targets[plane], coordinates[:, inner, inner], mode="nearest")
        return image, targets[0].long(), targets[1]


def _as_batch(patches: list[tuple[Tensor, Tensor, Tensor]]) -> Batch:
    """Put patches of one size into a batch."""
    images, classes, weights = zip(*patches, strict=True)
    return Batch(torch.stack(images), torch.stack(classes), torch.stack(weights))


class PatchSampler:
    """Draws augmented training patches around the painted pixels."""

    def __init__(
        self,
        stack: PaintedStack,
        config: AugmentConfig,
        *,
        size: int,
        levels: int,
        device: torch.device,
    ) -> None:
        self._cutter = PatchCutter(stack.planes, size=size, levels=levels, device=device)
        self._config = config
        self._painted = [
            positions
            for value in range(len(stack.values))
            if len(positions := _positions(stack.planes, value))
        ]

    @property
    def size(self) -> int:
        """Output side of a patch, pixels."""
        return self._cutter.size

    def draw(self, rng: np.random.Generator, count: int) -> Batch:
        """Return `count` patches, each around a painted pixel of a class drawn evenly."""
        return _as_batch([self._draw_one(rng) for _ in range(count)])

    def _draw_one(self, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        positions = self._painted[rng.integers(len(self._painted))]
        plane, y, x = positions[rng.integers(len(positions))]
        deformation, grey = augment.draw(rng, self._config)
        return self._cutter.cut(int(plane), (float(y), float(x)), deformation, grey)


def _positions(planes: tuple[PaintedPlane, ...], value: int) -> npt.NDArray[np.int32]:
    """Return (n, 3) plane index, row and column of the pixels of a class, evenly thinned."""
    found = []
    for index, plane in enumerate(planes):
        pixels = np.flatnonzero(plane.classes == value)
        thinned = pixels[:: 1 + len(pixels) // _MAX_POSITIONS]
        y, x = np.divmod(thinned, plane.classes.shape[1])
        found.append(np.stack([np.full(len(y), index), y, x], axis=1).astype(np.int32))
    return np.concatenate(found)


def validation_batches(
    stack: PaintedStack,
    held_out: tuple[HeldOut, ...],
    *,
    levels: int,
    device: torch.device,
    pixels: int,
) -> list[Batch]:
    """Return unchanged patches that cover the held-out blocks and label nothing else.

    Parameters
    ----------
    stack
        The painted planes before anything was held out.
    held_out
        The blocks, in plane coordinates.
    pixels
        Input pixels of one batch, unless a single block has more.
    """
    if not held_out:
        return []
    side = max(max(block.y[1] - block.y[0], block.x[1] - block.x[0]) for block in held_out)
    cutter = PatchCutter(stack.planes, size=side, levels=levels, device=device)
    at_once = max(1, pixels // (cutter.size + 2 * margin(levels)) ** 2)
    patches = [_validation_patch(stack, cutter, block) for block in held_out]
    return [
        _as_batch(patches[first : first + at_once]) for first in range(0, len(patches), at_once)
    ]


def _validation_patch(
    stack: PaintedStack, cutter: PatchCutter, block: HeldOut
) -> tuple[Tensor, Tensor, Tensor]:
    index = next(i for i, plane in enumerate(stack.planes) if plane.number == block.plane)
    origin = stack.planes[index].origin
    start = (block.y[0] - origin[0], block.x[0] - origin[1])
    half = (cutter.size - 1) / 2
    image, classes, weights = cutter.cut(
        index, (start[0] + half, start[1] + half), *augment.unchanged()
    )
    classes[block.y[1] - block.y[0] :] = IGNORED
    classes[:, block.x[1] - block.x[0] :] = IGNORED
    return image, classes, weights
