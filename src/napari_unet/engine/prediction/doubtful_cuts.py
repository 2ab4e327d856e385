"""Where it is nearly undecided whether two parts are one object."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_unet.engine.objects.uncut import UncutPlane

_WITHIN = 0.15  # of the neck: what is farther from it is clear
_LEVELS = 3  # of doubt that are told apart
_MOST = 0.99  # a neck is below 1
_EIGHT_CONNECTED = np.ones((3, 3), dtype=bool)

Labels = npt.NDArray[np.int32]
Doubt = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class DoubtfulCut:
    """A line along which an object is cut, or is not, by little."""

    y: slice  # box of the line, pixels
    x: slice
    doubt: float  # 0 = clear, 1 = undecided


def doubtful_cuts(uncut: UncutPlane) -> list[DoubtfulCut]:
    """Return the lines at which a slightly larger neck would cut and a slightly smaller one not.

    Most doubtful first. None if objects are never cut, with a neck of 0.
    """
    neck = uncut.config.neck
    if neck == 0:
        return []
    plane = replace(uncut, config=replace(uncut.config, fill_holes=False))  # holes do not matter
    doubt: Doubt | None = None
    for level in range(_LEVELS, 0, -1):  # what is more doubtful is written over what is less
        away = _WITHIN * level / _LEVELS
        fewer, more = (
            np.asarray(plane.cut(neck=min(max(at, 0), _MOST)).finish()[0])
            for at in (neck - away, neck + away)
        )
        doubt = np.zeros(more.shape, np.float32) if doubt is None else doubt
        _mark(doubt, fewer, more, 1 - (level - 1) / _LEVELS)
    assert doubt is not None
    lines, _ = ndimage.label(doubt > 0, _EIGHT_CONNECTED)
    found = [
        DoubtfulCut(y, x, float(doubt[y, x].max(initial=0, where=lines[y, x] == number)))
        for number, (y, x) in enumerate(ndimage.find_objects(lines), 1)
    ]
    return sorted(found, key=lambda cut: -cut.doubt)


def _mark(doubt: Doubt, fewer: Labels, more: Labels, value: float) -> None:
    """Write a value where two of more pieces meet that are one of the fewer, in place."""
    for axis in (0, 1):
        before, after = [slice(None)] * 2, [slice(None)] * 2
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        one, other = tuple(before), tuple(after)
        is_one = (fewer[one] == fewer[other]) & (fewer[one] > 0)
        meet = is_one & (more[one] != more[other]) & (more[one] > 0) & (more[other] > 0)
        doubt[one][meet] = value
