"""The same object keeps its number from plane to plane, in z or t."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet.engine.events import Resume
from napari_unet.engine.overlaps import count_overlaps

__all__ = ["PlaneLinker", "link"]

_SMALLEST_IOU = 0.1  # of what may be one object that moved or changed its shape
_SMALLEST_COVER = 0.5  # of the smaller of two: one object that grew, shrank or was cut
_HELD = 2  # finished planes: going outward from a plane, each one ends a side

Labels = npt.NDArray[np.int32]


def link(
    labels: Labels, neighbours: Sequence[npt.NDArray[Any]], first_new: int
) -> tuple[Labels, int]:
    """Give the objects of a plane the numbers that they have on its finished neighbours.

    Parameters
    ----------
    labels
        (Y, X), the objects numbered from `first_new` on; 0 = background.
    neighbours
        Label images (Y, X) of the planes beside it, whose numbers are below `first_new`.
    first_new
        The smallest number that is not in use; objects without a partner are numbered from it on.

    Returns
    -------
    labels
        (Y, X) int32.
    count
        How many objects got a new number.

    Notes
    -----
    Two objects may be one if their IoU is at least 0.1, or if they share at least half of the
    smaller one (a cell that grows, shrinks, splits or merges). Partners are assigned one to one,
    the pair with the largest IoU first. So of an object that splits the larger part goes on with
    the number and the other gets a new one, and of objects that merge the larger one's number
    goes on.

    With two neighbours their pairs compete: an object that they carry under two numbers takes
    that of the larger IoU, as nothing that is finished is renumbered.
    """
    shifted = np.maximum(labels, first_new - 1) - np.int32(first_new - 1)  # 1, 2, …
    numbers = np.zeros(int(shifted.max(initial=0)) + 1, np.int32)
    taken: set[int] = set()
    for own, number in _pairs(shifted, neighbours):
        if numbers[own] == 0 and number not in taken:
            numbers[own] = number
            taken.add(number)
    is_new = (np.bincount(shifted.ravel()) > 0) & (numbers == 0)
    is_new[0] = False
    count = int(is_new.sum())
    numbers[is_new] = np.arange(first_new, first_new + count)
    return numbers[shifted], count


def _pairs(labels: Labels, neighbours: Sequence[npt.NDArray[Any]]) -> Iterator[tuple[int, int]]:
    """Yield object and number of each possible partner, the largest IoU first."""
    found = [np.zeros((4, 0))]
    for neighbour in neighbours:
        overlaps = count_overlaps(labels, neighbour, (labels > 0) | (neighbour > 0))
        both = overlaps.is_object()
        own, other = overlaps.prediction[both], overlaps.truth[both]
        shared, iou = overlaps.pixels[both], overlaps.iou[both]
        smaller = np.minimum(overlaps.prediction_sizes[own], overlaps.truth_sizes[other])
        same = (iou >= _SMALLEST_IOU) | (shared >= _SMALLEST_COVER * smaller)
        ids = overlaps.prediction_ids[own], overlaps.truth_ids[other]
        found.append(np.stack([-iou, -shared, *ids])[:, same])
    pairs = np.concatenate(found, axis=1)
    order = np.lexsort(pairs[::-1])  # equal IoU: more pixels, then lower numbers
    yield from zip(*pairs[2:, order].astype(np.int64).tolist(), strict=True)


class PlaneLinker:
    """Links each plane to the finished ones before and after it in its series.

    Parameters
    ----------
    order
        The planes to do, in the order in which they come.
    run
        Planes per series, as `Planes.run`; objects are not linked from one series to the next.
    resume
        Planes that were finished earlier.

    Notes
    -----
    The last two planes with a neighbour still to come are held, which is all that an order going
    outward from a plane, or straight through the stack, ever needs.
    """

    def __init__(self, order: Sequence[int], run: int, resume: Resume) -> None:
        self._to_come = set(order)
        self._run = run
        self._resume = resume
        self._held: dict[int, Labels] = {}  # the oldest first

    def link(self, plane: int, labels: Labels, first_new: int) -> tuple[Labels, int]:
        """Return the plane's final numbers and how many of them are new; see `link`."""
        beside = [self._read(number) for number in self._beside(plane)]
        linked, count = link(labels, [known for known in beside if known is not None], first_new)
        self._to_come.discard(plane)
        self._held[plane] = linked
        wanted = [n for n in self._held if not self._to_come.isdisjoint(self._beside(n))]
        self._held = {number: self._held[number] for number in wanted[-_HELD:]}
        return linked, count

    def _beside(self, plane: int) -> list[int]:
        """Return the numbers before and after a plane in its series."""
        start = plane // self._run * self._run
        return [n for n in (plane - 1, plane + 1) if start <= n < start + self._run]

    def _read(self, plane: int) -> npt.NDArray[Any] | None:
        if plane in self._held:
            return self._held[plane]
        labels = self._resume.labels
        if labels is None or plane not in self._resume.finished:
            return None
        height, width = labels.shape
        region = labels.read(plane, slice(0, height), slice(0, width))
        return np.asarray(region[0])
