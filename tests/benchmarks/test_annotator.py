"""The simulated person paints what is true, and corrects what is wrong."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from benchmarks.annotator import correct, paint_classes, paint_objects
from napari_unet.config import Task

Labels = npt.NDArray[np.int32]


@pytest.fixture
def cells() -> Labels:
    """Ten pairs of touching cells, 16×12 px each, with background between the pairs."""
    truth = np.zeros((128, 128), dtype=np.int32)
    corners = [(y, x) for y in range(4, 120, 24) for x in (8, 60)]
    for pair, (y, x) in enumerate(corners):
        truth[y : y + 16, x : x + 12] = 2 * pair + 1
        truth[y : y + 16, x + 12 : x + 24] = 2 * pair + 2
    return truth


def two_cells() -> Labels:
    """Two cells side by side, 20×10 px each."""
    truth = np.zeros((40, 40), dtype=np.int32)
    truth[10:30, 10:20] = 1
    truth[10:30, 20:30] = 2
    return truth


def test_painted_objects_have_their_number_in_the_truth(cells: Labels) -> None:
    painted = paint_objects(cells, actions=12, seed=0)

    numbers = np.unique(painted[painted > 1])
    assert len(numbers) >= 4
    for number in numbers:
        inside = cells[painted == number] == number - 1
        assert inside.mean() > 0.9  # the hand is off by about a pixel
    assert (cells[painted == 1] == 0).mean() > 0.95


def test_more_actions_paint_more_objects(cells: Labels) -> None:
    few, many = (paint_objects(cells, actions=n, seed=0) for n in (6, 20))

    assert len(np.unique(many)) > len(np.unique(few))


def test_the_same_seed_paints_the_same(cells: Labels) -> None:
    first, again, other = (paint_objects(cells, actions=8, seed=seed) for seed in (1, 1, 2))

    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_strokes_of_a_class_stay_inside_it() -> None:
    truth = np.ones((64, 64), dtype=np.int32)
    truth[20:44, 20:44] = 2

    painted = paint_classes(truth, per_class=3, seed=0)

    assert set(np.unique(painted)) == {0, 1, 2}
    np.testing.assert_array_equal(painted[painted > 0], truth[painted > 0])


def test_a_merged_cell_is_filled_before_a_small_mistake_is_dabbed_on() -> None:
    truth = two_cells()
    merged = np.where(truth > 0, 7, 0).astype(np.int32)
    merged[:5, :5] = 3  # nothing is there
    empty = np.zeros_like(truth)

    one = correct([empty], [truth], [merged], Task.OBJECTS, actions=1)
    three = correct([empty], [truth], [merged], Task.OBJECTS, actions=3)

    assert set(np.unique(one.labels[0])) == {0, 2}
    assert (one.labels[0] > 0).sum() >= 18 * 8  # all but the rim
    assert three.labels[0][2, 2] == 1  # background


def test_a_right_result_needs_no_action() -> None:
    truth = two_cells()
    painted = paint_objects(truth, actions=6, seed=0)

    corrections = correct([painted], [truth], [truth * 5], Task.OBJECTS, actions=10)

    assert corrections.actions == 0
    np.testing.assert_array_equal(corrections.labels[0], painted)


def test_the_largest_wrong_region_of_a_class_is_dabbed_on_first() -> None:
    truth = np.ones((40, 40), dtype=np.int32)
    truth[:, 20:] = 2
    seen = truth.copy()
    seen[5:17, 5:17] = 2  # larger
    seen[25:32, 25:32] = 1

    [labels] = correct([np.zeros_like(truth)], [truth], [seen], Task.CLASSES, actions=1).labels

    assert labels[10, 10] == 1
    np.testing.assert_array_equal(np.unique(labels), [0, 1])


def test_lines_that_nobody_sees_are_overlooked() -> None:
    truth = np.ones((40, 40), dtype=np.int32)
    seen = truth.copy()
    seen[:, 20] = 2

    assert correct([truth], [truth], [seen], Task.CLASSES, actions=5).actions == 0
