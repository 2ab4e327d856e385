"""A usual label image is told from painted strokes, and strokes are never taken for one."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from benchmarks.annotator import paint_objects
from napari_unet.config import Task, Unpainted
from napari_unet.engine.paint.label_image import looks_like_label_image
from napari_unet.engine.paint.label_scheme import LabelScheme
from napari_unet.engine.stack.planes import ArrayPlanes
from napari_unet.io.samples import paint_strokes, synthetic_cells

PAINTED = LabelScheme(Task.OBJECTS, Unpainted.IGNORED)
Labels = npt.NDArray[Any]


def looks(labels: Labels, scheme: LabelScheme = PAINTED) -> bool:
    return looks_like_label_image([ArrayPlanes(labels)], scheme)


@pytest.fixture(scope="module")
def truth() -> Labels:
    """(3, Y, X) cells that touch, 0 = background, 1 is one of them."""
    return synthetic_cells(seed=1, planes=3, shape=(192, 256)).truth


def test_a_label_image_is_told(truth: Labels) -> None:
    assert looks(truth)
    assert looks(truth[0])
    assert looks(truth.astype(np.float32))


def test_a_stack_of_few_objects_is_told_by_its_many_planes() -> None:
    few = np.zeros((20, 64, 64), np.uint8)
    few[4:16, 10:22, 10:22] = 1
    few[:18, 40:50, 40:50] = 2

    assert looks(few)
    assert not looks(few[8])  # a dab of background and one of an object look the same


@pytest.mark.parametrize("cells", [1, 3, 6, 12])
def test_strokes_are_not_taken_for_a_label_image(truth: Labels, cells: int) -> None:
    assert not looks(paint_strokes(truth, cells=cells, seed=cells))
    assert not looks(paint_objects(truth[1], actions=cells + 5, seed=cells))


@pytest.mark.parametrize(
    "unpainted", [np.s_[:0], np.s_[:, :20], np.s_[:, :, :100]], ids=["none", "rows", "columns"]
)
def test_planes_that_are_painted_densely_are_not(truth: Labels, unpainted: Any) -> None:
    painted = truth + 1  # 1 = background, everywhere between the cells
    painted[unpainted] = 0

    assert not looks(painted)


def test_a_large_patch_of_background_beside_cells_is_no_object(truth: Labels) -> None:
    painted = np.where(truth > 0, truth + 1, 0)[:1]
    painted[0, :90, :90] = 1

    assert not looks(painted)


def test_a_second_place_of_background_settles_it(truth: Labels) -> None:
    dabs = np.where(truth > 0, truth + 1, 0)[:1]
    inside = ndimage.distance_transform_edt(truth[0] == 0)
    y, x = np.unravel_index(inside.argmax(), inside.shape)
    dabs[0, y - 3 : y + 4, x - 3 : x + 4] = 1
    assert looks(dabs)  # one dab among cells: it is asked
    dabs[0, :6, :3] = 1

    assert not looks(dabs)


def test_planes_that_are_painted_otherwise_outvote_one(truth: Labels) -> None:
    dabs = np.where(truth > 0, truth + 1, 0)
    dabs[0, :8, :8] = 1  # like an object
    assert looks(dabs[:1])
    dabs[1, :8, :8], dabs[1, -8:, -8:] = 1, 1

    assert not looks(dabs)


def test_one_crooked_stroke_is_no_object(truth: Labels) -> None:
    stroke = np.where(truth > 0, truth + 1, 0)[:1]
    stroke[0, 4:100, 4:8], stroke[0, 4:8, 4:100] = 1, 1

    assert not looks(stroke)


def test_where_nothing_is_unpainted_zero_is_not_the_background() -> None:
    tiles = np.kron(np.arange(1, 17).reshape(4, 4), np.ones((16, 16), np.uint8))

    assert not looks(tiles)


@pytest.mark.parametrize(
    "scheme",
    [
        LabelScheme(Task.OBJECTS, Unpainted.BACKGROUND),
        LabelScheme(Task.CLASSES, Unpainted.IGNORED),
    ],
)
def test_only_painted_objects_are_doubted(truth: Labels, scheme: LabelScheme) -> None:
    assert not looks(truth, scheme)
