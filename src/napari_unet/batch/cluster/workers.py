"""The workers of a cluster segment an image together, or many files one by one."""

from __future__ import annotations

import secrets
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_unet.batch.cluster import tasks
from napari_unet.batch.cluster.lead import KeptFolder, Lead
from napari_unet.batch.cluster.orders import Order, Place
from napari_unet.batch.cluster.tasks import Survey
from napari_unet.batch.cluster.window import Job, LostError, Pool, done_jobs
from napari_unet.batch.going_on import changed
from napari_unet.batch.one_file import Heard
from napari_unet.batch.segmenter import Opened, Segmenter, Way
from napari_unet.engine.counts import count
from napari_unet.engine.errors import UnetPaintError
from napari_unet.engine.events import Stop
from napari_unet.io.batch_summary import FileOutcome, Status
from napari_unet.io.checkpoints import save_model
from napari_unet.io.claims import claim
from napari_unet.io.input_files import InputFile
from napari_unet.io.kept_segmentation import AT_WORK, WHAT
from napari_unet.io.shared_work import SharedWork


class Workers:
    """The processes of a pool, as a `Segmenter` and `segment_files` let them work.

    Parameters
    ----------
    pool
        The processes.
    device
        On what each of them computes: "auto", or what is insisted on.
    """

    def __init__(self, pool: Pool, device: str = "auto") -> None:
        self._pool = pool
        self._device = device

    @property
    def name(self) -> str:
        """What people call them, and how many there are."""
        return self._pool.name

    def way(self, segmenter: Segmenter, image: Opened, output: Path, stop: Stop) -> Way:
        """Return how they segment an image; the first of them has looked at it by then.

        Raises
        ------
        FileError
            If another process works at it, or its folder cannot be written, or not be seen by all.
        UnetPaintError
            If the image cannot be segmented, or the pool is lost.
        """
        output = output.absolute()
        work = SharedWork(output)
        kept = KeptFolder(work, claim(work.folder, WHAT, quiet=AT_WORK))
        try:
            return self._agree(segmenter, image, output, kept).way(stop)
        except BaseException:
            kept.release()
            raise

    def _agree(self, segmenter: Segmenter, image: Opened, output: Path, kept: KeptFolder) -> Lead:
        """Let one of them look at the image, and begin or go on with what is agreed on."""
        work = kept.work
        work.prepare(segmenter.plan.model)
        order = Order.of(segmenter, secrets.token_hex(4), work.model, self._device)
        place = Place(image.path.absolute(), output)
        survey: Survey = self._only(Job(tasks.survey, (place,)), order)
        record, note, is_same = survey.agreed.record, "", False
        if work.has_record and not segmenter.anew:
            before = work.agreed().record
            change = changed(record.basis, record.order, before)
            done = f"{len(work.done()):,} of {count(len(before.order), 'plane')} were finished"
            is_same = not change
            note = (
                f"Going on: of '{output.name}', {done}."
                if is_same
                else f"Of '{output.name}', {done}, but {change} not as then: this begins anew."
            )
        if is_same:
            survey = replace(survey, agreed=work.agreed())
        else:
            work.begin(survey.agreed)
        return Lead(self._pool, segmenter, image, kept, order, place, survey, note)

    def _only(self, job: Job, order: Order) -> Any:
        """Return what comes of one job."""
        jobs = [job]
        ended = done_jobs(lambda: (jobs.pop(), True) if jobs else None, self._pool, order)
        return next(self._pool.result(pending).value for _, pending in ended)

    def hear(
        self,
        files: Sequence[tuple[InputFile, FileOutcome]],
        folder: Path,
        segmenter: Segmenter,
        stop: Stop,
        *,
        tables: bool,
        before: Mapping[str, int],
    ) -> Generator[Heard, None, None]:
        """Yield what is told of files, each with what is known of it before.

        Raises
        ------
        UnetPaintError
            If the model cannot be written, or the pool is lost.
        """
        token = secrets.token_hex(4)
        model = folder.absolute() / f".model-{token}.safetensors"  # for all to see
        save_model(segmenter.plan.model, model)
        order = Order.of(segmenter, token, model, self._device)
        numbered = iter(enumerate(files))

        def next_job() -> tuple[Job, bool] | None:
            found = None if stop() else next(numbered, None)
            if found is None:
                return None
            index, (file, begun) = found
            file = replace(file, path=file.path.absolute(), output=file.output.absolute())
            objects = before.get(begun.output)
            return Job(tasks.segment_file, (file, begun, tables, objects), number=index), False

        try:
            for job, pending in done_jobs(next_job, self._pool, order):
                yield from self._heard(job, pending)
        finally:
            model.unlink(missing_ok=True)

    def _heard(self, job: Job, pending: Any) -> Iterator[Heard]:
        try:
            told = self._pool.result(pending).value
        except LostError:
            raise
        except UnetPaintError as error:
            told = [replace(job.arguments[1], status=Status.FAILED, message=str(error))]
        yield from (Heard(job.number, one) for one in told)
