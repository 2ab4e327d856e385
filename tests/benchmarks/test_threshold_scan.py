"""A map of cells at ten thresholds, as the ISBI 2012 challenge measured it."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from benchmarks.threshold_scan import (
    THRESHOLDS,
    Best,
    BoundaryScores,
    Section,
    best_scores,
    scan_thresholds,
)
from benchmarks.warping import near_borders
from napari_unet.engine.errors import ImageError, LabelsError, SettingsError

TRUTH = np.ones((10, 21), dtype=bool)
TRUTH[:, 10] = False  # two cells of 100 pixels, and a membrane

ERRORS = ("rand_error", "splits_and_mergers", "warping_error", "pixel_error")


def map_with_wall(probability: float) -> npt.NDArray[np.float32]:
    """Sure of the cells, and of the membrane as much as this."""
    cells = np.full(TRUTH.shape, 0.95, np.float32)
    cells[~TRUTH] = probability
    return cells


def test_the_thresholds_are_those_of_the_challenge() -> None:
    assert THRESHOLDS == (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def test_the_truth_itself_gets_full_marks_at_every_threshold() -> None:
    for scores in scan_thresholds([Section(TRUTH.astype(np.float32), TRUTH)]):
        assert scores == BoundaryScores(
            scores.threshold, v_rand=1, v_info=1, rand_error=0, splits_and_mergers=0,
            warping_error=0, pixel_error=0,
        )  # fmt: skip


def test_a_membrane_is_seen_from_its_probability_on() -> None:
    scan = scan_thresholds([Section(map_with_wall(0.35), TRUTH)])
    assert [scores.threshold for scores in scan] == list(THRESHOLDS)
    for scores in scan[:4]:  # 0.0 to 0.3: two equal cells have merged
        assert scores.v_rand == pytest.approx(2 / 3)
        assert scores.v_info == 0
        assert scores.rand_error == pytest.approx(1 / 3)
        assert scores.splits_and_mergers == scores.warping_error == 10 / 210
        assert scores.pixel_error == pytest.approx(1 - 2 * 200 / (210 + 200))
    for scores in scan[4:]:
        assert scores.v_rand == 1
        assert [getattr(scores, name) for name in ERRORS] == [0, 0, 0, 0]


def test_a_pixel_at_the_threshold_is_membrane() -> None:
    (scores,) = scan_thresholds([Section(map_with_wall(0.3), TRUTH)], [0.3])
    assert scores.v_rand == 1
    (scores,) = scan_thresholds([Section(map_with_wall(0.3), TRUTH)], [0.29])
    assert scores.v_rand < 1


def test_width_costs_the_rand_error_but_not_the_score_after_thinning() -> None:
    wide = TRUTH.astype(np.float32)
    wide[:, 8:13] = 0
    (scores,) = scan_thresholds([Section(wide, TRUTH)], [0.5])
    assert scores.v_rand == 1
    assert scores.v_info == pytest.approx(1)
    assert scores.warping_error == 0
    # in 40 pixels of cells each is an object of its own; two objects of 80
    assert scores.rand_error == pytest.approx(
        1 - 2 * (2 * 80**2 + 40) / (2 * 80**2 + 40 + 2 * 100**2)
    )
    assert scores.pixel_error == pytest.approx(1 - 2 * 160 / (160 + 200))


def test_scores_are_means_of_sections_and_errors_are_added_up() -> None:
    large = np.ones((10, 41), dtype=bool)
    large[:, 20] = False
    sections = [
        Section(map_with_wall(0.95), TRUTH),  # two cells of 100 pixels merge
        Section(large.astype(np.float32), large),  # two of 200 do not
    ]
    (scores,) = scan_thresholds(sections, [0.5])
    assert scores.v_rand == pytest.approx((2 / 3 + 1) / 2)
    assert scores.v_info == pytest.approx((0 + 1) / 2)
    both = 2 * 100**2 + 2 * 200**2
    assert scores.rand_error == pytest.approx(1 - 2 * both / (200**2 + 2 * 200**2 + both))
    assert scores.splits_and_mergers == 10 / (210 + 410)
    assert scores.pixel_error == pytest.approx(1 - 2 * 600 / (610 + 600))


def test_holes_are_errors_of_topology_but_neither_splits_nor_mergers() -> None:
    holed = TRUTH.astype(np.float32)
    holed[4:6, 4:6] = 0
    (scores,) = scan_thresholds([Section(holed, TRUTH)], [0.5])
    assert scores.splits_and_mergers == 0
    assert scores.warping_error == 4 / 210


def test_the_truth_is_warped_only_where_a_section_allows_it() -> None:
    wide = TRUTH.astype(np.float32)
    wide[:, 7:14] = 0
    (free,) = scan_thresholds([Section(wide, TRUTH)], [0.5])
    (held,) = scan_thresholds([Section(wide, TRUTH, near_borders(TRUTH, 1))], [0.5])
    assert free.warping_error == 0
    assert held.warping_error == 40 / 210


def test_the_best_threshold_of_each_measure_is_found() -> None:
    probability = map_with_wall(0.35)
    probability[:, 11:14] = 0.55  # a wide membrane from 0.6 on
    best = best_scores(scan_thresholds([Section(probability, TRUTH)]))
    assert set(best) == set(asdict(_any_scores())) - {"threshold"}
    assert best["v_rand"] == Best(1, 0.4)  # of equal ones the lowest
    assert best["pixel_error"] == Best(0, 0.4)
    assert best["rand_error"] == Best(0, 0.4)


def test_what_is_nothing_to_measure_is_no_best_value() -> None:
    unknown, known = _any_scores(v_rand=math.nan), _any_scores(threshold=0.7, v_rand=0.2)
    assert best_scores([unknown, known])["v_rand"] == Best(0.2, 0.7)
    assert math.isnan(best_scores([unknown])["v_rand"].value)


def test_a_section_without_cells_does_not_count_for_the_scores() -> None:
    nothing = Section(map_with_wall(0.3), np.zeros_like(TRUTH))
    (alone,) = scan_thresholds([nothing], [0.5])
    assert math.isnan(alone.v_rand)
    assert alone.pixel_error == 1  # all of its cells are wrong
    (scores,) = scan_thresholds([nothing, Section(map_with_wall(0.3), TRUTH)], [0.5])
    assert scores.v_rand == 1
    assert all(math.isnan(value) for value in list(asdict(scan_thresholds([])[0]).values())[1:])


@pytest.mark.parametrize(
    ("section", "error", "sentence"),
    [
        (Section(np.full((3, 3), 255.0), np.ones((3, 3), bool)), ImageError, "0 to 1, but .* 255"),
        (Section(np.full((3, 3), np.nan), np.ones((3, 3), bool)), ImageError, "holds nan"),
        (Section(np.ones((3, 4)), np.ones((3, 3), bool)), LabelsError, "one shape"),
        (Section(np.ones((2, 3, 3)), np.ones((2, 3, 3), bool)), ImageError, "one by one"),
    ],
)
def test_maps_that_cannot_be_measured_get_one_sentence(
    section: Section, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        scan_thresholds([section])


@pytest.mark.parametrize("thresholds", [[], [0.5, 1.1], [-0.1], [math.nan]])
def test_thresholds_are_probabilities(thresholds: list[float]) -> None:
    with pytest.raises(SettingsError, match="from 0 to 1"):
        scan_thresholds([Section(map_with_wall(0.3), TRUTH)], thresholds)


def _any_scores(**values: Any) -> BoundaryScores:
    names = ("threshold", "v_rand", "v_info", *ERRORS)
    return BoundaryScores(**{name: values.get(name, 0.5) for name in names})
