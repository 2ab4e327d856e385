"""Pieces of work that do not depend on each other are done side by side, or ahead of their use."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from queue import SimpleQueue
from threading import Event, Lock
from typing import Generic, TypeVar

import torch

_MOST = 8  # threads: each has memory of its own, and they wait for each other in Python

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def side_by_side(work: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
    """Yield the result of each item, in their order.

    As many are worked on at once as torch has threads, up to eight. All items are taken at once,
    and results wait for those before them. An error is raised in place of its result; what has
    not begun by then is left out.

    Examples
    --------
    >>> list(side_by_side(abs, [-3, 4]))
    [3, 4]
    """
    threads = min(torch.get_num_threads(), _MOST)
    with ThreadPoolExecutor(threads, thread_name_prefix="side by side") as pool:
        yield from pool.map(work, items)


def ahead(
    work: Callable[[_Item], _Result], items: Iterable[_Item], at_once: int = 1
) -> Generator[tuple[_Item, _Result], None, None]:
    """Yield each item with its result, in order, and begin with the next ones meanwhile.

    Work is done by as many threads as items are worked on at once, and as many results wait at
    most. An error is raised in place of its result. When the iterator is closed, what has begun is
    finished and forgotten.

    Examples
    --------
    >>> list(ahead(abs, [-3, 4]))
    [(-3, 3), (4, 4)]
    """
    with ThreadPoolExecutor(at_once, thread_name_prefix="ahead") as threads:
        begun: deque[tuple[_Item, Future[_Result]]] = deque()
        for item in items:
            begun.append((item, threads.submit(work, item)))
            if len(begun) > at_once:
                yield _result(begun)
        while begun:
            yield _result(begun)


def events_of(
    work: Callable[[_Item], Iterable[_Result]], items: Iterable[_Item], at_once: int = 1
) -> Generator[_Result, None, None]:
    """Yield the events of the work on each item as they come, of some items at once.

    Items are taken in their order. An error is raised in place of an event, and ends the work.
    When the iterator is closed, what has begun goes on up to its next event. Events wait without a
    limit, so they should be small.

    Examples
    --------
    >>> list(events_of(range, [2, 3]))
    [0, 1, 0, 1, 2]
    """
    running = _Running(work, iter(items))
    with ThreadPoolExecutor(at_once, thread_name_prefix="events") as threads:
        for _ in range(at_once):
            threads.submit(running.run)
        try:
            for _ in range(at_once):
                yield from running.told()
        finally:
            running.closed.set()


class _Running(Generic[_Item, _Result]):
    """Work that several threads do, and what they tell of it."""

    def __init__(self, work: Callable[[_Item], Iterable[_Result]], items: Iterator[_Item]) -> None:
        self.closed = Event()
        self._work = work
        self._items = items
        self._taking = Lock()
        self._queue: SimpleQueue[_Event[_Result] | Exception | None] = SimpleQueue()

    def run(self) -> None:
        """Work on one item after the other; for each of the threads."""
        try:
            for item in iter(self._take, []):
                for event in self._work(item[0]):
                    self._queue.put(_Event(event))
                    if self.closed.is_set():
                        return
        except Exception as error:
            self._queue.put(error)
            raise
        finally:
            self._queue.put(None)

    def told(self) -> Iterator[_Result]:
        """Yield what is told until one of the threads has ended."""
        while (heard := self._queue.get()) is not None:
            if isinstance(heard, Exception):
                raise heard
            yield heard.event

    def _take(self) -> list[_Item]:
        with self._taking:
            return [] if self.closed.is_set() else list(islice(self._items, 1))


@dataclass(frozen=True, slots=True, eq=False)
class _Event(Generic[_Result]):
    """What was told, whatever it is."""

    event: _Result


def _result(begun: deque[tuple[_Item, Future[_Result]]]) -> tuple[_Item, _Result]:
    item, future = begun.popleft()
    return item, future.result()
