"""Training: started with the choices made, shown while it runs, its model taken at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from napari.layers import Labels, Layer
from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_unet.config import NetworkConfig, ObjectsConfig, TrainConfig
from napari_unet.engine.errors import UnetPaintError
from napari_unet.engine.events import (
    LabelsTaken,
    PaintedPixels,
    Previewed,
    TrainDone,
    TrainStarted,
)
from napari_unet.engine.paint import LabelScheme, TrainingSet
from napari_unet.engine.training import TrainingPlan
from napari_unet.io.trained_on import Lesson
from napari_unet.io.training_places import new_place, remove_place
from napari_unet.ui.layers.inputs import image_planes, lesson_planes
from napari_unet.ui.layers.painted_planes import PaintedPlanesTracker
from napari_unet.ui.layers.provenance import source_of
from napari_unet.ui.layers.shown_data import ShownData
from napari_unet.ui.layers.stroke_folder import folder_to_keep_in
from napari_unet.ui.progress import Progress
from napari_unet.ui.runner import JobEnd, JobState
from napari_unet.ui.train import job
from napari_unet.ui.train.live_view import LiveView
from napari_unet.ui.train.preview import PreviewLayer
from napari_unet.ui.train.recovery import TrainRecovery
from napari_unet.ui.train.sizing import Sizing
from napari_unet.ui.workbench import Choices, CurrentModel, Workbench

if TYPE_CHECKING:
    from napari_unet.engine.network import Model
    from napari_unet.io.interrupted import Interrupted


NOT_TRAINED = "Not trained yet"
_DOING = {
    JobState.IDLE: "Training",  # for a moment, before the end is told
    JobState.RUNNING: "Training",
    JobState.PAUSED: "Paused",
    JobState.CANCELLING: "Stopping",
}


@dataclass(frozen=True, slots=True, eq=False)
class _Painted:
    """What a model has learned from a labels layer, and how it was read."""

    scheme: LabelScheme
    values: tuple[int, ...]  # label value of each class
    pixels: Sequence[PaintedPixels]


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """What a run was started with."""

    choices: Choices
    live: LiveView
    place: Path  # in which it is kept


class Training(QObject):
    """Trains on the labels, which may be painted on meanwhile.

    The model is put onto the workbench when training ends, whatever the reason; the preview stays
    until a segmentation begins.
    """

    reported = Signal(object)  # each event of the engine, on the main thread

    def __init__(self, workbench: Workbench) -> None:
        super().__init__()
        self.preview = PreviewLayer(workbench.viewer)
        self.sizing = Sizing(workbench)
        self.recovery = TrainRecovery(workbench)
        self._words = job.TrainingWords()  # of the run that is on, or was last
        self._end: JobEnd | None = None  # of the last run; None: there was none
        self._workbench = workbench
        self._run: _Run | None = None
        self._image: Layer | None = None  # of the run that is on, or was last
        self._seen: ShownData | None = None  # of it
        self._orphan = QTimer(self)  # napari may be in the midst of removing several layers
        self._orphan.setSingleShot(True)
        self._orphan.timeout.connect(self._remove_orphan)
        self._painted: WeakKeyDictionary[Labels, _Painted] = WeakKeyDictionary()
        workbench.viewer.layers.events.removed.connect(self._on_layer_removed)

    @property
    def is_running(self) -> bool:
        """Whether the job that runs is a training."""
        return self._run is not None

    @property
    def missed(self) -> list[tuple[Layer, int, slice, slice]]:
        """Image, plane, y and x of the painted objects that the trained network has not found."""
        reviewed, image = self._words.reviewed, self._image
        if reviewed is None or image is None or image not in self._workbench.viewer.layers:
            return []
        if self._seen is None or not self._seen.is_shown:
            return []
        return [(image, *place) for place in reviewed.missed]

    def where(self) -> str:
        """Return in one line where the user stands: "Training: step 120 · IoU 0.81"."""
        if self._run is not None:
            return f"{_DOING[self._workbench.runner.state]}: {self._words.where()}"
        if self._end is JobEnd.FAILED and self._image is self._workbench.choices.image:
            kept = f" {self._words.where()}" if self._words.has_ended else ""
            return f"Training failed.{kept}"
        if self._words.has_ended:
            return self._words.where()
        start = self._workbench.choices.start
        if isinstance(start, CurrentModel) and start.path is None:  # by a dock that was closed
            return job.describe_training(start.model.record)
        return NOT_TRAINED

    def takes_in(self) -> str:
        """Return in one sentence which strokes the run that is on learns from; empty: none is."""
        if self._run is None or self._workbench.runner.state is not JobState.RUNNING:
            return ""
        labels, layers = self._run.choices.labels, self._workbench.viewer.layers
        if labels is None or labels not in layers:
            return "Its labels were deleted; it goes on with what was painted on them."
        if labels == self._workbench.choices.labels:
            return "New strokes are taken in as you paint."
        return f"New strokes on '{labels.name}' are taken in."

    def start(
        self,
        config: TrainConfig,
        objects: ObjectsConfig,
        *,
        network: NetworkConfig | None = None,
        preview: bool = True,
    ) -> None:
        """Train with the workbench's choices.

        Parameters
        ----------
        config, objects
            How to train, and how previews are cut into objects at first.
        network
            The new network, if one is chosen; None: as it was chosen.
        preview
            Whether what is visible is segmented every few seconds.
        """
        choices = self._workbench.choices
        self._begin(choices, _start(choices, network), config, objects, preview=preview)

    def resume(self, interrupted: Interrupted, objects: ObjectsConfig, *, preview: bool) -> None:
        """Go on with a training that was interrupted, on the workbench's image and labels."""
        plan = interrupted.record.plan
        self._workbench.choose(task=plan.scheme.task, unpainted=plan.scheme.unpainted)
        choices = self._workbench.choices
        self._begin(
            choices, plan.network, plan.config, objects, preview=preview, goes_on=interrupted
        )

    def _begin(
        self,
        choices: Choices,
        start: NetworkConfig | Model,
        config: TrainConfig,
        objects: ObjectsConfig,
        *,
        preview: bool,
        goes_on: Interrupted | None = None,
    ) -> None:
        labels, image, device = choices.labels, choices.image, self._workbench.device
        assert image is not None
        assert labels is not None
        assert device is not None
        try:
            pairs = TrainingSet.of((image_planes(choices.images), lesson_planes(labels)))
        except UnetPaintError as error:
            self._workbench.fail(error)
            return
        viewer = self._workbench.viewer
        tracker = PaintedPlanesTracker(labels, viewer)
        live = LiveView(viewer, image, tracker, objects, preview=preview)
        plan = TrainingPlan(
            start=start,
            scheme=choices.scheme,
            config=config,
            device=device,
            objects=live.objects,
            known=self._known(choices),
            sizes=self._workbench.sizes,
        )
        sources = source_of(choices.images), source_of([labels])
        lessons = [Lesson(*sources, choices.unpainted)]
        place = new_place() if goes_on is None else goes_on.path
        is_kept = goes_on is not None or folder_to_keep_in() is not None  # as strokes are
        keeping = job.Keeping(place, (image.name,), (labels.name,), goes_on) if is_kept else None
        training = job.train_on_labels(pairs, plan, live, lessons=lessons, keeping=keeping)
        run = self._run = _Run(choices, live, place)
        self._words, self._image = job.TrainingWords(), image
        self._seen = ShownData(choices.images)
        self.preview.begin(image)
        self._workbench.run("Training", training, partial(self._on_event, run), self._on_end)

    def watch(self, on: bool) -> None:  # noqa: FBT001 a slot
        """Let the run that is on preview what is visible, or no more."""
        if self._run is not None:
            self._run.live.watch(on)

    def cut_previews(self, objects: ObjectsConfig) -> None:
        """Cut the previews of the run that is on so from now on."""
        if self._run is not None:
            self._run.live.cut(objects)

    def release(self) -> None:
        """Let go of the viewer, the labels and the preview, which stays."""
        self._workbench.viewer.layers.events.removed.disconnect(self._on_layer_removed)
        self.recovery.release()
        self._orphan.stop()
        self._end_run()
        self._image, self._seen = None, None
        self.preview.release()

    def _known(self, choices: Choices) -> Sequence[PaintedPixels]:
        """Return what the model to go on from has learned; a new network knows nothing."""
        assert choices.labels is not None
        painted = self._painted.get(choices.labels)
        if choices.model is None or painted is None:
            return ()
        now = choices.scheme, choices.model.values
        return painted.pixels if now == (painted.scheme, painted.values) else ()

    def _on_event(self, run: _Run, event: object) -> None:
        match event:
            case job.TrainingBegins():
                self._prepare_preview(run.live)
            case TrainStarted():
                self._note_held_out(run, len(event.held_out))
                self._note_size(run, event)
            case LabelsTaken():
                self._note_held_out(run, len(event.held_out))
            case Previewed():
                self.preview.show(event)
            case TrainDone():
                self._take_model(event, run.choices)
        progress = self._words.tell(event)
        if progress is not None:
            self._workbench.progressed.emit(progress)
        self.reported.emit(event)

    def _prepare_preview(self, live: LiveView) -> None:
        view = live.view()
        if view is not None:
            self.preview.prepare(view)

    def _note_held_out(self, run: _Run, blocks: int) -> None:
        """Tell how many blocks of the chosen labels are held out, if they are those of the run."""
        if run.choices.labels is self._workbench.choices.labels:
            self._workbench.held_out = blocks
            self._workbench.changed.emit()

    def _note_size(self, run: _Run, event: TrainStarted) -> None:
        assert run.choices.image is not None
        self.sizing.note(run.choices.image, event.diameter)

    def _take_model(self, event: TrainDone, choices: Choices) -> None:
        assert choices.image is not None
        assert choices.labels is not None
        self._painted[choices.labels] = _Painted(choices.scheme, event.model.values, event.painted)
        now = datetime.now().astimezone()
        name = f"{choices.image.name}, trained {now:%H:%M}"
        self._workbench.choose(start=CurrentModel(name, event.model))

    def _on_end(self, end: JobEnd) -> None:
        if end is JobEnd.STOPPED and self._run is not None:
            remove_place(self._run.place)  # its model is there to train on
        self._end_run()
        self.recovery.look()
        self.preview.end()
        self._end = end
        if end is JobEnd.STOPPED and not self._words.has_ended:
            self._workbench.progressed.emit(Progress("Stopped before the first step."))
        self._workbench.changed.emit()

    def _on_layer_removed(self) -> None:
        """Let the preview go with its image, and tell which strokes are taken in now."""
        if self.preview.is_orphan:
            self._orphan.start(0)
        if self._run is not None:
            self._workbench.changed.emit()

    def _remove_orphan(self) -> None:
        if self.preview.is_orphan:  # not if the image is back already
            self.preview.remove()

    def _end_run(self) -> None:
        run, self._run = self._run, None
        if run is not None:
            run.live.release()


def _start(choices: Choices, network: NetworkConfig | None) -> NetworkConfig | Model:
    """Return the model to go on from, or the new network."""
    if isinstance(choices.start, CurrentModel):
        return choices.start.model
    return network or choices.start
