"""Pieces of work at the same time: results in order, errors in place, all cores at work."""

from __future__ import annotations

import threading
import time

import pytest
import torch

from napari_unet.engine.stack.parallel_map import side_by_side


@pytest.fixture
def three_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)


@pytest.mark.usefixtures("three_threads")
def test_results_come_in_the_order_of_the_items() -> None:
    def work(item: int) -> int:
        time.sleep(0.02 * (item == 0))  # the first one is done last
        return item

    assert list(side_by_side(work, range(5))) == [0, 1, 2, 3, 4]


@pytest.mark.usefixtures("three_threads")
def test_as_many_are_worked_on_as_torch_has_threads() -> None:
    together = threading.Barrier(3, timeout=10)

    assert sorted(side_by_side(lambda _: together.wait(), range(3))) == [0, 1, 2]


def test_threads_are_few_on_a_large_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 64)
    began = threading.Semaphore(8)

    def work(_: int) -> bool:
        is_free = began.acquire(blocking=False)
        time.sleep(0.01)
        if is_free:
            began.release()
        return is_free

    assert all(side_by_side(work, range(40)))


@pytest.mark.usefixtures("three_threads")
def test_an_error_is_raised_in_place_of_its_result() -> None:
    def work(item: int) -> int:
        if item == 1:
            raise MemoryError(item)
        return item

    results = side_by_side(work, range(3))
    assert next(results) == 0
    with pytest.raises(MemoryError):
        next(results)


def test_nothing_gives_nothing() -> None:
    assert list(side_by_side(abs, [])) == []
