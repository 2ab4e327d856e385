"""What Split, Merge and Delete do to a plane, as far as it is decided by pixels alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Labels

from napari_unet.config import Task, Unpainted
from napari_unet.engine.counts import count
from napari_unet.engine.objects import merge, numbers_under, read_around, split
from napari_unet.engine.paint import LabelScheme
from napari_unet.ui.correct.repair_paint import as_paint
from napari_unet.ui.correct.repair_write import Change
from napari_unet.ui.layers.geometry import full_resolution, spatial_shape

LABEL_IMAGE = LabelScheme(Task.OBJECTS, Unpainted.BACKGROUND)
"""How the numbers of a result are read."""

Line = npt.NDArray[np.float64]
"""(n, 2), pixels (Y, X) of the plane; one point is a click."""

Values = npt.NDArray[Any]


class Tool(Enum):
    """What the mouse does to objects; the values are the words on the buttons."""

    SPLIT = "Split"
    MERGE = "Merge"
    DELETE = "Delete"


WHY_NOTHING = {
    Tool.SPLIT: "No object was split: draw the line right through one, from background to "
    "background, or along a neighbour.",
    Tool.MERGE: "Only one object is there: click another, or draw a line from one into the other.",
    Tool.DELETE: "No object is there: click on one, or draw a line through several.",
}


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """A plane of a layer, and how its numbers are read."""

    layer: Labels
    index: tuple[int, ...]  # along the leading axes
    scheme: LabelScheme

    def read(self, y: slice, x: slice) -> Values:
        """Return a copy of a region as it is, (y, x)."""
        return np.array(full_resolution(self.layer)[(*self.index, y, x)])

    def objects(self, y: slice, x: slice) -> Values:
        """Return the objects of a region, (y, x); 0 = background or unpainted."""
        return self.scheme.objects(self.read(y, x))

    def change(self, y: slice, x: slice, before: Values, after: Values) -> Change:
        """Return the change of a window that was read.

        Raises
        ------
        LabelsError
            If the layer's type is too small for the numbers.
        """
        return Change.of(self.layer, self.index, (y.start, x.start), before, after)


@dataclass(frozen=True, slots=True, eq=False)
class Repair:
    """The objects of a window before and after."""

    y: slice
    x: slice
    before: Values
    after: Values

    def change(self, plane: Plane) -> Change:
        """Return the change of the plane that was repaired; deleted objects are background."""
        values = plane.read(self.y, self.x)
        new = np.where(self.after > 0, self.after, plane.scheme.background or 0)
        return plane.change(
            self.y, self.x, values, np.where(self.before != self.after, new, values)
        )

    def as_paint(self, plane: Plane, first_new: int) -> Change:
        """Return the change of the labels, on the same plane, that takes the repair over."""
        values = plane.read(self.y, self.x)
        paint = as_paint(self.before, self.after, values.astype(np.int64), first_new=first_new)
        return plane.change(self.y, self.x, values, paint)


def find_repair(
    tool: Tool, plane: Plane, lines: Sequence[Line], first_new: int
) -> tuple[Repair, str] | None:
    """Return what a tool does along some lines, and in words; None: nothing.

    Parameters
    ----------
    tool, plane
        What is done where.
    lines
        What was drawn: Merge may have two clicks, and goes through the objects in their order.
    first_new
        The lowest number that is not in use, and was not.
    """
    height, width = spatial_shape(plane.layer)[-2:]
    (y, x), before = read_around(plane.objects, (height, width), lines)
    inside = [line - (y.start, x.start) for line in lines]
    numbers = list(dict.fromkeys(n for line in inside for n in numbers_under(before, line)))
    if len(numbers) < (2 if tool is Tool.MERGE else 1):
        return None
    match tool:
        case Tool.SPLIT:
            after = before
            for line in inside:
                after = split(after, line, max(first_new, int(after.max()) + 1))
            words = _split_in_words(before, after)
        case Tool.MERGE:
            after = merge(before, numbers)
            words = f"Merged {count(len(numbers), 'object')} into {numbers[0]}"
        case Tool.DELETE:
            after = np.where(np.isin(before, numbers), 0, before)
            which = f"object {numbers[0]}" if len(numbers) == 1 else count(len(numbers), "object")
            words = f"Deleted {which}"
    return (Repair(y, x, before, after), words) if (before != after).any() else None


def _split_in_words(before: Values, after: Values) -> str:
    new = np.unique(after[before != after]).tolist()
    cut = np.unique(before[before != after]).tolist()
    if len(cut) == 1:
        return (
            f"Split {cut[0]} into {', '.join(map(str, cut + new[:-1]))} and {new[-1]}"
            if new
            else ""
        )
    return f"Split {count(len(cut), 'object')} into {len(cut) + len(new):,}"
