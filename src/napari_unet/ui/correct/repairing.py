"""Split, Merge and Delete: the mouse repairs objects of the result, and they become paint."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Labels
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_unet.config import Task, Unpainted
from napari_unet.engine.errors import LabelsError, UnetPaintError
from napari_unet.ui.correct.repair import (
    WHY_NOTHING,
    Line,
    Plane,
    Repair,
    Tool,
    find_repair,
)
from napari_unet.ui.correct.repair_planes import (
    require_writable,
    shown_planes,
    shown_position,
    shown_result,
)
from napari_unet.ui.correct.repair_write import Together
from napari_unet.ui.correct.used_numbers import UsedNumbers
from napari_unet.ui.layers.geometry import shows_planes
from napari_unet.ui.layers.new_labels import new_labels
from napari_unet.ui.layers.used_numbers import largest_used, note_used
from napari_unet.ui.readiness import Readiness
from napari_unet.ui.workbench import Workbench

_MODE = "pick"  # of napari: a cross as the cursor, drags do not move the view, Space still does

HOW = {
    Tool.SPLIT: "Draw a line right through an object; Esc ends.",
    Tool.MERGE: "Click two objects, or draw a line through several: the first number stays; "
    "Esc ends.",
    Tool.DELETE: "Click an object, or draw a line through several; Esc ends.",
}


class Repairing(QObject):
    """Repairs objects where the mouse clicks or draws; each repair is one undo step.

    On a result, if one is shown: the objects are repaired there, and taken whole into the labels,
    in which they override what is predicted and are learned from; undone in one of both layers,
    a repair is undone in the other, too. Else on the labels themselves. It acts on the shown plane.

    While a tool is held, the labels are the selected layer, in napari's mode *pick*; another mode
    or layer lays the tool down.
    """

    told = Signal(str)  # what was done, or how to do it
    withdrawn = Signal(str)  # what was told, and is so no more: people have undone it
    taken = Signal()  # the tool is another
    drawn = Signal(list)  # [(x, y)]: the line so far, pixels of the canvas; empty: none

    def __init__(self, workbench: Workbench) -> None:
        super().__init__()
        self.tool: Tool | None = None
        self._workbench = workbench
        self._viewer: ViewerModel = workbench.viewer
        self._together = Together(self._on_undone)
        self._words = ""  # of the last repair
        self._held: tuple[Labels, str, int] | None = None  # mode and number before
        self._numbers = UsedNumbers()
        self._waiting: tuple[Tool, list[Line]] | None = None  # until the numbers are known
        self._first: tuple[tuple[int, ...], Line] | None = None  # click of Merge, on its plane
        self._numbers.known.connect(self._on_known)
        self._numbers.failed.connect(self._on_failed)
        workbench.changed.connect(self._on_changed)
        self._on_changed()

    def why_not(self) -> str | None:
        """Return why nothing can be repaired now and what to do, None if it can."""
        chosen, ready = self._workbench.choices, Readiness.of(self._workbench)
        labels = chosen.labels
        reason = ready.why_no_image() if labels is None else ready.why_no_labels()
        if reason:
            return reason
        if chosen.task is not Task.OBJECTS:
            return "Split, Merge and Delete are for objects; repair classes with the brush."
        if labels is None and shown_result(self._workbench) is None:
            return "Segment or paint first; then objects can be split, merged and deleted."
        if labels is not None and labels.multiscale:
            return f"napari cannot paint on '{labels.name}': it has several resolutions."
        return None

    def take(self, tool: Tool) -> None:
        """Take a tool, in place of another; the same one again lays it down."""
        before, reason = self.tool, self.why_not()
        self.lay_down()
        if tool is before or reason:
            self.told.emit(reason or "")
            return
        image, labels = self._workbench.choices.image, self._workbench.choices.labels
        assert image is not None
        try:
            labels = labels or _add_labels(self._workbench)
        except UnetPaintError as error:
            self._workbench.fail(error)
            return
        self._viewer.layers.selection.active = labels
        self._held = labels, str(labels.mode), int(labels.selected_label)
        labels.mode = _MODE
        labels.events.mode.connect(self._on_left)
        self._viewer.layers.selection.events.active.connect(self._on_left)
        self._viewer.mouse_drag_callbacks.append(self._on_drag)
        self.tool = tool
        self._numbers.are_known()
        self.told.emit(HOW[tool])
        self.taken.emit()

    def lay_down(self) -> None:
        """Let go of the tool; the brush is as it was."""
        if self._held is None:
            return
        (labels, mode, number), self._held = self._held, None
        labels.events.mode.disconnect(self._on_left)
        self._viewer.layers.selection.events.active.disconnect(self._on_left)
        self._viewer.mouse_drag_callbacks.remove(self._on_drag)
        if str(labels.mode) in (_MODE, "pan_zoom"):
            labels.mode = mode
        labels.selected_label = number  # which a click in this mode picks
        self.tool, self._first, self._waiting = None, None, None
        self.drawn.emit([])
        self.told.emit("")
        self.taken.emit()

    def release(self) -> None:
        """Let go of the viewer and of all layers."""
        self._workbench.changed.disconnect(self._on_changed)
        self.lay_down()
        self._numbers.release()
        self._together.release()

    def repair(self, tool: Tool, lines: list[Line]) -> None:
        """Repair what is under lines (pixels of the labels) on the shown plane."""
        if not self._numbers.are_known():
            self._waiting = tool, lines
            return
        try:
            words = self._repair(tool, lines)
        except UnetPaintError as error:
            self._workbench.fail(error)
        else:
            self._words = words
            self.told.emit(words)

    def _on_drag(self, _viewer: ViewerModel, event: Any) -> Iterator[None]:
        """Draw a line: napari runs this from press to release."""
        if self._held is None or event.button != 1 or str(self._held[0].mode) != _MODE:
            return
        points, spots = [event.position], [event.pos]
        yield
        while event.type == "mouse_move":
            points.append(event.position)
            spots.append(event.pos)
            self.drawn.emit([(float(spot[0]), float(spot[1])) for spot in spots])
            yield
        self.drawn.emit([])
        if self._held is None or self.tool is None:  # laid down meanwhile
            return
        if not shows_planes(self._viewer):
            self.told.emit("Objects are repaired on planes: leave 3D, and show Y and X.")
            return
        labels = self._held[0]
        line = np.array([labels.world_to_data(point)[-2:] for point in points], float)
        first, self._first = self._first, None
        is_second = first is not None and first[0] == shown_position(self._workbench)
        self.repair(self.tool, [first[1], line] if first is not None and is_second else [line])

    def _repair(self, tool: Tool, lines: list[Line]) -> str:
        """Repair, and return what was done.

        Raises
        ------
        LabelsError
            If that cannot be done to this layer, or not now.
        """
        painted, *results = planes = shown_planes(self._workbench)
        order = [*results, painted]
        if results and painted.scheme.unpainted is Unpainted.BACKGROUND:
            order = planes  # what is right there counts for all of the plane
        for plane in order:
            found = find_repair(tool, plane, lines, (largest_used(plane.layer) or 0) + 1)
            if found is not None:
                repair, words = found
                return self._write(plane, painted, repair, words)
        if tool is Tool.MERGE and len(lines) == 1:
            return self._first_of_two(order, lines[0])
        return WHY_NOTHING[tool]

    def _first_of_two(self, planes: list[Plane], line: Line) -> str:
        """Remember the first click of Merge, if it is on an object."""
        for plane in planes:
            found = find_repair(Tool.DELETE, plane, [line], 0)
            if found is not None:
                self._first = shown_position(self._workbench), line
                return "Now click the object that belongs to it; Esc ends."
        return "No object is there: click on one."

    def _write(self, plane: Plane, painted: Plane, repair: Repair, words: str) -> str:
        """Write a repair, and what of it becomes paint."""
        layer, labels = plane.layer, painted.layer
        require_writable(self._workbench, plane)
        changes = [repair.change(plane)]
        becomes_paint = painted.scheme.unpainted is Unpainted.IGNORED
        if layer is not labels and becomes_paint:
            first_new = max(largest_used(labels) or 0, painted.scheme.first - 1) + 1
            changes.insert(0, repair.as_paint(painted, first_new))
        elif layer.multiscale:
            raise LabelsError(
                f"'{layer.name}' has several resolutions, of which napari keeps no history; choose "
                "unpainted = ignored, so that the repair can be undone in the labels."
            )
        if not self._together.paint(changes):
            return "Finish the stroke first."
        for change in changes:
            note_used(change.layer, int(change.after.max(initial=0)))
        if layer is labels:
            return f"{words}; undo takes it back."
        if becomes_paint:
            return (
                f"{words} in '{layer.name}', and as paint in '{labels.name}'; undo takes it back."
            )
        return (
            f"{words} in '{layer.name}'; select it to undo. It is not in '{labels.name}', where 0 "
            "is background: take the plane to train on it."
        )

    def _on_undone(self) -> None:
        self.withdrawn.emit(self._words)

    def _on_known(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self.repair(*waiting)

    def _on_failed(self, error: UnetPaintError) -> None:
        self._waiting = None
        self._workbench.fail(error)

    def _on_left(self) -> None:
        """Lay the tool down for another mode or layer; Space moves the view for a moment."""
        if self._held is None:
            return
        labels = self._held[0]
        is_selected = self._viewer.layers.selection.active is labels
        if not is_selected or str(labels.mode) not in (_MODE, "pan_zoom"):
            self.lay_down()

    def _on_changed(self) -> None:
        chosen = self._workbench.choices
        if self._held is not None and (self._held[0] is not chosen.labels or self.why_not()):
            self.lay_down()
        layers = [chosen.labels, shown_result(self._workbench)]
        self._numbers.follow(tuple(dict.fromkeys(la for la in layers if la is not None)))


def _add_labels(workbench: Workbench) -> Labels:
    labels = new_labels(workbench.choices.images)
    workbench.viewer.add_layer(labels)
    workbench.choose(labels=labels)
    return labels
