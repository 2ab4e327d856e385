"""Where patches are cut: around painted pixels, usually each class as often as the others."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_unet.config import AugmentConfig, Sampling, TrainConfig
from napari_unet.engine.network.record import HeldOut
from napari_unet.engine.network.unet import margin, valid_output_size
from napari_unet.engine.paint.label_scheme import IGNORED
from napari_unet.engine.paint.painted_planes import PaintedPlane, PaintedStack
from napari_unet.engine.training import augment
from napari_unet.engine.training.shape_teacher import ShapeTarget

Positions = npt.NDArray[np.int32]
"""(n, 3): plane index, row and column."""

_SHAPELESS = 2  # targets of a network without a shape field
_MAX_POSITIONS = 1 << 18  # painted pixels of a class remembered per plane


@dataclass(frozen=True, slots=True)
class Batch:
    """Patches of one size; the images reach `margin` pixels further on each side."""

    images: Tensor  # (B, C, size + 2 margin, size + 2 margin) float32
    classes: Tensor  # (B, size, size) int64, IGNORED where unlabelled
    weights: Tensor  # (B, size, size) float32
    shape: Tensor | None = None  # (B, 2, size, size) float32: the shape field, and its weight


def patch_context(config: TrainConfig, levels: int) -> int:
    """Return how far a patch around a painted pixel can reach, pixels."""
    half = valid_output_size(config.patch, levels) / 2 + margin(levels)
    elastic = 4 * config.augment.elastic_sigma
    return math.ceil(half * math.sqrt(2) + config.augment.shift + elastic)


@dataclass(frozen=True, slots=True)
class Spot:
    """A pixel around which a patch is wanted."""

    plane: int  # number
    y: int  # in the plane, pixels
    x: int


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a patch comes from, and how it is changed."""

    plane: int  # index into the painted planes
    centre: tuple[float, float]  # in the arrays of that plane, pixels
    deformation: augment.Deformation
    grey: augment.GreyChange


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
    shapes
        What the shape field is to be on each plane, see `ShapeTeacher`; empty: there is none.
    """

    def __init__(
        self,
        planes: tuple[PaintedPlane, ...],
        *,
        size: int,
        levels: int,
        device: torch.device,
        shapes: Sequence[ShapeTarget] = (),
    ) -> None:
        self.size = valid_output_size(size, levels)
        self._margin = margin(levels)
        self._device = device
        self._images = [torch.from_numpy(plane.image).to(device) for plane in planes]
        self._targets = [
            torch.from_numpy(np.concatenate([_targets(plane), *shapes[index : index + 1]])).to(
                device
            )
            for index, plane in enumerate(planes)
        ]  # (2 or 4, y, x): classes and weights, shape field and its weight, warped together
        self._shapes = [plane.classes.shape for plane in planes]

    def cut(self, cuts: Sequence[Cut]) -> Batch:
        """Return one patch for each cut."""
        size = self.size + 2 * self._margin
        planes = [cut.plane for cut in cuts]
        grid = augment.sampling_grid(
            [cut.deformation for cut in cuts],
            [cut.centre for cut in cuts],
            [self._shapes[plane] for plane in planes],
            size,
            self._device,
        )
        inner = slice(self._margin, self._margin + self.size)
        images = _sample(self._images, planes, grid, mode="bilinear")
        targets = _sample(self._targets, planes, grid[..., inner, inner], mode="nearest")
        return Batch(
            augment.change_grey(images, [cut.grey for cut in cuts]),
            targets[:, 0].long(),
            targets[:, 1],
            targets[:, 2:] if targets.shape[1] > _SHAPELESS else None,
        )


def _targets(plane: PaintedPlane) -> npt.NDArray[np.float32]:
    return np.stack([plane.classes.astype(np.float32), plane.weights])


def _sample(sources: list[Tensor], planes: list[int], grid: Tensor, *, mode: str) -> Tensor:
    """Read each patch (C, y, x) from its plane, all patches of a plane at once."""
    parts = {
        plane: [index for index, other in enumerate(planes) if other == plane]
        for plane in dict.fromkeys(planes)
    }
    if len(parts) == 1:
        return augment.sample(sources[planes[0]], grid, mode=mode)
    patches = torch.empty((len(planes), len(sources[0]), *grid.shape[2:]), device=grid.device)
    for plane, chosen in parts.items():
        patches[chosen] = augment.sample(sources[plane], grid[chosen], mode=mode)
    return patches


class PatchSampler:
    """Draws augmented training patches around the painted pixels.

    Parameters
    ----------
    stack
        The painted planes.
    config
        How patches are changed.
    size, levels
        Output side of a patch, pixels, and levels of the network; see `PatchCutter`.
    sampling
        Around which pixels.
    shapes
        See `PatchCutter`.
    """

    def __init__(
        self,
        stack: PaintedStack,
        config: AugmentConfig,
        *,
        size: int,
        levels: int,
        device: torch.device,
        sampling: Sampling = Sampling.CLASSES,
        shapes: Sequence[ShapeTarget] = (),
    ) -> None:
        self._cutter = PatchCutter(
            stack.planes, size=size, levels=levels, device=device, shapes=shapes
        )
        self._config = config
        self._planes = {
            plane.number: (index, plane.origin) for index, plane in enumerate(stack.planes)
        }
        by_class = sampling is Sampling.CLASSES
        pools = _of_classes(stack) if by_class else [_labelled(stack.planes)]
        self._painted = [positions for positions in pools if len(positions)]

    @property
    def size(self) -> int:
        """Output side of a patch, pixels."""
        return self._cutter.size

    def draw(self, rng: np.random.Generator, count: int, around: Sequence[Spot] = ()) -> Batch:
        """Return `count` patches, the first around these spots and the others around any paint."""
        wanted = [self._around(spot, rng) for spot in around]
        return self._cutter.cut(
            [*wanted, *(self._draw_one(rng) for _ in range(count - len(wanted)))]
        )

    def _around(self, spot: Spot, rng: np.random.Generator) -> Cut:
        index, (top, left) = self._planes[spot.plane]
        centre = float(spot.y - top), float(spot.x - left)
        return Cut(index, centre, *augment.draw(rng, self._config))

    def _draw_one(self, rng: np.random.Generator) -> Cut:
        positions = self._painted[rng.integers(len(self._painted))]
        plane, y, x = positions[rng.integers(len(positions))]
        return Cut(int(plane), (float(y), float(x)), *augment.draw(rng, self._config))


def _of_classes(stack: PaintedStack) -> Iterator[Positions]:
    """Yield the positions of the pixels of each class, on each plane evenly thinned."""
    for value in range(len(stack.values)):
        masks = [plane.classes == value for plane in stack.planes]
        yield _positions(masks, [1 + mask.sum() // _MAX_POSITIONS for mask in masks])


def _labelled(planes: tuple[PaintedPlane, ...]) -> Positions:
    """Return the positions of all labelled pixels, all planes thinned alike."""
    masks = [plane.classes != IGNORED for plane in planes]
    every = 1 + max(mask.sum() for mask in masks) // _MAX_POSITIONS
    return _positions(masks, [every] * len(masks))


def _positions(masks: list[npt.NDArray[np.bool_]], every: list[int]) -> Positions:
    """Return plane index, row and column of the pixels, and of each plane only every so many."""
    found = []
    for index, (mask, step) in enumerate(zip(masks, every, strict=True)):
        y, x = np.divmod(np.flatnonzero(mask)[::step], mask.shape[1])
        found.append(np.stack([np.full(len(y), index), y, x], axis=1).astype(np.int32))
    return np.concatenate(found)


def validation_batches(
    stack: PaintedStack,
    held_out: tuple[HeldOut, ...],
    *,
    levels: int,
    device: torch.device,
    pixels: int,
    shapes: Sequence[ShapeTarget] = (),
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
    shapes
        See `PatchCutter`.
    """
    if not held_out:
        return []
    side = max(max(block.y[1] - block.y[0], block.x[1] - block.x[0]) for block in held_out)
    cutter = PatchCutter(stack.planes, size=side, levels=levels, device=device, shapes=shapes)
    at_once = max(1, pixels // (cutter.size + 2 * margin(levels)) ** 2)
    return [
        _validation_batch(stack, cutter, held_out[first : first + at_once])
        for first in range(0, len(held_out), at_once)
    ]


def _validation_batch(stack: PaintedStack, cutter: PatchCutter, blocks: Sequence[HeldOut]) -> Batch:
    numbers = [plane.number for plane in stack.planes]
    cuts = []
    for block in blocks:
        index = numbers.index(block.plane)
        top, left = stack.planes[index].origin
        half = (cutter.size - 1) / 2
        centre = (block.y[0] - top + half, block.x[0] - left + half)
        cuts.append(Cut(index, centre, *augment.unchanged()))
    batch = cutter.cut(cuts)
    for classes, block in zip(batch.classes, blocks, strict=True):
        classes[block.y[1] - block.y[0] :] = IGNORED
        classes[:, block.x[1] - block.x[0] :] = IGNORED
    return batch
