"""A cluster of dask.distributed: started on this machine, or reached by its address.

The library is an extra, and is imported when it is asked for.
"""
# ruff: noqa: PLC0415

from __future__ import annotations

import importlib.metadata
import logging
import os
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count as numbers
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_unet.batch.cluster.orders import Order
from napari_unet.batch.cluster.tasks import Report, do
from napari_unet.batch.cluster.window import Job, LostError
from napari_unet.engine.counts import count
from napari_unet.engine.errors import (
    EngineError,
    SettingsError,
    UnetPaintError,
    first_line,
    reason_of,
)

if TYPE_CHECKING:
    from distributed import Client

PATIENCE = 15.0
"""Seconds in which a scheduler has to answer."""

_PACKAGE = "napari-unet-paint"
_LOCAL = re.compile(r"local:([1-9]\d{0,3})")
_RETRIES = 2  # of a task that fails, as disks of a network may for a moment
_DEATHS = 10  # workers that may die while a task is theirs, until it is thought to kill them
_PER_THREAD = 2  # jobs that are handed out: one is done, one waits
_LOOK = 0.1  # seconds between two looks for a file
_COUNT_EVERY = 5.0  # seconds between two counts of the workers


def check_wish(wish: str) -> None:
    """Raise a SettingsError unless this names a cluster: local:N, or an address."""
    if wish.partition(":")[0] == "local" and not _LOCAL.fullmatch(wish):
        raise SettingsError(
            f"'{wish}' is no number of workers; write local:4 for four on this machine."
        )


@contextmanager
def connected(
    wish: str, *, patience: float = PATIENCE, threads: int | None = None
) -> Iterator[DaskPool]:
    """Start or reach a cluster; what was started ends with the block.

    Parameters
    ----------
    wish
        "local:N": N processes on this machine; else the address of a scheduler, or its file.
    patience
        Seconds in which it has to answer.
    threads
        With which each process on this machine computes; None: its share of the processors.

    Raises
    ------
    SettingsError
        If dask.distributed is not installed, nobody answers, or a worker has another version of
        this program.
    """
    check_wish(wish)
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise SettingsError(
            f"A cluster needs dask.distributed; install it with: pip install '{_PACKAGE}[cluster]'."
        ) from error
    local = _LOCAL.fullmatch(wish)
    with _quietly(), ExitStack() as ends:
        if local is None:
            pool = DaskPool(ends.enter_context(_reached(wish, patience)))
            pool.check_versions()
        else:
            pool = DaskPool(ends.enter_context(_started(int(local[1]), threads)))
        yield pool


@contextmanager
def _quietly() -> Iterator[None]:
    """Let the library say nothing: what fails is said in a sentence, and workers have their log."""
    names = [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]
    loggers = [logging.getLogger(name) for name in names]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


@contextmanager
def _reached(address: str, patience: float) -> Iterator[Client]:
    from distributed import Client

    how: dict[str, Any] = {"address": address}
    if address.endswith(".json"):
        _await_file(Path(address), patience)
        how = {"scheduler_file": address}
    try:
        client = Client(**how, timeout=patience, set_as_default=False)
    except Exception as error:  # whatever answers there may be no scheduler at all
        raise SettingsError(
            f"No scheduler of Dask answers at '{address}' within {patience:.0f} s "
            f"({reason_of(error)}); check the address, and that it runs and may be reached from "
            "here."
        ) from error
    with client:
        yield client


def _await_file(path: Path, patience: float) -> None:
    """Wait for the file of a scheduler that is just starting; the library would for ever."""
    until = time.monotonic() + patience
    while not path.exists():
        if time.monotonic() > until:
            raise SettingsError(
                f"There is no file '{path}', which the scheduler of Dask should write; start it "
                f"with: dask scheduler --scheduler-file {path}."
            )
        time.sleep(_LOOK)


