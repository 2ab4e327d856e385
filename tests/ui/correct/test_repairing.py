"""Split, Merge and Delete: what the mouse does to the result is one undo step, and paint."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels
from napari.utils.interactions import (
    mouse_move_callbacks,
    mouse_press_callbacks,
    mouse_release_callbacks,
)
from pytestqt.qtbot import QtBot

from napari_unet.config import Task, Unpainted
from napari_unet.io.unfinished import UNFINISHED
from napari_unet.ui.correct.repair import Tool
from napari_unet.ui.correct.repairing import Repairing
from napari_unet.ui.correct.undo_step import UndoStep
from napari_unet.ui.layers.added import Purpose, made_for
from napari_unet.ui.layers.geometry import placement
from napari_unet.ui.layers.paint_event import painted_planes
from napari_unet.ui.layers.used_numbers import largest_used, note_used
from napari_unet.ui.workbench import Workbench
from tests.ui.conftest import endless_job

Spot = tuple[int, int]


@pytest.fixture
def result(image: Image) -> Labels:
    """A result with the objects 5 and 7, side by side on the shown plane (1); 9 was there once."""
    values = np.zeros(image.data.shape, np.int32)
    values[1, 10:20, 10:30] = 5
    values[1, 10:20, 31:40] = 7
    layer = Labels(
        values, name="result", metadata=made_for(Purpose.SEGMENTATION), **placement(image)
    )
    note_used(layer, 9)
    return layer


@pytest.fixture
def repairing(
    viewer: ViewerModel, image: Image, labels: Labels, result: Labels, qtbot: QtBot
) -> Iterator[Repairing]:
    viewer.add_layer(result)
    viewer.dims.set_current_step(0, 1)
    note_used(labels, 2)
    bench = Workbench(viewer)
    bench.choose(images=(image,), labels=labels, result=result)
    repairing = Repairing(bench)
    yield repairing
    repairing.release()
    bench.close()


@pytest.fixture
def said(repairing: Repairing) -> list[str]:
    """What it tells, and what fails."""
    told: list[str] = []
    repairing.told.connect(told.append)
    repairing._workbench.failed.connect(told.append)
    return told


def drag(repairing: Repairing, *spots: Spot) -> None:
    """Press, move and release the left button over pixels (y, x) of the shown plane."""
    viewer, layer = repairing._viewer, repairing._workbench.choices.image
    assert layer is not None
    at = [tuple(layer.data_to_world((1, *spot))) for spot in spots]
    event = SimpleNamespace(
        type="mouse_press", button=1, modifiers=(), is_dragging=True, position=at[0], pos=spots[0]
    )
    mouse_press_callbacks(viewer, event)
    event.type = "mouse_move"
    for event.position, event.pos in zip(at[1:], spots[1:], strict=True):
        mouse_move_callbacks(viewer, event)
    event.type = "mouse_release"
    mouse_release_callbacks(viewer, event)


def held(repairing: Repairing) -> Tool | None:
    return repairing.tool


CUT = ((5, 15), (25, 15))


def test_a_split_is_in_the_result_and_its_parts_are_paint(
    repairing: Repairing, result: Labels, labels: Labels, said: list[str]
) -> None:
    told: list[object] = []
    result.events.paint.connect(lambda event: told.append(painted_planes(event.value, (3,))))
    repairing.take(Tool.SPLIT)
    drag(repairing, *CUT)
    assert (result.data[1, 10:20, 10:15] == 10).all()  # 9 was used before
    assert (result.data[1, 10:20, 16:30] == 5).all()
    assert told[-1] == {1}  # so that Pieces leaves the plane as it is
    np.testing.assert_array_equal(labels.data[1, 10:20, 10:30] > 1, True)
    assert set(np.unique(labels.data[1])) == {0, 3, 4}
    np.testing.assert_array_equal(labels.data[1] == labels.data[1, 12, 12], result.data[1] == 10)
    assert said[-1] == (
        "Split 5 into 5 and 10 in 'result', and as paint in 'strokes'; undo takes it back."
    )


@pytest.mark.parametrize("undone_in", ["result", "strokes"])
def test_undo_and_redo_in_one_layer_go_for_both(
    repairing: Repairing, result: Labels, labels: Labels, viewer: ViewerModel, undone_in: str
) -> None:
    layers = (result, labels)
    before = [layer.data.copy() for layer in layers]
    repairing.take(Tool.SPLIT)
    drag(repairing, *CUT)
    once = [layer.data.copy() for layer in layers]
    repairing.take(Tool.MERGE)
    drag(repairing, (15, 12), (15, 35))
    twice = [layer.data.copy() for layer in layers]
    acting = viewer.layers[undone_in]
    for expected, act in (
        (once, acting.undo),
        (before, acting.undo),
        (once, acting.redo),
        (twice, acting.redo),
        (once, acting.undo),
    ):
        act()
        for layer, values in zip(layers, expected, strict=True):
            np.testing.assert_array_equal(layer.data, values)


def test_a_repair_that_cannot_be_written_is_in_no_layer_and_undo_goes_on_for_both(
    repairing: Repairing,
    result: Labels,
    labels: Labels,
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layers = (result, labels)
    before = [layer.data.copy() for layer in layers]

    def fail_in_result(step: UndoStep, *change: Any) -> bool:
        if step._labels is result:
            raise OSError(28, "No space left on device")
        return paint(step, *change)

    paint = UndoStep.paint
    repairing.take(Tool.SPLIT)
    with monkeypatch.context() as patch:
        patch.setattr(UndoStep, "paint", fail_in_result)
        drag(repairing, *CUT)
    for layer, values in zip(layers, before, strict=True):
        np.testing.assert_array_equal(layer.data, values)
    assert said[-1].startswith("'result' cannot be written (No space left on device); nothing was")
    drag(repairing, *CUT)
    withdrawn: list[str] = []
    repairing.withdrawn.connect(withdrawn.append)
    result.undo()
    for layer, values in zip(layers, before, strict=True):
        np.testing.assert_array_equal(layer.data, values)
    assert withdrawn == said[-1:]  # "…; undo takes it back."


def test_merging_what_was_split_is_no_undo_of_the_split(
    repairing: Repairing, result: Labels, labels: Labels
) -> None:
    before = result.data.copy()
    repairing.take(Tool.SPLIT)
    drag(repairing, *CUT)
    apart = result.data.copy(), labels.data.copy()
    repairing.take(Tool.MERGE)
    drag(repairing, (15, 25))
    drag(repairing, (15, 12))
    np.testing.assert_array_equal(result.data, before)
    np.testing.assert_array_equal(labels.data[1] > 1, before[1] == 5)
    assert len(np.unique(labels.data)) == 2
    labels.undo()
    for layer, values in zip((result, labels), apart, strict=True):
        np.testing.assert_array_equal(layer.data, values)


def test_a_number_that_was_taken_back_is_not_given_again(
    repairing: Repairing, result: Labels
) -> None:
    repairing.take(Tool.SPLIT)
    drag(repairing, *CUT)
    result.undo()
    drag(repairing, *CUT)
    assert set(np.unique(result.data)) == {0, 5, 7, 11}


def test_two_clicks_merge_into_the_first(
    repairing: Repairing, result: Labels, labels: Labels, said: list[str]
) -> None:
    labels.data[1, 12:14, 33:36] = 2  # painted in object 7
    repairing.take(Tool.MERGE)
    drag(repairing, (15, 35))
    assert said[-1].startswith("Now click the object that belongs to it")
    drag(repairing, (15, 12))
    assert (result.data[1, 10:20, 10:40] == 7).all()  # without the slit of one pixel
    assert (labels.data[1, 10:20, 10:40] == 2).all()
    assert said[-1].startswith("Merged 2 objects into 7")


def test_a_deleted_object_is_background_that_is_painted(
    repairing: Repairing, result: Labels, labels: Labels
) -> None:
    labels.data[1, 12:14, 33:36] = 2
    repairing.take(Tool.DELETE)
    drag(repairing, (15, 35))
    assert set(np.unique(result.data)) == {0, 5}
    assert (labels.data[1, 10:20, 31:40] == 1).all()
    assert set(np.unique(labels.data)) == {0, 1}


def test_without_a_result_the_labels_are_repaired(
    repairing: Repairing, result: Labels, labels: Labels, said: list[str]
) -> None:
    result.visible = False
    labels.data[1, 10:20, 10:30] = 2
    labels.data[1, 30:] = 1
    repairing.take(Tool.SPLIT)
    drag(repairing, *CUT)
    assert set(np.unique(labels.data[1])) == {0, 1, 2, 3}
    assert said[-1] == "Split 2 into 2 and 3; undo takes it back."
    labels.undo()
    assert set(np.unique(labels.data[1])) == {0, 1, 2}
    assert 5 in result.data


def test_labels_in_which_0_is_background_get_no_single_objects(
    repairing: Repairing, result: Labels, labels: Labels, said: list[str]
) -> None:
    repairing._workbench.choose(unpainted=Unpainted.BACKGROUND)
    repairing.take(Tool.DELETE)
    drag(repairing, (15, 35))
    assert not labels.data.any()
    assert 7 not in result.data
    assert "take the plane to train on it" in said[-1]


def test_a_result_of_several_resolutions_is_repaired_in_all(
    repairing: Repairing, viewer: ViewerModel, labels: Labels, result: Labels
) -> None:
    levels = [result.data, result.data[:, ::2, ::2].copy(), result.data[:, ::4, ::4].copy()]
    large = Labels(
        levels,
        multiscale=True,
        metadata=made_for(Purpose.SEGMENTATION),
        **placement(result),
    )
    note_used(large, 9)
    viewer.add_layer(large)
    repairing._workbench.choose(result=large)
    repairing.take(Tool.SPLIT)
    drag(repairing, *CUT)
    assert 10 in levels[0]
    for step in (2, 4):
        np.testing.assert_array_equal(large.data[step // 2], levels[0][:, ::step, ::step])
    labels.undo()
    assert not labels.data.any()
    for step in (1, 2, 4):
        np.testing.assert_array_equal(large.data[step // 2], levels[0][:, ::step, ::step])
        assert 10 not in large.data[step // 2]


def test_numbers_that_nobody_has_counted_are_counted_first(
    repairing: Repairing, labels: Labels, result: Labels, qtbot: QtBot
) -> None:
    del result.metadata[next(key for key in result.metadata if "largest" in key)]
    result.data[2, 0, 0] = 30
    assert largest_used(result) is None
    repairing.take(Tool.SPLIT)
    drag(repairing, *CUT)
    qtbot.waitUntil(lambda: bool((result.data == 31).any()))


def test_nothing_is_done_where_it_would_be_lost(
    repairing: Repairing, result: Labels, said: list[str], qtbot: QtBot
) -> None:
    before = result.data.copy()
    result.metadata[UNFINISHED] = (1,)
    repairing.take(Tool.SPLIT)
    drag(repairing, *CUT)
    assert "not segmented to its end" in said[-1]
    del result.metadata[UNFINISHED]
    repairing._workbench.run("Segmenting", endless_job("a tile", last="the end"))
    drag(repairing, *CUT)
    assert said[-1] == "Segmenting… wait before you repair 'result', or press Stop."
    with qtbot.waitSignal(repairing._workbench.ended):
        repairing._workbench.stop()
    np.testing.assert_array_equal(result.data, before)


@pytest.mark.parametrize("tool", Tool)
def test_a_click_beside_all_objects_says_what_to_do(
    repairing: Repairing, result: Labels, said: list[str], tool: Tool
) -> None:
    before = result.data.copy()
    repairing.take(tool)
    drag(repairing, (50, 5))
    assert said[-1].startswith("No object")
    np.testing.assert_array_equal(result.data, before)


def test_numbers_that_do_not_fit_change_nothing(
    repairing: Repairing, result: Labels, labels: Labels, said: list[str]
) -> None:
    note_used(labels, 65535)
    before = result.data.copy()
    repairing.take(Tool.SPLIT)
    drag(repairing, *CUT)
    assert "'strokes' holds numbers up to 65,535 only" in said[-1]
    np.testing.assert_array_equal(result.data, before)
    assert not labels.data.any()


def test_the_brush_comes_back_when_the_tool_is_laid_down(
    repairing: Repairing, labels: Labels, viewer: ViewerModel
) -> None:
    callbacks = list(viewer.mouse_drag_callbacks)
    viewer.layers.selection.active = labels
    labels.mode, labels.selected_label = "paint", 6
    repairing.take(Tool.SPLIT)
    repairing.take(Tool.DELETE)
    assert held(repairing) is Tool.DELETE
    assert labels.mode == "pick"
    labels.selected_label = 3
    repairing.take(Tool.DELETE)
    assert held(repairing) is None
    assert (labels.mode, labels.selected_label) == ("paint", 6)
    assert viewer.mouse_drag_callbacks == callbacks


def test_another_tool_of_napari_or_another_layer_lays_it_down(
    repairing: Repairing, labels: Labels, result: Labels, viewer: ViewerModel
) -> None:
    repairing.take(Tool.SPLIT)
    labels.mode = "erase"
    assert held(repairing) is None
    assert labels.mode == "erase"
    repairing.take(Tool.SPLIT)
    viewer.layers.selection.active = result
    assert held(repairing) is None
    repairing.take(Tool.SPLIT)
    repairing._workbench.choose(task=Task.CLASSES)
    assert held(repairing) is None
    assert "with the brush" in (repairing.why_not() or "")


def test_the_line_is_told_while_it_is_drawn(repairing: Repairing) -> None:
    lines: list[list[Spot]] = []
    repairing.take(Tool.SPLIT)
    repairing.drawn.connect(lines.append)
    drag(repairing, (5, 15), (9, 15), (25, 15))
    assert lines == [[(5, 15), (9, 15)], [(5, 15), (9, 15), (25, 15)], []]
