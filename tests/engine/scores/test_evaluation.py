"""Scores of a stack, plane by plane."""

from __future__ import annotations

import json
import math
import weakref
from collections.abc import Iterator
from dataclasses import fields

import numpy as np
import pytest

from napari_unet.config import Task, Unpainted
from napari_unet.engine.scores import metrics
from napari_unet.engine.scores.evaluation import Comparison, evaluate_classes, evaluate_objects

RNG = np.random.default_rng(0)
TRUTH = np.kron(RNG.integers(0, 9, (3, 6, 6)), np.ones((1, 5, 5), int))
PREDICTION = np.where(RNG.random(TRUTH.shape) < 0.8, TRUTH, np.roll(TRUTH, 2, axis=1))


def planes(prediction: np.ndarray = PREDICTION, truth: np.ndarray = TRUTH) -> Iterator[Comparison]:
    for pair in zip(prediction, truth, strict=True):
        yield Comparison(*pair)


def stacked(labels: np.ndarray) -> np.ndarray:
    """Return the stack with other numbers on every plane."""
    return np.where(labels > 0, labels + 100 * np.arange(len(labels))[:, None, None], 0)


def test_a_stack_of_objects_scores_as_one_image_with_other_numbers_on_each_plane() -> None:
    scores, pair = evaluate_objects(planes()), (stacked(PREDICTION), stacked(TRUTH))
    found = metrics.detections(*pair)
    masks = (PREDICTION > 0, TRUTH > 0)
    assert scores.as_dict() == pytest.approx(
        {
            "planes": 3,
            "reference_objects": len(np.unique(pair[1])) - 1,
            "predicted_objects": len(np.unique(pair[0])) - 1,
            "seg": metrics.seg_score(*pair),
            "average_precision": found.average_precision,
            "mean_average_precision": metrics.mean_average_precision(*pair),
            "precision": found.precision,
            "recall": found.recall,
            "foreground_iou": metrics.class_iou(*masks)[1],
            "pixel_error": metrics.pixel_error(*masks),
            "rand_error": scores.rand_error,
        }
    )
    assert 0 < scores.seg < 1


def test_rand_error_of_a_stack_counts_background_of_each_plane_by_itself() -> None:
    background = np.where(PREDICTION == 0, 50 + np.arange(3)[:, None, None], stacked(PREDICTION))
    expected = metrics.rand_error(background, stacked(TRUTH))
    assert evaluate_objects(planes()).rand_error == pytest.approx(expected)


@pytest.mark.parametrize("white", [1, 255])
def test_the_objects_of_a_mask_are_its_pieces(white: int) -> None:
    truth = np.zeros((30, 30), int)
    truth[2:8, 2:8], truth[2:8, 12:20], truth[15:25, 5:25] = 1, 2, 3
    mask = white * (truth > 0)
    pairs = [(mask, truth), (truth, mask)]
    for prediction, reference in pairs:
        plane = Comparison.read(prediction, reference, Task.OBJECTS, Unpainted.BACKGROUND)
        scores = evaluate_objects([plane])
        assert (scores.reference_objects, scores.predicted_objects, scores.seg) == (3, 3, 1)
    one = Comparison.read(mask, truth > 0, Task.CLASSES, Unpainted.BACKGROUND)
    assert one.prediction is mask


def test_of_a_painted_truth_the_labelled_pixels_count() -> None:
    painted = np.array([[0, 1, 1, 2, 2]])
    plane = Comparison.read(np.array([[9, 0, 0, 7, 7]]), painted, Task.OBJECTS, Unpainted.IGNORED)
    assert plane.truth.tolist() == [[0, 0, 0, 2, 2]]
    assert evaluate_objects([plane]).seg == 1


def test_a_stack_of_classes_scores_as_one_image() -> None:
    scores = evaluate_classes(planes())
    assert (scores.planes, scores.pixels) == (3, TRUTH.size)
    assert scores.iou == metrics.class_iou(PREDICTION, TRUTH)
    assert scores.mean_iou == pytest.approx(metrics.mean_iou(PREDICTION, TRUTH))
    assert scores.pixel_error == pytest.approx(metrics.pixel_error(PREDICTION, TRUTH))


def test_planes_without_objects_change_no_average() -> None:
    empty = np.zeros((1, 30, 30), int)
    with_empty = evaluate_objects(
        planes(np.concatenate([PREDICTION, empty]), np.concatenate([TRUTH, empty]))
    )
    without = evaluate_objects(planes())
    assert with_empty.planes == 4
    for name in ("seg", "average_precision", "foreground_iou", "rand_error"):
        assert getattr(with_empty, name) == getattr(without, name)


def test_only_known_pixels_count() -> None:
    valid = np.zeros(TRUTH.shape[1:], bool)
    valid[:, :15] = True
    half = planes(PREDICTION[:, :, :15], TRUTH[:, :, :15])
    masked = (Comparison(p, t, valid) for p, t in zip(PREDICTION, TRUTH, strict=True))
    assert evaluate_objects(masked) == evaluate_objects(half)


@pytest.mark.parametrize("evaluate", [evaluate_objects, evaluate_classes])
def test_scores_are_plain_json_even_of_nothing(evaluate) -> None:  # type: ignore[no-untyped-def]
    for given in (planes(), iter(())):
        scores = evaluate(given)
        back = json.loads(json.dumps(scores.as_dict(), allow_nan=False))
        assert list(back) == [field.name for field in fields(scores)]
        for name, value in back.items():
            if value is None:
                assert math.isnan(getattr(scores, name))


@pytest.mark.parametrize("evaluate", [evaluate_objects, evaluate_classes])
def test_planes_are_let_go_one_by_one(evaluate) -> None:  # type: ignore[no-untyped-def]
    seen: list[weakref.ref[np.ndarray]] = []

    def stream() -> Iterator[Comparison]:
        for _ in range(4):
            assert all(ref() is None for ref in seen[:-1])
            prediction = PREDICTION[0].copy()
            seen.append(weakref.ref(prediction))
            yield Comparison(prediction, TRUTH[0])
            del prediction

    assert evaluate(stream()).planes == 4
