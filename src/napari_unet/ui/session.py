"""What happens between the form and the engine, without a window of its own.

The session holds the running job, the model and the layer of results; it knows no buttons.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari.components import ViewerModel
from napari.layers import Image, Labels
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_unet.config import NETWORKS
from napari_unet.engine.errors import UnetPaintError
from napari_unet.engine.events import PlaneDone, SegmentStarted, TileDone, TrainDone
from napari_unet.ui.choices import CURRENT_MODEL, Choices
from napari_unet.ui.jobs import work
from napari_unet.ui.jobs.reports import Progress, Reporter, describe_model
from napari_unet.ui.jobs.runner import Job, JobEnd, JobRunner
from napari_unet.ui.layers.geometry import file_layout, focus, full_resolution, pixel_size
from napari_unet.ui.layers.inputs import image_planes, snapshot
from napari_unet.ui.layers.streaming import ResultStream

if TYPE_CHECKING:
    from napari_unet.engine.device import DeviceChoice
    from napari_unet.engine.model import Model

__all__ = ["Session"]


class Session(QObject):
    """Trains, segments, exports, saves and opens, one after the other.

    All signals are emitted on the main thread, and layers are touched there only.
    """

    changed = Signal()  # job state, device or model
    progressed = Signal(object)  # Progress
    failed = Signal(str)  # what is wrong and what to do
    ended = Signal()  # the job, whatever the reason
    model_changed = Signal()
    result_changed = Signal(object)  # Labels: the layer of a segmentation that begins

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self.device: DeviceChoice | None = None
        self.model: Model | None = None
        self.model_text = "", ""  # name and story
        self.runner = JobRunner()
        self._viewer = viewer
        self._results = ResultStream(viewer)
        self._reporter = Reporter()
        self._image: Image | None = None  # of the segmentation that runs
        self._labels: Labels | None = None  # that its result must not go into
        self._connect()

    def find_device(self) -> None:
        """Load the engine in the background."""
        self._start("Loading PyTorch", work.find_device())

    def train(self, choices: Choices) -> None:
        """Train on the labels as they are now; painting may go on meanwhile."""
        assert choices.image is not None
        assert choices.labels is not None
        assert self.device is not None
        start = self.model if choices.start == CURRENT_MODEL else NETWORKS[choices.start]
        assert start is not None
        job = work.train_on_labels(
            image_planes(choices.image),
            snapshot(choices.labels),
            start=start,
            task=choices.task,
            unpainted=choices.unpainted,
            config=choices.train,
            device=self.device,
            pixel_size=pixel_size(choices.image),
        )
        self._start("Training", job)

    def segment(self, choices: Choices) -> None:
        """Segment the whole stack into a layer of its own, the shown plane first."""
        assert choices.image is not None
        assert self.model is not None
        assert self.device is not None
        planes = image_planes(choices.image)
        *position, y, x = focus(self._viewer, choices.image)
        self._image, self._labels = choices.image, choices.labels
        job = work.segment_stack(
            self.model,
            planes,
            device=self.device,
            tiling=choices.tiling,
            objects=choices.objects,
            focus=(planes.number(tuple(position)), y, x),
        )
        self._start("Segmenting", job)

    def export(self, layer: Labels, path: Path) -> None:
        """Write a labels layer to a TIFF."""
        job = work.export_labels(full_resolution(layer), file_layout(layer), path)
        self._start("Exporting", job)

    def save_model(self, path: Path) -> None:
        """Write the model to a file."""
        assert self.model is not None
        self._start("Saving the model", work.write_model(self.model, path))

    def open_model(self, path: Path) -> None:
        """Take the model of a file."""
        self._start("Opening a model", work.read_model(path))

    def stop(self) -> None:
        """Ask the job to end after its current step or tile, keeping what is done."""
        self.progressed.emit(Progress("Stopping after the current step or tile…"))
        self.runner.stop()

    def close(self) -> None:
        """Stop the job and let go of the viewer."""
        self._viewer.layers.events.removed.disconnect(self._on_layer_removed)
        self.runner.abandon()
        self._results.release()

    def _connect(self) -> None:
        self.runner.state_changed.connect(self.changed)
        self.runner.reported.connect(self._on_reported)
        self.runner.failed.connect(self._on_failed)
        self.runner.finished.connect(self._on_finished)
        self._viewer.layers.events.removed.connect(self._on_layer_removed)

    def _start(self, name: str, job: Job) -> None:
        self._reporter = Reporter()
        self.progressed.emit(Progress(f"{name}…"))
        self.runner.start(name, job)

    def _on_reported(self, event: object) -> None:
        match event:
            case work.DeviceFound(device):
                self.device = device
                self.changed.emit()
            case SegmentStarted():
                self._begin_result()
            case TileDone() | PlaneDone():
                self._results.write(event)
            case TrainDone() | work.ModelOpened():
                self.model, self.model_text = event.model, describe_model(event)
                self.model_changed.emit()
        progress = self._reporter.tell(event)
        if progress is not None:
            self.progressed.emit(progress)

    def _begin_result(self) -> None:
        assert self._image is not None
        try:
            layer = self._results.begin(self._image, not_into=self._labels)
        except UnetPaintError as error:
            self.runner.stop()
            self.failed.emit(str(error))
        else:
            self.result_changed.emit(layer)

    def _on_failed(self, error: UnetPaintError) -> None:
        self.failed.emit(str(error))

    def _on_finished(self, end: JobEnd) -> None:
        self._results.end()
        if end is JobEnd.STOPPED and not self._reporter.ended:
            self.progressed.emit(Progress("Stopped."))
        self.ended.emit()

    def _on_layer_removed(self) -> None:
        """Stop a segmentation whose result nobody wants."""
        if self._results.lost:
            self.runner.stop()
