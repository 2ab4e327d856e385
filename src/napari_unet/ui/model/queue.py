"""Short jobs that wait for their turn."""

from __future__ import annotations

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_unet.ui.runner import Job, JobState
from napari_unet.ui.workbench import Workbench

__all__ = ["JobQueue"]


class JobQueue(QObject):
    """Runs jobs one after the other, each when no other job runs on the workbench."""

    ended = Signal()  # one of them, however

    def __init__(self, workbench: Workbench) -> None:
        super().__init__()
        self._workbench = workbench
        self._waiting: list[tuple[str, Job, bool]] = []
        self._running = False
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self._start_next)
        workbench.runner.finished.connect(self._on_finished)

    @property
    def running(self) -> bool:
        """Whether the job that runs is one of these."""
        return self._running

    def ask(self, name: str, job: Job, *, quiet: bool = False) -> None:
        """Run a job now or later; a quiet one leaves the line about the last job as it is."""
        self._waiting.append((name, job, quiet))
        self._start_next()

    def forget(self, name: str) -> None:
        """Drop the jobs of this name that have not begun."""
        self._waiting = [waiting for waiting in self._waiting if waiting[0] != name]

    def release(self) -> None:
        """Start nothing more."""
        self._soon.stop()
        self._waiting.clear()
        self._workbench.runner.finished.disconnect(self._on_finished)

    def _start_next(self) -> None:
        if not self._waiting or self._workbench.runner.state is not JobState.IDLE:
            return
        name, job, quiet = self._waiting.pop(0)
        self._running = True
        start = self._workbench.runner.start if quiet else self._workbench.run
        start(name, job)

    def _on_finished(self) -> None:
        if self._running:
            self._running = False
            self.ended.emit()
        if self._waiting:
            self._soon.start(0)  # the others hear of the end first
