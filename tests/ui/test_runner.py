"""The job runner, with fake jobs: states, order of signals, stopping, failures, closing."""

from __future__ import annotations

import gc
import os
import re
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QThreadPool

from napari_unet.engine.errors import EngineError, LabelsError, UnetPaintError
from napari_unet.engine.events import Stop
from napari_unet.ui.runner import JobEnd, JobRunner, JobState
from napari_unet.ui.worker import Awaited, Job
from tests.ui.conftest import endless_job, failing_job, job_of


@pytest.fixture
def runner(qtbot: QtBot) -> Iterator[JobRunner]:
    runner = JobRunner()
    yield runner
    runner.abandon()
    pool = QThreadPool.globalInstance()
    assert pool is not None
    assert pool.waitForDone(5000)


class Record:
    """All that a runner tells, its signals and what the listeners of one job hear."""

    def __init__(self, runner: JobRunner) -> None:
        self.told: list[tuple[str, Any]] = []
        runner.state_changed.connect(lambda state: self.told.append(("state", state)))
        runner.failed.connect(lambda error: self.told.append(("failed", error)))
        runner.finished.connect(lambda end: self.told.append(("finished", end)))

    def on_event(self, event: object) -> None:
        self.told.append(("event", event))

    def on_end(self, end: JobEnd) -> None:
        self.told.append(("end", end))

    @property
    def has_begun(self) -> bool:
        """Whether the job has told an event."""
        return any(kind == "event" for kind, _ in self.told)


def begin(runner: JobRunner, job: Job, qtbot: QtBot) -> Record:
    """Start a job and wait for its first event."""
    record = Record(runner)
    runner.start("training", job, record.on_event, record.on_end)
    qtbot.waitUntil(lambda: record.has_begun)
    return record


def test_events_arrive_in_order_and_the_end_comes_last(runner: JobRunner, qtbot: QtBot) -> None:
    record = Record(runner)
    with qtbot.waitSignal(runner.finished):
        runner.start("counting", job_of(1, 2, 3), record.on_event, record.on_end)
        assert runner.state is JobState.RUNNING
        assert runner.job_name == "counting"
    assert record.told == [
        ("state", JobState.RUNNING),
        ("event", 1),
        ("event", 2),
        ("event", 3),
        ("state", JobState.IDLE),
        ("end", JobEnd.COMPLETED),
        ("finished", JobEnd.COMPLETED),
    ]
    assert runner.job_name == ""


def test_each_job_is_heard_by_those_who_started_it(runner: JobRunner, qtbot: QtBot) -> None:
    first, second = Record(runner), Record(runner)
    for record, event in ((first, "one"), (second, "two")):
        with qtbot.waitSignal(runner.finished):
            runner.start("counting", job_of(event), record.on_event, record.on_end)
    for record, event in ((first, "one"), (second, "two")):
        assert [value for kind, value in record.told if kind == "event"] == [event]
        assert [value for kind, value in record.told if kind == "end"] == [JobEnd.COMPLETED]


def test_a_listener_that_fails_does_not_keep_the_others_from_the_end(
    runner: JobRunner, qtbot: QtBot
) -> None:
    def fail(_: object) -> None:
        raise KeyError("bug")

    with (
        qtbot.captureExceptions() as raised,
        qtbot.waitSignal(runner.finished) as finished,
    ):
        runner.start("failing", job_of(Slow()), fail, fail)
    assert finished.args == [JobEnd.COMPLETED]
    assert [kind for kind, *_ in raised] == [KeyError] * 2
    assert runner.state is JobState.IDLE


class Slow(Awaited):
    """An event that the window is slow to take."""


def test_a_job_waits_until_the_window_has_taken_an_awaited_event(
    runner: JobRunner, qtbot: QtBot
) -> None:
    order: list[str] = []

    def job(_stop: Stop) -> Iterator[object]:
        yield Slow()
        order.append("job goes on")

    def answer(_: object) -> None:
        time.sleep(0.1)
        order.append("window is done")

    with qtbot.waitSignal(runner.finished):
        runner.start("waiting", job, answer)
    assert order == ["window is done", "job goes on"]


