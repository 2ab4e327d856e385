"""Pieces of work that do not depend on each other are done at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
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
