"""One's own models on disk: listed, kept, renamed, deleted, imported, exported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_unet.engine.errors import SettingsError
from napari_unet.io.library import model_path
from napari_unet.ui.model import job
from napari_unet.ui.model.job import ModelFile
from napari_unet.ui.model.queue import JobQueue
from napari_unet.ui.workbench import Workbench
from napari_unet.ui.worker import Job

if TYPE_CHECKING:
    from napari_unet.engine.network import Model


_LISTING = "Looking through your models"


class Library(QObject):
    """The files of the models; changed in the background, for disks may be slow.

    Every change brings the list anew: other windows may have changed the folder, too.
    """

    changed = Signal()  # the list, what was deleted, or a change that came to nothing
    told = Signal(object)  # what became of a file: an event of `job.py`

    def __init__(self, workbench: Workbench, queue: JobQueue) -> None:
        super().__init__()
        self.files: tuple[ModelFile, ...] = ()
        self.deleted: job.ModelDeleted | None = None  # the last one, to be brought back
        self._workbench = workbench
        self._queue = queue
        queue.ended.connect(self.changed)

    def refresh(self) -> None:
        """Read the list again, without a word."""
        if self._workbench.device is not None:  # else there is no torch to read files with
            self._queue.forget(_LISTING)
            self._queue.ask(_LISTING, job.list_files(), self._on_event, quiet=True)

    def keep(self, model: Model, name: str) -> None:
        """Write a model under a name that is not taken."""
        if self._is_usable(name):
            self._ask("Keeping the model", job.keep_model(model, name))

    def rename(self, file: ModelFile, name: str) -> None:
        """Give a model another name."""
        if name != file.name and self._is_usable(name):
            self._ask("Renaming the model", job.rename_file(file.path, name))

    def delete(self, file: ModelFile) -> None:
        """Put a model aside; `undo_delete` brings it back."""
        self._ask("Deleting the model", job.delete_file(file.path))

    def undo_delete(self) -> None:
        """Bring the model back that was deleted last."""
        if self.deleted is not None:
            self._ask("Bringing the model back", job.restore_file(self.deleted))

    def import_file(self, path: Path) -> None:
        """Copy a model's file among one's own and start from it."""
        self._ask("Importing the model", job.import_file(path))

    def export_file(self, file: ModelFile, target: Path, suffix: str) -> None:
        """Write a model to a file, in the format of its suffix; `suffix` where it has none."""
        self._ask("Exporting the model", job.export_file(file.path, target, suffix))

    def release(self) -> None:
        """Let go of the queue."""
        self._queue.ended.disconnect(self.changed)

    def _ask(self, name: str, change: Job) -> None:
        self._queue.ask(name, change, self._on_event)

    def _is_usable(self, name: str) -> bool:
        try:
            model_path(name)
        except SettingsError as error:
            self._workbench.fail(error)
            self.changed.emit()
            return False
        return True

    def _on_event(self, event: object) -> None:
        match event:
            case job.ModelsListed(files):
                self.files = files
            case job.ModelDeleted():
                self.deleted = event
            case job.ModelRestored():
                self.deleted = None
        self.told.emit(event)
        self.changed.emit()
