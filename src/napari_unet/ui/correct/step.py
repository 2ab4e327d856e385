"""The step Correct: take a prediction to mend it, or go where painting helps most."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtWidgets import QHBoxLayout, QPushButton

from napari_unet.config import ObjectsConfig, Task, Unpainted
from napari_unet.ui.correct.control import Correcting
from napari_unet.ui.correct.part import Part
from napari_unet.ui.correct.repair_row import RepairRow
from napari_unet.ui.correct.repairing import Repairing
from napari_unet.ui.correct.suggesting import Suggesting
from napari_unet.ui.parts import keys
from napari_unet.ui.parts.action import set_ready
from napari_unet.ui.parts.pickers import Picker
from napari_unet.ui.parts.step import Step
from napari_unet.ui.parts.text import Text
from napari_unet.ui.workbench import Choices, Workbench

_FIRST_STROKES = {
    (Task.OBJECTS, Unpainted.IGNORED): "Paint a little background and two or three objects.",
    (Task.OBJECTS, Unpainted.BACKGROUND): "Paint all objects of one plane.",
    (Task.CLASSES, Unpainted.IGNORED): "Paint a little of each class.",
    (Task.CLASSES, Unpainted.BACKGROUND): "Paint all of each class on one plane.",
}


_PARTS = {"In view": Part.VIEW, "Whole plane": Part.PLANE}
_WHAT = {Part.PLANE: "the shown plane", Part.VIEW: "what is whole in view"}
_PART = "The objects that are whole in view and what is between them, or all of the shown plane."
_UNSEEN = "Takes all of this plane as right, also what nobody has looked at."


class CorrectStep(Step):
    """Brings the user to the next stroke that helps.

    Parameters
    ----------
    workbench, correcting, suggesting, repairing
        What is chosen, and what works on it.
    objects
        Gives the settings by which foreground is cut into objects.
    """

    def __init__(
        self,
        workbench: Workbench,
        correcting: Correcting,
        suggesting: Suggesting,
        repairing: Repairing,
        objects: Callable[[], ObjectsConfig] = ObjectsConfig,
    ) -> None:
        super().__init__(workbench, "Correct")
        self.correcting = correcting
        self.suggesting = suggesting
        self._objects = objects
        self.coaching = Text()
        self.take = QPushButton("Take prediction")
        self.part = Picker(_PART)
        self.suggest = QPushButton("Suggest where to paint next")
        self.key = Text()
        self.repair = RepairRow(
            workbench, repairing, {keys.TAKE_OBJECT: self._on_take_object_pressed}
        )
        self.unseen = Text(_UNSEEN)
        self.hint = Text()
        self._told_of: tuple[Any, Any] = (None, None)  # labels and images that the line is about
        self._build()
        self._connect()
        self.refresh()

    def refresh(self) -> None:
        """Show what can be done, or why not, and what helps now."""
        choices = self.workbench.choices
        if self._told_of != (choices.labels, choices.images):
            self._told_of = choices.labels, choices.images
            self.tell("")
        why_not_take, why_not_suggest = self.correcting.why_not_take(), self.suggesting.why_not()
        set_ready(self.take, why_not_take, self._take_tooltip())
        set_ready(
            self.suggest,
            why_not_suggest,
            "Goes to the plane and place that the network is least sure of, or where two objects "
            "may be one. Press again for the next one.",
        )
        reasons = dict.fromkeys(filter(None, (why_not_take, why_not_suggest)))
        self.hint.setText("\n".join(reasons))
        self.hint.setVisible(bool(reasons))
        self.unseen.setVisible(why_not_take is None and self.part.value is Part.PLANE)
        can_take_one = why_not_take is None and keys.TAKE_OBJECT in self.repair.keys
        self.key.setText(f"{keys.TAKE_OBJECT} takes the object under the cursor")
        self.key.setVisible(can_take_one)
        self.repair.refresh()
        self.coaching.setText(_coach(choices))
        self.coaching.setVisible(self.repair.repairing.tool is None)  # which has its own line

    def release(self) -> None:
        """Let go of the controls and the keys."""
        self.repair.release()
        for control in (self.correcting, self.suggesting, self.repair.repairing):
            control.told.disconnect(self._on_told)
            control.withdrawn.disconnect(self._on_withdrawn)
        for event in self._layer_events():
            event.disconnect(self._on_layers_changed)

    def _build(self) -> None:
        self.part.offer(_PARTS)
        self.part.value = Part.VIEW
        self.part.setAccessibleName("What is taken")
        row = QHBoxLayout()
        row.addWidget(self.take, stretch=1)
        row.addWidget(self.part)
        self.body.addWidget(self.coaching)
        self.body.addLayout(row)
        for widget in (self.unseen, self.key, self.repair, self.suggest, self.hint):
            self.body.addWidget(widget)

    def _connect(self) -> None:
        self.take.clicked.connect(self._on_take_clicked)
        self.part.picked.connect(self.refresh)
        self.suggest.clicked.connect(self._on_suggest_clicked)
        for control in (self.correcting, self.suggesting, self.repair.repairing):
            control.told.connect(self._on_told)
            control.withdrawn.connect(self._on_withdrawn)
        for event in self._layer_events():  # a preview comes and goes
            event.connect(self._on_layers_changed)

    def _layer_events(self) -> tuple[Any, ...]:
        events = self.workbench.viewer.layers.events
        return events.inserted, events.removed

    def _on_layers_changed(self) -> None:
        self.refresh()

    def _take_tooltip(self) -> str:
        prediction = self.correcting.prediction
        source = f" of '{prediction.name}'" if prediction is not None else ""
        return (
            f"Copies {_WHAT[self.part.value]}{source} into your labels, where you have painted "
            "nothing. All of it then counts as right, so look at it before you train. Undo takes "
            "it back."
        )

    def _on_take_clicked(self) -> None:
        self._take(self.part.value)

    def _on_take_object_pressed(self) -> None:
        self._take(Part.OBJECT)

    def _take(self, part: Part) -> None:
        self.refresh()
        if self.take.isEnabled():
            self.correcting.take(part)

    def _on_suggest_clicked(self) -> None:
        self.refresh()
        if self.suggest.isEnabled():
            self.suggesting.suggest(self._objects())

    def _on_told(self, line: str) -> None:
        self.tell(line)
        self.refresh()

    def _on_withdrawn(self, line: str) -> None:
        if self.status.text() == line:
            self.tell("")


def _coach(choices: Choices) -> str:
    """Return what helps most, where the user stands."""
    if choices.model is None:
        return f"{_FIRST_STROKES[choices.task, choices.unpainted]} Then train."
    if choices.result is None:
        return "Segment, then come back and look for mistakes."
    return "Look for mistakes: paint over them, then train again."
