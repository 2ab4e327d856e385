"""What is painted in a labels layer, counted, and what is still missing to train."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet.config import MAX_CLASSES, Task, Unpainted
from napari_unet.engine.paint import PAINTED_BACKGROUND, Hint, LabelScheme

_HOW_TO_START = {
    (Task.OBJECTS, Unpainted.IGNORED): "paint background (1) and objects (2, 3, …).",
    (Task.OBJECTS, Unpainted.BACKGROUND): "paint all objects of a plane or more (1, 2, …).",
    (Task.CLASSES, Unpainted.IGNORED): "paint some of each class (1, 2, …).",
    (Task.CLASSES, Unpainted.BACKGROUND): "paint all of each class on a plane or more (1, 2, …).",
}
_LABEL_IMAGE = (
    "This looks like a label image, in which 0 is the background and 1 an object: set Unpainted to "
    "'is background'. If 1 is background that you painted, paint some in a second place, too."
)
_MASK = "For a label image or mask, set Unpainted to 'is background'."
SCHEMES = tuple(LabelScheme(task, unpainted) for task, unpainted in product(Task, Unpainted))
"""All readings of labels."""

_WHITE = 255  # of masks
_MANY = 5  # objects, before any background is painted


@dataclass(frozen=True, slots=True, eq=False)
class PaintCount:
    """What is painted in a whole labels layer."""

    planes: int  # with any paint
    ones: int  # pixels of label 1, the background where 0 is ignored
    unpainted: int  # pixels of label 0, on the painted planes
    numbers: npt.NDArray[Any]  # all labels but 0, ascending
    is_label_image: bool = False  # 1 is plainly an object, and so 0 is the background
    hints: Mapping[LabelScheme, Hint | None] = field(default_factory=dict)  # what seems odd

    @property
    def largest(self) -> int:
        """The largest number in use, 0 if nothing is painted."""
        return int(self.numbers[-1]) if len(self.numbers) else 0

    def background(self, scheme: LabelScheme) -> int:
        """Return the pixels that are background (task objects)."""
        return self.ones if scheme.background else self.unpainted

    def kinds(self, scheme: LabelScheme) -> int:
        """Return how many objects, or classes, are painted."""
        painted = int((self.numbers >= scheme.first).sum())
        if scheme.task is Task.OBJECTS:
            return painted
        return painted + (scheme.background == 0 and self.unpainted > 0)


def add_up(counts: Sequence[PaintCount]) -> PaintCount:
    """Return what is painted in several layers together, one at least."""
    first, *others = counts
    if not others:
        return first
    return PaintCount(
        planes=sum(count.planes for count in counts),
        ones=sum(count.ones for count in counts),
        unpainted=sum(count.unpainted for count in counts),
        numbers=np.unique(np.concatenate([count.numbers for count in counts])),
        is_label_image=any(count.is_label_image for count in counts),
        hints={
            scheme: next(filter(None, (count.hints.get(scheme) for count in counts)), None)
            for scheme in SCHEMES
        },
    )


def why_not_enough(count: PaintCount, scheme: LabelScheme) -> str | None:
    """Return what is still to be painted before training can begin, None if it can."""
    if count.planes == 0:
        return f"Nothing is painted yet: {_HOW_TO_START[scheme.task, scheme.unpainted]}"
    kinds, ignored = count.kinds(scheme), scheme.unpainted is Unpainted.IGNORED
    mask = f" {_MASK}" if ignored and _may_be_mask(count) else ""
    cures = [(bool(count.numbers[0] < 0), "Labels below 0 have no meaning: erase them.")]
    if scheme.task is Task.CLASSES:
        too_many = f"{MAX_CLASSES} classes are the most: if each object has a number, take Objects."
        cures += [(kinds < 2, f"Paint another class, too.{mask}"), (kinds > MAX_CLASSES, too_many)]
    else:
        background = (
            f"Paint some background as 1, too.{mask}" if ignored else "Leave some unpainted."
        )
        cures += [
            (kinds == 0, f"Paint at least one object (2, 3, …), too.{mask}"),
            (count.background(scheme) == 0, background),
            (ignored and count.is_label_image, _LABEL_IMAGE),
        ]
    return next((cure for needed, cure in cures if needed), None)


def _may_be_mask(count: PaintCount) -> bool:
    """Return True if what is painted may be a mask, or a label image without a 1."""
    return count.numbers.tolist() in ([PAINTED_BACKGROUND], [_WHITE]) or (
        not count.ones and len(count.numbers) >= _MANY
    )
