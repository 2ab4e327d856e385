"""Nobody is judged by pixels of which the truth does not say what they show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

from benchmarks.annotator import correct, paint_objects
from benchmarks.microscopy_sets import MicroscopySet
from benchmarks.stroke_budgets import score
from benchmarks.undecided import UNDECIDED, leave_undecided, read_sequence
from napari_unet.config import Task


def truth_with_rim() -> np.ndarray:
    truth = np.zeros((64, 64), dtype=np.int32)
    truth[:, :16] = UNDECIDED
    truth[20:40, 10:30] = 1
    truth[44:60, 36:52] = 2
    truth[4:16, 36:52] = 3
    return truth


def test_objects_in_the_rim_are_no_mistakes() -> None:
    truth = truth_with_rim()
    found = truth.clip(0)
    found[2:14, 2:18] = 9  # mostly undecided: its remainder counts neither
    chosen = MicroscopySet("", Task.OBJECTS, truth[np.newaxis], truth[np.newaxis], (), (0,), "")

    assert score(chosen, [found], [0]) == {"iou": 1.0, "seg": 1.0, "ap50": 1.0, "map": 1.0}


def test_an_object_that_reaches_from_the_rim_to_a_true_one_is_judged() -> None:
    truth = truth_with_rim()
    found = np.zeros_like(truth)
    found[:, :16] = 5
    found[truth == 1] = 5

    judged, decided = leave_undecided(found, truth)

    np.testing.assert_array_equal(judged == 5, truth == 1)
    assert decided.min() == 0


def test_an_object_outside_the_rim_is_a_mistake() -> None:
    truth = truth_with_rim()
    found = np.zeros_like(truth)
    found[44:60, 10:30] = 4  # 6 of 20 columns are undecided

    judged, _ = leave_undecided(found, truth)

    assert (judged > 0).sum() == 16 * 14


def test_nothing_is_painted_in_the_rim() -> None:
    truth = truth_with_rim()

    painted = paint_objects(truth, actions=9, seed=1)
    [corrected] = correct([painted], [truth], [np.ones_like(truth)], Task.OBJECTS, actions=9).labels

    assert (painted > 1).any()
    assert (corrected != painted).any()
    assert not corrected[truth == UNDECIDED].any()


def test_the_rim_of_a_sequence_is_undecided_but_for_its_objects(tmp_path: Path) -> None:
    for folder in ("01", "01_ST/SEG", "01_GT/SEG"):
        (tmp_path / folder).mkdir(parents=True)
    plane = np.zeros((120, 140), dtype=np.uint16)
    plane[10:60, 70:80] = 7
    for name in ("01/t000.tif", "01/t001.tif"):
        tifffile.imwrite(tmp_path / name, plane)
    for name in ("01_ST/SEG/man_seg000.tif", "01_GT/SEG/man_seg001.tif"):
        tifffile.imwrite(tmp_path / name, plane)

    image, truth = read_sequence(tmp_path, [0], [1])

    assert image.shape == truth.shape == (2, 120, 140)
    assert (truth[:, 10:60, 70:80] == 7).all()
    assert (truth[:, 50:70, 50:70] == 0).all()
    assert (truth[:, :10] == UNDECIDED).all()
    assert (truth[:, 80:] == UNDECIDED).all()
