"""Which painted pixels validate: blocks in space, held out before training starts.

Single pixels cannot be held out: their neighbours in the same stroke would give the answer
away. Whole blocks of the plane are kept back, enough to have a share of every class.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_unet.engine.model import HeldOut
from napari_unet.engine.painted import PaintedPlane, PaintedStack
from napari_unet.engine.targets import IGNORED

__all__ = ["hold_out"]

_BLOCK_SIDES = (64, 48, 32, 24, 16, 8)  # pixels; the largest that works is taken
_MAX_BLOCKS = 24  # more would cost time at each validation and paint in training
_MIN_PIXELS = 8  # of each class, on both sides of the split


@dataclass(frozen=True, slots=True)
class _Block:
    plane: int  # index into the stack
    y: slice  # in the arrays of the painted plane
    x: slice
    counts: npt.NDArray[np.int64]  # labelled pixels per class


def hold_out(
    stack: PaintedStack, share: float, rng: np.random.Generator
) -> tuple[PaintedStack, tuple[HeldOut, ...]]:
    """Split off blocks of painted pixels for validation.

    Parameters
    ----------
    stack
        The painted planes.
    share
        Wanted share of the painted pixels of each class, 0 to 1.

    Returns
    -------
    stack
        The planes with the held-out pixels marked as ignored.
    blocks
        What is held out; empty if the share is 0, or if no split leaves every class at least
        8 pixels and half of its paint to train on.
    """
    if share == 0:
        return stack, ()
    for side in _BLOCK_SIDES:
        blocks = list(_blocks(stack, side))
        chosen = _choose(blocks, share, rng, classes=len(stack.values))
        if chosen:
            return _without(stack, chosen), tuple(_named(stack, block) for block in chosen)
    return stack, ()


def _blocks(stack: PaintedStack, side: int) -> Iterator[_Block]:
    for index, plane in enumerate(stack.planes):
        height, width = plane.classes.shape
        for top in range(0, height, side):
            for left in range(0, width, side):
                y, x = slice(top, min(top + side, height)), slice(left, min(left + side, width))
                counts = np.bincount(plane.classes[y, x].ravel(), minlength=IGNORED + 1)
                counts = counts[: len(stack.values)]
                if counts.any():
                    yield _Block(index, y, x, counts)


def _choose(
    blocks: list[_Block], share: float, rng: np.random.Generator, *, classes: int
) -> list[_Block]:
    """Take blocks in random order while a class still lacks its share."""
    total = sum((block.counts for block in blocks), start=np.zeros(classes, dtype=np.int64))
    present = total > 0
    wanted = np.maximum(share * total, _MIN_PIXELS)
    allowed = np.minimum(total - _MIN_PIXELS, np.maximum(2 * share, 0.5) * total)
    held = np.zeros(classes, dtype=np.int64)
    chosen: list[_Block] = []
    for number in rng.permutation(len(blocks)):
        block = blocks[number]
        lacking = (held < wanted) & (block.counts > 0)
        if lacking.any() and (held + block.counts <= allowed)[present].all():
            chosen.append(block)
            held += block.counts
        if len(chosen) == _MAX_BLOCKS:
            break
    return chosen if (held >= _MIN_PIXELS)[present].all() else []


def _without(stack: PaintedStack, blocks: list[_Block]) -> PaintedStack:
    planes = []
    for index, plane in enumerate(stack.planes):
        classes = plane.classes.copy()
        for block in blocks:
            if block.plane == index:
                classes[block.y, block.x] = IGNORED
        planes.append(PaintedPlane(plane.number, plane.origin, plane.image, classes, plane.weights))
    return PaintedStack(tuple(planes), stack.values)


def _named(stack: PaintedStack, block: _Block) -> HeldOut:
    plane = stack.planes[block.plane]
    top, left = plane.origin
    return HeldOut(
        plane.number,
        (block.y.start + top, block.y.stop + top),
        (block.x.start + left, block.x.stop + left),
        int(block.counts.sum()),
    )
