"""Takes a plane of the prediction into the labels, to be corrected there."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, NamedTuple

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import QObject, Qt, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QGuiApplication

from napari_unet.config import Task
from napari_unet.engine.counts import count
from napari_unet.engine.errors import EngineError, LabelsError, UnetPaintError
from napari_unet.engine.paint import LabelScheme
from napari_unet.io.unfinished import unfinished_in
from napari_unet.ui.correct.outlining import Outlining
from napari_unet.ui.correct.part import Part, Wanted
from napari_unet.ui.correct.take_over import (
    Overlap,
    Values,
    find_overlap,
    largest_number,
    paint_in,
    to_paint,
)
from napari_unet.ui.correct.undo_step import UndoStep
from napari_unet.ui.layers.added import Purpose, purpose
from napari_unet.ui.layers.follower import Follower
from napari_unet.ui.layers.geometry import focus, full_resolution
from napari_unet.ui.layers.in_view import in_view
from napari_unet.ui.layers.new_labels import new_labels
from napari_unet.ui.layers.used_numbers import largest_used
from napari_unet.ui.parts import keys
from napari_unet.ui.readiness import Readiness
from napari_unet.ui.runner import JobState
from napari_unet.ui.workbench import Workbench
from napari_unet.ui.worker import begin_short

_NO_OBJECT = (
    f"No object is under the cursor: point at one in the image, and press {keys.TAKE_OBJECT}."
)
_NOT_IN_VIEW = "No object is whole in view; zoom out until those that you want are."
_ALL = {
    Part.PLANE: "All of this plane",
    Part.VIEW: "All that is whole in view",
    Part.OBJECT: "All of this object",
}
_STEP_MS = 1  # between two parts, so that the event loop goes on


class _Request(NamedTuple):
    """What is taken, and where it goes."""

    prediction: Labels
    labels: Labels
    overlap: Overlap
    wanted: Wanted
    scheme: LabelScheme


class _WorkedOut(NamedTuple):
    """What is to be painted."""

    values: Values
    objects: int  # of task objects


class Correcting(QObject):
    """Takes predictions. Works beside any job: in a thread of its own, then on the main thread."""

    told = Signal(str)  # what was done; empty while it is under way
    withdrawn = Signal(str)  # what was told, and is so no more: people have undone it

    def __init__(self, workbench: Workbench) -> None:
        super().__init__()
        self.workbench = workbench
        self._worker: Any = None  # works out what to paint
        self._request: _Request | None = None
        self._objects = 0  # that are taken
        self._painting: Generator[bool, None, UndoStep | None] | None = None
        self._taken: tuple[UndoStep, str] | None = None  # and what was told of it
        self._undo_watch = Follower(self._on_drawn, "set_data")  # napari does not tell of an undo
        self._outlining = Outlining(workbench)
        self._timer = QTimer(self)
        self._timer.setInterval(_STEP_MS)
        self._timer.timeout.connect(self._paint_on)

    @property
    def is_taking(self) -> bool:
        """Whether a prediction is being taken."""
        return self._request is not None

    @property
    def prediction(self) -> Labels | None:
        """The layer that is taken from: while a model trains its preview, else the result."""
        chosen, runner = self.workbench.choices, self.workbench.runner
        result = chosen.result if isinstance(chosen.result, Labels) else None
        layers = self.workbench.viewer.layers
        # One that is not visible has perhaps nothing to show yet.
        previews = [la for la in layers if purpose(la) is Purpose.PREVIEW and la.visible]
        preview = next((layer for layer in previews if isinstance(layer, Labels)), None)
        is_training = runner.state is not JobState.IDLE and runner.job_name == "Training"
        return (preview or result) if is_training else (result or preview)

    def why_not_take(self) -> str | None:
        """Return why nothing can be taken now and what to do, None if it can."""
        ready, chosen = Readiness.of(self.workbench), self.workbench.choices
        reason = ready.why_no_image()
        if reason or self.is_taking:
            return reason or "The prediction is being taken."
        prediction = self.prediction
        if prediction is None:
            return "Segment first, as labels or classes; then take a plane of it to correct."
        if chosen.labels is not None and prediction is chosen.labels:
            return f"You paint on '{chosen.labels.name}' itself; correct it, then train on it."
        return ready.why_no_labels() if chosen.labels is not None else None

    def take(self, part: Part) -> None:
        """Take a part of the shown plane of the prediction, where nothing is painted.

        One step of the undo history. Makes a labels layer if none is chosen.
        """
        chosen, prediction = self.workbench.choices, self.prediction
        assert chosen.image is not None
        assert prediction is not None
        try:
            labels = chosen.labels or self._add_labels()
            position = focus(self.workbench.viewer, labels)[:-2]
            overlap = find_overlap(prediction, labels, position)
            if overlap is None:
                raise LabelsError(
                    f"'{prediction.name}' shows nothing on this plane; segment it first, or "
                    "choose another result."
                )
            wanted = self._wanted(part, labels, overlap)
            if overlap.plane_in(prediction) in unfinished_in(prediction.metadata):
                raise LabelsError(
                    f"This plane of '{prediction.name}' is not segmented to its end; segment it "
                    "first, as what is missing would be taken for background."
                )
        except UnetPaintError as error:
            self.workbench.fail(error)
            return
        self._request = _Request(prediction, labels, overlap, wanted, chosen.scheme)
        self.told.emit("")
        self._worker = begin_short(
            _work_out,
            self._request,
            connect={"returned": self._on_worked_out, "errored": self._on_errored},
        )

    def release(self) -> None:
        """Finish what is half painted, unless a stroke is in the way, and tell nothing more."""
        if self._worker is not None:
            self._worker.returned.disconnect(self._on_worked_out)
            self._worker.errored.disconnect(self._on_errored)
        self._timer.stop()
        for has_begun in self._painting or ():
            if not has_begun:
                break
        self._worker, self._request, self._painting = None, None, None
        self._undo_watch.release()
        self._outlining.release()

    def _add_labels(self) -> Labels:
        labels = new_labels(self.workbench.choices.images)
        self.workbench.viewer.add_layer(labels)
        self.workbench.choose(labels=labels)
        return labels

    def _wanted(self, part: Part, labels: Labels, overlap: Overlap) -> Wanted:
        """Return what is taken, in the pixels of the overlap."""
        viewer = self.workbench.viewer
        if part is Part.PLANE:
            return Wanted(part)
        view = in_view(viewer, labels)
        if part is Part.OBJECT and view is not None:
            at = np.round(labels.world_to_data(viewer.cursor.position)[-2:]).astype(int).tolist()
            boxes = [slice(i, i + 1) for i in at]
        else:
            boxes = [] if view is None else [view.y, view.x]
        moved = [
            slice(max(0, box.start - side.start), min(box.stop, side.stop) - side.start)
            for box, side in zip(boxes, (overlap.y, overlap.x), strict=False)
        ]
        if not moved or any(box.start >= box.stop for box in moved):
            raise LabelsError(_NO_OBJECT if part is Part.OBJECT else _NOT_IN_VIEW)
        return Wanted(part, (moved[0], moved[1]))

    def _on_worked_out(self, worked_out: _WorkedOut) -> None:
        self._worker = None
        assert self._request is not None
        self._objects = worked_out.objects
        self._painting = paint_in(self._request.labels, self._request.overlap, worked_out.values)
        self._timer.start()

    def _paint_on(self) -> None:
        assert self._painting is not None
        if QGuiApplication.mouseButtons() != Qt.MouseButton.NoButton:
            return  # perhaps a stroke, which it must not become a part of
        try:
            next(self._painting)
        except StopIteration as end:
            self._end(self._in_words(end.value), end.value)
        except UnetPaintError as error:
            self._end("")
            self.workbench.fail(error)

    def _on_errored(self, error: Exception) -> None:
        self._worker = None
        self._end("")
        if not isinstance(error, UnetPaintError):
            error = EngineError(f"The prediction cannot be read ({error}). Please report it.")
        self.workbench.fail(error)

    def _in_words(self, step: UndoStep | None) -> str:
        """Return what was done in a step; None: it was undone meanwhile."""
        assert self._request is not None
        name, part = self._request.labels.name, self._request.wanted.part
        if step is None:
            return f"Nothing was taken into '{name}': it was undone."
        if not step.pixels:
            return f"{_ALL[part]} is painted already in '{name}'."
        if part is Part.OBJECT:
            return f"Took this object into '{name}'; undo takes it back."
        is_objects = self._request.scheme.task is Task.OBJECTS
        what = count(self._objects, "object") if is_objects else count(step.pixels, "pixel")
        return (
            f"Took {what} into '{name}'; undo takes all of it back. {_ALL[part]} counts as right "
            "now, though nobody may have looked at it: repair what is wrong before you train."
        )

    def _end(self, line: str, step: UndoStep | None = None) -> None:
        assert self._request is not None
        self._timer.stop()
        is_painted = step is not None and step.has_begun
        self._undo_watch.follow([self._request.labels] if is_painted else [])
        self._taken = (step, line) if step is not None else None
        self._request, self._painting = None, None
        self.told.emit(line)

    def _on_drawn(self) -> None:
        if self._taken is not None and self._taken[0].was_undone:
            self.withdrawn.emit(self._taken[1])


def _work_out(request: _Request) -> _WorkedOut:
    """Return what to paint; reads the layers, in a thread of its own.

    Raises
    ------
    LabelsError
        If nothing is predicted on this plane, or no object is under the cursor.
    """
    overlap = request.overlap
    prediction = np.asarray(full_resolution(request.prediction)[overlap.source])
    if not prediction.any():
        raise LabelsError(
            f"'{request.prediction.name}' is empty on this plane; segment it first. If nothing is "
            "to be found there, paint some background by hand."
        )
    scheme = request.scheme
    prediction, mask = request.wanted.within(prediction, scheme.task)
    if not mask.any():
        raise LabelsError(_NO_OBJECT if request.wanted.part is Part.OBJECT else _NOT_IN_VIEW)
    data = full_resolution(request.labels)
    painted = np.asarray(data[(*overlap.position, overlap.y, overlap.x)])
    largest = largest_used(request.labels) or 0
    if scheme.task is Task.OBJECTS:
        largest = max(largest, largest_number(request.labels))
    values = to_paint(prediction, painted, scheme=scheme, largest=largest)
    values[~mask] = 0
    taken = np.unique(values[values >= scheme.first])
    return _WorkedOut(values, len(taken))
