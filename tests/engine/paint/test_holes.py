"""Holes are filled as in cells, unless objects with holes were painted."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from napari_unet.config import ObjectsConfig, Unpainted
from napari_unet.engine.network.record import ObjectSizes
from napari_unet.engine.objects.decoder import cut_objects
from napari_unet.engine.paint.holes import as_painted, measure_holes
from napari_unet.io.samples import paint_strokes, synthetic_cells
from tests.engine.paint.test_smallest import painted

Labels = npt.NDArray[np.int32]


def rings(count: int = 4, *, filled: int = 0) -> Labels:
    """Return a plane (1, Y, X) of rings with a hole of 8×8 px, and some squares without."""
    plane = np.ones((1, 40, 40 * (count + filled)), np.int32)
    for index in range(count + filled):
        left = 40 * index + 10
        plane[0, 10:30, left : left + 20] = index + 2
        if index < count:
            plane[0, 16:24, left + 6 : left + 14] = 1
    return plane


def test_holes_that_are_painted_as_background_are_measured() -> None:
    assert measure_holes(painted(rings())) == 64
    assert measure_holes(painted(rings()), pixels=4) == 256
    assert measure_holes(painted(rings() - 1, Unpainted.BACKGROUND)) == 64


def test_a_dab_of_background_in_a_hole_is_enough() -> None:
    labels = rings()
    labels[labels == 1] = 0
    labels[0, :4] = 1  # background, somewhere
    assert measure_holes(painted(labels)) is None  # what is not painted is not known
    for left in range(10, 160, 40):
        labels[0, 18:22, left + 8 : left + 12] = 1
    assert measure_holes(painted(labels)) == 64


def test_a_mistake_in_a_label_image_is_no_hole() -> None:
    assert measure_holes(painted(rings(1, filled=30))) is None
    assert measure_holes(painted(rings(4, filled=30))) == 64
    large = np.ones((1, 70, 70), np.int32)
    large[0, 5:65, 5:65], large[0, 20:25, 20:25] = 2, 1
    assert measure_holes(painted(large)) is None


def test_background_between_cells_that_touch_is_no_hole() -> None:
    labels = np.ones((1, 60, 60), np.int32)
    for number, (y, x) in enumerate(((10, 10), (10, 30), (30, 10), (30, 30)), start=2):
        labels[0, y : y + 20, x : x + 20] = number
    labels[0, 24:36, 24:36] = 1
    assert measure_holes(painted(labels)) is None


def test_painted_cells_have_no_holes() -> None:
    truth = synthetic_cells(seed=2, planes=3).truth
    assert measure_holes(painted(truth, Unpainted.BACKGROUND)) is None
    assert measure_holes(painted(paint_strokes(truth, cells=8))) is None


@pytest.mark.parametrize(
    ("config", "smallest", "expected"),
    [
        (ObjectsConfig(), None, None),
        (ObjectsConfig(), 64, 16),
        (ObjectsConfig(largest_hole=3), 64, 3),
        (ObjectsConfig(largest_hole=3), None, 3),
    ],
)
def test_the_painted_holes_tell_what_stays_open_unless_it_is_said(
    config: ObjectsConfig, smallest: int | None, expected: int | None
) -> None:
    assert as_painted(config, ObjectSizes(400, 400.0), smallest).largest_hole == expected


def test_large_holes_stay_and_slips_of_the_network_are_filled() -> None:
    mask = rings(2)[0] > 1
    mask[12, 12:15] = False
    labels, count = cut_objects(mask, ObjectsConfig(min_size=0, largest_hole=16))
    assert count == 2
    np.testing.assert_array_equal(labels[12, 12:15], 1)
    assert not labels[16:24, 16:24].any()
    filled, _ = cut_objects(mask, ObjectsConfig(min_size=0))
    np.testing.assert_array_equal(filled[16:24, 16:24], 1)
    open_all: Any = cut_objects(mask, ObjectsConfig(min_size=0, fill_holes=False))[0]
    assert not open_all[12, 12:15].any()
