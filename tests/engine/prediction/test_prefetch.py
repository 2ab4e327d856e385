"""Work that is done ahead of its use."""

from __future__ import annotations

import threading

import pytest

from napari_unet.engine.prediction.prefetch import ahead

PATIENCE = 30  # seconds


def test_results_come_in_order() -> None:
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
