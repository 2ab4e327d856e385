"""What comes after what in the segmentation of one image by many."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from napari_unet.batch.cluster import tasks
from napari_unet.batch.cluster.orders import Place
from napari_unet.batch.cluster.window import Job
from napari_unet.engine.events import Stop
from napari_unet.engine.objects import check_count
from napari_unet.io.shared_work import PlaneReport

_MOST = 1 << 24  # pixels of a job: a CPU takes some seconds for them
_PER_SLOT = 4  # jobs for each slot at least, so that all end at about the same time
_LINKED = 64  # planes that are linked in one job


class Course:
    """Hands out the jobs of one image, and tells its planes in order as they are done.

    Parameters
    ----------
    place
        The image.
    numbers
        The planes to do, ascending.
    known
        What is known of those that are done already.
    shape
        Of a plane, pixels (Y, X).
    tiles
        Of a plane.
    slots
        How many jobs are out at the same time, about.
    stop
        True: nothing more is predicted, and what is on its way is brought to its end.
    """

    def __init__(
        self,
        place: Place,
        numbers: Sequence[int],
        *,
        known: Mapping[int, PlaneReport],
        shape: tuple[int, int],
        tiles: int,
        slots: int,
        stop: Stop,
    ) -> None:
        self._place = place
        self._numbers = numbers
        self.known = len(known)
        """How many planes were done before."""
        self._reports = dict(known)  # of decoded planes
        self._tiles = tiles
        self._stop = stop
        self._urgent: deque[Job] = deque()
        self._waits: Counter[int] = Counter()  # jobs that planes wait for
        self._told = 0  # planes
        self._largest = 0  # object number
        left = [plane for plane in numbers if plane not in known]
        pixels = math.prod(shape)
        most = min(_MOST, len(left) * pixels // max(1, _PER_SLOT * slots))
        self._planned = self._plan(left, max(1, most // -(-pixels // tiles)))

    def next(self) -> tuple[Job, bool] | None:
        """Return the next job, and whether it is urgent; None: there is none for now."""
        if self._urgent:
            return self._urgent.popleft(), True
        job = None if self._stop() else next(self._planned, None)
        return None if job is None else (job, False)

    def take(self, job: Job, value: Any) -> Iterator[PlaneReport]:
        """Take what came of a job; yield the planes that are finished now, in order."""
        match job.task:
            case tasks.predict:
                plane = job.arguments[1]
                self._waits[plane] -= 1
                if not self._waits[plane]:
                    self._urgent.append(Job(tasks.decode, (self._place, plane)))
            case tasks.decode | tasks.segment_planes:
                self._reports |= {report.plane: report for report in value}
        yield from self.in_order()

    def in_order(self) -> Iterator[PlaneReport]:
        """Yield the planes that are finished and not told yet, as far as none before is missing."""
        while self._next_plane in self._reports:
            report = self._reports.pop(self._next_plane)
            self._told += 1
            self._largest += report.objects
            check_count(self._largest)
            yield report

    @property
    def _next_plane(self) -> int:
        """The next that is told, -1 if none is left."""
        return self._numbers[self._told] if self._told < len(self._numbers) else -1

    def write(self, path: Path, plane: int, above: int | None) -> None:
        """Let a finished plane be written; see `tasks.write`."""
        self._urgent.append(Job(tasks.write, (self._place, path, plane, above)))

    def _plan(self, planes: Sequence[int], tiles: int) -> Iterator[Job]:
        """Yield the jobs that settle so many tiles each: of several planes, or of a part of one."""
        together = tiles // self._tiles
        if together:
            rest = iter(planes)
            while group := tuple(islice(rest, together)):
                yield Job(tasks.segment_planes, (self._place, group), len(group) * self._tiles)
            return
        for plane in planes:
            firsts = range(0, self._tiles, tiles)
            self._waits[plane] = len(firsts)
            for first in firsts:
                stop = min(first + tiles, self._tiles)
                yield Job(tasks.predict, (self._place, plane, first, stop), stop - first)


class LinkedCourse(Course):
    """Links the objects of planes that are decoded before it tells them.

    Parameters
    ----------
    groups
        As of `numbered_together`.
    new_objects
        How many new objects a plane has that was linked in an earlier run; None: it was not.
    """

    def __init__(
        self,
        *course: Any,
        groups: Sequence[tuple[int, ...]],
        new_objects: Callable[[int], int | None],
        **settings: Any,
    ) -> None:
        super().__init__(*course, **settings)
        self._groups = deque(groups)
        self._linked: dict[int, PlaneReport] = {}
        self._before = 0  # planes that are linked
        self._in_use = 0  # object number
        self._is_linking = False
        while self._groups and all(plane in self._reports for plane in self._groups[0]):
            found = [(plane, new_objects(plane)) for plane in self._groups[0]]
            if any(objects is None for _, objects in found):
                break
            self._take_linked([(plane, objects or 0) for plane, objects in found])
            self._groups.popleft()

    def take(self, job: Job, value: Any) -> Iterator[PlaneReport]:
        """Take what came of a job; yield the planes that are finished now, in order."""
        if job.task is tasks.number:
            self._is_linking = False
            self._take_linked(value)
            yield from self.in_order()
        else:
            yield from super().take(job, value)

    def in_order(self) -> Iterator[PlaneReport]:
        """Yield the planes that are linked and not told yet; let the next ones be linked."""
        self._link()
        while self._next_plane in self._linked:
            report = self._linked.pop(self._next_plane)
            self._told += 1
            yield report

    def _link(self) -> None:
        planes: list[int] = []
        while (
            not self._is_linking
            and self._groups
            and len(planes) < _LINKED
            and all(plane in self._reports for plane in self._groups[0])
        ):
            planes += self._groups.popleft()
        if planes:
            self._is_linking = True
            arguments = (self._place, tuple(planes), self._before, self._in_use)
            self._urgent.append(Job(tasks.number, arguments))

    def _take_linked(self, found: Sequence[tuple[int, int]]) -> None:
        for plane, objects in found:
            self._linked[plane] = replace(self._reports.pop(plane), objects=objects)
            self._in_use += objects
        self._before += len(found)
