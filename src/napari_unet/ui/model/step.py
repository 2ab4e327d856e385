"""The step that says which model training starts from, and keeps one's own."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QInputDialog, QPushButton

from napari_unet.config import NETWORKS
from napari_unet.engine.errors import printable
from napari_unet.io.library import free_name
from napari_unet.io.model_formats import OWN_SUFFIX, SUFFIXES, SharedFormat
from napari_unet.ui.model.control import Models
from napari_unet.ui.model.description import describe_model, tell_story
from napari_unet.ui.model.group_picker import Entry, GroupPicker
from napari_unet.ui.model.job import ModelFile
from napari_unet.ui.model.your_models import YourModels
from napari_unet.ui.parts.action import set_ready
from napari_unet.ui.parts.folded import Folded
from napari_unet.ui.parts.step import Step
from napari_unet.ui.parts.text import PlainLabel, rich_tooltip
from napari_unet.ui.workbench import CurrentModel, Workbench

_NEW = {name: f"New: {name}" for name in NETWORKS}
_TRAINED = "Trained, not kept"
_MODEL = "U-Net Paint model (*.safetensors)"
_IMPORTED = "U-Net Paint models, bioimage.io packages (*.safetensors *.zip)"
_EXPORTED = {
    _MODEL: OWN_SUFFIX,
    "bioimage.io package, for deepImageJ and others (*.zip)": SUFFIXES[SharedFormat.BIOIMAGEIO],
    "ONNX (*.onnx)": SUFFIXES[SharedFormat.ONNX],
    "TorchScript (*.pt)": SUFFIXES[SharedFormat.TORCHSCRIPT],
}
"""What the file dialog offers → how the file ends."""
_START = "What training starts from; a model also segments."


class ModelStep(Step):
    """Start from: a bundled model, one of one's own, or a new network."""

    def __init__(self, workbench: Workbench, models: Models) -> None:
        super().__init__(workbench, "Model")
        self.picker = GroupPicker()
        self.keep = QPushButton("&Keep the trained model…")
        self.yours = YourModels()
        self.folded = Folded("Your models", self.yours)
        self._models = models
        self._build()
        self._connect()
        self.refresh()

    def refresh(self) -> None:
        """Show what there is to choose, and what is chosen."""
        start, models = self.workbench.choices.start, self._models
        self.picker.offer(self._groups(), self._chosen())
        reason = models.why_not_choose()
        self.picker.setEnabled(reason is None)
        self.picker.setToolTip(printable(reason or _START))
        set_ready(self.keep, reason, "Give it a name, to use it another day.")
        self.keep.setVisible(models.trained is not None)
        self.yours.show_readiness(reason)
        if isinstance(start, CurrentModel):
            is_shown = self.picker.currentText() == start.name
            self.tell(describe_model("" if is_shown else start.name, start.model))
            self.status.setToolTip(rich_tooltip(tell_story(start.model)))
        else:
            self.tell("It knows nothing yet: it learns from your labels alone.")
            self.status.setToolTip("")

    def release(self) -> None:
        """Let go of the models."""
        self._models.changed.disconnect(self._on_models_changed)

    def _build(self) -> None:
        self.header.addWidget(self.status, stretch=1)  # beside the title, as it is short
        label = PlainLabel("Start &from")
        label.setBuddy(self.picker)
        row = QHBoxLayout()
        row.addWidget(label)
        row.addWidget(self.picker, stretch=1)
        self.body.addLayout(row)
        self.body.addWidget(self.keep)
        self.body.addWidget(self.folded)

    def _connect(self) -> None:
        library = self._models.library
        self.picker.picked.connect(self._models.choose)
        self.keep.clicked.connect(self._on_keep_clicked)
        self.folded.fold.toggled.connect(self._on_folded)
        # Later, when the cell's editor is closed: the answer fills the table anew.
        later = Qt.ConnectionType.QueuedConnection
        self.yours.renamed.connect(library.rename, type=later)
        self.yours.deleted.connect(library.delete)
        self.yours.restored.connect(library.undo_delete)
        self.yours.import_clicked.connect(self._on_import_clicked)
        self.yours.export_clicked.connect(self._on_export_clicked)
        self._models.changed.connect(self._on_models_changed)

    def _groups(self) -> dict[str, list[Entry]]:
        files = self._models.library.files
        yours = [_entry(file) for file in files if not file.bundled]
        trained, start = self._models.trained, self.workbench.choices.start
        if trained is not None:
            yours.insert(0, Entry(_TRAINED, trained, tell_story(trained.model)))
        if isinstance(start, CurrentModel) and self._chosen() is start is not trained:
            where = f"In memory; its file was {start.path}."
            yours.insert(0, Entry(f"{start.name} (in memory)", start, where))
        return {
            "Bundled": [_entry(file) for file in files if file.bundled],
            "Yours": yours,
            "New": [Entry(_NEW[name], network) for name, network in NETWORKS.items()],
        }

    def _chosen(self) -> object:
        """Return what the picker is to show: the file that a model came from, if it is there."""
        start = self.workbench.choices.start
        if isinstance(start, CurrentModel) and start.path is not None:
            files = self._models.library.files
            return next((file for file in files if file.path == start.path), start)
        return start

    def _on_models_changed(self) -> None:
        library = self._models.library
        self.yours.show_files([file for file in library.files if not file.bundled])
        self.yours.show_deleted(library.deleted.path.stem if library.deleted else "")
        self.refresh()

    def _on_folded(self, is_open: bool) -> None:  # noqa: FBT001 Qt's signal
        if is_open:
            self._models.library.refresh()

    def _on_keep_clicked(self) -> None:
        images = self.workbench.choices.images
        wish = f"{images[0].name if images else 'model'} {date.today():%Y-%m-%d}"
        taken = [file.name for file in self._models.library.files if not file.bundled]
        name, agreed = QInputDialog.getText(
            self, "Keep the model", "Name:", text=free_name(wish, taken)
        )
        if agreed:
            self._models.keep(name.strip())

    def _on_import_clicked(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open model", str(Path.home()), _IMPORTED)
        if path:
            self._models.library.import_file(Path(path))

    def _on_export_clicked(self, file: ModelFile) -> None:
        proposal = str(Path.home() / file.path.name)
        filters = ";;".join(_EXPORTED)
        path, chosen = QFileDialog.getSaveFileName(self, "Export the model", proposal, filters)
        if path:
            suffix = _EXPORTED.get(chosen, OWN_SUFFIX)
            self._models.library.export_file(file, Path(path), suffix)


def _entry(file: ModelFile) -> Entry:
    if file.header is None:
        return Entry(file.name, file, file.problem, usable=False)
    story = f"{describe_model(file.name, file.header)}\n{tell_story(file.header)}"
    return Entry(file.name, file, story)
