"""More pieces or fewer: the finished results are cut anew, without predicting again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer

from napari_unet.engine.counts import count
from napari_unet.engine.events import PlaneDone, Resume
from napari_unet.engine.stack import ArrayPlanes
from napari_unet.ui.layers.geometry import looked_at
from napari_unet.ui.layers.inputs import image_planes, lesson_planes
from napari_unet.ui.progress import Progress
from napari_unet.ui.runner import JobEnd, JobState
from napari_unet.ui.segment import job
from napari_unet.ui.segment.record import Record

if TYPE_CHECKING:
    from napari_unet.ui.segment.control import Segmentation

_STILL_MS = 150  # that the slider has not moved


class Pieces(QObject):
    """Cuts the last results where it is wished, as soon as nothing else runs.

    Planes that were corrected by hand stay as they are, and painted objects as they are painted.
    """

    def __init__(self, segmentation: Segmentation) -> None:
        super().__init__()
        self.waits = False  # for a job that is in the way
        self._segmentation = segmentation
        self._workbench = segmentation.workbench
        self._wanted: float | None = None  # neck; None: nothing new is wished
        self._turns: list[Record] = []  # that are being cut
        self._turn: Record | None = None
        self._done, self._total = 0, 0  # planes
        self._still = QTimer(self)
        self._still.setSingleShot(True)
        self._still.setInterval(_STILL_MS)
        self._still.timeout.connect(self._begin)
        self._workbench.runner.state_changed.connect(self._on_state_changed)

    def cut_at(self, neck: float) -> None:
        """Cut there soon: when the wish has not changed for a moment, and no job runs."""
        self._wanted = neck
        if self._turns:
            self._workbench.runner.stop()  # and begin anew
        self._still.start()

    def release(self) -> None:
        """Begin nothing more."""
        self._workbench.runner.state_changed.disconnect(self._on_state_changed)
        self._still.stop()
        self._wanted, self._turns, self._turn = None, [], None

    def _begin(self) -> None:
        neck, last = self._wanted, self._segmentation.last
        if neck is None:
            return
        turns = [record for record in last if self._is_to_cut(record, neck)]
        if self._workbench.runner.state is not JobState.IDLE:
            self.waits = bool(turns)
        else:
            self._wanted, self.waits = None, False
            self._cut(turns, neck)
        self._segmentation.told.emit()

    def _cut(self, turns: list[Record], neck: float) -> None:
        cuts = [self._as_job(record, neck) for record in turns]
        for record in turns:
            record.begin_cut(neck)
        self._turns, self._done, self._total = turns, 0, sum(len(cut.order) for cut in cuts)
        if cuts:
            cutting = job.cut_results(cuts)
            self._workbench.run("Cutting", cutting, self._on_event, self._on_end, quiet=True)
        else:
            self._tell("")

    def _is_to_cut(self, record: Record, neck: float) -> bool:
        is_cut_so = record.recipe.plan.objects.neck == neck and not record.stale
        is_there = not record.outdated and self._segmentation.holds(record)
        return bool(record.cuttable) and not is_cut_so and is_there

    def _as_job(self, record: Record, neck: float) -> job.Cut:
        recipe, result = record.recipe, record.result
        image = recipe.images[0]
        shown, *_ = looked_at(self._workbench.viewer, image)
        painted = recipe.painted and recipe.painted()
        is_there = painted is not None and painted in self._workbench.viewer.layers
        return job.Cut(
            uncut=result.uncut,
            order=tuple(sorted(record.cuttable, key=lambda plane: abs(plane - shown))),
            neck=neck,
            planes=image_planes(recipe.images),
            resume=Resume(result.edited, record.largest, ArrayPlanes(result.arrays[0])),
            link=recipe.plan.objects.linked,
            painted=lesson_planes(painted) if painted is not None and is_there else None,
            sink=result,
        )

    def _note(self, record: Record) -> str:
        """Return what of a result stays as it is, in one sentence; empty: nothing does."""
        if not record.recipe.plan.is_numbered:
            return ""
        if record.outdated:
            return record.outdated
        if not self._segmentation.holds(record):
            return f"'{record.result.layers[0].name}' was changed by hand and stays as it is."
        edited = len(record.result.edited)
        lost = len(record.finished - record.cuttable - record.result.edited)
        parts = []
        if edited:
            parts.append(f"{count(edited, 'plane')} corrected by hand")
        if lost:
            parts.append(f"{count(lost, 'plane')} of which only the objects are kept")
        verb = "stays as it is" if edited + lost == 1 else "stay as they are"
        return f"{' and '.join(parts)} {verb}." if parts else ""

    def _on_event(self, event: object) -> None:
        stream = self._segmentation.stream
        match event:
            case job.TurnStarted(number):
                stream.end()
                self._turn = self._turns[number]
                stream.begin(self._turn.result)
            case PlaneDone() if self._turn:
                self._turn.finish(event)
                stream.show(event)
                self._segmentation.told.emit()
                self._tell_progress()

    def _tell_progress(self) -> None:
        self._done += 1
        if self._total > 1:
            text = f"Cut {self._done:,} of {count(self._total, 'plane')}"
            self._workbench.progressed.emit(Progress(text, self._done / self._total))

    def _on_end(self, end: JobEnd) -> None:
        self._segmentation.stream.end()
        for record in self._turns:
            record.note_provenance()
        objects = sum(sum(record.objects.values()) for record in self._turns)
        self._turns, self._turn = [], None
        if end is JobEnd.COMPLETED:
            self._tell(f"Cut into {count(objects, 'object')}.")
        self._segmentation.told.emit()
        if self._wanted is not None:
            self._still.start()

    def _tell(self, line: str) -> None:
        """Tell what was done, and what stays as it is; nothing if there is nothing to tell."""
        line = " ".join(filter(None, [line, *map(self._note, self._segmentation.last)]))
        if line:
            self._workbench.progressed.emit(Progress(line, 1))

    def _on_state_changed(self, state: JobState) -> None:
        """Begin when the job has ended that was in the way."""
        if state is JobState.IDLE and self._wanted is not None and not self._turns:
            self._still.start()
