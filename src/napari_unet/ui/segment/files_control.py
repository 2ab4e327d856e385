"""Segments files, of which no layer need be open, and opens their results."""

from __future__ import annotations

from pathlib import Path

from napari.layers import Layer
from napari.layers._source import layer_source  # as napari's own *Open* notes where a layer is from
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_unet.batch.events import FileEnded, FilesDone, FilesProgress, FilesStarted, Note
from napari_unet.config import ObjectsConfig, OutputKind, TilingConfig
from napari_unet.engine.errors import UnetPaintError
from napari_unet.engine.prediction import SegmentationPlan
from napari_unet.io.batch_summary import Status
from napari_unet.io.napari_hooks import read_layers
from napari_unet.ui.progress import Progress, Stopwatch
from napari_unet.ui.readiness import Readiness
from napari_unet.ui.runner import JobEnd, JobState
from napari_unet.ui.segment import files_job
from napari_unet.ui.segment.files_job import FilesTask, FilesWish
from napari_unet.ui.workbench import CurrentModel, Workbench

_PLUGIN = "napari-unet-paint"


class SegmentingFiles(QObject):
    """Runs many files in the background; one of a kind for a workbench."""

    told = Signal()  # `is_running` or `line` has changed
    began = Signal()  # the outcomes before are gone
    ended_one = Signal(object)  # FileEnded

    def __init__(self, workbench: Workbench) -> None:
        super().__init__()
        self.workbench = workbench
        self.line = ""
        """What became of the files, or what is to be known of those that run."""
        self._watch = Stopwatch()
        self._running = False
        workbench.runner.state_changed.connect(self._on_state_changed)
        workbench.failed.connect(self._on_failed)

    @property
    def is_running(self) -> bool:
        """Whether the job that runs is this one."""
        return self._running

    def why_not(self, wish: FilesWish) -> str | None:
        """Return why it cannot start now and what to do, None if it can."""
        reason = Readiness.of(self.workbench).why_not_segment_files()
        if reason:
            return reason
        if not wish.images:
            return "Choose the images: files, or a folder with all that is in it."
        return None if wish.folder else "Choose a folder for the results."

    def start(
        self, wish: FilesWish, kind: OutputKind, tiling: TilingConfig, objects: ObjectsConfig
    ) -> None:
        """Segment each file that is not done yet into the folder."""
        start, device = self.workbench.choices.start, self.workbench.device
        assert isinstance(start, CurrentModel)
        assert device is not None
        self._running, self._watch, self.line = True, Stopwatch(), ""
        self.began.emit()
        plan = SegmentationPlan(start.model, objects, tiling, kind)
        job = files_job.segment_chosen(FilesTask(wish, start, device, plan))
        self.workbench.run("Segmenting files", job, self._on_event, self._on_end)
        self.told.emit()

    def pause(self) -> None:
        """Wait after the current tile, or go on after a pause."""
        runner = self.workbench.runner
        if self._running:
            (runner.resume if runner.state is JobState.PAUSED else runner.pause)()

    def open_result(self, ended: FileEnded) -> None:
        """Add the image, and above it its result if there is one, to the viewer.

        Of a file with several images, all are added.
        """
        paths = [ended.file.path]
        if ended.outcome.status in (Status.DONE, Status.SKIPPED):
            paths.append(ended.file.output)
        try:
            for path in paths:
                self._open(path)
        except UnetPaintError as error:
            self.workbench.fail(error)

    def release(self) -> None:
        """Hear nothing more."""
        self.workbench.runner.state_changed.disconnect(self._on_state_changed)
        self.workbench.failed.disconnect(self._on_failed)

    def _open(self, path: Path) -> None:
        viewer = self.workbench.viewer
        if any(layer.source.path == str(path) for layer in viewer.layers):
            return
        for data, settings, kind in read_layers(str(path)):
            with layer_source(path=str(path), reader_plugin=_PLUGIN):
                layer = Layer.create(data, settings, kind)
            viewer.add_layer(layer)

    def _on_event(self, event: object) -> None:
        match event:
            case FilesStarted():
                self._watch = Stopwatch()  # to find the files took its own time
            case Note():
                self.line = event.text
                self.told.emit()
            case FileEnded():
                self.ended_one.emit(event)
            case FilesProgress():
                told = files_job.tell_progress(event, self._watch.seconds)
                self.workbench.progressed.emit(told)
            case FilesDone():
                self.line = files_job.tell_end(event)
                self.workbench.progressed.emit(Progress(self.line, 1))

    def _on_state_changed(self, state: JobState) -> None:
        if state is JobState.PAUSED:
            self._watch.pause()
        else:
            self._watch.resume()
        self.told.emit()

    def _on_failed(self, sentence: str) -> None:
        if self._running:
            self.line = sentence

    def _on_end(self, end: JobEnd) -> None:
        self._running = False
        if end is JobEnd.STOPPED and not self.line:
            self.line = "Stopped before the first file."
        self.told.emit()
