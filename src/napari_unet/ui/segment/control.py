"""Segments a plane, a stack or several layers, and goes on where it was stopped."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum, auto
from typing import Any, NamedTuple
from weakref import ref

from napari.layers import Image, Labels, Layer
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_unet.config import ObjectsConfig, OutputKind, TilingConfig, Unpainted
from napari_unet.engine.events import PlaneDone, Resume, SegmentDone, TileDone
from napari_unet.engine.prediction import SegmentationPlan
from napari_unet.ui.layers.added import is_result, note_overridden, other_image
from napari_unet.ui.layers.geometry import looked_at, spatial_shape
from napari_unet.ui.layers.inputs import image_planes, lesson_planes
from napari_unet.ui.layers.paint_event import largest_painted, painted_planes
from napari_unet.ui.readiness import Readiness
from napari_unet.ui.runner import JobEnd, JobState
from napari_unet.ui.segment import job
from napari_unet.ui.segment.keeping import Earlier, keep
from napari_unet.ui.segment.pieces import Pieces
from napari_unet.ui.segment.record import Recipe, Record, channel_names, summarise
from napari_unet.ui.segment.result import Result
from napari_unet.ui.segment.stream import ResultStream
from napari_unet.ui.workbench import CurrentModel, Workbench


class Scope(Enum):
    """What is segmented."""

    PLANE = auto()  # the shown plane of the chosen image
    STACK = auto()  # the chosen image
    LAYERS = auto()  # the image layers selected in the layer list, one after the other


class _Asked(NamedTuple):
    """One image that is waiting or under way."""

    record: Record
    recipe: Recipe
    plane: int | None  # the only one; None: all that are missing


class Segmentation(QObject):
    """Starts segmentations and keeps their results. Layers are touched on the main thread only."""

    told = Signal()  # `summary` or `is_running` has changed
    began = Signal()  # a result is about to fill
    went_on = Signal(object)  # with the work of an earlier session, made as this `Basis` says

    def __init__(self, workbench: Workbench) -> None:
        super().__init__()
        self.workbench = workbench
        self.stream = ResultStream(workbench.viewer)
        self._records: list[Record] = []  # whose layers are there
        self._asked: list[_Asked] = []
        self._turn: Record | None = None  # that is being filled
        self._timer = job.TurnTimer(0)
        self._running = False
        self.pieces = Pieces(self)
        workbench.runner.state_changed.connect(self._on_state_changed)
        workbench.viewer.layers.events.removed.connect(self._on_layer_removed)
        workbench.exported.connect(self._on_exported)

    @property
    def is_running(self) -> bool:
        """Whether the job that runs is a segmentation."""
        return self._running

    @property
    def last(self) -> list[Record]:
        """What is left of the last segmentation, a result per image."""
        return [asked.record for asked in self._asked if asked.record in self._records]

    @property
    def summary(self) -> str:
        """How far the last segmentation is, in words; empty if nothing of it is left."""
        later = "The pieces change when nothing else runs." if self.pieces.waits else ""
        return "\n".join(filter(None, (summarise(self.last), later)))

    @property
    def missed(self) -> list[tuple[Image, int, slice, slice]]:
        """Image, plane, y and x of the painted objects that the network itself has not found."""
        current = (record for record in self.last if not record.outdated)
        return [(record.recipe.images[0], *place) for record in current for place in record.missed]

    def targets(self, scope: Scope) -> list[tuple[Image, ...]]:
        """Return what would be segmented; each with all its channels."""
        if scope is not Scope.LAYERS:
            return [self.workbench.choices.images]
        selected = self.workbench.viewer.layers.selection
        return [
            (layer,)
            for layer in self.workbench.viewer.layers
            if layer in selected and isinstance(layer, Image) and not is_result(layer)
        ]

    def why_not(self, scope: Scope) -> str | None:
        """Return why it cannot start now and what to do, None if it can."""
        ready, targets = Readiness.of(self.workbench), self.targets(scope)
        if scope is Scope.LAYERS and targets:
            of_each = (replace(ready, choices=replace(ready.choices, images=t)) for t in targets)
            return next(filter(None, (one.why_not_segment() for one in of_each)), None)
        reason = ready.why_not_segment()
        if reason or scope is not Scope.LAYERS:
            return reason
        return "Select image layers in napari's layer list: hold Ctrl (⌘) and click them."

    def missing(
        self,
        scope: Scope,
        kind: OutputKind,
        tiling: TilingConfig,
        objects: ObjectsConfig,
        *,
        overrides: bool = True,
    ) -> int | None:
        """Return how many planes are left if `start` would go on, None if it would start anew."""
        model = self.workbench.choices.model
        if model is None or scope is Scope.PLANE:
            return None
        plan, lefts = SegmentationPlan(model, objects, tiling, kind), []
        for images in self.targets(scope):
            if not images:
                return None
            painted = self._painted_on(images, kind) if overrides else None
            recipe = Recipe(images, plan, painted and ref(painted))
            record = self._to_go_on(recipe, None)
            lefts.append((recipe.planes, record.missing if record else recipe.planes))
        left = sum(missing for _, missing in lefts)
        return left if left < sum(planes for planes, _ in lefts) else None

    def start(
        self,
        scope: Scope,
        kind: OutputKind,
        tiling: TilingConfig,
        objects: ObjectsConfig,
        *,
        overrides: bool = True,
        anew: bool = False,
    ) -> None:
        """Segment, going on where an equal run has ended, unless it is to begin `anew`.

        What is painted on the image overrides what is predicted, if `overrides`; people may go on
        painting, and each plane is read when it is done.

        Planes that were corrected by hand are kept: where a run starts anew, in a layer of their
        own. The shown plane alone goes into the result that is there, whatever made it.
        """
        choices = self.workbench.choices
        assert choices.model is not None
        plan = SegmentationPlan(choices.model, objects, tiling, kind)
        self._asked, turns = [], []
        for images in self.targets(scope):
            painted = self._painted_on(images, kind) if overrides else None
            recipe = Recipe(images, plan, painted and ref(painted))
            where = looked_at(self.workbench.viewer, images[0])
            plane = where[0] if scope is Scope.PLANE else None
            record = None if anew else self._to_go_on(recipe, plane)
            resume = record.resume(recipe, plane) if record else Resume()
            record = record or Record(recipe, self._new_result(recipe))
            turn = self._as_turn(record, recipe, resume)
            if plane is not None:
                turn = replace(turn, numbers=(plane,))
            else:
                record.kept = record.kept or keep(turn, recipe, choices.start)
                turn = replace(turn, kept=record.kept)
            self._asked.append(_Asked(record, recipe, plane))
            turns.append(turn)
        self._run(turns)

    def go_on(self, earlier: Earlier) -> None:
        """Go on with the work of an earlier session, as if that had not ended."""
        kept, basis = earlier.record, earlier.record.basis
        images = self.workbench.choices.images
        model = earlier.model.model
        self.workbench.choose(start=earlier.model, task=model.task)
        self.went_on.emit(basis)
        painted = self._painted_on(images, basis.kind) if kept.painted else None
        plan = SegmentationPlan(model, basis.objects, basis.tiling, basis.kind)
        recipe = Recipe(images, plan, painted and ref(painted))
        record = Record(recipe, self._new_result(recipe), kept=earlier.work)
        self._asked = [_Asked(record, recipe, None)]
        turn = self._as_turn(record, recipe, Resume(largest=kept.largest))
        rest = [plane for plane in range(recipe.planes) if plane not in kept.order]
        numbers, tiled = (*kept.order, *rest), plan.with_side(kept.side)
        self._run([replace(turn, plan=tiled, numbers=numbers, kept=earlier.work)])

    def _as_turn(self, record: Record, recipe: Recipe, resume: Resume) -> job.Turn:
        """Return what segments all planes that are left."""
        device, start = self.workbench.device, self.workbench.choices.start
        assert device is not None
        painted = recipe.painted and recipe.painted()
        return job.Turn(
            plan=recipe.plan,
            planes=image_planes(recipe.images),
            device=device,
            numbers=None,
            focus=looked_at(self.workbench.viewer, recipe.images[0]),
            resume=resume,
            painted=None if painted is None else lesson_planes(painted),
            sink=record.result,
            current=start if isinstance(start, CurrentModel) else None,
        )

    def _run(self, turns: list[job.Turn]) -> None:
        self._timer = job.TurnTimer(len(turns))
        self._running = True
        self.workbench.run("Segmenting", job.segment_images(turns), self._on_event, self._on_end)

    def pause(self) -> None:
        """Wait after the current tile."""
        if self._running:
            self.workbench.runner.pause()

    def resume(self) -> None:
        """Go on after a pause."""
        if self._running:
            self.workbench.runner.resume()

    def release(self) -> None:
        """Let go of the viewer and of all layers; they stay in the viewer."""
        self.workbench.viewer.layers.events.removed.disconnect(self._on_layer_removed)
        self.workbench.exported.disconnect(self._on_exported)
        self.pieces.release()
        self.stream.end()
        for record in list(self._records):
            if record.missing and record.kept is not None:
                record.kept.leave()  # for the next dock
                record.kept = None
            self._forget(record)
        self._asked, self._turn = [], None

    def _painted_on(self, images: tuple[Image, ...], kind: OutputKind) -> Labels | None:
        """Return the labels that override what is predicted on these images; None: none do.

        Labels of which one cannot tell what they mean do not: those of which 0 is perhaps the
        background, those of another task than the model's, and those made on another image.
        """
        choices = self.workbench.choices
        means_paint = (
            choices.unpainted is Unpainted.IGNORED
            and kind is not OutputKind.PROBABILITIES
            and choices.model is not None
            and choices.model.task is choices.task
            and self.workbench.painted is not None
            and Readiness.of(self.workbench).why_no_paint() is None
        )
        is_elsewhere = other_image(self.workbench.viewer, choices.labels, choices.images)
        belongs = is_elsewhere is None and not set(images).isdisjoint(choices.images)
        return choices.labels if means_paint and belongs else None

    def _find(self, images: tuple[Image, ...], kind: OutputKind) -> Record | None:
        """Return the result of these images that is still shown as it was made."""
        for record in reversed(self._records):
            recipe = record.recipe
            if recipe.images != images or recipe.plan.kind is not kind:
                continue
            if self.holds(record):
                return record
        return None

    def holds(self, record: Record) -> bool:
        """Return True if a result is still shown as it was made, and nobody paints on it."""
        painted_on = self.workbench.choices.labels in record.result.layers
        return not painted_on and record.result.holds(self.workbench.viewer.layers)

    def _to_go_on(self, recipe: Recipe, plane: int | None) -> Record | None:
        """Return the result that a run adds to; None: it makes one or replaces one."""
        record = self._find(recipe.images, recipe.plan.kind)
        if record is None or record.result.channels != channel_names(recipe.plan):
            return None
        if plane is not None:
            return None if plane in record.result.edited else record
        return record if record.recipe.makes_same(recipe) and record.missing else None

    def _new_result(self, recipe: Recipe) -> Result:
        channels = channel_names(recipe.plan)
        before = self._find(recipe.images, recipe.plan.kind)
        if before and before.result.is_untouched() and before.result.channels == channels:
            layers, names = before.result.layers, before.result.names
        else:
            layers, names = (), ()
        return Result(recipe.images[0], recipe.plan.kind, channels, layers, names)

    def _on_event(self, event: object) -> None:
        if self._turn:
            self._turn.making.note(event)
        match event:
            case job.TurnStarted(number):
                self._begin(self._asked[number])
            case TileDone():
                self.stream.show(event)
            case PlaneDone() if self._turn:
                self._turn.finish(event)
                self.stream.show(event)
                self.told.emit()
            case SegmentDone() if self._turn:
                self._turn.seconds += self._timer.lap()
                self.told.emit()
        progress = self._timer.tell(event)
        if progress is not None:
            self.workbench.progressed.emit(progress)

    def _begin(self, asked: _Asked) -> None:
        record, recipe, plane = asked
        self.stream.end()  # of the image before
        for other in list(self._records):  # whose layers are filled anew
            if other is not record and set(other.result.layers) & set(record.result.layers):
                self._forget(other)
        self.stream.begin(record.result, painted=self.workbench.choices.labels)
        record.begin(recipe, plane)
        for layer in record.result.layers:
            note_overridden(layer, recipe.painted and recipe.painted())
        if record not in self._records:
            self._records.append(record)
            for layer in record.result.layers:
                if isinstance(layer, Labels):
                    layer.events.paint.connect(self._on_paint)
        self._turn = record
        self.workbench.choose(result=record.result.layers[0])
        self.began.emit()
        self.told.emit()

    def _on_state_changed(self, state: JobState) -> None:
        if state is JobState.PAUSED:
            self._timer.pause()
        else:
            self._timer.resume()

    def _on_end(self, _end: JobEnd) -> None:
        self.stream.end()
        for asked in self._asked:
            if asked.record in self._records:
                asked.record.note_provenance()
        self._running, self._turn = False, None
        self.told.emit()

    def _on_paint(self, event: Any) -> None:
        for record in self._records:
            if event.source in record.result.layers:
                leading = spatial_shape(event.source)[:-2]
                record.correct(painted_planes(event.value, leading), largest_painted(event.value))

    def _on_layer_removed(self) -> None:
        """Stop a segmentation whose result nobody wants, and keep no layer alive."""
        if self._running and self.stream.lost:
            self.workbench.runner.stop()
        layers = self.workbench.viewer.layers
        for record in list(self._records):
            gone = any(layer not in layers for layer in record.result.layers)
            if gone or any(image not in layers for image in record.recipe.images):
                self._forget(record)
        self._asked = [a for a in self._asked if self._running or a.record in self._records]
        self.told.emit()

    def _on_exported(self, layer: Layer, _when: float) -> None:
        """Keep no result that is in a file, if it is whole."""
        for record in self._records:
            if layer in record.result.layers and not record.missing:
                record.drop_kept()

    def _forget(self, record: Record) -> None:
        self._records.remove(record)
        record.drop_kept()
        for layer in record.result.layers:
            if isinstance(layer, Labels):
                layer.events.paint.disconnect(self._on_paint)
