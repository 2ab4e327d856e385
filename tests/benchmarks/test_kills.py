"""The campaign of kills sees what is lost, and some kills of it run with the tests."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.kill_exports import exporting
from benchmarks.kill_window import Expected, Journal, read_journal
from benchmarks.killing import Killed
from benchmarks.kills import does_harm


def states(*strokes: tuple[int, int]) -> Expected:
    """Return the labels after strokes of (label, column), one per second."""
    expected = Expected([np.zeros((4, 8), np.int64)], [0.0])
    for second, (label, column) in enumerate(strokes, 1):
        painted = expected.states[-1].copy()
        painted[:, column] = label
        expected.states.append(painted)
        expected.times.append(float(second))
    return expected


def test_the_oldest_stroke_that_is_missing_tells_how_much_is_lost() -> None:
    expected = states((1, 0), (2, 1), (3, 2))
    assert expected.lost(expected.states[3], killed=10) == 0
    assert expected.lost(expected.states[2], killed=10) == 7
    without_second = expected.states[3].copy()
    without_second[:, 1] = 0
    assert expected.lost(without_second, killed=10) == 8
    assert expected.lost(np.zeros((4, 8), np.int64), killed=10) == 9
    assert expected.lost(np.full((4, 8), 9), killed=10) is None  # nobody painted that


def test_a_stroke_that_had_not_ended_may_be_there_or_not() -> None:
    expected = states((1, 0))
    expected.begun = {"number": 2, "what": "paint", "label": 5}
    half = expected.states[-1].copy()
    half[:2, 3] = 5
    assert expected.lost(half, killed=3) == 0


def test_a_journal_tells_what_was_painted(tmp_path: Path) -> None:
    labels = np.zeros((2, 8), np.uint16)
    journal = Journal(tmp_path, labels)
    journal.begin("paint", 3)
    labels[1, 2] = 3
    journal.end()
    journal.begin("undo")
    expected = read_journal(tmp_path)
    assert expected is not None
    assert [int(state.sum()) for state in expected.states] == [0, 3]
    assert expected.begun["what"] == "undo"


@pytest.mark.parametrize(
    "killed",
    [
        Killed("painting", 1, lost=6),
        Killed("exporting", 1, broken=["labels.tif"]),
        Killed("training", 1, equal=False),
        Killed("painting", 1, trouble="it ended by itself"),
    ],
)
def test_harm_is_seen(killed: Killed) -> None:
    assert does_harm(killed)
    assert not does_harm(Killed("painting", 1, lost=2.5))


@pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does")
def test_an_export_that_is_killed_leaves_the_older_file_or_the_new_one(tmp_path: Path) -> None:
    kills = list(exporting(tmp_path, 2, np.random.default_rng(0)))
    assert len(kills) == 2
    assert not any(map(does_harm, kills)), kills
