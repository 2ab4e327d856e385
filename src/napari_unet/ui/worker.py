"""The thread in which a job runs: it can wait, ends when asked to, and computes after the window.

superqt's generator worker brings the thread and the queued signals; napari's `create_worker`
makes it known to the viewer, so that napari asks before it closes while a job runs.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any
from weakref import ref

from napari.qt.threading import create_worker
from qtpy.QtCore import QThreadPool
from superqt.utils import GeneratorWorker
from superqt.utils import create_worker as create_short_worker

from napari_unet.engine.errors import EngineError
from napari_unet.engine.events import Stop

_NICE = 10  # of a job's threads: the window's, at 0, get ten times their share
_ROOM = 3  # threads beside those that run: a job's, one that saves strokes, one that counts
_PATIENCE = 0.5  # seconds that a job waits for the window at most

Job = Callable[[Stop], Iterator[object]]
"""Makes the iterator of events; called in the worker's thread, with the question to ask."""


class Awaited:
    """An event after which the job waits until the window has taken it.

    For events that the window answers with slow work, such as a new layer: beside a job that has
    much to do in Python, that takes a third longer, and nothing else is drawn meanwhile.
    """

    __slots__ = ()


def make_worker(name: str, job: Job, connect: dict[str, Callable[..., object]]) -> Worker:
    """Return a worker that is not started; `name` is told, `connect` says who hears its signals."""
    make_room()
    worker: Worker = create_worker(
        _NamedJob(name, job), _worker_class=Worker, _start_thread=False, _connect=connect
    )
    return worker


def make_room() -> None:
    """Let short work begin at once beside whatever runs.

    Qt lends as many threads as there are cores, and what is more waits: with one or two cores, for
    the end of a training that takes minutes.
    """
    pool = QThreadPool.globalInstance()
    assert pool is not None
    pool.setMaxThreadCount(max(pool.maxThreadCount(), pool.activeThreadCount() + _ROOM))


def begin_short(
    function: Callable[..., Any], *arguments: Any, connect: Mapping[str, Callable[..., Any]]
) -> Any:
    """Do what takes a moment in a thread, at once whatever else runs; return its worker.

    It has no name, and the viewer may close meanwhile. `connect` says who hears its signals.
    """
    make_room()
    return create_short_worker(function, *arguments, _connect={**connect})


class _NamedJob:
    """A job under the name by which napari asks before closing.

    The job, and with it the snapshot of the labels and the model, is let go of when it has run.
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

    def ask_to_stop(self) -> None:
        """Let whatever it waits for come, and the next answer be yes."""
        self.stop.set()
        self.going.set()
        self.taken.set()

    def _is_to_stop(self) -> bool:
        """Answer the job's question; a pause is an answer that is long in coming."""
        self.going.wait()
        return self.stop.is_set()


class _Ask:
    """Asks a job to stop if it is still there."""

    __slots__ = ("_job",)

    def __init__(self, job: _NamedJob) -> None:
        self._job = ref(job)

    def __call__(self) -> None:
        job = self._job()
        if job is not None:
            job.ask_to_stop()


class Worker(GeneratorWorker[Any, Any, Any]):
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

    @property
    def quit(self) -> Callable[[], None]:
        """What asks the job to stop; napari calls it, too, when its window closes.

        The inherited method would drop the last event, which brings the best weights. napari keeps
        what it finds here for as long as the viewer lives, one for each job that ever ran: so it is
        no method, which would hold the worker, its signals and its job.
        """
        return _Ask(self._job)

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
