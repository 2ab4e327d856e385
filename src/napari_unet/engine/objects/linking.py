"""The same object keeps its number from plane to plane, in z or t."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from napari_unet.engine.events import PlaneDone, Resume
from napari_unet.engine.objects.label_overlaps import Overlaps, count_run_overlaps
from napari_unet.engine.stack.planes import Planes
from napari_unet.engine.stack.run_labels import LabelCollector, RunLabels
from napari_unet.engine.stack.tiles import bands

REACH = (1.0, 0.8)
"""What the IoU with an object of the next plane counts, and of the plane beyond it.

So an object that one plane lacks goes on behind it.
"""

_SMALLEST_IOU = 0.1  # of what may be one object that moved or changed its shape
_SMALLEST_COVER = 0.5  # of the smaller of two: one object that grew, shrank or was cut
_HELD = 2 * len(REACH)  # finished planes: going outward from a plane, two end each side


def link(
    labels: RunLabels,
    neighbours: Sequence[RunLabels],
    first_new: int,
    *,
    beyond: Sequence[RunLabels] = (),
) -> tuple[RunLabels, int]:
    """Give the objects of a plane the numbers that they have on the finished planes near it.

    Parameters
    ----------
    labels
        The objects numbered from `first_new` on; 0 = background.
    neighbours
        The planes beside it, whose numbers are below `first_new`.
    first_new
        The smallest number that is not in use; objects without a partner are numbered from it on.
    beyond
        The planes behind the neighbours.

    Returns
    -------
    labels
        With its final numbers.
    count
        How many objects got a new number.

    Notes
    -----
    Partners are found as `find_partners` says, so at each step

    - of an object that splits (a cell that divides, a nucleus that forks in z), the part with
      the larger IoU goes on with the number and the other gets a new one;
    - of objects that merge, the number of the one with the larger IoU goes on; where they part
      again on the next plane, each has its old number, which the plane beyond still knows;
    - an object that is missing on one plane goes on with its number after it, and one that is
      missing on two planes or more gets a new number.

    An object that planes on both sides carry under two numbers takes that of the larger IoU, as
    nothing that is finished is renumbered.
    """
    shifted = np.maximum(labels.values, first_new - 1) - np.int32(first_new - 1)  # 1, 2, …
    local = replace(labels, values=shifted)
    own = np.unique(shifted)
    own = own[own > 0]
    weighted = [
        (other, weight)
        for planes, weight in zip((neighbours, beyond), REACH, strict=True)
        for other in planes
    ]
    partners = find_partners([(count_run_overlaps(local, other), w) for other, w in weighted])
    numbers = np.zeros(int(own.max(initial=0)) + 1, dtype=np.int32)
    numbers[list(partners)] = list(partners.values())
    new = own[numbers[own] == 0]
    numbers[new] = np.arange(first_new, first_new + len(new))
    return local.mapped(numbers), len(new)


def find_partners(
    overlaps: Sequence[tuple[Overlaps, float]], known: Mapping[int, int] | None = None
) -> Mapping[int, int]:
    """Return, for each object that has a partner in other label images, the partner's number.

    Parameters
    ----------
    overlaps
        Of the objects, as predictions, with those of each other image, as truth; and the weight of
        that image's IoU.
    known
        Partners that are settled already.

    Notes
    -----
    Two objects may be one if their IoU is at least 0.1, or if they share at least half of the
    smaller one (a cell that grows, shrinks, splits or merges). Partners are assigned one to one,
    the pair with the largest weighted IoU first. With equal IoU more shared pixels decide, then
    lower numbers.
    """
    partners = dict(known or {})
    taken = set(partners.values())
    for own, number in _pairs(overlaps):
        if own not in partners and number not in taken:
            partners[own] = number
            taken.add(number)
    return partners


def _pairs(weighted: Sequence[tuple[Overlaps, float]]) -> Iterator[tuple[int, int]]:
    """Yield object and number of each possible partner, the largest weighted IoU first."""
    found = [np.zeros((4, 0))]
    for overlaps, weight in weighted:
        both = overlaps.is_object()
        mine, theirs = overlaps.prediction[both], overlaps.truth[both]
        shared, iou = overlaps.pixels[both], overlaps.iou[both]
        smaller = np.minimum(overlaps.prediction_sizes[mine], overlaps.truth_sizes[theirs])
        same = (iou >= _SMALLEST_IOU) | (shared >= _SMALLEST_COVER * smaller)
        ids = overlaps.prediction_ids[mine], overlaps.truth_ids[theirs]
        found.append(np.stack([-weight * iou, -shared, *ids])[:, same])
    pairs = np.concatenate(found, axis=1)
    order = np.lexsort(pairs[::-1])
    yield from zip(*pairs[2:, order].astype(np.int64).tolist(), strict=True)


class PlaneLinker:
    """Links each plane to the finished ones near it in its series: two before, two after.

    Parameters
    ----------
    order
        The planes to do, in the order in which they come.
    run
        Planes per series, as `Planes.run`; objects are not linked from one series to the next.
    resume
        Planes that were finished earlier.
    stride
        From one plane of a series to the next: 1, or where series are woven into one another, as
        the times of each z are in a movie of z stacks, their number.

    Notes
    -----
    The last four planes per series that a plane to come may be linked to are held, which is all
    that an order going outward from a plane, or straight through the stack, ever needs.
    """

    def __init__(self, order: Sequence[int], run: int, resume: Resume, *, stride: int = 1) -> None:
        self._to_come = set(order)
        self._run = run
        self._stride = stride
        self._resume = resume
        self._held: dict[int, RunLabels] = {}  # the oldest first

    def take(self, done: PlaneDone, used: int) -> list[PlaneDone]:
        """Take a plane, numbered from `used` + 1 on; return the planes that are final now: it."""
        assert done.labels is not None
        labels, count = self.link(done.plane, done.labels, used + 1)
        return [replace(done, labels=labels, objects=count)]

    def rest(self, _used: int) -> list[PlaneDone]:
        """Return what is not final yet, as no more planes come: nothing."""
        return []

    def link(self, plane: int, labels: RunLabels, first_new: int) -> tuple[RunLabels, int]:
        """Return the plane's final numbers and how many of them are new; see `link`."""
        neighbours, beyond = (self._finished(plane, away) for away in (1, 2))
        linked, count = link(labels, neighbours, first_new, beyond=beyond)
        self._to_come.discard(plane)
        self._held[plane] = linked
        wanted = [number for number in self._held if self._is_wanted(number)]
        self._held = {number: self._held[number] for number in wanted[-_HELD * self._stride :]}
        return linked, count

    def _finished(self, plane: int, away: int) -> list[RunLabels]:
        """Return the finished planes at a distance from one, in its series."""
        known = [self._read(number) for number in self._at(plane, away)]
        return [labels for labels in known if labels is not None]

    def _is_wanted(self, plane: int) -> bool:
        """Return whether a plane to come is to be linked to this one."""
        near = (number for away in (1, 2) for number in self._at(plane, away))
        return not self._to_come.isdisjoint(near)

    def _at(self, plane: int, away: int) -> list[int]:
        """Return the numbers at a distance before and after a plane in its series."""
        at = plane // self._stride % self._run
        steps = [step for step in (-away, away) if 0 <= at + step < self._run]
        return [plane + step * self._stride for step in steps]

    def _read(self, plane: int) -> RunLabels | None:
        return self._held[plane] if plane in self._held else read_finished(self._resume, plane)


def read_finished(resume: Resume, plane: int) -> RunLabels | None:
    """Return a plane that was finished earlier, None if it was not."""
    if resume.labels is None or plane not in resume.finished:
        return None
    return read_plane(resume.labels, plane)


def read_plane(labels: Planes, plane: int) -> RunLabels:
    """Return a plane of labels."""
    collector = LabelCollector(labels.shape)
    for rows in bands(labels.shape):
        collector.add(labels.read(plane, rows, slice(0, labels.shape[1]))[0])
    return collector.labels()
