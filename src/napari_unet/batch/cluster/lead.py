"""One image that a cluster segments: its jobs are handed out, and its planes told and written."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from napari_unet.batch.cluster import tasks
from napari_unet.batch.cluster.course import Course, LinkedCourse
from napari_unet.batch.cluster.finished import Finished
from napari_unet.batch.cluster.orders import Order, Place
from napari_unet.batch.cluster.tasks import Survey
from napari_unet.batch.cluster.window import Pool, done_jobs
from napari_unet.batch.events import PartsDone
from napari_unet.batch.filling import Filling, Takes, leading_shape, open_writer, result_layout
from napari_unet.batch.segmenter import Opened, Segmenter, Way
from napari_unet.engine.counts import count
from napari_unet.engine.events import (
    FinishReason,
    PlaneDone,
    SegmentDone,
    SegmentEvent,
    SegmentStarted,
    Stop,
    TileDone,
)
from napari_unet.engine.network import stride
from napari_unet.engine.prediction import numbered_together
from napari_unet.engine.stack import cut_plane
from napari_unet.io.claims import Claim
from napari_unet.io.image_labels import lies_in_image
from napari_unet.io.labels import PlaneWriter
from napari_unet.io.making import PlaneHashed
from napari_unet.io.shared_work import PlaneReport, SharedWork
from napari_unet.io.write_zarr import PlaneZarr


class KeptFolder:
    """The shared folder, which is this process's to lead as long as it works."""

    def __init__(self, work: SharedWork, held: Claim) -> None:
        self.work = work
        self._held = held

    def begin(self, started: SegmentStarted) -> None:
        """Take note that the work begins: all of it is kept anyway."""

    def remove(self) -> None:
        """Remove the folder: the work is done."""
        self.work.remove()

    def release(self) -> None:
        """Let others have it."""
        self._held.release()

    def __enter__(self) -> None:
        """Keep it."""

    def __exit__(self, *_: object) -> None:
        """Leave it for who comes next."""
        self.release()


@dataclass
class Lead:
    """One image on its way."""

    pool: Pool
    segmenter: Segmenter
    image: Opened
    kept: KeptFolder
    order: Order
    place: Place
    survey: Survey
    note: str
    seconds: float = 0.0  # of all workers
    memory: int = 0  # bytes that a worker has taken at most
    jobs: int = 0

    def way(self, stop: Stop) -> Way:
        """Return how it is done."""
        course = self._course(stop)
        opened = partial(self._opened, course=course)
        return Way(self.kept, self._told(course), opened, self.note, self._figures)

    @property
    def _is_linked(self) -> bool:
        return self.segmenter.plan.is_numbered and self.segmenter.plan.objects.link

    @property
    def _tiles(self) -> int:
        """How many a plane has."""
        shape, side = self.image.stack.planes().shape, self.survey.agreed.record.side
        return len(cut_plane(shape, side, stride(self.segmenter.plan.model.network.levels)))

    def _course(self, stop: Stop) -> Course:
        work, planes = self.kept.work, self.image.stack.planes()
        order = self.survey.agreed.record.order
        known = {report.plane: report for report in work.done()}
        about: dict[str, Any] = {
            "known": known,
            "shape": planes.shape,
            "tiles": self._tiles,
            "slots": self.pool.slots,
            "stop": stop,
        }
        if not self._is_linked:
            return Course(self.place, order, **about)
        groups = list(numbered_together(planes, order, self.segmenter.plan.objects))
        return LinkedCourse(self.place, order, groups=groups, new_objects=work.new_objects, **about)

    def _told(self, course: Course) -> Iterator[SegmentEvent | PlaneHashed | PartsDone]:
        """Hand out the jobs, and tell what is finished."""
        began, record = time.monotonic(), self.survey.agreed.record
        planes: list[int] = []

        def finished(reports: Iterable[PlaneReport]) -> Iterator[PlaneDone | PlaneHashed]:
            for report in reports:
                planes.append(report.plane)
                yield PlaneDone(report.plane, None, report.objects)
                yield PlaneHashed(report.plane, report.image, None)

        total, done = len(record.order) * self._tiles, course.known * self._tiles
        yield SegmentStarted(
            f"{self.survey.device}, {self.pool.name}",
            record.order,
            total - done,
            record.side,
            self.survey.computes,
            self.survey.note,
        )
        yield from finished(course.in_order())
        for job, pending in done_jobs(course.next, self.pool, self.order):
            report = self.pool.result(pending)
            self.jobs += 1
            self.seconds += report.seconds
            self.memory = max(self.memory, report.memory)
            if job.task in (tasks.decode, tasks.segment_planes):
                for heard in report.value:
                    self.kept.work.note_done(heard)
            yield from finished(course.take(job, report.value))
            done += job.tiles
            state = f"{len(planes):,} of {count(len(record.order), 'plane')} finished"
            yield PartsDone(done, total, state)
        is_whole = len(planes) == len(record.order)
        reason = FinishReason.COMPLETED if is_whole else FinishReason.STOPPED
        yield SegmentDone(reason, tuple(planes), time.monotonic() - began)

    @contextmanager
    def _opened(self, written: Path, course: Course) -> Iterator[Takes]:
        """Open the output: workers write the planes of a zarr; all else is written here."""
        segmenter, stack = self.segmenter, self.image.stack
        layout = result_layout(stack, segmenter.plan)
        with open_writer(written, layout, segmenter.plan.kind) as writer:
            if isinstance(writer, PlaneZarr) and not lies_in_image(written):
                yield _Elsewhere(writer, course, is_linked=self._is_linked)
                return
            finished = Finished.of(segmenter.plan, self.kept.work, layout.plane_shape)
            channels = leading_shape(layout, segmenter.plan.kind)
            yield _Here(writer, finished, channels, is_linked=self._is_linked)

    def _figures(self) -> dict[str, Any]:
        return {
            "workers": self.pool.name,
            "jobs": self.jobs,
            "worker_seconds": round(self.seconds, 3),
            "worker_memory_mb": round(self.memory / (1 << 20)),
        }


