"""Pieces of work at the same time: results in order, errors in place, all cores at work."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
import torch

from napari_unet.engine.stack.parallel_map import ahead, events_of, side_by_side

PATIENCE = 30  # seconds


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


# Ahead of their use


def test_results_come_in_order_with_their_items() -> None:
    assert list(ahead(lambda n: n * n, range(20))) == [(n, n * n) for n in range(20)]
    assert list(ahead(abs, [])) == []


def test_the_next_piece_is_done_while_the_last_is_used() -> None:
    done = [threading.Event() for _ in range(5)]
    for item, _ in ahead(lambda n: done[n].set(), range(5)):
        if item < 4:
            assert done[item + 1].wait(PATIENCE)
        assert not any(event.is_set() for event in done[item + 2 :])


def test_an_error_comes_in_its_turn() -> None:
    results = ahead(lambda n: 1 / n, [2, 1, 0, 5])
    assert [next(results), next(results)] == [(2, 0.5), (1, 1.0)]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_closing_waits_for_what_has_begun_and_begins_no_more() -> None:
    begun, ended = [], []

    def work(item: int) -> None:
        begun.append(item)
        ended.append(item)

    results = ahead(work, range(100))
    next(results)
    results.close()
    assert begun == ended
    assert len(begun) <= 3
    assert not any(thread.name.startswith("ahead") for thread in threading.enumerate())


def test_several_pieces_are_done_at_once_and_come_in_order() -> None:
    together = threading.Barrier(2, timeout=PATIENCE)

    def work(item: int) -> int:
        if item < 2:
            together.wait()
        return -item

    assert list(ahead(work, range(6), 2)) == [(item, -item) for item in range(6)]


def test_no_more_are_begun_than_are_done_at_once_and_one_used() -> None:
    begun: list[int] = []
    for item, _ in ahead(begun.append, range(9), 3):
        assert len(begun) <= item + 4


def test_events_of_several_items_are_told_as_they_come() -> None:
    together = threading.Barrier(2, timeout=PATIENCE)

    def work(item: str) -> Iterator[str]:
        yield f"{item} begun"
        if item != "c":
            together.wait()  # one of the two alone would wait for ever
        yield f"{item} done"

    told = list(events_of(work, "abc", 2))

    assert sorted(told) == sorted(f"{item} {end}" for item in "abc" for end in ("begun", "done"))
    assert all(told.index(f"{item} begun") < told.index(f"{item} done") for item in "abc")


def test_an_error_among_events_ends_the_work_and_what_is_closed_begins_no_more() -> None:
    begun: list[int] = []

    def work(item: int) -> Iterator[int]:
        begun.append(item)
        yield item
        if item == 2:
            raise ValueError("odd")

    with pytest.raises(ValueError, match="odd"):
        list(events_of(work, range(9)))
    assert begun[:3] == [0, 1, 2]

    begun.clear()
    events = events_of(work, iter(range(10**9)))
    assert next(events) == 0
    events.close()
    assert len(begun) < 10**6
