"""The label scheme, the separation border and the weight map, against plain references."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_unet.config import Task, Unpainted
from napari_unet.engine.errors import LabelsError
from napari_unet.engine.paint.label_scheme import IGNORED, LabelScheme, class_weights
from napari_unet.engine.paint.separation import separate

PAINTED_OBJECTS = LabelScheme(Task.OBJECTS, Unpainted.IGNORED)
OBJECT_IMAGE = LabelScheme(Task.OBJECTS, Unpainted.BACKGROUND)
PAINTED_CLASSES = LabelScheme(Task.CLASSES, Unpainted.IGNORED)
CLASS_IMAGE = LabelScheme(Task.CLASSES, Unpainted.BACKGROUND)


def random_objects(seed: int, size: int = 40, count: int = 6) -> npt.NDArray[np.int32]:
    """Discs with random, non-consecutive numbers, many of them touching."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((size, size))
    objects = np.zeros((size, size), dtype=np.int32)
    for _ in range(count):
        cy, cx = rng.integers(0, size, 2)
        disc = (y - cy) ** 2 + (x - cx) ** 2 <= rng.integers(3, 9) ** 2
        objects[disc & (objects == 0)] = rng.integers(2, 1000)
    return objects


@pytest.mark.parametrize(
    ("scheme", "painted", "expected"),
    [
        (PAINTED_OBJECTS, [0, 1, 2, 2, 0, 7], [IGNORED, 0, 1, 1, IGNORED, 1]),
        (OBJECT_IMAGE, [0, 1, 1, 0, 7, 0], [0, 1, 1, 0, 1, 0]),
        (PAINTED_CLASSES, [0, 1, 3, 9, 0, 1], [IGNORED, 0, 1, 2, IGNORED, 0]),
        (CLASS_IMAGE, [0, 1, 3, 9, 0, 1], [0, 1, 2, 3, 0, 1]),
    ],
)
def test_labels_become_classes(
    scheme: LabelScheme, painted: list[int], expected: list[int]
) -> None:
    labels = np.array([painted])
    values = scheme.values(frozenset(painted))

    assert scheme.classes(labels, values, gap=0).tolist() == [expected]


@pytest.mark.parametrize(
    ("scheme", "background", "first"),
    [
        (PAINTED_OBJECTS, 1, 2),
        (OBJECT_IMAGE, 0, 1),
        (PAINTED_CLASSES, None, 1),
        (CLASS_IMAGE, 0, 1),
    ],
)
def test_the_scheme_says_which_label_is_background_and_which_are_objects(
    scheme: LabelScheme, background: int | None, first: int
) -> None:
    assert (scheme.background, scheme.first) == (background, first)


def test_a_label_that_no_channel_stands_for_is_ignored() -> None:
    classes = PAINTED_CLASSES.classes(np.array([[1, 2, 5, 300]]), (1, 5), gap=0)

    assert classes.tolist() == [[0, IGNORED, 1, IGNORED]]


@pytest.mark.parametrize(
    ("scheme", "found", "sentence"),
    [
        (PAINTED_OBJECTS, {0}, "Nothing is painted yet"),
        (PAINTED_OBJECTS, set(), "Nothing is painted yet"),
        (PAINTED_OBJECTS, {0, 1}, "Only background"),
        (PAINTED_OBJECTS, {0, 2, 3}, "No background is painted"),
        (OBJECT_IMAGE, {1, 2}, "leave no background"),
        (PAINTED_CLASSES, {0, 4}, "Only one class is painted"),
        (CLASS_IMAGE, {3}, "Only one class is painted"),
        (PAINTED_CLASSES, set(range(300)), "at most 255"),
    ],
)
def test_labels_that_teach_nothing_are_refused_with_the_cure(
    scheme: LabelScheme, found: set[int], sentence: str
) -> None:
    with pytest.raises(LabelsError, match=sentence):
        scheme.values(frozenset(found))


@given(seed=st.integers(0, 10**6), gap=st.integers(1, 3))
@settings(max_examples=30, deadline=None)
def test_after_separation_objects_keep_the_gap_between_them(seed: int, gap: int) -> None:
    objects = random_objects(seed)

    separated = separate(objects, gap)

    for number in np.unique(separated[separated > 0]):
        reached = ndimage.binary_dilation(
            separated == number, np.ones((3, 3), dtype=bool), iterations=gap
        )
        assert not np.any(reached & (separated > 0) & (separated != number))


@given(seed=st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_separation_takes_only_pixels_near_another_object(seed: int) -> None:
    objects = random_objects(seed)

    separated = separate(objects, 1)

    padded = np.pad(objects, 1)
    for y, x in np.ndindex(objects.shape):
        neighbours = set(padded[y : y + 3, x : x + 3].ravel().tolist()) - {0}
        taken = objects[y, x] > 0 and len(neighbours) > 1
        assert separated[y, x] == (0 if taken else objects[y, x])


def test_class_weights_balance_the_frequencies() -> None:
    counts = np.array([800, 200, 0])

    weights = class_weights(counts)

    assert weights[0] * 800 == pytest.approx(weights[1] * 200)
    assert (weights * counts).sum() / counts.sum() == pytest.approx(1)
    assert weights[2] == 0


def test_a_class_of_a_few_pixels_does_not_drown_the_others() -> None:
    weights = class_weights(np.array([100_000, 1]), limit=10)

    assert weights[1] / weights[0] == pytest.approx(10 / 0.5, rel=0.01)


def test_without_a_limit_every_class_counts_as_much_as_the_others() -> None:
    counts = np.array([100_000, 1])

    weights = class_weights(counts, limit=0)

    np.testing.assert_allclose(weights * counts, 100_001 / 2, rtol=1e-5)
