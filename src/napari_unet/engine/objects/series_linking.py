"""The same object keeps its number through z and t together: from series to series, too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count

import numpy as np

from napari_unet.config import Along
from napari_unet.engine.events import PlaneDone, Resume
from napari_unet.engine.objects.label_overlaps import Overlaps, count_run_overlaps, sum_overlaps
from napari_unet.engine.objects.linking import REACH, PlaneLinker, find_partners, read_finished
from napari_unet.engine.stack.planes import Planes
from napari_unet.engine.stack.run_labels import RunLabels

_PROVISIONAL = 1 << 30  # numbers from here on are of a series that is not finished


def linker_for(
    planes: Planes, order: Sequence[int], resume: Resume, along: Along = Along.BOTH
) -> PlaneLinker | SeriesLinker:
    """Return what links the planes of a stack.

    Parameters
    ----------
    planes
        The stack, whose runs say which planes follow one another.
    order
        The planes to do, in the order in which they come.
    resume
        Planes that were finished earlier.
    along
        z, t, or both as far as the stack has them; what it does not have links nothing.
    """
    if along is not Along.BOTH:
        return _along_one(planes, order, resume, along.value.upper())
    if planes.runs == 1:
        return PlaneLinker(order, planes.run, resume)
    return SeriesLinker(order, planes.run, planes.runs, resume)


def _along_one(planes: Planes, order: Sequence[int], resume: Resume, axis: str) -> PlaneLinker:
    """Return what links along an axis, and keeps apart what differs along the other."""
    if planes.followed[-1:] == axis:
        return PlaneLinker(order, planes.run, resume)
    if planes.followed[:-1] == axis:
        return PlaneLinker(order, planes.runs, resume, stride=planes.run)
    return PlaneLinker(order, 1, resume)


class SeriesLinker:
    """Links the planes of each series, and then the series as a whole to those beside it.

    Parameters
    ----------
    order
        The planes to do, in the order in which they come.
    run, runs
        Planes per series, and series that follow one another, as of `Planes`.
    resume
        Planes that were finished earlier.

    Notes
    -----
    A series is all of z at one time (or all times at one z, where the stack is ordered so). Within
    it planes are linked as `PlaneLinker` does. What has one number there is one body, whose partner
    in the finished series beside it is found as `linking.find_partners` says, by the pixels that
    both share on all planes together: a plane alone would often decide otherwise than the next,
    and the numbers of one body would part.

    So planes are finished series by series. Held are the planes of the series that have begun, and
    of up to two finished ones on either side, as runs. A body of which some planes were finished
    earlier keeps its number.
    """

    def __init__(self, order: Sequence[int], run: int, runs: int, resume: Resume) -> None:
        self._linker = PlaneLinker(order, run, resume)
        self._run = run
        self._runs = runs
        self._resume = resume
        self._to_come = Counter(plane // run for plane in order)  # planes of each series
        self._begun: dict[int, list[PlaneDone]] = {}  # series → planes, with provisional numbers
        self._held: dict[int, dict[int, RunLabels]] = {}  # finished series → planes
        self._next = _PROVISIONAL

    def take(self, done: PlaneDone, used: int) -> list[PlaneDone]:
        """Take a plane; return the planes whose numbers are final now.

        Parameters
        ----------
        done
            Its objects are numbered from `used` + 1 on.
        used
            The largest number in use.
        """
        series = done.plane // self._run
        self._begun.setdefault(series, []).append(self._linked_in_series(done, used))
        self._to_come[series] -= 1
        return [] if self._to_come[series] else self._finish(series, used)

    def rest(self, used: int) -> list[PlaneDone]:
        """Return the planes of the series that have begun, as no more planes come."""
        finished: list[PlaneDone] = []
        for series in list(self._begun):
            new = sum(done.objects for done in finished)
            finished += self._finish(series, used + new)
        return finished

    def _linked_in_series(self, done: PlaneDone, used: int) -> PlaneDone:
        assert done.labels is not None
        values = done.labels.values
        above = np.where(values > 0, values + np.int32(self._next - used - 1), 0)
        linked, new = self._linker.link(
            done.plane, replace(done.labels, values=above.astype(np.int32)), self._next
        )
        self._next += new
        return replace(done, labels=linked)

    def _finish(self, series: int, used: int) -> list[PlaneDone]:
        """Give the bodies of a series their final numbers."""
        planes = self._begun.pop(series)
        bodies = [np.unique(_labels(done).values).tolist() for done in planes]
        known = {body: body for own in bodies for body in own if body < _PROVISIONAL}
        numbers = dict(find_partners(list(self._overlaps(series, planes)), known))
        finished = []
        for done, own in zip(planes, bodies, strict=True):
            new = [body for body in own if body not in numbers]
            numbers.update(zip(new, count(used + 1), strict=False))
            used += len(new)
            table = np.array([numbers[body] for body in own], np.int32)
            labels = _labels(done)
            values = table[np.searchsorted(own, labels.values)]
            finished.append(replace(done, labels=replace(labels, values=values), objects=len(new)))
        self._held[series] = {done.plane: _labels(done) for done in finished}
        self._held = {held: self._held[held] for held in self._held if self._is_wanted(held)}
        return finished

    def _overlaps(
        self, series: int, planes: Sequence[PlaneDone]
    ) -> Iterator[tuple[Overlaps, float]]:
        """Yield how the bodies of a series overlap with those beside it, and with what weight."""
        for other, weight in self._beside(series):
            parts = []
            for done in planes:
                beside = self._finished(done.plane + (other - series) * self._run)
                if beside is not None:
                    parts.append(count_run_overlaps(_labels(done), beside))
            if parts:
                yield sum_overlaps(parts), weight

    def _beside(self, series: int) -> Iterator[tuple[int, float]]:
        """Yield the series near one, as far as they follow one another, and their weight."""
        first = series // self._runs * self._runs
        for away, weight in enumerate(REACH, start=1):
            for other in (series - away, series + away):
                if first <= other < first + self._runs:
                    yield other, weight

    def _is_wanted(self, series: int) -> bool:
        """Return whether a series that is not finished is to be linked to this one."""
        return any(
            other in self._begun or self._to_come[other] > 0 for other, _ in self._beside(series)
        )

    def _finished(self, plane: int) -> RunLabels | None:
        held = self._held.get(plane // self._run, {})
        return held[plane] if plane in held else read_finished(self._resume, plane)


def _labels(done: PlaneDone) -> RunLabels:
    assert done.labels is not None
    return done.labels
