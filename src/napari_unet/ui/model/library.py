"""One's own models on disk: listed, kept, renamed, deleted, imported, exported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_unet.engine.errors import SettingsError
from napari_unet.io.library import model_path
from napari_unet.ui.model import job as jobs
from napari_unet.ui.model.job import ModelFile
from napari_unet.ui.model.queue import JobQueue
from napari_unet.ui.workbench import Workbench

if TYPE_CHECKING:
    from napari_unet.engine.network import Model

__all__ = ["Library"]

_LISTING = "Looking through your models"


class Library(QObject):
    """The files of the models; changed in the background, for disks may be slow.

    Every change brings the list anew: other windows may have changed the folder, too.
    """

    changed = Signal()  # the list, what was deleted, or a change that came to nothing

    def __init__(self, workbench: Workbench, errands: JobQueue) -> None:
        super().__init__()
        self.files: tuple[ModelFile, ...] = ()
        self.deleted: jobs.ModelDeleted | None = None  # the last one, to be brought back
        self._workbench = workbench
        self._errands = errands
        workbench.runner.reported.connect(self._on_reported)
        errands.ended.connect(self.changed)

    def refresh(self) -> None:
        """Read the list again, without a word."""
        if self._workbench.device is not None:  # else there is no torch to read files with
            self._errands.forget(_LISTING)
            self._errands.ask(_LISTING, jobs.list_files(), quiet=True)

    def keep(self, model: Model, name: str) -> None:
        """Write a model under a name that is not taken."""
        if self._is_usable(name):
            self._errands.ask("Keeping the model", jobs.keep_model(model, name))

    def rename(self, file: ModelFile, name: str) -> None:
        """Give a model another name."""
        if name != file.name and self._is_usable(name):
            self._errands.ask("Renaming the model", jobs.rename_file(file.path, name))

    def delete(self, file: ModelFile) -> None:
        """Put a model aside; `undo_delete` brings it back."""
        self._errands.ask("Deleting the model", jobs.delete_file(file.path))

    def undo_delete(self) -> None:
        """Bring the model back that was deleted last."""
        if self.deleted is not None:
            self._errands.ask("Bringing the model back", jobs.restore_file(self.deleted))

    def import_file(self, path: Path) -> None:
        """Copy a model's file among one's own and start from it."""
        self._errands.ask("Importing the model", jobs.import_file(path))

    def export_file(self, file: ModelFile, target: Path) -> None:
        """Write a copy of a model's file."""
        self._errands.ask("Exporting the model", jobs.export_file(file.path, target))

    def release(self) -> None:
        """Let go of the workbench."""
        self._workbench.runner.reported.disconnect(self._on_reported)
        self._errands.ended.disconnect(self.changed)

    def _is_usable(self, name: str) -> bool:
        try:
            model_path(name)
        except SettingsError as error:
            self._workbench.fail(error)
            self.changed.emit()
            return False
        return True

    def _on_reported(self, event: object) -> None:
        match event:
            case jobs.ModelsListed(files):
                self.files = files
            case jobs.ModelDeleted():
                self.deleted = event
            case jobs.ModelRestored():
                self.deleted = None
            case _:
                return
        self.changed.emit()
