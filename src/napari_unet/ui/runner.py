"""One job at a time in the background: an iterator of events, told on the main thread.

superqt's generator worker brings the thread and the queued signals; napari's `create_worker`
makes it known to the viewer, so that napari asks before it closes while a job runs. What is added
here are the states, one polite way to stop, and one typed failure.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from napari.qt.threading import create_worker
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]
from superqt.utils import GeneratorWorker

from napari_unet.engine.errors import EngineError, UnetPaintError
from napari_unet.engine.events import Stop

_log = logging.getLogger(__name__)

_NICE = 10  # of a job's threads: the window's, at 0, get ten times their share
_PATIENCE = 0.5  # seconds that a job waits for the window at most

Job = Callable[[Stop], Iterator[object]]
"""Makes the iterator of events; called in the worker's thread, with the question to ask."""

OnEvent = Callable[[Any], object]
"""Hears each event of a job, on the main thread; what it returns does not matter."""


class Awaited:
    """An event after which the job waits until the window has taken it.

    For events that the window answers with slow work, such as a new layer: beside a job that has
    much to do in Python, that takes a third longer, and nothing else is drawn meanwhile.
    """

    __slots__ = ()


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
    `failed` if it failed, `state_changed` (IDLE), the listener of the end, `finished`.
    """

    state_changed = Signal(object)  # JobState
    failed = Signal(object)  # UnetPaintError
    finished = Signal(object)  # JobEnd

    def __init__(self) -> None:
        super().__init__()
        self._state = JobState.IDLE
        self._running: _Running | None = None
        self._failed = False

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

        Raises
        ------
        RuntimeError
            If a job is running.
        """
        if self._state is not JobState.IDLE:
            raise RuntimeError(f"{self.job_name} is still running")
        self._failed = False
        worker: Any = create_worker(
            _NamedJob(name, job),
            _worker_class=_Worker,
            _start_thread=False,
            _connect={
                "yielded": self._on_yielded,
                "errored": self._on_errored,
                "finished": self._on_finished,
            },
        )
        self._running = _Running(worker, on_event, on_end)
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
        if running is None:
            return
        worker: Any = running.worker
        worker.yielded.disconnect(self._on_yielded)
        worker.errored.disconnect(self._on_errored)
        worker.finished.disconnect(self._on_finished)
        worker.quit()
        worker.wait(patience)

    def _set_state(self, state: JobState) -> None:
        self._state = state
        self.state_changed.emit(state)

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

    worker: _Worker
    on_event: OnEvent | None
    on_end: OnEnd | None


class _NamedJob:
    """A job under the name by which napari asks before closing.

    napari keeps every worker's function for as long as the viewer lives, so the job, and with it
    the snapshot of the labels and the model, is let go of when it has run.
    """

    def __init__(self, name: str, job: Job) -> None:
        self.name = name
        self.stop = threading.Event()
        self.going = threading.Event()  # unset: paused
        self.going.set()
        self.taken = threading.Event()  # the window has taken what was awaited
        self.ended = threading.Event()
        self._job: Job | None = job

    def __str__(self) -> str:
        return f"{self.name} (U-Net Paint)"

    def events(self) -> Generator[object, None, None]:
        """Yield the job's events; the one guard at the thread's boundary.

        superqt takes a RuntimeError in a generator for a deleted worker and then tells neither of
        the error nor of the end; torch's errors are RuntimeErrors.
        """
        job, self._job = self._job, None
        _give_way()
        try:
            if job is not None and not self.stop.is_set():
                for event in job(self._is_to_stop):
                    yield event
                    if isinstance(event, Awaited):
                        self.taken.wait(_PATIENCE)
                        self.taken.clear()
        except MemoryError as error:
            raise EngineError(
                "There is not enough memory; close other images and programs, then try again."
            ) from error
        except RuntimeError as error:
            raise EngineError(str(error)) from error

    def _is_to_stop(self) -> bool:
        """Answer the job's question; a pause is an answer that is long in coming."""
        self.going.wait()
        return self.stop.is_set()


class _Worker(GeneratorWorker[Any, Any, Any]):
    """A generator worker that ends by itself when asked to quit, with its last event."""

    def __init__(self, job: _NamedJob) -> None:
        super().__init__(job.events)
        self._job = job

    def run(self) -> None:
        """Do the job in a thread of Qt's pool."""
        try:
            super().run()
        finally:
            self._job.ended.set()  # it has no more to tell

    @property
    def name(self) -> str:
        """What the job does, in words."""
        return self._job.name

    def quit(self) -> None:
        """Ask the job to stop; napari calls this, too, when its window closes.

        The inherited method would drop the last event, which brings the best weights.
        """
        self._job.stop.set()
        self._job.going.set()
        self._job.taken.set()

    def let_on(self) -> None:
        """Let the job go on after an event that it waits with."""
        self._job.taken.set()

    def hold(self) -> None:
        """Let the job wait the next time it asks whether to stop."""
        self._job.going.clear()

    def go_on(self) -> None:
        """Let the job go on."""
        self._job.going.set()

    def wait(self, seconds: float | None) -> bool:
        """Return True if the job has ended within `seconds`; None: whenever it does."""
        return self._job.ended.wait(seconds)


def _give_way() -> None:
    """Let this thread and those that it starts compute with all cores, after the window.

    Only Linux has a priority per thread that the threads of torch, made by this one, inherit. It
    cannot be raised again: another job in the same thread of Qt's pool gives way as well.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        nice = os.getpriority(os.PRIO_PROCESS, thread)
        os.setpriority(os.PRIO_PROCESS, thread, max(nice, _NICE))


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
