"""What the user has chosen: the form, and a frozen snapshot of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from napari.components import ViewerModel
from napari.layers import Image, Labels
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_unet.config import (
    NETWORKS,
    RECIPES,
    AugmentConfig,
    ObjectsConfig,
    Task,
    TilingConfig,
    TrainConfig,
    Unpainted,
)
from napari_unet.ui.parts import words
from napari_unet.ui.parts.actions import set_ready
from napari_unet.ui.parts.folded import FoldedSettings
from napari_unet.ui.parts.pickers import LayerPicker, Picker
from napari_unet.ui.parts.settings import SettingsForm, narrow_form

__all__ = ["CURRENT_MODEL", "Choices", "ChoicesForm"]

CURRENT_MODEL = "current model"

_TASKS = {"Objects": Task.OBJECTS, "Classes": Task.CLASSES}
_UNPAINTED = {"is ignored": Unpainted.IGNORED, "is background": Unpainted.BACKGROUND}
_HOW_TO_PAINT = {
    (
        Task.OBJECTS,
        Unpainted.IGNORED,
    ): "Paint some background as 1, some objects as 2,\u00a03,\u00a0…",
    (Task.OBJECTS, Unpainted.BACKGROUND): "Paint all objects of a plane or more: 1,\u00a02,\u00a0…",
    (Task.CLASSES, Unpainted.IGNORED): "Paint some of each class: 1,\u00a02,\u00a0…",
    (Task.CLASSES, Unpainted.BACKGROUND): (
        "Paint all of each class of a plane or more: 1,\u00a02,\u00a0… The rest is class 0."
    ),
}


@dataclass(frozen=True, slots=True)
class Choices:
    """A snapshot of the form."""

    image: Image | None
    labels: Labels | None
    task: Task
    unpainted: Unpainted
    start: str  # a name in NETWORKS, or CURRENT_MODEL
    train: TrainConfig
    tiling: TilingConfig
    objects: ObjectsConfig


class ChoicesForm(QWidget):
    """Image, labels, what they mean, where to start from, and how to train.

    The settings of the segmentation are a widget of their own, to be placed beside its button.
    """

    changed = Signal()
    new_labels_clicked = Signal()

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._image = LayerPicker(viewer, Image, "The image or stack to segment.")
        self._labels = LayerPicker(viewer, Labels, "The layer that you paint on.")
        self._task = Picker("What the numbers of the labels mean.")
        self._unpainted = Picker("What the pixels mean that you have not painted.")
        self._start = Picker("A new network, or the current model, to train it on.")
        self._seconds = SettingsForm(TrainConfig(), {"seconds": words.SECONDS})
        self._train = SettingsForm(TrainConfig(), words.TRAIN)
        self._augment = SettingsForm(AugmentConfig(), words.AUGMENT)
        self._tiling = SettingsForm(TilingConfig(), words.TILING)
        self._objects = SettingsForm(ObjectsConfig(), words.OBJECTS)
        self.segmentation = FoldedSettings("Segmentation settings", self._tiling, self._objects)
        self.new_labels = QPushButton("New")
        self.how_to_paint = QLabel()
        self._build()
        self._connect()
        self._on_start_picked()

    def choices(self) -> Choices:
        """Return what is chosen now."""
        seconds = self._seconds.value().seconds
        return Choices(
            image=self._image.value,
            labels=self._labels.value,
            task=self._task.value,
            unpainted=self._unpainted.value,
            start=self._start.value,
            train=replace(self._train.value(), seconds=seconds, augment=self._augment.value()),
            tiling=self._tiling.value(),
            objects=self._objects.value(),
        )

    def offer_current_model(self, task: Task) -> None:
        """Offer to train the current model on, and choose it with its task."""
        self._offer_starts({"Current model": CURRENT_MODEL})
        self._start.value = CURRENT_MODEL
        self._task.value = task

    def choose_labels(self, labels: Labels) -> None:
        """Pick these labels, for example those that were just made."""
        self._labels.value = labels

    def show_readiness(self, why_not_new_labels: str | None) -> None:
        """Enable New, or say why not."""
        tooltip = "Make an empty labels layer that fits the image, and paint on it."
        set_ready(self.new_labels, why_not_new_labels, tooltip)

    def release(self) -> None:
        """Let go of the viewer."""
        self._image.release()
        self._labels.release()

    def _build(self) -> None:
        self._task.offer(_TASKS)
        self._unpainted.offer(_UNPAINTED)
        self._offer_starts({})
        self.how_to_paint.setWordWrap(True)
        labels = QHBoxLayout()
        labels.addWidget(self._labels, stretch=1)
        labels.addWidget(self.new_labels)
        rows = narrow_form()
        rows.addRow("Image", self._image)
        rows.addRow("Labels", labels)
        rows.addRow("Task", self._task)
        rows.addRow("Unpainted", self._unpainted)
        rows.addRow(self.how_to_paint)
        rows.addRow("Start from", self._start)
        self._seconds.add_to(rows)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(rows)
        column.addWidget(FoldedSettings("Training settings", self._train, self._augment))

    def _connect(self) -> None:
        for picker in (self._image, self._labels, self._task, self._unpainted, self._start):
            picker.picked.connect(self._on_picked)
        self._start.picked.connect(self._on_start_picked)
        self.new_labels.clicked.connect(self.new_labels_clicked)

    def _offer_starts(self, model: dict[str, str]) -> None:
        networks = {f"New network, {name}": name for name in NETWORKS}
        self._start.offer({**model, **networks})

    def _on_picked(self) -> None:
        self.how_to_paint.setText(_HOW_TO_PAINT[self._task.value, self._unpainted.value])
        self.changed.emit()

    def _on_start_picked(self) -> None:
        # A network brings its own recipe; the current model goes on with the one in the form.
        recipe = RECIPES.get(self._start.value)
        if recipe is not None:
            self._train.set_value(recipe)
            self._augment.set_value(recipe.augment)
        self._on_picked()