class _Taking:
    """Takes the finished planes of an image, which lie in the shared folder, in their order."""

    def __init__(self, writer: PlaneWriter, *, is_linked: bool) -> None:
        self._writer = writer
        self._is_linked = is_linked
        self._largest = 0  # object number

    def take_tile(self, event: TileDone) -> None:
        """Take nothing: only planes are told."""

    def above(self, event: PlaneDone) -> int | None:
        """Return the largest number before a plane, None if linking says what its numbers are."""
        before = self._largest
        self._largest += event.objects
        return None if self._is_linked else before

    def note_unfinished(self, planes: Collection[int]) -> None:
        """Let the file say which of the planes that were asked for it lacks."""
        self._writer.note_unfinished(planes)

    def note_provenance(self, text: str) -> None:
        """Let the file say what made it, in a line of JSON."""
        self._writer.note_provenance(text)


class _Elsewhere(_Taking):
    """Lets workers write the planes into a zarr, whose other planes stay 0."""

    def __init__(self, writer: PlaneZarr, course: Course, *, is_linked: bool) -> None:
        super().__init__(writer, is_linked=is_linked)
        self._zarr = writer
        self._course = course
        self._written = 0

    def take_plane(self, event: PlaneDone) -> None:
        """Let a plane be written."""
        self._course.write(self._zarr.path, event.plane, self.above(event))

    def fill(self, count: int) -> None:
        """Take note that all planes are there."""
        for _ in range(self._written, count):
            self._zarr.take_written()
        self._written = count


class _Here(_Taking):
    """Writes the planes one after the other, with zeros between and after them."""

    def __init__(
        self,
        writer: PlaneWriter,
        finished: Finished,
        channels: tuple[int, ...],
        *,
        is_linked: bool,
    ) -> None:
        super().__init__(writer, is_linked=is_linked)
        self._finished = finished
        self._filling = Filling(writer, channels, finished.shape)

    def take_plane(self, event: PlaneDone) -> None:
        """Write a plane."""
        self._filling.take_rows(event.plane, self._finished.rows(event.plane, self.above(event)))

    def fill(self, count: int) -> None:
        """Write empty planes until there are `count`."""
        self._filling.fill(count)
