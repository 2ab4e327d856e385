"""What part of a prediction is taken."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet.config import Task
from napari_unet.ui.correct.part import Part, Wanted

OBJECTS, CLASSES = Task.OBJECTS, Task.CLASSES
PLANE = np.array([[7, 7, 0, 4, 4], [0, 0, 0, 0, 4], [7, 0, 4, 0, 0]])
MASK = np.minimum(PLANE, 1)


def at(y: int, x: int) -> Wanted:
    return Wanted(Part.OBJECT, (slice(y, y + 1), slice(x, x + 1)))


@pytest.mark.parametrize(
    ("plane", "task", "expected"),
    [
        (PLANE, OBJECTS, PLANE == 4),  # one number is one object, in however many pieces
        (MASK, OBJECTS, [[0, 0, 0, 1, 1], [0, 0, 0, 0, 1], [0] * 5]),
        (PLANE, CLASSES, [[0, 0, 0, 1, 1], [0, 0, 0, 0, 1], [0] * 5]),
    ],
)
def test_one_object_or_region_of_a_class(
    plane: np.ndarray, task: Task, expected: np.ndarray
) -> None:
    prediction, mask = at(0, 4).within(plane, task)
    np.testing.assert_array_equal(mask, expected)
    np.testing.assert_array_equal(prediction > 0, expected)


@pytest.mark.parametrize("task", [OBJECTS, CLASSES])
def test_background_is_no_object(task: Task) -> None:
    assert not at(1, 1).within(PLANE, task)[1].any()


def test_objects_that_reach_out_of_view_are_left_out_and_classes_are_not() -> None:
    view = Wanted(Part.VIEW, (slice(0, 2), slice(0, 5)))
    prediction, mask = view.within(PLANE, OBJECTS)
    assert not prediction.any()  # both have pixels below
    np.testing.assert_array_equal(mask, [[0, 0, 1, 0, 0], [1, 1, 1, 1, 0], [0] * 5])
    prediction, mask = view.within(MASK, OBJECTS)
    np.testing.assert_array_equal(mask, [[1] * 5, [1] * 5, [0] * 5])
    np.testing.assert_array_equal(prediction, [[1, 1, 0, 2, 2], [0, 0, 0, 0, 2], [0] * 5])
    prediction, mask = view.within(PLANE, CLASSES)
    np.testing.assert_array_equal(mask, [[1] * 5, [1] * 5, [0] * 5])
    np.testing.assert_array_equal(prediction, np.where(mask, PLANE, 0))
