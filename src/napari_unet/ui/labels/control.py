"""Painting on the chosen labels: new layers, the next number, and what is painted so far."""

from __future__ import annotations

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_unet.config import MAX_CLASSES, Task
from napari_unet.engine.errors import FileError, LabelsError
from napari_unet.ui.labels.background_colour import show_background
from napari_unet.ui.labels.class_names import class_names
from napari_unet.ui.layers.inputs import why_no_labels
from napari_unet.ui.layers.new_labels import fit_brush, new_labels, start_painting
from napari_unet.ui.layers.paint_count import PaintCount, why_not_enough
from napari_unet.ui.layers.paint_counter import PaintCounter
from napari_unet.ui.workbench import Workbench

_FEWEST_CLASSES = 2


class Painting(QObject):
    """Follows the labels that are chosen, and sets napari's brush on them.

    It writes into no layer: what is painted is the user's, and so is undo.
    """

    changed = Signal()  # the count, or the classes

    def __init__(self, workbench: Workbench) -> None:
        super().__init__()
        self._workbench = workbench
        self._labels: Labels | None = None  # that are counted
        self._counter: PaintCounter | None = None
        self._added = 0  # classes that there are to be at least
        self._wants_next = False  # a new number, when the numbers in use have been counted
        workbench.changed.connect(self._follow)
        workbench.entered.connect(self._look_again)
        self._follow()

    @property
    def classes(self) -> int:
        """Number of classes: painted, named or added; at least 2."""
        labels, count = self._workbench.choices.labels, self._workbench.painted
        named = max(class_names(labels), default=0) if labels is not None else 0
        painted = count.largest if count else 0
        return min(max(_FEWEST_CLASSES, self._added, named, painted), MAX_CLASSES)

    @property
    def background(self) -> int | None:
        """The label of the background; None: the task has none."""
        return self._workbench.choices.scheme.background

    def add_labels(self) -> None:
        """Add an empty labels layer for the chosen image, choose it and take the brush."""
        image = self._workbench.choices.image
        if image is None:
            return
        try:
            labels = new_labels(self._workbench.choices.images)
        except FileError as error:
            self._workbench.fail(error)
            return
        self._workbench.viewer.add_layer(labels)
        fit_brush(labels, image)
        self._workbench.choose(labels=labels)
        self.paint(1)

    def paint(self, number: int) -> None:
        """Take the brush, with this label."""
        self._wants_next = False
        labels = self._workbench.choices.labels
        if labels is None:
            return
        largest = int(np.iinfo(labels.dtype).max)
        if number > largest:
            self._workbench.fail(
                LabelsError(
                    f"'{labels.name}' has no number left: its type {labels.dtype} ends at "
                    f"{largest}. Right-click it in the layer list: Convert data type."
                )
            )
            return
        start_painting(self._workbench.viewer, labels, number)

    def paint_background(self) -> None:
        """Take the brush, with the label of the background if there is one."""
        if self.background is not None:
            self.paint(self.background)

    def paint_next_object(self) -> None:
        """Take the brush, with a number that is not in use yet, as soon as that is known."""
        if self._workbench.choices.task is not Task.OBJECTS or self._counter is None:
            return
        self._wants_next = self._workbench.painted is None
        if not self._wants_next:
            self.paint(max(self._workbench.choices.scheme.first, self._counter.largest + 1))

    def paint_next_class(self) -> None:
        """Take the brush, with the class after the selected one; after the last, the first."""
        choices = self._workbench.choices
        if choices.task is Task.CLASSES and choices.labels is not None:
            self.paint(int(choices.labels.selected_label) % self.classes + 1)

    def add_class(self) -> int:
        """Add a class and take the brush with it; return its label."""
        self._added = min(self.classes + 1, MAX_CLASSES)
        self.paint(self._added)
        self.changed.emit()
        return self._added

    def erase(self) -> None:
        """Take the eraser, or the brush again."""
        labels = self._workbench.choices.labels
        if labels is not None:
            mode = "paint" if labels.mode == "erase" else "erase"
            start_painting(self._workbench.viewer, labels, int(labels.selected_label))
            labels.mode = mode

    def release(self) -> None:
        """Let go of the layer and the workbench."""
        self._workbench.changed.disconnect(self._follow)
        self._workbench.entered.disconnect(self._look_again)
        self._count(None)

    def _follow(self) -> None:
        choices = self._workbench.choices
        labels = choices.labels if why_no_labels(choices.labels, choices.images) is None else None
        if labels != self._labels:
            if self._labels is not None:
                show_background(self._labels, None)
            self._count(labels)
        if labels is not None:
            show_background(labels, self.background)

    def _count(self, labels: Labels | None) -> None:
        if self._counter is not None:
            self._counter.counted.disconnect(self._on_counted)
            self._counter.release()
        self._labels, self._counter = labels, None
        self._added, self._wants_next = 0, False
        self._workbench.painted = self._workbench.held_out = None
        if labels is not None:
            self._counter = PaintCounter(labels, self._workbench.viewer)
            self._counter.counted.connect(self._on_counted)

    def _look_again(self) -> None:
        """See whether there is paint by now that nobody has told of, as a script's may be."""
        if self._counter is not None and self._missing() is not None:
            self._counter.look_again()

    def _missing(self) -> str | None:
        count, choices = self._workbench.painted, self._workbench.choices
        return None if count is None else why_not_enough(count, choices.scheme)

    def _on_counted(self, count: PaintCount) -> None:
        before, self._workbench.painted = self._missing(), count
        if self._missing() != before:
            self._workbench.changed.emit()  # training can begin now, or no longer
        self.changed.emit()
        self._workbench.counted.emit()
        if self._wants_next:
            self.paint_next_object()
