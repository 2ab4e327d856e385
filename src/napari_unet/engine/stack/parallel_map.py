"""Pieces of work that do not depend on each other are done side by side, or ahead of their use."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

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


def _result(begun: deque[tuple[_Item, Future[_Result]]]) -> tuple[_Item, _Result]:
    item, future = begun.popleft()
    return item, future.result()
