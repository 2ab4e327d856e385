"""What counts as an object: by the size of the painted ones, and on real ones none is lost."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from napari_unet.config import ObjectsConfig, Task, TrainConfig, Unpainted
from napari_unet.engine.network.record import ObjectSizes
from napari_unet.engine.paint.label_scheme import LabelScheme
from napari_unet.engine.paint.painted_planes import PaintedReader, PaintedStack
from napari_unet.engine.paint.smallest import SMALLEST_OBJECT, measure_objects, smallest_object
from napari_unet.engine.paint.training_set import TrainingSet
from napari_unet.engine.stack.planes import ArrayPlanes
from napari_unet.io.samples import paint_strokes, synthetic_cells

AUTOMATIC = ObjectsConfig()


def painted(labels: npt.NDArray[Any], unpainted: Unpainted = Unpainted.IGNORED) -> PaintedStack:
    """Return the lessons of a stack (planes, Y, X) of painted labels."""
    reader = PaintedReader(
        TrainingSet.of((ArrayPlanes(np.zeros(labels.shape, np.float32)), ArrayPlanes(labels))),
        LabelScheme(Task.OBJECTS, unpainted),
        TrainConfig(),
        context=4,
    )
    return reader.read(range(len(labels)))


def squares(*sides: int) -> npt.NDArray[np.int32]:
    """Return a plane with background 1 and a square of each side, numbered from 2 up."""
    plane = np.ones((60, 70 * len(sides)), np.int32)
    for index, side in enumerate(sides):
        plane[5 : 5 + side, 70 * index + 5 : 70 * index + 5 + side] = index + 2
    return plane


def test_the_painted_objects_are_measured_on_all_planes() -> None:
    labels = np.stack([squares(10, 20), np.zeros((60, 140), np.int32), squares(30, 50)])
    assert measure_objects(painted(labels)) == ObjectSizes(100, 650.0)


def test_touching_objects_are_measured_one_by_one() -> None:
    labels = squares(40)[np.newaxis]
    labels[0, 5:45, 25:45] = 3  # two halves; the separation border takes a pixel of each
    assert measure_objects(painted(labels)) == ObjectSizes(40 * 19, 40 * 19)


def test_cells_of_one_number_are_measured_one_by_one() -> None:
    mask = (squares(20, 30) > 1).astype(np.int32)[np.newaxis]
    assert measure_objects(painted(mask, Unpainted.BACKGROUND)) == ObjectSizes(400, 650.0)


def test_a_slip_of_the_brush_is_no_object() -> None:
    labels = squares(20)[np.newaxis]
    labels[0, 50, 50:60] = 2
    assert measure_objects(painted(labels)) == ObjectSizes(400, 400.0)
    labels[labels > 1] = 1
    labels[0, 50, 50:60] = 2
    assert measure_objects(painted(labels)) is None


def test_pixels_of_a_reduced_stack_count_for_their_block() -> None:
    assert measure_objects(painted(squares(10)[np.newaxis]), pixels=9) == ObjectSizes(900, 900.0)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        (None, SMALLEST_OBJECT),
        (ObjectSizes(1000, 1000.0), 50),  # a twentieth of the median
        (ObjectSizes(80, 1000.0), 20),  # a quarter of the smallest: small ones matter, too
        (ObjectSizes(20, 40.0), SMALLEST_OBJECT),
    ],
)
def test_the_smallest_object_follows_from_the_painted_ones(
    sizes: ObjectSizes | None, expected: int
) -> None:
    assert smallest_object(AUTOMATIC, sizes) == expected


def test_a_size_that_is_set_holds() -> None:
    assert smallest_object(ObjectsConfig(min_size=3), ObjectSizes(1000, 1000.0)) == 3
    assert smallest_object(ObjectsConfig(min_size=0), None) == 0


def test_strokes_inside_the_objects_only_lower_the_size() -> None:
    truth = synthetic_cells(seed=1, planes=3).truth
    whole = paint_strokes(truth, seed=1)
    rows = np.arange(truth.shape[1]) % 8 < 3
    strokes = np.where(rows[:, np.newaxis] | (whole == 1), whole, 0)  # stripes of the cells
    by_objects, by_strokes = (
        smallest_object(AUTOMATIC, measure_objects(painted(labels))) for labels in (whole, strokes)
    )
    assert SMALLEST_OBJECT <= by_strokes < by_objects


def test_no_cell_of_the_sample_is_smaller_than_that() -> None:
    for seed in range(3):
        truth = synthetic_cells(seed=seed, planes=3).truth
        smallest = smallest_object(AUTOMATIC, measure_objects(painted(paint_strokes(truth))))
        areas = np.concatenate([np.bincount(plane.ravel())[1:] for plane in truth])
        assert SMALLEST_OBJECT < smallest <= areas[areas > 0].min()
