"""False positives, misses, splits and merges, on objects whose pixels are counted by hand."""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_unet.engine.errors import LabelsError
from napari_unet.engine.scores.metrics import detections
from napari_unet.engine.scores.mistakes import Mistake, class_disagreement, disagreement

RIGHT, FALSE_POSITIVE, MISS, SPLIT, MERGE = Mistake
Labels = npt.NDArray[np.int64]


def bars(*spans: tuple[int, int, int]) -> Labels:
    """Return a row of 100 pixels with (start, stop, number) on it."""
    row = np.zeros((1, 100), np.int64)
    for start, stop, number in spans:
        row[0, start:stop] = number
    return row


def counts(prediction: Labels, truth: Labels, threshold: float = 0.5) -> dict[str, int]:
    """Return how many objects there are of each kind, where there are any."""
    found = disagreement(prediction, truth, threshold=threshold).counts
    assert set(found) == set(Mistake)
    return {kind.name: n for kind, n in found.items() if n}


def test_the_same_objects_under_other_numbers_are_right() -> None:
    found = disagreement(bars((0, 9, 40), (20, 30, 2)), bars((0, 9, 3), (20, 30, 999_999)))
    assert found.counts == {RIGHT: 2, FALSE_POSITIVE: 0, MISS: 0, SPLIT: 0, MERGE: 0}
    assert found.image.dtype == np.uint8
    assert not found.image.any()


def test_what_only_one_image_holds_is_missed_or_false() -> None:
    found = disagreement(bars((0, 9, 1)), bars((20, 30, 1)))
    assert (found.counts[FALSE_POSITIVE], found.counts[MISS]) == (1, 1)
    np.testing.assert_array_equal(found.image, bars((0, 9, FALSE_POSITIVE), (20, 30, MISS)))


def test_the_threshold_tells_found_from_missed() -> None:
    prediction, truth = bars((0, 10, 1)), bars((5, 15, 1))  # 5 of 15 pixels
    assert counts(prediction, truth, 1 / 3) == {"RIGHT": 1}
    assert counts(prediction, truth, 0.34) == {"FALSE_POSITIVE": 1, "MISS": 1}
    image = disagreement(prediction, truth).image
    np.testing.assert_array_equal(image, bars((0, 5, FALSE_POSITIVE), (5, 15, MISS)))


def test_a_reference_object_in_two_parts_is_split() -> None:
    prediction, truth = bars((0, 9, 1), (10, 22, 2)), bars((0, 20, 7))
    assert counts(prediction, truth) == {"SPLIT": 1}
    image = disagreement(prediction, truth).image
    np.testing.assert_array_equal(image, bars((0, 20, SPLIT)))


def test_a_split_object_can_be_matched_by_its_larger_part() -> None:
    # The larger part has an IoU of 0.8; the smaller one covers 10 %, which is just a part.
    assert counts(bars((0, 16, 1), (18, 20, 2)), bars((0, 20, 7))) == {"SPLIT": 1}


def test_a_crumb_inside_an_object_is_no_part_but_a_false_positive() -> None:
    # 1 of 20 pixels is less than 10 %.
    found = {"RIGHT": 1, "FALSE_POSITIVE": 1}
    assert counts(bars((0, 18, 1), (19, 20, 2)), bars((0, 20, 7))) == found


def test_a_part_lies_in_the_object_by_half_of_itself() -> None:
    inside, outside = bars((0, 14, 1), (15, 25, 2)), bars((0, 14, 1), (15, 26, 2))
    assert counts(inside, bars((0, 20, 7))) == {"SPLIT": 1}  # 5 of 10 pixels
    assert counts(outside, bars((0, 20, 7))) == {"RIGHT": 1, "FALSE_POSITIVE": 1}  # 5 of 11


def test_a_predicted_object_over_two_is_a_merge() -> None:
    prediction, truth = bars((0, 22, 1)), bars((0, 9, 7), (10, 20, 8))
    assert counts(prediction, truth) == {"MERGE": 1}
    image = disagreement(prediction, truth).image
    np.testing.assert_array_equal(image, bars((0, 22, MERGE)))


