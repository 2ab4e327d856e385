"""The next piece of work is done in the background while the last one is used."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["one_ahead"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def one_ahead(
    work: Callable[[_Item], _Result], items: Iterable[_Item]
) -> Generator[tuple[_Item, _Result], None, None]:
    """Yield each item with its result, and begin with the next one meanwhile.

    Work is done by one thread, item after item, and at most one result waits. An error is raised
    in place of its result. When the iterator is closed, what has begun is finished and forgotten.

    Examples
    --------
    >>> list(one_ahead(abs, [-3, 4]))
    [(-3, 3), (4, 4)]
    """
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:
        begun = None
        for item in items:
            next_one = item, thread.submit(work, item)
            if begun is not None:
                yield begun[0], begun[1].result()
            begun = next_one
        if begun is not None:
            yield begun[0], begun[1].result()
