"""One job at a time in the background: an iterator of events, told on the main thread.

The states, one polite way to stop, one typed failure, and each job's own listeners.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_unet.engine.errors import EngineError, UnetPaintError
from napari_unet.ui.worker import Awaited, Job, Worker, make_worker

_log = logging.getLogger(__name__)

_QUIET_MS = 1000

OnEvent = Callable[[Any], object]
"""Hears each event of a job, on the main thread; what it returns does not matter."""


class JobState(Enum):
    """What the runner is doing."""

    IDLE = auto()
    RUNNING = auto()
    PAUSED = auto()  # waits after the current step or tile
    CANCELLING = auto()  # asked to stop; ends after the current step


class JobEnd(Enum):
    """How the last job ended."""

    COMPLETED = auto()
    STOPPED = auto()  # by the user; what was done is kept
    FAILED = auto()


OnEnd = Callable[[JobEnd], object]
"""Hears how a job ended, on the main thread."""


class JobRunner(QObject):
    """Runs one job at a time and tells about it on the main thread.

    Each job has listeners of its own; the signals are for all. They come in this order:
    `state_changed` (RUNNING), the listener for each event, perhaps `state_changed` (CANCELLING),
    `failed` if it failed, `state_changed` (IDLE), the listener of the end, `finished`. Of a quiet
    job that is short the states before IDLE are not told.
    """

    state_changed = Signal(object)  # JobState
    failed = Signal(object)  # UnetPaintError
    finished = Signal(object)  # JobEnd

    def __init__(self) -> None:
        super().__init__()
        self._state = JobState.IDLE
        self._running: _Running | None = None
        self._failed = False
        self._untold = QTimer(self)  # while it is on, nothing is told of a quiet job
        self._untold.setSingleShot(True)
        self._untold.setInterval(_QUIET_MS)
        self._untold.timeout.connect(self._tell_state)

    @property
    def state(self) -> JobState:
        """What the runner is doing."""
        return self._state

    @property
    def job_name(self) -> str:
        """What runs, in words; empty when idle."""
        return self._running.worker.name if self._running else ""

    def start(
        self,
        name: str,
        job: Job,
        on_event: OnEvent | None = None,
        on_end: OnEnd | None = None,
        *,
        quiet: bool = False,
    ) -> None:
        """Run a job in the background.

        Parameters
        ----------
        name
            What it does, in words ("Training").
        job
            Makes the iterator of events.
        on_event, on_end
            Hear the events and the end of this job, and of no other.
        quiet
            Tell that it runs only if it does so for more than a second, so that the window does not
            flicker.

        Raises
        ------
        RuntimeError
            If a job is running.
        """
        if self._state is not JobState.IDLE:
            raise RuntimeError(f"{self.job_name} is still running")
        self._failed = False
        slots: dict[str, Callable[..., object]] = {
            "yielded": self._on_yielded,
            "errored": self._on_errored,
            "finished": self._on_finished,
        }
        worker = make_worker(name, job, slots)
        self._running = _Running(worker, on_event, on_end)
        if quiet:
            self._untold.start()
        self._set_state(JobState.RUNNING)
        worker.start()

    def pause(self) -> None:
        """Let the job wait after its current step or tile."""
        if self._running and self._state is JobState.RUNNING:
            self._running.worker.hold()
            self._set_state(JobState.PAUSED)

    def resume(self) -> None:
        """Let a job that waits go on."""
        if self._running and self._state is JobState.PAUSED:
            self._running.worker.go_on()
            self._set_state(JobState.RUNNING)

    def stop(self) -> None:
        """Ask the job to end; it does so after its current step or tile, keeping what is done."""
        if self._running and self._state in (JobState.RUNNING, JobState.PAUSED):
            self._running.worker.quit()
            self._set_state(JobState.CANCELLING)

    def abandon(self, patience: float | None = 0.5) -> None:
        """Stop the job and tell nothing more about it; for closing.

        Waits up to `patience` seconds for the thread; None: until it ends. A longer step ends by
        itself; napari waits for it before the program exits.
        """
        running, self._running = self._running, None
        self._state = JobState.IDLE
        self._untold.stop()
        if running is None:
            return
        worker: Any = running.worker  # its signals are typed too narrowly
        worker.yielded.disconnect(self._on_yielded)
        worker.errored.disconnect(self._on_errored)
        worker.finished.disconnect(self._on_finished)
        worker.quit()
        worker.wait(patience)

    def _set_state(self, state: JobState) -> None:
        self._state = state
        if state is JobState.IDLE:
            self._untold.stop()
        if not self._untold.isActive():
            self._tell_state()

    def _tell_state(self) -> None:
        self.state_changed.emit(self._state)

    def _on_yielded(self, event: object) -> None:
        running = self._running
        if running is None:
            return
        try:
            if running.on_event is not None:
                running.on_event(event)
        finally:
            if isinstance(event, Awaited):
                running.worker.let_on()

    def _on_errored(self, error: Exception) -> None:
        self._failed = True
        self.failed.emit(_in_words(error))

    def _on_finished(self) -> None:
        running, self._running = self._running, None
        if running is None:
            return
        stopped = self._state is JobState.CANCELLING
        end = JobEnd.STOPPED if stopped else JobEnd.COMPLETED
        end = JobEnd.FAILED if self._failed else end
        self._set_state(JobState.IDLE)
        try:
            if running.on_end is not None:
                running.on_end(end)
        finally:
            self.finished.emit(end)


@dataclass(frozen=True, slots=True, eq=False)
class _Running:
    """The job that runs, and who hears of it."""

    worker: Worker
    on_event: OnEvent | None
    on_end: OnEnd | None


def _in_words(error: Exception) -> UnetPaintError:
    if isinstance(error, UnetPaintError):
        return error
    _log.error("A background job failed", exc_info=error)
    unexpected = EngineError(
        f"Something unexpected went wrong ({type(error).__name__}: {error}). Please report it "
        "with the text in napari's terminal window; your layers are unchanged."
    )
    unexpected.__cause__ = error
    return unexpected