@contextmanager
def _started(workers: int, threads: int | None) -> Iterator[Client]:
    """Start workers on this machine, which share its processors and its memory."""
    import dask
    from distributed import Client, LocalCluster
    from distributed.security import Security

    threads = threads or max(1, (os.cpu_count() or 1) // workers)
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    with dask.config.set({"distributed.scheduler.allowed-failures": _DEATHS}):
        cluster = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            host="127.0.0.1",
            protocol="tls",
            security=Security.temporary(),  # else any user of this machine could run code as this
            silence_logs=logging.CRITICAL,  # what fails is said in a sentence
            env=dict.fromkeys(names, str(threads)),
        )
    with cluster, Client(cluster, set_as_default=False) as client:
        yield client


class DaskPool:
    """The workers of a cluster.

    Parameters
    ----------
    client
        Connected.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._numbers = numbers()
        self._threads = 0
        self._counted = float("-inf")  # monotonic seconds
        self._workers = 0

    @property
    def name(self) -> str:
        """What people call them, and how many there are."""
        self._count()
        return f"{count(self._workers, 'worker')} of Dask"

    @property
    def dashboard(self) -> str:
        """Address of the page that shows what they do."""
        return str(self._client.dashboard_link)

    @property
    def slots(self) -> int:
        """How many jobs are to be handed out, so that nobody waits for the next."""
        self._count()
        return _PER_THREAD * max(1, self._threads)

    @property
    def workers(self) -> int:
        """How many there are."""
        self._count()
        return self._workers

    def check_versions(self) -> None:
        """Make sure that the workers have this program, in this version.

        Raises
        ------
        SettingsError
            If one has not.
        """
        try:
            own = importlib.metadata.version(_PACKAGE)
        except importlib.metadata.PackageNotFoundError:  # run from its source
            return
        found = self._client.run(importlib.metadata.version, _PACKAGE, on_error="return")
        for worker, version in found.items():
            if version != own:
                has = f"{_PACKAGE} {version}" if isinstance(version, str) else f"no {_PACKAGE}"
                raise SettingsError(
                    f"The worker {worker} has {has}, here it is {own}; start scheduler, workers "
                    "and this command in the same environment."
                )

    def submit(self, job: Job, order: Order, *, urgent: bool) -> Any:
        """Hand a job out."""
        return self._client.submit(
            do,
            job.task,
            order,
            *job.arguments,
            key=f"{job.task.__name__}-{order.token}-{next(self._numbers)}",
            pure=False,
            priority=1 if urgent else 0,
            retries=_RETRIES,
        )

    def result(self, pending: Any) -> Report:
        """Return what came of a job that has ended.

        Raises
        ------
        UnetPaintError
            If it failed: as the task did, a LostError if the cluster is not there any more.
        """
        from concurrent.futures import CancelledError

        from distributed import KilledWorker

        try:
            report: Report = pending.result(timeout=PATIENCE)
        except UnetPaintError:
            raise
        except KilledWorker as error:
            raise EngineError(
                f"Workers ended {_DEATHS} times while they worked on the same part, most likely "
                "for want of memory; give each of them more, or start fewer. To go on, run the "
                "same command again."
            ) from error
        except (CancelledError, OSError) as error:
            raise _lost(error) from error
        except Exception as error:
            raise EngineError(
                f"A worker failed ({first_line(error)}); see its log, mend the cause and run the "
                "same command again to go on."
            ) from error
        return report

    def check(self) -> None:
        """Raise a LostError if the scheduler is not there any more."""
        if self._client.status in ("closing", "closed"):
            raise _lost(self._client.status)

    def _count(self) -> None:
        """Count workers and their threads, now and then: they come and go."""
        now = time.monotonic()
        if now - self._counted < _COUNT_EVERY:
            return
        try:
            threads = self._client.nthreads().values()
        except OSError as error:
            raise _lost(error) from error
        self._workers, self._threads = len(threads), sum(threads)
        self._counted = now


def _lost(error: BaseException | str) -> LostError:
    return LostError(
        f"The cluster is not there any more ({reason_of(error)}); what is finished is kept: to go "
        "on, start it and run the same command again."
    )
