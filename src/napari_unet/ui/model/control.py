"""Which model training starts from, and segmentation uses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from napari.components import ViewerModel
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_unet.config import NetworkConfig, Task, Unpainted
from napari_unet.io.library import DEFAULT
from napari_unet.ui.model import job
from napari_unet.ui.model.job import ModelFile
from napari_unet.ui.model.library import Library
from napari_unet.ui.model.queue import JobQueue
from napari_unet.ui.progress import Progress
from napari_unet.ui.readiness import Readiness
from napari_unet.ui.workbench import CurrentModel, Workbench

if TYPE_CHECKING:
    from napari_unet.engine.network import Model


_OPENING = "Opening a model"


@dataclass(frozen=True, slots=True, eq=False)
class _Left:
    """What a dock that was closed leaves to the next one of its viewer."""

    trained: CurrentModel | None
    start: NetworkConfig | CurrentModel
    task: Task
    unpainted: Unpainted


_left: WeakKeyDictionary[ViewerModel, _Left] = WeakKeyDictionary()


class Models(QObject):
    """Puts the chosen model on the workbench, and remembers the one that was trained.

    A model that is asked for while another job runs is opened when that has ended. At the start
    the default bundled model is chosen, if it is there and nobody has chosen yet. A dock that is
    opened again goes on with what was trained or chosen last.
    """

    changed = Signal()  # what there is to choose from

    def __init__(self, workbench: Workbench) -> None:
        super().__init__()
        self.trained: CurrentModel | None = None  # in this session, and in no file
        self._workbench = workbench
        self._queue = JobQueue(workbench)
        self.library = Library(workbench, self._queue)
        self._looked = False  # for files: torch must be loaded
        self._unchosen = True  # nobody has chosen a model yet
        self._wish: Path | None = None  # the file that is to be opened
        self._by_hand = False  # somebody asked for it
        self.library.told.connect(self._on_told)
        self.library.changed.connect(self.changed)
        workbench.changed.connect(self._on_workbench_changed)
        self._take_over(_left.get(workbench.viewer))

    def why_not_choose(self) -> str | None:
        """Return why no other model can be chosen now; looking at files is no hindrance."""
        if self._queue.running:
            return None
        return Readiness.of(self._workbench).why_not_start()

    def choose(self, wish: NetworkConfig | CurrentModel | ModelFile) -> None:
        """Start from this: a new network, a model in memory, or one in a file."""
        self._unchosen, self._by_hand = False, True
        if isinstance(wish, ModelFile):
            self._open(wish.path)
        else:
            self._open(None)
            self._take(wish)

    def keep(self, name: str) -> None:
        """Keep the model that was trained among one's own."""
        if self.trained is not None:
            self.library.keep(self.trained.model, name)

    def release(self) -> None:
        """Let go of the workbench, and leave to the next dock what was trained and chosen."""
        chosen = self._workbench.choices
        if not self._unchosen:
            left = _Left(self.trained, chosen.start, chosen.task, chosen.unpainted)
            _left[self._workbench.viewer] = left
        self._workbench.changed.disconnect(self._on_workbench_changed)
        self.library.release()
        self._queue.release()

    def _take_over(self, left: _Left | None) -> None:
        if left is not None:
            self.trained, self._unchosen = left.trained, False
            self._workbench.choose(start=left.start, task=left.task, unpainted=left.unpainted)

    def _open(self, path: Path | None) -> None:
        """Open this file, and none that was asked for before."""
        self._wish = path
        self._queue.forget(_OPENING)
        if path is not None:
            self._queue.ask(_OPENING, job.open_file(path), self._on_opened)

    def _take(self, start: NetworkConfig | CurrentModel) -> None:
        """Start from this from now on; a model that somebody chose brings its task along."""
        choices: dict[str, object] = {"start": start}
        if isinstance(start, CurrentModel) and self._by_hand:
            choices["task"] = start.model.task
        self._workbench.choose(**choices)

    def _on_workbench_changed(self) -> None:
        """Notice a model that was trained, and that torch is loaded."""
        start = self._workbench.choices.start
        if isinstance(start, CurrentModel):
            self._unchosen = False
            if start.path is None and start is not self.trained:
                self.trained = start
                self._open(None)
                self.changed.emit()
        if self._workbench.device is not None and not self._looked:
            self._looked = True
            self.library.refresh()

    def _on_opened(self, event: job.ModelOpened) -> None:
        if event.path == self._wish:  # else another was chosen meanwhile
            self._take(CurrentModel(event.path.stem, event.model, event.path))
            self._tell(event)

    def _on_told(self, event: object) -> None:
        """Follow what becomes of the files."""
        match event:
            case job.ModelsListed(files):
                self._choose_default(files)
            case job.ModelImported(path, model):
                self.choose(CurrentModel(path.stem, model, path))
            case job.ModelKept(path, model):
                self._on_kept(path, model)
            case job.ModelRenamed(before, path):
                self._on_renamed(before, path)
        self._tell(event)

    def _tell(self, event: object) -> None:
        line = job.tell_files(event)
        if line is not None:
            self._workbench.progressed.emit(Progress(line, 1))

    def _choose_default(self, files: tuple[ModelFile, ...]) -> None:
        usable = [file for file in files if file.bundled and file.header is not None]
        default = next((file for file in usable if file.name == DEFAULT), None)
        if self._unchosen and default is not None:
            self._open(default.path)
        self._unchosen = False

    def _on_kept(self, path: Path, model: Model) -> None:
        self.trained = None
        start = self._workbench.choices.start
        if isinstance(start, CurrentModel) and start.model is model:
            self._workbench.choose(start=CurrentModel(path.stem, model, path))
        self.changed.emit()

    def _on_renamed(self, before: Path, path: Path) -> None:
        start = self._workbench.choices.start
        if isinstance(start, CurrentModel) and start.path == before:
            self._workbench.choose(start=replace(start, name=path.stem, path=path))
