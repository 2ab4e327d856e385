"""Training: started with the choices made, shown while it runs, its model taken at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from napari.layers import Labels, Layer
from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_unet.config import NetworkConfig, ObjectsConfig, TrainConfig
from napari_unet.engine.counts import count
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
from napari_unet.ui.layers.layer_pairs import LayerPair
from napari_unet.ui.layers.painted_planes import PaintedPlanesTracker
from napari_unet.ui.layers.provenance import source_of
from napari_unet.ui.layers.several_images import SeveralImages
from napari_unet.ui.layers.stroke_folder import folder_to_keep_in
from napari_unet.ui.progress import Progress
from napari_unet.ui.runner import JobEnd, JobState
from napari_unet.ui.train import job
from napari_unet.ui.train.live_view import LiveView
from napari_unet.ui.train.pairs import TrainingPairs
from napari_unet.ui.train.preview import PreviewLayer
from napari_unet.ui.train.recovery import TrainRecovery, find_interrupted_pairs
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
    pairs: tuple[LayerPair, ...]  # that it learns from
    planes: SeveralImages  # as it numbers them
    live: LiveView
    place: Path  # in which it is kept

    def of(self, labels: Labels | None) -> int | None:
        """Return which of the pairs labels are of; None: none."""
        found = (n for n, pair in enumerate(self.pairs) if pair.labels is labels)
        return next(found, None)


class Training(QObject):
    """Trains on the labels, which may be painted on meanwhile.

    The model is put onto the workbench when training ends, whatever the reason; the preview stays
    until a segmentation begins.
    """

    reported = Signal(object)  # each event of the engine, on the main thread

    def __init__(self, workbench: Workbench) -> None:
        super().__init__()
        self.preview = PreviewLayer(workbench.viewer)
        self.pairs = TrainingPairs(workbench)
        self.sizing = Sizing(workbench)
        self.recovery = TrainRecovery(workbench)
        self._words = job.TrainingWords()  # of the run that is on, or was last
        self._end: JobEnd | None = None  # of the last run; None: there was none
        self._workbench = workbench
        self._run: _Run | None = None
        self._planes: SeveralImages | None = None  # of the run that is on, or was last
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
        reviewed, planes = self._words.reviewed, self._planes
        if reviewed is None or planes is None:
            return []
        places = [(*planes.place(plane), y, x) for plane, y, x in reviewed.missed]
        layers = self._workbench.viewer.layers
        return [
            place for place in places if place[0] in layers and planes.index(place[0]) is not None
        ]

    def where(self) -> str:
        """Return in one line where the user stands: "Training: step 120 · IoU 0.81"."""
        if self._run is not None:
            return f"{_DOING[self._workbench.runner.state]}: {self._words.where()}"
        if self._end is JobEnd.FAILED and self._is_of_chosen:
            kept = f" {self._words.where()}" if self._words.has_ended else ""
            return f"Training failed.{kept}"
        if self._words.has_ended:
            return self._words.where()
        start = self._workbench.choices.start
        if isinstance(start, CurrentModel) and start.path is None:  # by a dock that was closed
            return job.describe_training(start.model.record)
        return NOT_TRAINED

    @property
    def _is_of_chosen(self) -> bool:
        """Whether the last run was on the chosen image, too."""
        return self._planes is not None and self._workbench.choices.image in self._planes.layers

    def takes_in(self) -> str:
        """Return in one sentence which strokes the run that is on learns from; empty: none is."""
        if self._run is None or self._workbench.runner.state is not JobState.RUNNING:
            return ""
        layers = self._workbench.viewer.layers
        left = [pair.labels for pair in self._run.pairs if pair.labels in layers]
        if not left:
            return "Its labels were deleted; it goes on with what was painted on them."
        if self._workbench.choices.labels in left:
            return "New strokes are taken in as you paint."
        return f"New strokes on '{left[0].name}' are taken in."

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
        start = _start(self._workbench.choices, network)
        self._begin(self._workbench.pairs, start, config, objects, preview=preview)

    def resume(self, interrupted: Interrupted, objects: ObjectsConfig, *, preview: bool) -> None:
        """Go on with a training that was interrupted, on its images and their labels of now."""
        plan = interrupted.record.plan
        self._workbench.choose(task=plan.scheme.task, unpainted=plan.scheme.unpainted)
        try:
            pairs = find_interrupted_pairs(interrupted, self._workbench, self.pairs)
        except UnetPaintError as error:
            self._workbench.fail(error)
            return
        self._begin(pairs, plan.network, plan.config, objects, preview=preview, goes_on=interrupted)

    def _begin(
        self,
        pairs: tuple[LayerPair, ...],
        start: NetworkConfig | Model,
        config: TrainConfig,
        objects: ObjectsConfig,
        *,
        preview: bool,
        goes_on: Interrupted | None = None,
    ) -> None:
        choices, device, viewer = (
            self._workbench.choices,
            self._workbench.device,
            self._workbench.viewer,
        )
        assert pairs
        assert device is not None
        try:
            lessons = TrainingSet([pair.read() for pair in pairs])
        except UnetPaintError as error:
            self._workbench.fail(error)
            return
        for pair in pairs:
            pair.note()
        images = [pair.image for pair in pairs]
        trackers = [PaintedPlanesTracker(pair.labels, viewer) for pair in pairs]
        live = LiveView(viewer, images, trackers, objects, preview=preview)
        planes = SeveralImages(images)
        plan = TrainingPlan(
            start=start,
            scheme=choices.scheme,
            config=config,
            device=device,
            objects=live.objects,
            known=self._known(pairs, planes),
            sizes=self._workbench.sizes,
        )
        place = new_place() if goes_on is None else goes_on.path
        is_kept = goes_on is not None or folder_to_keep_in() is not None  # as strokes are
        training = job.train_on_labels(
            lessons,
            plan,
            live,
            lessons=[
                Lesson(source_of(pair.images), source_of([pair.labels]), choices.unpainted)
                for pair in pairs
            ],
            keeping=job.Keeping(place, *_names(pairs), goes_on) if is_kept else None,
        )
        run = self._run = _Run(choices, pairs, planes, live, place)
        self._words, self._planes = job.TrainingWords(), planes
        self.preview.begin(images)
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
        self.pairs.release()
        self._orphan.stop()
        self._end_run()
        self._planes = None
        self.preview.release()

    def _known(
        self, pairs: tuple[LayerPair, ...], planes: SeveralImages
    ) -> Sequence[PaintedPixels]:
        """Return what the model to go on from has learned; a new network knows nothing."""
        choices = self._workbench.choices
        if choices.model is None:
            return ()
        now = choices.scheme, choices.model.values
        known: list[PaintedPixels] = []
        for image, pair in enumerate(pairs):
            painted = self._painted.get(pair.labels)
            if painted is not None and now == (painted.scheme, painted.values):
                known += [_on(one, planes.number(image, one.plane)) for one in painted.pixels]
        return tuple(known)

    def _on_event(self, run: _Run, event: object) -> None:
        match event:
            case job.TrainingBegins():
                self._prepare_preview(run.live)
            case TrainStarted():
                self._note_held_out(run, event)
                self.sizing.note(run.pairs[0].image, event.diameter)
            case LabelsTaken():
                self._note_held_out(run, event)
            case Previewed():
                self.preview.show(event)
            case TrainDone():
                self._take_model(event, run)
        progress = self._words.tell(event)
        if progress is not None:
            self._workbench.progressed.emit(progress)
        self.reported.emit(event)

    def _prepare_preview(self, live: LiveView) -> None:
        view = live.view()
        if view is not None:
            self.preview.prepare(view)

    def _note_held_out(self, run: _Run, event: TrainStarted | LabelsTaken) -> None:
        """Tell how many blocks of the chosen labels are held out, if the run is on them."""
        pair = run.of(self._workbench.choices.labels)
        if pair is not None:
            image = run.pairs[pair].image
            places = [run.planes.place(block.plane) for block in event.held_out]
            self._workbench.held_out = sum(layer is image for layer, _ in places)
            self._workbench.changed.emit()

    def _take_model(self, event: TrainDone, run: _Run) -> None:
        scheme, values = run.choices.scheme, event.model.values
        for pair in run.pairs:
            own = [
                _on(one, plane)
                for one in event.painted
                for layer, plane in [run.planes.place(one.plane)]
                if layer is pair.image
            ]
            self._painted[pair.labels] = _Painted(scheme, values, tuple(own))
        now = datetime.now().astimezone()
        others = f" and {count(len(run.pairs) - 1, 'image')} more" if len(run.pairs) > 1 else ""
        name = f"{run.pairs[0].image.name}{others}, trained {now:%H:%M}"
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


def _on(painted: PaintedPixels, plane: int) -> PaintedPixels:
    """Return the same as of a plane of this number."""
    return painted if painted.plane == plane else replace(painted, plane=plane)


def _names(pairs: Sequence[LayerPair]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the images, and of their labels."""
    return tuple(pair.image.name for pair in pairs), tuple(pair.labels.name for pair in pairs)


def _start(choices: Choices, network: NetworkConfig | None) -> NetworkConfig | Model:
    """Return the model to go on from, or the new network."""
    if isinstance(choices.start, CurrentModel):
        return choices.start.model
    return network or choices.start
