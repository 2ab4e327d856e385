"""Pieces of work that other processes do, a window of them at a time."""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from napari_unet.batch.cluster.orders import Order
from napari_unet.batch.cluster.tasks import Report
from napari_unet.engine.errors import EngineError

_LOOK = 0.5  # seconds between two looks at whether the others are still there


class LostError(EngineError):
    """Nobody is there any more who could do a job."""


@dataclass(frozen=True, slots=True)
class Job:
    """A call of one of the `tasks`."""

    task: Callable[..., Any]
    arguments: tuple[Any, ...]  # after the order
    tiles: int = 0  # that are done with it
    number: int = 0  # for who hands it out


class Pending(Protocol):
    """A job that has been handed out."""

    @property
    def key(self) -> Hashable:
        """What it is known by."""
        ...

    def add_done_callback(self, function: Callable[[Any], Any]) -> Any:
        """Call a function with it when it has ended."""
        ...


class Pool(Protocol):
    """Processes that do jobs."""

    @property
    def name(self) -> str:
        """What people call them, and how many there are."""
        ...

    @property
    def slots(self) -> int:
        """How many jobs are to be handed out, so that nobody waits for the next."""
        ...

    def submit(self, job: Job, order: Order, *, urgent: bool) -> Any:
        """Hand a job out; return what is `Pending`."""
        ...

    def result(self, pending: Any) -> Report:
        """Return what came of a job that has ended.

        Raises
        ------
        UnetPaintError
            If it failed.
        """
        ...

    def check(self) -> None:
        """Raise a LostError if nobody is there any more."""
        ...


def done_jobs(
    next_job: Callable[[], tuple[Job, bool] | None], pool: Pool, order: Order
) -> Generator[tuple[Job, Any], None, None]:
    """Yield jobs as they end, for `Pool.result`; there are never more of them out than slots.

    Parameters
    ----------
    next_job
        Returns a job and whether it is urgent, None if there is none for now; asked again after
        each job that has ended, until none is out.

    Raises
    ------
    UnetPaintError
        If the pool is lost.
    """
    ended: SimpleQueue[Any] = SimpleQueue()
    out: dict[Hashable, tuple[Job, Any]] = {}
    while True:
        while len(out) < pool.slots and (found := next_job()) is not None:
            job, urgent = found
            pending = pool.submit(job, order, urgent=urgent)
            out[pending.key] = job, pending
            pending.add_done_callback(ended.put)
        if not out:
            return
        try:
            pending = ended.get(timeout=_LOOK)
        except Empty:
            pool.check()
            continue
        job, _ = out.pop(pending.key)
        yield job, pending
