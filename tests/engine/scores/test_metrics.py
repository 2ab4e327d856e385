"""Measures of agreement, against hand-computed cases, plain loops and scikit-image."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linear_sum_assignment
from skimage.metrics import adapted_rand_error

from napari_unet.engine.errors import LabelsError, SettingsError
from napari_unet.engine.scores.metrics import (
    IOU_THRESHOLDS,
    average_precision,
    class_iou,
    detections,
    mean_average_precision,
    mean_iou,
    pixel_error,
    rand_error,
    seg_score,
)

Labels = npt.NDArray[Any]

shapes = st.one_of(
    st.tuples(st.integers(1, 7), st.integers(1, 7)),
    st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4)),
)
pairs = shapes.flatmap(
    lambda shape: st.tuples(
        arrays(np.int32, shape, elements=st.integers(0, 4)),
        arrays(np.uint8, shape, elements=st.integers(0, 4)),
    )
)
thresholds = st.one_of(st.sampled_from(IOU_THRESHOLDS), st.floats(0.01, 1))


def drawing(*rows: str) -> Labels:
    return np.array([[int(c) for c in row.replace(".", "0")] for row in rows])


TRUTH = drawing("1111..22", "1111..22", "......22", "3333....")
PREDICTION = drawing("555...77", "555...77", "......8.", "........")
# 1: 6 of 8 px found by 5 (6 px), IoU 6/8; 2: 4 of 6 px found by 7 (4 px), IoU 4/6; 3: missed;
# 8: 1 px of object 2, IoU 1/6.


def ids(labels: Labels) -> list[int]:
    return [int(n) for n in np.unique(labels) if n]


def jaccard(a: Labels, b: Labels) -> float:
    return float((a & b).sum() / (a | b).sum())


def test_seg_of_a_hand_computed_case() -> None:
    assert seg_score(PREDICTION, TRUTH) == pytest.approx((6 / 8 + 4 / 6 + 0) / 3)


def test_detections_of_a_hand_computed_case() -> None:
    found = detections(PREDICTION, TRUTH, 0.5)
    assert (found.true_positives, found.false_positives, found.false_negatives) == (2, 1, 1)
    assert (found.precision, found.recall) == (2 / 3, 2 / 3)
    assert average_precision(PREDICTION, TRUTH) == 2 / 4
    assert average_precision(PREDICTION, TRUTH, 0.7) == 1 / 5
    # 0.5, 0.55, 0.6, 0.65: two found; 0.7, 0.75: one; 0.8 to 0.95: none
    assert mean_average_precision(PREDICTION, TRUTH) == pytest.approx((4 * 2 / 4 + 2 * 1 / 5) / 10)


def test_classes_of_a_hand_computed_case() -> None:
    truth, prediction = drawing("0011", "0022"), drawing("0111", "0005")
    assert class_iou(prediction, truth) == {0: 3 / 5, 1: 2 / 3, 2: 0, 5: 0}
    assert mean_iou(prediction, truth) == pytest.approx((3 / 5 + 2 / 3) / 4)
    assert pixel_error(prediction, truth) == 3 / 8


def test_half_covered_is_not_enough_for_seg() -> None:
    assert seg_score(drawing("11.."), drawing("1111")) == 0
    assert seg_score(drawing("111."), drawing("1111")) == 3 / 4


def test_an_iou_of_exactly_the_threshold_is_a_match() -> None:
    truth, prediction = np.ones((1, 20), int), np.ones((1, 20), int)
    prediction[0, 11:] = 0
    assert average_precision(prediction, truth, 0.55) == 1
    assert average_precision(prediction, truth, 0.56) == 0


def test_of_two_halves_only_one_is_matched() -> None:
    found = detections(drawing("1122"), drawing("3333"), 0.5)
    assert (found.true_positives, found.false_positives, found.false_negatives) == (1, 1, 0)


def test_as_many_objects_as_possible_are_matched() -> None:
    truth, prediction = drawing("1112222222"), drawing("5555555566")
    # 5 overlaps 1 with 3/8 and 2 with 5/10; 6 overlaps only 2, with 2/7
    found = detections(prediction, truth, 0.25)
    assert found.true_positives == 2


@given(pairs)
def test_seg_agrees_with_a_plain_loop(pair: tuple[Labels, Labels]) -> None:
    prediction, truth = pair
    scores = []
    for number in ids(truth):
        inside = truth == number
        best = 0.0
        for other in ids(prediction):
            if (inside & (prediction == other)).sum() > 0.5 * inside.sum():
                best = jaccard(inside, prediction == other)
        scores.append(best)
    expected = np.mean(scores) if scores else math.nan
    assert seg_score(prediction, truth) == pytest.approx(expected, nan_ok=True)


@given(pairs, thresholds)
def test_matching_agrees_with_the_assignment_of_dense_tables(
    pair: tuple[Labels, Labels], threshold: float
) -> None:
    prediction, truth = pair
    iou = np.array(
        [[jaccard(truth == t, prediction == p) for p in ids(prediction)] for t in ids(truth)]
    ).reshape(len(ids(truth)), len(ids(prediction)))
    rows, columns = linear_sum_assignment(iou >= threshold, maximize=True)
    found = detections(prediction, truth, threshold)
    assert found.true_positives == (iou >= threshold)[rows, columns].sum()
    assert found.true_positives + found.false_positives == len(ids(prediction))
    assert found.true_positives + found.false_negatives == len(ids(truth))


@given(pairs)
def test_classes_agree_with_a_plain_loop(pair: tuple[Labels, Labels]) -> None:
    prediction, truth = pair
    values = sorted({*np.unique(prediction).tolist(), *np.unique(truth).tolist()})
    assert class_iou(prediction, truth) == {
        value: pytest.approx(jaccard(truth == value, prediction == value)) for value in values
    }
    assert pixel_error(prediction, truth) == pytest.approx((prediction != truth).mean())


@given(pairs)
def test_rand_error_agrees_with_scikit_image(pair: tuple[Labels, Labels]) -> None:
    prediction, truth = pair[0].astype(int), pair[1].astype(int)
    error = rand_error(prediction, truth)
    if not truth.any():
        assert np.isnan(error)
        return
    with np.errstate(invalid="ignore"):
        reference, _, _ = adapted_rand_error(truth, prediction)
    assert error == pytest.approx(0 if np.isnan(reference) else reference)


MEASURES: list[Callable[..., Any]] = [
    average_precision,
    class_iou,
    detections,
    mean_average_precision,
    mean_iou,
    pixel_error,
    rand_error,
    seg_score,
]


@settings(deadline=None)
@given(measure=st.sampled_from(MEASURES), pair=pairs, data=st.data())
def test_unknown_pixels_do_not_matter(
    measure: Callable[..., Any], pair: tuple[Labels, Labels], data: st.DataObject
) -> None:
    prediction, truth = pair
    valid = data.draw(arrays(bool, truth.shape))
    cut = measure(prediction[valid][None], truth[valid][None])
    assert repr(measure(prediction, truth, valid=valid)) == repr(cut)


OF_OBJECTS = [m for m in MEASURES if m not in (class_iou, mean_iou, pixel_error)]


@settings(deadline=None)
@given(measure=st.sampled_from(OF_OBJECTS), pair=pairs)
def test_the_numbers_of_objects_and_their_type_do_not_matter(
    measure: Callable[..., Any], pair: tuple[Labels, Labels]
) -> None:
    prediction, truth = pair
    renumbered = np.array([0, 2**63, 9, 2**31, 5], np.uint64)[prediction]
    big = np.array([0, 2**40, 70_000, 6, 2**62], np.int64)[truth]
    found, expected = measure(renumbered, big), measure(prediction, truth)
    if measure is detections:
        assert found == expected
    else:
        assert found == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_perfect_segmentation_gets_full_marks(measure: Callable[..., Any]) -> None:
    full: dict[Callable[..., Any], Any] = {
        class_iou: {0: 1, 1: 1, 2: 1, 3: 1},
        pixel_error: 0,
        rand_error: 0,
    }
    found = measure(TRUTH, TRUTH)
    if measure is detections:
        assert found.true_positives == 3 == found.true_positives + found.false_positives
    else:
        assert found == full.get(measure, 1)


def test_empty_images_have_defined_results() -> None:
    empty, full = np.zeros((3, 3), int), np.ones((3, 3), int)
    assert math.isnan(seg_score(full, empty))
    assert math.isnan(average_precision(empty, empty))
    assert math.isnan(rand_error(full, empty))
    assert average_precision(full, empty) == 0
    assert average_precision(empty, full) == 0
    assert seg_score(empty, full) == 0
    assert math.isnan(detections(empty, full).precision)
    assert math.isnan(detections(full, empty).recall)
    assert class_iou(empty, empty) == {0: 1}
    nothing = np.zeros((3, 3), bool)
    assert class_iou(full, full, valid=nothing) == {}
    assert math.isnan(mean_iou(full, full, valid=nothing))
    assert math.isnan(pixel_error(full, full, valid=nothing))


def test_masks_are_label_images_too() -> None:
    assert class_iou(PREDICTION > 0, TRUTH > 0)[1] == 11 / 18


def test_thousands_of_objects_need_no_dense_table() -> None:
    truth = np.kron(np.arange(1, 40_001).reshape(200, 200), np.ones((3, 3), int))
    prediction = np.roll(truth, 1, axis=0)  # a dense table would take 13 GB
    assert average_precision(prediction, truth, 0.5) == pytest.approx(1)
    assert seg_score(prediction, truth) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("prediction", "truth", "valid", "sentence"),
    [
        (np.zeros((3, 3)), np.zeros((3, 3), int), None, "prediction holds float64"),
        (np.zeros((3, 3), int), np.zeros((3, 3), complex), None, "truth holds complex128"),
        (np.full((3, 3), -1), np.zeros((3, 3), int), None, "prediction holds the negative"),
        (np.zeros((3, 3), int), np.zeros((3, 4), int), None, r"\(3, 3\) and \(3, 4\)"),
        (np.zeros((3, 3), int), np.zeros((3, 3), int), np.ones((2, 3), bool), "one shape"),
    ],
)
def test_what_cannot_be_compared_gets_one_sentence(
    prediction: Labels, truth: Labels, valid: Any, sentence: str
) -> None:
    with pytest.raises(LabelsError, match=sentence):
        seg_score(prediction, truth, valid=valid)


@pytest.mark.parametrize("threshold", [0, -1, 1.01, math.nan])
def test_thresholds_lie_between_0_and_1(threshold: float) -> None:
    with pytest.raises(SettingsError, match="IoU threshold"):
        average_precision(TRUTH, TRUTH, threshold)
