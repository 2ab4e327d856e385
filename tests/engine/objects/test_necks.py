"""Cutting objects where they narrow."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage
from skimage.draw import disk, ellipse

from napari_unet.engine.objects.necks import _lowest_between, cut_necks


def two_discs(radius: int, bridge: int) -> npt.NDArray[np.int32]:
    """Two discs side by side, joined by a bridge of some width."""
    labels = np.zeros((2 * radius + 8, 4 * radius + 12), dtype=np.int32)
    middle = radius + 4
    for centre in (radius + 3, 3 * radius + 7):
        labels[disk((middle, centre), radius)] = 1
    labels[middle - bridge // 2 : middle - bridge // 2 + bridge, radius : 3 * radius + 8] = 1
    return labels


def cut(labels: npt.NDArray[np.int32], count: int, neck: float, smallest: int = 0) -> int:
    """Cut every object."""
    boxes: Any = dict(enumerate(ndimage.find_objects(labels), start=1))
    return cut_necks(labels, boxes, count, neck, smallest=smallest)


@pytest.mark.parametrize("radius", [6, 12, 40])
def test_two_discs_on_a_narrow_bridge_become_two_objects(radius: int) -> None:
    labels = two_discs(radius, bridge=radius // 2)

    count = cut(labels, 1, 0.6)

    assert count == 2
    left, right = (labels == 1).sum(), (labels == 2).sum()
    assert left == pytest.approx(right, rel=0.1)
    assert (labels > 0).sum() == (two_discs(radius, bridge=radius // 2) > 0).sum()


@pytest.mark.parametrize("radius", [6, 12, 40])
def test_a_wide_bridge_is_not_cut(radius: int) -> None:
    labels = two_discs(radius, bridge=int(1.7 * radius))
    before = labels.copy()

    assert cut(labels, 1, 0.6) == 1
    np.testing.assert_array_equal(labels, before)


def test_the_share_decides() -> None:
    counts = [cut(two_discs(12, bridge=12), 1, neck) for neck in (0.0, 0.3, 0.9)]

    assert counts == [1, 1, 2]


def test_long_and_ragged_objects_stay_whole() -> None:
    rng = np.random.default_rng(0)
    labels = np.zeros((60, 160), dtype=np.int32)
    labels[ellipse(30, 80, 12, 70)] = 1
    rim = (labels == 1) & ~ndimage.binary_erosion(labels == 1)
    labels[rim & (rng.random(labels.shape) < 0.5)] = 0

    assert cut(labels, 1, 0.6) == 1


def test_other_objects_in_the_same_box_are_left_alone() -> None:
    labels = two_discs(10, bridge=3)
    labels[:2, :] = 2

    count = cut(labels, 2, 0.6)

    assert count == 3
    assert (labels == 2).sum() == 2 * labels.shape[1]
    for number in (1, 2, 3):
        assert ndimage.label(labels == number)[1] == 1


def test_a_protrusion_that_is_too_small_for_an_object_stays() -> None:
    labels = np.pad(two_discs(20, bridge=6), ((0, 0), (0, 20)))
    labels[disk((24, 96), 6)] = labels[22:26, 85:96] = 1  # a knob on the right disc
    with_knob = labels.copy()

    assert cut(labels, 1, 0.6, smallest=60) == 3
    assert labels[24, 96] != labels[24, 67]
    assert cut(with_knob, 1, 0.6, smallest=200) == 2
    assert with_knob[24, 96] == with_knob[24, 67] != with_knob[24, 23]
    np.testing.assert_array_equal(with_knob > 0, labels > 0)


def test_a_knob_alone_is_no_reason_to_cut() -> None:
    labels = np.pad(two_discs(20, bridge=6), ((0, 0), (0, 20)))[:, 45:]
    labels[disk((24, 51), 6)] = labels[22:26, 40:51] = 1
    whole = labels.copy()

    assert cut(labels, 1, 0.6) == 2
    assert cut(whole, 1, 0.6, smallest=200) == 1


def ragged_objects(seed: int) -> tuple[npt.NDArray[np.int32], int]:
    """Objects of many sizes and shapes, some of them narrow somewhere."""
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.random((300, 400)), rng.uniform(2, 6))
    labels, count = ndimage.label(noise > np.quantile(noise, rng.uniform(0.5, 0.7)))
    return labels.astype(np.int32), count


@pytest.mark.parametrize("seed", range(3))
def test_objects_that_are_looked_at_together_are_cut_as_each_alone(seed: int) -> None:
    labels, count = ragged_objects(seed)
    together = labels.copy()

    found = cut(together, count, 0.6, smallest=20)

    assert found > count
    for number in range(1, count + 1):
        alone = (labels == number).astype(np.int32)
        cut(alone, 1, 0.6, smallest=20)
        parts = together * (labels == number)
        pairs = np.unique(np.stack([alone[alone > 0], parts[alone > 0]]), axis=1)
        assert len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]


@pytest.mark.parametrize("seed", range(3))
def test_what_is_not_looked_at_closer_would_not_have_been_cut(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels, count = ragged_objects(seed)
    quick = labels.copy()
    found = cut(quick, count, 0.6)
    spared: list[bool] = []

    def never_sure(distance: Any, starts: Any, ends: Any) -> Any:
        lowest = _lowest_between(distance, starts, ends)
        spared.extend(lowest >= 0.6 * distance[*starts.T])
        return np.zeros_like(lowest)

    monkeypatch.setattr("napari_unet.engine.objects.necks._lowest_between", never_sure)
    slow = labels.copy()

    assert cut(slow, count, 0.6) == found
    np.testing.assert_array_equal(slow, quick)
    assert 0 < sum(spared) < len(spared)


def test_chains_of_many_parts_leave_no_number_out() -> None:
    labels = np.zeros((64, 520), dtype=np.int32)
    for row, middle in enumerate((8, 24, 40, 56), start=1):
        for centre in range(8, 512, 12):
            labels[disk((middle, centre), 5)] = row
        labels[middle, 8:500] = row

    count = cut(labels, 4, 0.6)

    assert count == 4 * 42
    np.testing.assert_array_equal(np.unique(labels), np.arange(count + 1))
