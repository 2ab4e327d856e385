"""What napari tells of a stroke: the value of a labels layer's event `paint`.

It is a list of changes. By napari's version and tool each holds a box of pixels (`slice_key`), with
a mask of those that were painted or None, and the new value; or, from `data_setitem`, a tuple: the
pixels' indices along each axis, their values before, and after.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np


def painted_planes(changes: Any, leading: tuple[int, ...]) -> frozenset[int] | None:
    """Return the numbers of the planes that a stroke has changed, None if napari does not say.

    Parameters
    ----------
    changes
        Value of the event.
    leading
        Lengths of the layer's axes before Y and X.
    """
    painted: set[int] = set()
    for change in changes:
        if _is_box(change):
            spans = [range(axis.start, axis.stop) for axis in change.slice_key[: len(leading)]]
            painted.update(int(np.ravel_multi_index(at, leading)) for at in product(*spans))
        elif _is_indexed(change):
            numbers = np.ravel_multi_index(change[0][: len(leading)], leading)
            painted.update(np.unique(numbers).tolist())
        else:
            return None
    return frozenset(painted)


def largest_painted(changes: Any) -> int:
    """Return the largest label that a stroke has brought; 0: it erased, or napari does not say."""
    values = [change.new_value for change in changes if _is_box(change)]
    values += [change[2] for change in changes if _is_indexed(change)]
    return max((int(np.max(value)) for value in values), default=0)


def is_painted_in(changes: Any, region: tuple[slice, ...]) -> bool:
    """Return True if a stroke has changed something in a region, or if napari does not say.

    Parameters
    ----------
    changes
        Value of the event.
    region
        One slice per axis of the layer, each with a start and a stop.
    """
    return any(_changes_in(change, region) for change in changes)


def _changes_in(change: Any, region: tuple[slice, ...]) -> bool:
    if _is_box(change):
        pairs = list(zip(region, change.slice_key, strict=True))
        both = [(max(r.start, b.start), min(r.stop, b.stop)) for r, b in pairs]
        if any(start >= stop for start, stop in both):
            return False
        part = tuple(
            slice(start - box.start, stop - box.start)
            for (start, stop), box in zip(both, change.slice_key, strict=True)
        )
        return change.mask is None or bool(np.asarray(change.mask)[part].any())
    if _is_indexed(change):
        inside = np.ones(np.shape(change[0][0]), dtype=bool)
        for at, axis in zip(change[0], region, strict=True):
            inside &= (np.asarray(at) >= axis.start) & (np.asarray(at) < axis.stop)
        return bool(inside.any())
    return True


def _is_box(change: Any) -> bool:
    return hasattr(change, "slice_key")


def _is_indexed(change: Any) -> bool:
    return isinstance(change, tuple) and len(change) == 3 and isinstance(change[0], tuple)
