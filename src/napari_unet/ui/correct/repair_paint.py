"""A repaired result becomes paint: its objects whole, in the numbers of the labels layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet.engine.paint import PAINTED_BACKGROUND

Values = npt.NDArray[Any]
"""(y, x)"""


def as_paint(before: Values, after: Values, painted: Values, *, first_new: int) -> Values:
    """Return the paint on a window once a result was repaired there.

    Parameters
    ----------
    before, after
        The result there, (y, x), 0 = background. Their difference is the repair.
    painted
        The paint there, (y, x): 0 = unpainted, 1 = background, 2, 3, … = objects.
    first_new
        The lowest number that is not in use in the labels, and was not.

    Notes
    -----
    Each object that the repair has changed is painted whole, in the number that was painted in it;
    what has none, or is the smaller part of one, gets a new one. What was deleted is background.
    Painted background stays, and so do painted objects that lie mostly elsewhere. If two painted
    objects are one now, what of them lies outside of it has the same number, too.
    """
    repaired = [int(n) for n in np.unique(after[before != after]) if n > 0]
    # The part that keeps its number has changed nowhere: it is found by what it was part of.
    was_part_of = np.unique(before[(before != after) & (before > 0)])
    repaired += [int(n) for n in was_part_of if n not in repaired and (after == n).any()]
    deleted = (before > 0) & (after == 0)
    inside = np.isin(after, repaired) | deleted
    own = _mostly_in(painted, inside)
    free = (painted == 0) | np.isin(painted, own)
    result = painted.copy()
    result[deleted & free] = PAINTED_BACKGROUND
    result[np.isin(painted, _mostly_in(painted, deleted))] = PAINTED_BACKGROUND
    number_of = _numbers(after, painted, repaired, own, first_new)
    for number, paint in number_of.items():
        result[np.isin(painted, _mostly_in(painted, after == number))] = paint
    for number, paint in number_of.items():
        result[(after == number) & free] = paint
    return result


def _mostly_in(painted: Values, mask: npt.NDArray[np.bool_]) -> list[int]:
    """Return the painted objects of which half or more lies in a mask."""
    numbers, pixels = np.unique(painted[mask], return_counts=True)
    return [
        int(number)
        for number, inside in zip(numbers, pixels, strict=True)
        if number > PAINTED_BACKGROUND and 2 * inside >= np.count_nonzero(painted == number)
    ]


def _numbers(
    after: Values, painted: Values, repaired: list[int], own: list[int], first_new: int
) -> dict[int, int]:
    """Return the number of each repaired object in the labels; most pixels decide."""
    shared = [
        (int(np.count_nonzero((after == number) & (painted == paint))), number, paint)
        for number in repaired
        for paint in own
    ]
    number_of: dict[int, int] = {}
    for pixels, number, paint in sorted(shared, key=lambda each: -each[0]):
        if pixels and number not in number_of and paint not in number_of.values():
            number_of[number] = paint
    for number in repaired:
        if number not in number_of:
            number_of[number] = first_new
            first_new += 1
    return number_of
