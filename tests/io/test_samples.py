"""The sample: deterministic, hard for a threshold, and painted as a person would."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage
from skimage.filters import threshold_otsu

from napari_unet.io.images import open_image
from napari_unet.io.samples import Sample, save_image, synthetic_cells
from napari_unet.io.strokes import paint_strokes


@pytest.fixture(scope="module")
def sample() -> Sample:
    return synthetic_cells(seed=0)


@pytest.fixture(scope="module")
def strokes(sample: Sample) -> npt.NDArray[Any]:
    return paint_strokes(sample.truth, seed=0)


def seg(prediction: npt.NDArray[Any], truth: npt.NDArray[Any]) -> float:
    """SEG of the Cell Tracking Challenge, spelt out per object."""
    scores = []
    for number in np.unique(truth[truth > 0]):
        cell = truth == number
        candidates, overlap = np.unique(prediction[cell], return_counts=True)
        scores.append(0.0)
        for candidate, shared in zip(candidates, overlap, strict=True):
            if candidate and shared > cell.sum() / 2:
                scores[-1] = shared / (cell | (prediction == candidate)).sum()
    return float(np.mean(scores))


def test_the_stack_is_a_12_bit_image_with_a_label_image_of_the_same_shape(sample: Sample) -> None:
    assert sample.image.shape == sample.truth.shape == (10, 256, 256)
    assert sample.image.dtype == np.uint16
    assert sample.image.max() <= 4095
    assert sample.truth.dtype == np.int32
    assert sample.pixel_size == (0.5, 0.5)
    assert len(sample.axes) == sample.image.ndim


def test_the_same_seed_gives_the_same_sample() -> None:
    first, again, other = (synthetic_cells(seed, planes=2, shape=(80, 96)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.truth, again.truth)
    assert (first.truth != other.truth).any()


@pytest.mark.parametrize(("planes", "shape"), [(1, (64, 64)), (2, (65, 300)), (12, (131, 90))])
def test_any_size_can_be_made(planes: int, shape: tuple[int, int]) -> None:
    sample = synthetic_cells(1, planes, shape)
    assert sample.image.shape == (planes, *shape)
    assert sample.truth.max() >= 2


def test_too_small_a_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="64"):
        synthetic_cells(shape=(63, 256))


def test_a_saved_image_keeps_its_values_axes_and_spacing(sample: Sample, tmp_path: Path) -> None:
    stack = open_image(save_image(sample, tmp_path / "cells.tif"))
    np.testing.assert_array_equal(np.asarray(stack.array), sample.image)
    assert stack.axes == sample.axes
    assert stack.spacing == pytest.approx(sample.spacing)


@pytest.mark.parametrize("seed", [0, 9])  # without care: slivers, and cells in two parts
def test_every_cell_is_in_one_piece_and_no_sliver(seed: int) -> None:
    for labels in synthetic_cells(seed, 14, (160, 160)).truth:
        for number in np.unique(labels[labels > 0]):
            assert ndimage.label(labels == number)[1] == 1
            assert (labels == number).sum() >= 60


def test_cells_are_25_to_40_pixels_across(sample: Sample) -> None:
    sizes = np.bincount(sample.truth[5].ravel())[1:]
    across = 2 * np.sqrt(sizes / np.pi)
    assert 25 <= np.median(across) <= 40


def test_numbers_follow_the_cells_through_the_planes(sample: Sample) -> None:
    assert set(np.unique(sample.truth)) == set(range(sample.truth.max() + 1))
    for before, after in zip(sample.truth[:-1], sample.truth[1:], strict=True):
        both = (before > 0) & (after > 0)
        assert (before[both] == after[both]).mean() > 0.95
        assert (before != after).any()


def test_many_cells_touch_and_a_threshold_merges_them(sample: Sample) -> None:
    smooth = ndimage.gaussian_filter(sample.image.astype(float), (0, 1, 1))
    foreground = smooth > threshold_otsu(smooth)
    parts = [ndimage.label(ndimage.binary_fill_holes(plane))[0] for plane in foreground]
    scores = [seg(*pair) for pair in zip(parts, sample.truth, strict=True)]
    assert np.mean(scores) < 0.5
    assert np.mean([p.max() for p in parts]) < 0.5 * np.mean(
        [len(np.unique(t)) - 1 for t in sample.truth]
    )


def test_a_person_can_see_the_line_between_touching_cells(sample: Sample) -> None:
    """The valley between two cells is darker than both, beyond the noise of its mean."""
    smooth = ndimage.gaussian_filter(sample.image.astype(float), (0, 0.7, 0.7))
    left, right = sample.truth[..., :-1], sample.truth[..., 1:]
    plane, y, x = np.nonzero((left != right) & (left > 0) & (right > 0))
    inside = (x > 5) & (x < 249)
    plane, y, x = plane[inside], y[inside], x[inside]
    beside = (smooth[plane, y, x - 5] + smooth[plane, y, x + 6]) / 2
    assert len(x) > 300
    assert smooth[plane, y, x].mean() < 0.85 * beside.mean()


def test_three_planes_are_painted_by_default_and_no_other(
    sample: Sample, strokes: npt.NDArray[Any]
) -> None:
    painted = np.flatnonzero(strokes.any(axis=(1, 2)))
    assert len(painted) == 3
    chosen = paint_strokes(sample.truth, [0, 9], cells=2)
    assert np.flatnonzero(chosen.any(axis=(1, 2))).tolist() == [0, 9]


def test_strokes_cover_few_pixels_and_hold_background(strokes: npt.NDArray[Any]) -> None:
    for plane in strokes[strokes.any(axis=(1, 2))]:
        assert 0.03 < (plane > 0).mean() < 0.1
        assert (plane == 1).mean() > 0.01


def test_every_painted_cell_has_its_own_number_and_some_touch(strokes: npt.NDArray[Any]) -> None:
    assert set(np.unique(strokes)) == set(range(3 * 5 + 2))
    for plane in strokes[strokes.any(axis=(1, 2))]:
        beside = np.stack([plane[:, 1:], plane[:, :-1]]).reshape(2, -1)
        below = np.stack([plane[1:], plane[:-1]]).reshape(2, -1)
        pairs = np.concatenate([beside, below], axis=1)
        assert ((pairs[0] != pairs[1]) & (pairs > 1).all(axis=0)).any()


def test_strokes_are_nearly_right_but_not_exact(sample: Sample, strokes: npt.NDArray[Any]) -> None:
    wrong_background = sample.truth[strokes == 1] > 0
    assert wrong_background.mean() < 0.05
    imprecise = 0
    for number in range(2, strokes.max() + 1):
        painted = strokes == number
        plane = int(np.flatnonzero(painted.any(axis=(1, 2)))[0])
        inside = sample.truth[plane][painted[plane]]
        cell = sample.truth[plane] == np.bincount(inside[inside > 0]).argmax()
        overlap = (cell & painted[plane]).sum() / (cell | painted[plane]).sum()
        assert overlap > 0.75
        imprecise += overlap < 0.97
    assert imprecise > 10


def test_sample_and_strokes_are_made_in_seconds() -> None:
    start = time.process_time()
    paint_strokes(synthetic_cells(seed=5).truth)
    assert time.process_time() - start < 10  # about one; machines differ
