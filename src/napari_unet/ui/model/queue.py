"""Short jobs that wait for their turn."""

from __future__ import annotations

from typing import NamedTuple

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_unet.ui.runner import JobEnd, JobState, OnEvent
from napari_unet.ui.workbench import Workbench
from napari_unet.ui.worker import Job


class _Waiting(NamedTuple):
    name: str
    job: Job
    on_event: OnEvent
    quiet: bool


class JobQueue(QObject):
    """Runs jobs one after the other, each when no other job runs on the workbench."""

    ended = Signal()  # one of them, however

    def __init__(self, workbench: Workbench) -> None:
        super().__init__()
        self._workbench = workbench
        self._waiting: list[_Waiting] = []
        self._running = False
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self._start_next)
        workbench.ended.connect(self._on_any_ended)

    @property
    def running(self) -> bool:
        """Whether the job that runs is one of these."""
        return self._running

    def ask(self, name: str, job: Job, on_event: OnEvent, *, quiet: bool = False) -> None:
        """Run a job now or later; see `Workbench.run`."""
        self._waiting.append(_Waiting(name, job, on_event, quiet))
        self._start_next()

    def forget(self, name: str) -> None:
        """Drop the jobs of this name that have not begun."""
        self._waiting = [waiting for waiting in self._waiting if waiting.name != name]

    def release(self) -> None:
        """Start nothing more."""
        self._soon.stop()
        self._waiting.clear()
        self._workbench.ended.disconnect(self._on_any_ended)

    def _start_next(self) -> None:
        if not self._waiting or self._workbench.runner.state is not JobState.IDLE:
            return
        name, job, on_event, quiet = self._waiting.pop(0)
        self._running = True
        self._workbench.run(name, job, on_event, self._on_end, quiet=quiet)

    def _on_end(self, _end: JobEnd) -> None:
        self._running = False
        self.ended.emit()

    def _on_any_ended(self) -> None:
        if self._waiting:
            self._soon.start(0)  # the others hear of the end first
