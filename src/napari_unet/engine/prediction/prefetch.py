"""The next pieces of work are done in the background while the last one is used."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


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


def _result(begun: deque[tuple[_Item, Future[_Result]]]) -> tuple[_Item, _Result]:
    item, future = begun.popleft()
    return item, future.result()
