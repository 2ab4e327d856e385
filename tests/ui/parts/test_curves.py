"""Series, scales and ticks: what is drawn is what was measured."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet.ui.parts.curves import Scale, Series, round_limit, ticks


def series(*points: tuple[float, float], memory: float = 0.0) -> Series:
    made = Series(memory)
    for point in points:
        made.add(*point)
    return made


def test_few_points_are_drawn_as_they_are() -> None:
    assert series((0, 1), (2, 5)).thinned(10).tolist() == [[0, 1], [2, 5]]
    assert series().thinned(10).shape == (0, 2)


def test_many_points_become_means_over_equal_times() -> None:
    x = np.arange(1000.0)
    thinned = series(*zip(x, x % 2, strict=True)).thinned(100)
    assert len(thinned) == 100
    assert thinned[:, 1] == pytest.approx(0.5, abs=0.1)
    assert (np.diff(thinned[:, 0]) > 0).all()
    assert thinned[:, 0].mean() == pytest.approx(x.mean(), abs=1)


def test_points_at_one_time_can_be_thinned() -> None:
    thinned = series(*[(3.0, 1.0)] * 20).thinned(5)
    assert thinned.tolist() == [[3, 1]]


def test_smoothing_begins_at_the_first_value_and_follows() -> None:
    smooth = series(*[(n, 4.0) for n in range(5)], memory=0.9)
    assert smooth.thinned(9)[:, 1] == pytest.approx(4)
    for n in range(100):
        smooth.add(5 + n, 8.0)
    assert smooth.last[1] == pytest.approx(8, abs=0.01)


@pytest.mark.parametrize(("x", "y"), [(-5, 1), (0.4, 1), (0.6, 5), (1.4, 5), (1.6, 7), (99, 7)])
def test_the_value_at_a_time_is_that_of_the_nearest_point(x: float, y: float) -> None:
    assert series((0, 1), (1, 5), (2, 7)).at(x) == y


def test_a_single_point_and_none() -> None:
    assert series((3, 9)).at(0) == 9
    assert series().at(0) is None
    made = series((3, 9))
    made.clear()
    assert len(made) == 0
    assert made.highest == 0


@pytest.mark.parametrize(
    ("value", "limit"),
    [(0.3, 0.4), (0.4, 0.4), (0.41, 1.0), (1.9, 2), (2.0, 2), (7, 10), (0.0014, 0.002), (0, 1)],
)
def test_limits_are_round_and_hold_the_value(value: float, limit: float) -> None:
    assert round_limit(value) == pytest.approx(limit)


def test_ticks_are_few() -> None:
    assert ticks(0.4) == [0, 0.2, 0.4]
    assert ticks(1.0, 1) == [0, 1]


def test_a_place_and_its_value_agree() -> None:
    scale = Scale(10, 200, 20)
    assert (scale.place(0), scale.place(10)) == (200, 20)
    assert scale.value(scale.place(3.3)) == pytest.approx(3.3)