def test_a_merger_covers_half_of_each() -> None:
    truth = bars((0, 30, 7), (30, 40, 8))
    assert counts(bars((0, 35, 1)), truth) == {"MERGE": 1}  # 5 of 10 pixels of 8
    # 4 of 10 pixels are not half: 7 is found (30 of 34), 8 is missed.
    assert counts(bars((0, 34, 1)), truth) == {"RIGHT": 1, "MISS": 1}


def test_an_object_can_be_split_and_merged_at_a_time() -> None:
    # 1 lies in 7 by 10 of 16 pixels and covers 10 of its 18, and 6 of the 10 pixels of 8.
    prediction = bars((0, 8, 2), (8, 24, 1))
    truth = bars((0, 18, 7), (18, 28, 8))
    assert counts(prediction, truth) == {"SPLIT": 1, "MERGE": 1}
    image = disagreement(prediction, truth).image
    np.testing.assert_array_equal(image, bars((0, 8, SPLIT), (8, 24, MERGE)))


def test_where_the_truth_is_unknown_nothing_is_wrong() -> None:
    prediction, truth = bars((0, 20, 1), (60, 70, 2)), bars((0, 10, 7), (40, 50, 8))
    valid = np.ones((1, 100), bool)
    valid[0, 10:55] = False
    found = disagreement(prediction, truth, valid=valid)
    assert found.counts == {RIGHT: 1, FALSE_POSITIVE: 1, MISS: 0, SPLIT: 0, MERGE: 0}
    np.testing.assert_array_equal(found.image, bars((60, 70, FALSE_POSITIVE)))
    valid[0, 65:] = False
    image = disagreement(prediction, truth, valid=valid).image
    np.testing.assert_array_equal(image, bars((60, 65, FALSE_POSITIVE)))


@given(*[arrays(np.uint8, (5, 6), elements=st.integers(0, 3))] * 2)
def test_every_object_gets_its_due(prediction: npt.NDArray[np.uint8], truth: Labels) -> None:
    found = disagreement(prediction, truth, threshold=0.6)
    scores = detections(prediction, truth, 0.6)
    assert found.counts[FALSE_POSITIVE] <= scores.false_positives
    assert found.counts[MISS] <= scores.false_negatives
    assert found.counts[RIGHT] <= scores.true_positives
    if not found.counts[SPLIT] and not found.counts[MERGE]:
        assert found.counts[RIGHT] == scores.true_positives
        assert found.counts[MISS] == scores.false_negatives
        assert found.counts[FALSE_POSITIVE] == scores.false_positives
    assert not found.image[(prediction == 0) & (truth == 0)].any()


def test_five_thousand_objects_are_judged_in_no_time() -> None:
    numbers = np.arange(1, 72 * 72 + 1).reshape(72, 72)
    truth = np.zeros((72 * 20, 72 * 20), np.int64)
    for dy, dx in np.ndindex(15, 15):
        truth[dy::20, dx::20] = numbers
    prediction = np.roll(truth, 1, axis=0)
    prediction[prediction % 5 == 0] = 0
    begin = time.perf_counter()
    found = disagreement(prediction, truth)
    assert time.perf_counter() - begin < 5  # 0.4 s when nothing else runs
    lost = 72 * 72 // 5
    assert found.counts == {RIGHT: 5184 - lost, FALSE_POSITIVE: 0, MISS: lost, SPLIT: 0, MERGE: 0}
    assert (found.image == MISS).sum() == lost * 15 * 15


def test_wrong_classes_are_marked_where_the_truth_is_known() -> None:
    prediction, truth = np.array([[1, 2, 2, 3]]), np.array([[1, 1, 2, 0]], np.uint8)
    np.testing.assert_array_equal(class_disagreement(prediction, truth), [[0, 1, 0, 1]])
    wrong = class_disagreement(prediction, truth, truth > 0)
    np.testing.assert_array_equal(wrong, [[0, 1, 0, 0]])
    assert wrong.dtype == np.uint8


@pytest.mark.parametrize("compare", [disagreement, class_disagreement])
def test_images_of_two_shapes_are_not_compared(compare: type) -> None:
    with pytest.raises(LabelsError, match="one shape"):
        compare(np.zeros((2, 3), int), np.zeros((1, 3), int))
    with pytest.raises(LabelsError, match="float64"):
        compare(np.zeros((2, 3)), np.zeros((2, 3), int))
