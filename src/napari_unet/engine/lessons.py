"""What a run learns from: the painted planes, which may be painted on while it trains."""

from __future__ import annotations

import numpy as np

from napari_unet.config import Unpainted
from napari_unet.engine.errors import ImageError, LabelsError
from napari_unet.engine.model import HeldOut
from napari_unet.engine.painted import PaintedPlane, PaintedReader, PaintedStack
from napari_unet.engine.validation import Split

__all__ = ["Lessons"]


class Lessons:
    """The painted planes, divided into pixels that train and pixels that validate.

    Parameters
    ----------
    reader
        Reads the labels, again and again.
    split
        Decides what is held out, for good.
    count
        Number of planes of the stack.
    unpainted
        What label 0 means.

    Raises
    ------
    LabelsError, ImageError
        If nothing can be learned from the labels.
    """

    def __init__(
        self, reader: PaintedReader, split: Split, count: int, unpainted: Unpainted
    ) -> None:
        self.unpainted = unpainted
        self._reader = reader
        self._split = split
        self._pending: frozenset[int] = frozenset()  # changed, but not usable yet
        self.stack: PaintedStack  # whole
        self.training: PaintedStack  # without the held-out pixels
        self.held_out: tuple[HeldOut, ...]
        self._use(reader.read(range(count)))

    def take(self, changed: frozenset[int]) -> bool:
        """Read these planes again; return whether there is anything new to learn from.

        Labels that nothing can be learned from (half painted, or on a plane whose image holds
        NaN) change nothing; they are tried again with the next change.
        """
        self._pending |= changed
        try:
            stack = self._reader.read(sorted(self._pending))
        except (LabelsError, ImageError):
            return False
        read, self._pending = self._pending, frozenset()
        if not _differ(self.stack, stack, read):
            return False
        self._use(stack)
        return True

    def _use(self, stack: PaintedStack) -> None:
        self.stack = stack
        self.training, self.held_out = self._split.divide(stack)


def _differ(before: PaintedStack, after: PaintedStack, numbers: frozenset[int]) -> bool:
    """Return whether these planes are painted otherwise than before."""
    if before.numbers != after.numbers or before.values != after.values:
        return True
    return any(
        not _same(old, new)
        for old, new in zip(before.planes, after.planes, strict=True)
        if new.number in numbers
    )


def _same(one: PaintedPlane, other: PaintedPlane) -> bool:
    return one.origin == other.origin and all(
        np.array_equal(mine, theirs)
        for mine, theirs in (
            (one.painted, other.painted),
            (one.classes, other.classes),
            (one.weights, other.weights),
        )
    )
