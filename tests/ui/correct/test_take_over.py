"""Predictions become paint where nothing is painted, in one step of the undo history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import zarr
from napari.components import ViewerModel
from napari.layers import Labels
from pytestqt.qtbot import QtBot

from napari_unet.config import Task, Unpainted
from napari_unet.engine.errors import LabelsError
from napari_unet.engine.paint.label_scheme import LabelScheme
from napari_unet.ui.correct import take_over
from napari_unet.ui.correct.take_over import (
    Overlap,
    find_overlap,
    largest_number,
    paint_in,
    to_paint,
)

IGNORED, BACKGROUND = Unpainted.IGNORED, Unpainted.BACKGROUND
OBJECTS, CLASSES = Task.OBJECTS, Task.CLASSES

Rows = list[list[int]]


def taken(
    prediction: Rows, painted: Rows, task: Task, unpainted: Unpainted, largest: int = 0
) -> Any:
    values = to_paint(
        np.array(prediction),
        np.array(painted),
        scheme=LabelScheme(task, unpainted),
        largest=largest,
    )
    return values.tolist()


@pytest.mark.parametrize(
    ("task", "unpainted", "largest", "expected"),
    [
        (OBJECTS, IGNORED, 0, [[1, 2, 2], [1, 1, 3]]),
        (OBJECTS, IGNORED, 6, [[1, 7, 7], [1, 1, 8]]),
        (OBJECTS, BACKGROUND, 0, [[0, 1, 1], [0, 0, 2]]),
        (OBJECTS, BACKGROUND, 6, [[0, 7, 7], [0, 0, 8]]),
        (CLASSES, IGNORED, 6, [[0, 5, 5], [0, 0, 9]]),
        (CLASSES, BACKGROUND, 6, [[0, 5, 5], [0, 0, 9]]),
    ],
)
def test_numbers_follow_the_convention_of_the_labels(
    task: Task, unpainted: Unpainted, largest: int, expected: Rows
) -> None:
    empty = [[0, 0, 0], [0, 0, 0]]
    assert taken([[0, 5, 5], [0, 0, 9]], empty, task, unpainted, largest) == expected


def test_what_is_painted_stays() -> None:
    assert taken([[5, 0, 9]], [[0, 1, 1]], OBJECTS, IGNORED, 1) == [[2, 0, 0]]


def test_an_object_completes_the_painted_one_below_it() -> None:
    assert taken([[5, 5, 0, 9]], [[0, 4, 0, 0]], OBJECTS, IGNORED, 7) == [[4, 0, 1, 8]]
    assert taken([[5, 5, 0, 9]], [[0, 4, 0, 0]], OBJECTS, BACKGROUND, 7) == [[4, 0, 0, 8]]


def test_an_object_over_two_painted_ones_is_left_out() -> None:
    assert taken([[5, 5, 5, 0]], [[2, 0, 3, 0]], OBJECTS, IGNORED, 3) == [[0, 0, 0, 1]]


def test_a_mask_is_cut_into_its_regions() -> None:
    assert taken([[1, 0, 1]], [[0, 0, 0]], OBJECTS, IGNORED) == [[2, 1, 3]]


def paint_all(labels: Labels, values: npt.NDArray[Any], plane: int = 1) -> int:
    height, width = values.shape
    overlap = Overlap((plane,), slice(0, height), slice(0, width), ())
    return len(list(paint_in(labels, overlap, values)))


@pytest.mark.parametrize("kind", ["numpy", "zarr"])
def test_one_undo_takes_all_back(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    monkeypatch.setattr(take_over, "_AT_ONCE", 100)
    monkeypatch.setattr(take_over, "_AT_ONCE_ON_DISK", 100)
    data: Any = np.zeros((3, 32, 32), np.uint16)
    if kind == "zarr":
        data = zarr.create_array(tmp_path / "a.zarr", data=data, chunks=(1, 16, 16))
    labels = Labels(data, multiscale=False)
    labels.paint((1, 10, 10), 5)
    before = np.array(labels.data[:])
    values = np.random.default_rng(0).integers(1, 9, size=(32, 32))
    assert paint_all(labels, values) > 5  # parts
    after = np.array(labels.data[:])
    np.testing.assert_array_equal(after[1], np.where(before[1], before[1], values))
    assert not after[[0, 2]].any()
    labels.undo()
    np.testing.assert_array_equal(np.array(labels.data[:]), before)
    labels.redo()
    np.testing.assert_array_equal(np.array(labels.data[:]), after)


def test_hidden_labels_are_painted_whatever_the_viewer_shows_since() -> None:
    viewer = ViewerModel()
    labels = viewer.add_labels(np.zeros((3, 8, 8), np.uint8))
    labels.visible = False
    viewer.dims.set_current_step(0, 2)
    paint_all(labels, np.full((8, 8), 2, np.uint8), plane=2)
    viewer.dims.ndisplay = 3
    paint_all(labels, np.full((8, 8), 3, np.uint8), plane=0)
    labels.visible = True
    assert [set(plane.ravel()) for plane in labels.data] == [{3}, {0}, {2}]
    labels.undo()
    labels.undo()
    assert not labels.data.any()


def test_values_of_0_leave_pixels_unpainted(qtbot: QtBot) -> None:
    labels = Labels(np.zeros((3, 8, 8), np.uint16))
    values = np.zeros((8, 8), int)
    values[2, 3] = 7
    paint_all(labels, values)
    assert np.count_nonzero(labels.data) == 1


def test_a_type_that_is_too_small_is_one_sentence() -> None:
    labels = Labels(np.zeros((3, 8, 8), np.uint8), name="strokes")
    with pytest.raises(LabelsError, match="'strokes' holds numbers up to 255 only"):
        paint_all(labels, np.full((8, 8), 256))
    assert not labels.data.any()


def test_the_largest_number_is_that_of_all_planes() -> None:
    labels = Labels(np.zeros((2, 3, 8, 8), np.uint16))
    labels.data[1, 2, 3, 3] = 77
    assert largest_number(labels) == 77


PLACED: dict[str, Any] = {"scale": (2, 0.5, 0.25), "translate": (0, 10, 20)}


def test_a_whole_result_lies_on_the_whole_plane() -> None:
    labels = Labels(np.zeros((3, 16, 12), np.uint16), **PLACED)
    result = Labels(np.zeros((3, 16, 12), np.int32), **PLACED)
    assert find_overlap(result, labels, (2,)) == Overlap(
        (2,), slice(0, 16), slice(0, 12), (2, slice(0, 16), slice(0, 12))
    )


def test_a_preview_lies_on_its_part_of_its_plane() -> None:
    labels = Labels(np.zeros((3, 16, 12), np.uint16), **PLACED)
    corner = labels.data_to_world((1, 4, 10))
    preview = Labels(np.zeros((1, 8, 8), np.int32), scale=PLACED["scale"], translate=corner)
    assert find_overlap(preview, labels, (1,)) == Overlap(
        (1,), slice(4, 12), slice(10, 12), (0, slice(0, 8), slice(0, 2))
    )
    assert find_overlap(preview, labels, (2,)) is None


@pytest.mark.parametrize("change", [{"scale": (2, 0.5, 0.5)}, {"translate": (0, 500, 0)}])
def test_other_pixels_are_no_overlap(change: dict[str, Any]) -> None:
    labels = Labels(np.zeros((3, 16, 12), np.uint16), **PLACED)
    other = Labels(np.zeros((3, 16, 12), np.int32), **(PLACED | change))
    assert find_overlap(other, labels, (1,)) is None
    flat = Labels(np.zeros((16, 12), np.int32))
    assert find_overlap(flat, labels, (1,)) is None


@pytest.mark.parametrize("of_prediction", [(6, 8), (1, 6, 8)])
@pytest.mark.parametrize("of_labels", [(6, 8), (1, 6, 8), (1, 1, 6, 8)])
def test_leading_axes_of_one_are_no_axes(
    of_prediction: tuple[int, ...], of_labels: tuple[int, ...]
) -> None:
    prediction = Labels(np.ones(of_prediction, np.uint8), scale=(0.5,) * len(of_prediction))
    labels = Labels(np.zeros(of_labels, np.uint8), scale=(0.5,) * len(of_labels))
    overlap = find_overlap(prediction, labels, (0,) * (labels.ndim - 2))
    assert overlap is not None
    assert (overlap.y, overlap.x) == (slice(0, 6), slice(0, 8))
    assert prediction.data[overlap.source].shape == (6, 8)


def test_a_plane_of_a_stack_is_none_of_a_single_plane() -> None:
    stack, plane = Labels(np.ones((3, 6, 8), np.uint8)), Labels(np.ones((6, 8), np.uint8))
    assert find_overlap(stack, plane, ()) is None
    assert find_overlap(plane, stack, (0,)) is None
