"""A comparison scores what has a truth, marks what is wrong, and ends when asked to."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from napari_unet.config import Task, Unpainted
from napari_unet.engine.errors import LabelsError
from napari_unet.engine.events import never
from napari_unet.engine.scores.evaluation import Comparison, evaluate_classes, evaluate_objects
from napari_unet.engine.scores.mistakes import Mistake
from napari_unet.engine.stack.planes import ArrayPlanes
from napari_unet.ui.compare import job as compare_job
from napari_unet.ui.compare.job import CompareDone, ComparePlane, Figure

Stack = npt.NDArray[Any]

TRUTH = np.zeros((2, 3, 12, 16), np.uint8)  # (T, Z, Y, X)
TRUTH[0, 1, 1:5, 1:5], TRUTH[0, 1, 1:5, 8:12], TRUTH[1, 2, 6:10, 2:8] = 1, 2, 3
RESULT = TRUTH.copy()
RESULT[0, 1, 1:5, 8:12] = 0  # a miss
RESULT[0, 1, 8:11, 1:5] = 7  # a false positive
RESULT[1, 2, 6:10, 5:8] = 9  # a split
RESULT[0, 0, 2:5, 2:5] = 4  # on a plane without truth


def run(
    result: Stack,
    truth: Stack,
    *,
    task: Task = Task.OBJECTS,
    unpainted: Unpainted = Unpainted.BACKGROUND,
    planes: Any = range(6),
    stop: Any = never,
    unfinished: frozenset[int] = frozenset(),
) -> tuple[list[Any], Stack]:
    """Return what was told, and the mistakes."""
    mistakes = np.zeros(truth.shape, np.uint8)
    job = compare_job.compare(
        ArrayPlanes(result),
        ArrayPlanes(truth),
        mistakes,
        task=task,
        unpainted=unpainted,
        planes=list(planes),
        unfinished=unfinished,
    )
    return list(job(stop)), mistakes


def test_the_kinds_are_those_of_the_engine() -> None:
    names = {int(kind): kind.name.lower().replace("_", " ") for kind in Mistake if kind}
    assert compare_job.KINDS[Task.OBJECTS] == names


def test_planes_with_a_truth_are_scored_and_marked() -> None:
    told, mistakes = run(RESULT, TRUTH)
    done = told.pop()
    assert [(event.position, event.judged) for event in told] == [
        *[((0, 0), False), ((0, 1), True), ((0, 2), False)],
        *[((1, 0), False), ((1, 1), False), ((1, 2), True)],
    ]
    assert [(event.done, event.total) for event in told] == [(n, 6) for n in range(1, 7)]
    assert done.scores == evaluate_objects(
        [Comparison(RESULT[at], TRUTH[at]) for at in ((0, 1), (1, 2))]
    )
    assert done.mistakes == {1: 1, 2: 1, 3: 1, 4: 0}
    assert done.complete
    assert (mistakes[0, 1, 8:11, 1:5] == Mistake.FALSE_POSITIVE).all()
    assert (mistakes[0, 1, 1:5, 8:12] == Mistake.MISS).all()
    assert (mistakes[1, 2, 6:10, 2:8] == Mistake.SPLIT).all()
    assert not mistakes[0, 0].any()


def test_planes_are_compared_in_the_order_given() -> None:
    told, mistakes = run(RESULT, TRUTH, planes=[5, 1])
    assert [event.position for event in told[:-1]] == [(1, 2), (0, 1)]
    (only, done), mistakes = run(RESULT, TRUTH, planes=[1])
    assert (only, done.scores.planes) == (ComparePlane((0, 1), 1, 1, judged=True), 1)
    assert not mistakes[1].any()


def test_what_is_unpainted_is_not_judged() -> None:
    painted = np.where(TRUTH > 0, TRUTH + 1, 0)
    painted[0, 1, 6:8] = 1  # some background; the false positive lies elsewhere
    told, mistakes = run(RESULT, painted, unpainted=Unpainted.IGNORED)
    assert told[-1].mistakes == {1: 0, 2: 1, 3: 1, 4: 0}
    assert not mistakes[0, 1, 8:11].any()
    counted, _ = run(RESULT, np.where(painted == 1, 0, painted))
    assert counted[-1].mistakes[1] == 1


def test_classes_are_compared_class_by_class() -> None:
    truth = np.array([[[1, 1, 2, 2], [0, 0, 3, 3]]], np.uint8)
    result = np.array([[[1, 2, 2, 2], [1, 2, 3, 3]]], np.uint8)
    told, mistakes = run(result, truth, task=Task.CLASSES, unpainted=Unpainted.IGNORED, planes=[0])
    assert told[-1].scores == evaluate_classes([Comparison(result[0], truth[0], truth[0] > 0)])
    assert told[-1].mistakes == {1: 1}
    np.testing.assert_array_equal(mistakes, [[[0, 1, 0, 0], [0, 0, 0, 0]]])
    assert compare_job.tell_mistakes(told[-1].mistakes, Task.CLASSES) == {
        1: "1 pixel of a wrong class"
    }


def test_a_stopped_comparison_tells_of_the_planes_so_far() -> None:
    answers = iter([False, True])
    told, _ = run(RESULT, TRUTH, planes=[1, 5, 0], stop=lambda: next(answers))
    assert [event.done for event in told[:-1]] == [1, 2]
    assert (told[-1].scores.planes, told[-1].complete) == (2, False)


def test_nothing_to_judge_by_is_said() -> None:
    with pytest.raises(LabelsError, match="no truth"):
        run(RESULT, TRUTH, planes=[0, 2])


def test_mistakes_are_told_in_words() -> None:
    words = compare_job.tell_mistakes({1: 3, 2: 2, 3: 1, 4: 0}, Task.OBJECTS)
    assert list(words.values()) == ["3 false positives", "2 misses", "1 split", "0 merges"]
    assert compare_job.tell_mistakes({2: 1}, Task.OBJECTS) == {2: "1 miss"}


def test_every_score_has_its_row() -> None:
    told, _ = run(RESULT, TRUTH)
    done = replace(told[-1], mistakes={1: 4, 2: 3, 3: 2, 4: 5})  # no two are alike
    rows = {figure.name: figure for figure in compare_job.figures(done)}
    scores = done.scores
    assert rows["IoU"].value == scores.foreground_iou
    assert rows["SEG"].value == scores.seg
    assert rows["AP at 0.5"].value == scores.average_precision
    assert rows["Precision at 0.5"].value == scores.precision
    assert rows["Recall at 0.5"].value == scores.recall
    counts = {name: figure.value for name, figure in rows.items() if isinstance(figure.value, int)}
    assert counts == {
        "True objects": 3,
        "Objects in the result": 4,
        "Found": 1,
        "Missed": 3,
        "Split": 2,
        "Merged": 5,
        "False positives": 4,
        "Planes": 2,
    }
    assert all(figure.meaning for figure in rows.values())
    assert "Rand error" not in rows  # who counts cells asks for other things


def test_every_class_has_its_row() -> None:
    told, _ = run(TRUTH, TRUTH, task=Task.CLASSES)
    rows = {figure.name: figure.text for figure in compare_job.figures(told[-1])}
    assert rows["Mean IoU"] == rows["IoU of background"] == rows["IoU of class 3"] == "1.000"


def test_what_cannot_be_measured_is_a_dash() -> None:
    assert Figure("IoU", math.nan).text == "–"
    assert Figure("Pixels", 12_345).text == "12345"  # for spreadsheets


def test_the_end_names_no_more_than_was_compared() -> None:
    told, _ = run(RESULT, TRUTH, planes=[1])
    assert isinstance(told[-1], CompareDone)
    assert compare_job.tell_plane(told[0]).fraction == 1


def test_planes_that_are_not_segmented_are_not_scored() -> None:
    (*told, done), mistakes = run(RESULT, TRUTH, unfinished=frozenset({0, 5}))  # 0 has no truth
    assert [event.judged for event in told] == [False, True, False, False, False, False]
    assert done.scores == evaluate_objects([Comparison(RESULT[0, 1], TRUTH[0, 1])])
    assert not mistakes[1].any()
    assert compare_job.tell_end(done) == (
        "Compared 1 plane. Left out, as not segmented to the end: 1 plane."
    )
    with pytest.raises(LabelsError, match="not segmented to its end; segment it first"):
        run(RESULT, TRUTH, planes=[5], unfinished=frozenset({5}))