def test_a_job_that_waits_for_a_busy_window_goes_on_after_a_while(
    runner: JobRunner, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_unet.ui.worker._PATIENCE", 0.05)
    went_on = threading.Event()

    def job(_stop: Stop) -> Iterator[object]:
        yield Slow()
        went_on.set()

    with qtbot.waitSignal(runner.finished):
        runner.start("waiting", job)
        assert went_on.wait(5)  # meanwhile the window does nothing at all


def test_the_job_runs_in_a_thread_and_is_told_on_the_main_thread(
    runner: JobRunner, qtbot: QtBot
) -> None:
    heard: list[threading.Thread] = []
    ran: list[threading.Thread] = []

    def job(_stop: Stop) -> Iterator[int]:
        ran.append(threading.current_thread())
        yield 1

    def hear(_: object) -> None:
        heard.append(threading.current_thread())

    with qtbot.waitSignal(runner.finished):
        runner.start("threads", job, hear, hear)
    assert ran != [threading.main_thread()]
    assert heard == [threading.main_thread()] * 2


def test_stopping_lets_the_job_tell_its_last_event(runner: JobRunner, qtbot: QtBot) -> None:
    record = begin(runner, endless_job("step", last="best weights"), qtbot)
    told = record.told
    with qtbot.waitSignal(runner.finished):
        runner.stop()
        assert runner.state is JobState.CANCELLING
        runner.stop()  # again changes nothing
    assert told[0] == ("state", JobState.RUNNING)
    assert ("state", JobState.CANCELLING) in told
    assert told[-4:] == [
        ("event", "best weights"),
        ("state", JobState.IDLE),
        ("end", JobEnd.STOPPED),
        ("finished", JobEnd.STOPPED),
    ]
    assert [name for name, _ in told].count("state") == 3


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (LabelsError("Paint something."), LabelsError, r"Paint something\."),
        (RuntimeError("CUDA out of memory"), EngineError, "CUDA out of memory"),
        (MemoryError(), EngineError, "There is not enough memory; close .*"),
        (KeyError("bug"), EngineError, r"Something unexpected .*KeyError: 'bug'.* report it .*"),
    ],
)
def test_every_failure_is_told_once_as_a_typed_error(
    runner: JobRunner,
    qtbot: QtBot,
    error: Exception,
    kind: type[UnetPaintError],
    text: str,
) -> None:
    record = Record(runner)
    with qtbot.waitSignals([runner.failed, runner.finished], order="strict"):
        runner.start("failing", failing_job(error, "first"), record.on_event, record.on_end)
    told = record.told
    assert [name for name, _ in told] == ["state", "event", "failed", "state", "end", "finished"]
    assert type(told[2][1]) is kind
    assert re.fullmatch(text, str(told[2][1]))
    assert told[-2:] == [("end", JobEnd.FAILED), ("finished", JobEnd.FAILED)]


def test_a_job_can_follow_a_failed_one(runner: JobRunner, qtbot: QtBot) -> None:
    with qtbot.waitSignal(runner.finished):
        runner.start("failing", failing_job(RuntimeError("once")))
    record = Record(runner)
    with qtbot.waitSignal(runner.finished):
        runner.start("counting", job_of(1))
    assert record.told[-1] == ("finished", JobEnd.COMPLETED)


def test_only_one_job_runs_at_a_time(runner: JobRunner, qtbot: QtBot) -> None:
    begin(runner, endless_job(1, last=2), qtbot)
    with pytest.raises(RuntimeError, match="training is still running"):
        runner.start("another", job_of())


def test_an_abandoned_job_ends_and_tells_nothing_more(runner: JobRunner, qtbot: QtBot) -> None:
    ended = threading.Event()

    def job(stop: Stop) -> Iterator[int]:
        while not stop():
            yield 1
        ended.set()
        yield 2

    told = begin(runner, job, qtbot).told
    told.clear()
    runner.abandon()
    assert ended.wait(1)
    assert runner.state is JobState.IDLE
    qtbot.wait(50)
    assert told == []


def test_abandoning_does_not_wait_for_a_long_step(runner: JobRunner, qtbot: QtBot) -> None:
    step = threading.Event()

    def job(_stop: Stop) -> Iterator[int]:
        yield 1
        step.wait(10)

    begin(runner, job, qtbot)
    before = time.monotonic()
    runner.abandon(patience=0.01)
    assert time.monotonic() - before < 5
    step.set()


def test_a_job_that_is_over_is_let_go_of(runner: JobRunner, qtbot: QtBot) -> None:
    class Payload:
        """Stands for the labels, the image and the model that a job holds."""

    def job_with(payload: Payload) -> Any:
        def run(_stop: Stop) -> Iterator[Payload]:
            yield payload

        return run

    payload = Payload()
    seen = weakref.ref(payload)
    # napari keeps the worker and its function in the viewer's list of tasks.
    kept: list[Any] = []
    with qtbot.waitSignal(runner.finished):
        runner.start("holding", job_with(payload))
        assert runner._running is not None
        kept.append(runner._running.worker)
    del payload
    gc.collect()
    assert kept
    assert seen() is None


def test_a_paused_job_waits_and_then_goes_on(qtbot: QtBot) -> None:
    runner = JobRunner()
    seen: list[object] = []
    runner.start("Counting", endless_job(1, last=2), seen.append)
    qtbot.waitUntil(lambda: len(seen) > 2)
    runner.pause()
    assert runner.state is JobState.PAUSED
    qtbot.wait(50)
    before = len(seen)
    qtbot.wait(50)
    assert len(seen) == before
    runner.resume()
    qtbot.waitUntil(lambda: len(seen) > before)
    with qtbot.waitSignal(runner.finished):
        runner.stop()
    assert seen[-1] == 2


def test_a_paused_job_can_be_stopped(qtbot: QtBot) -> None:
    runner = JobRunner()
    runner.start("Counting", endless_job(1, last=2))
    runner.pause()
    with qtbot.waitSignal(runner.finished) as finished:
        runner.stop()
    assert finished.args == [JobEnd.STOPPED]


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority that is inherited")
def test_a_job_computes_after_the_window(qtbot: QtBot) -> None:
    def nice() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    def job(_stop: Stop) -> Iterator[int]:
        with ThreadPoolExecutor(1) as others:  # as torch's threads are made by the job's
            yield others.submit(nice).result()
        yield nice()

    before = nice()
    runner = JobRunner()
    seen: list[int] = []
    with qtbot.waitSignal(runner.finished):
        runner.start("computing", job, seen.append)
    assert seen == [max(before, 10)] * 2
    assert nice() == before  # the window's own
