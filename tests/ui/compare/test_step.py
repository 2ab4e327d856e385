"""Compare: pick a result and a truth, see scores, and where the result is wrong."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels
from pytestqt.qtbot import QtBot
from qtpy.QtGui import QGuiApplication

from napari_unet.config import Task, Unpainted
from napari_unet.engine.errors import LabelsError
from napari_unet.io.unfinished import UNFINISHED
from napari_unet.ui.compare import job as compare_job
from napari_unet.ui.compare.control import Comparing
from napari_unet.ui.compare.mistakes_layer import COLOURS
from napari_unet.ui.compare.step import CompareStep
from napari_unet.ui.layers.added import note_overridden
from napari_unet.ui.runner import JobState
from napari_unet.ui.workbench import Workbench
from tests.ui.conftest import endless_job, failing_job

SHAPE = (3, 64, 48)


@pytest.fixture
def truth(labels: Labels) -> Labels:
    """The labels of the viewer, painted: 1 background, 2 and 3 objects on the middle plane."""
    labels.data[1, :32] = 1
    labels.data[1, 4:12, 4:12], labels.data[1, 4:12, 20:28] = 2, 3
    return labels


@pytest.fixture
def result(viewer: ViewerModel, truth: Labels) -> Labels:
    """A result that misses an object; where nothing is painted it found another."""
    found = np.zeros(SHAPE, np.int32)
    found[1, 4:12, 4:12], found[1, 40:50, 4:12], found[2, :9, :9] = 1, 2, 3
    return viewer.add_labels(found, name="result", scale=truth.scale, translate=truth.translate)


@pytest.fixture
def workbench(viewer: ViewerModel, result: Labels, truth: Labels) -> Iterator[Workbench]:
    viewer.dims.set_current_step(0, 1)
    workbench = Workbench(viewer)
    workbench.choose(labels=truth, result=result)
    yield workbench
    workbench.close()


@pytest.fixture
def step(workbench: Workbench, qtbot: QtBot) -> Iterator[CompareStep]:
    comparing = Comparing(workbench)
    step = CompareStep(workbench, comparing)
    qtbot.addWidget(step)
    workbench.changed.connect(step.refresh)
    yield step
    workbench.changed.disconnect(step.refresh)
    step.release()
    comparing.release()


def press(step: CompareStep, qtbot: QtBot) -> None:
    with qtbot.waitSignal(step.workbench.ended):
        step.action.button.click()


def words(step: CompareStep) -> str:
    return step.status.text().replace("&nbsp;", " ")


def mistakes(viewer: ViewerModel) -> list[Labels]:
    return [layer for layer in viewer.layers if "napari-unet-paint" in layer.metadata]


def asked(step: CompareStep, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot) -> dict[str, Any]:
    """Press the button and return what the job was asked for."""
    wishes: dict[str, Any] = {}

    def fake(result: Any, truth: Any, array: Any, **wish: Any) -> Any:
        wishes.update(wish, result=result, truth=truth, array=array)
        return failing_job(LabelsError("enough"))

    monkeypatch.setattr(compare_job, "compare", fake)
    press(step, qtbot)
    return wishes


def test_the_result_and_what_is_painted_are_proposed(
    step: CompareStep, result: Labels, truth: Labels
) -> None:
    assert (step.result.value, step.truth.value) == (result, truth)
    assert step.zeros.value is Unpainted.IGNORED  # as it is painted
    assert step.action.button.isEnabled()


def test_a_truth_that_was_opened_is_a_label_image(
    step: CompareStep, viewer: ViewerModel, truth: Labels
) -> None:
    opened = viewer.add_labels(np.ones(SHAPE, np.uint8), name="opened")
    step.truth.value = opened
    assert step.zeros.currentText() == "0 is background"
    step.truth.value = truth
    assert step.zeros.currentText() == "0 is not judged"


def test_a_new_result_is_taken_over(
    step: CompareStep, workbench: Workbench, viewer: ViewerModel, truth: Labels
) -> None:
    newer = viewer.add_labels(np.ones(SHAPE, np.uint8), name="newer")
    assert step.result.value is not newer
    workbench.choose(result=newer)
    assert (step.result.value, step.truth.value) == (newer, truth)


def test_scores_and_mistakes_are_shown(
    step: CompareStep, viewer: ViewerModel, result: Labels, qtbot: QtBot
) -> None:
    assert step.table.isHidden()
    press(step, qtbot)
    assert "0 false positives" in words(step)
    assert "1 miss" in words(step)
    assert COLOURS[2] in step.status.text()
    figures = dict(line.split("\t") for line in step.table.as_text().splitlines()[1:])
    assert (figures["Recall at 0.5"], figures["Precision at 0.5"]) == ("0.500", "1.000")
    assert figures["Planes"] == "1"
    assert not step.table.isHidden()
    (layer,) = mistakes(viewer)
    assert layer.name == "result mistakes"
    assert (np.asarray(layer.data[1, 4:12, 20:28]) == 2).all()
    assert int(np.asarray(layer.data[:]).astype(bool).sum()) == 64
    np.testing.assert_allclose(layer.scale, result.scale)
    np.testing.assert_allclose(layer.translate, result.translate)
    np.testing.assert_allclose(layer.get_color(2)[:3], [0x56 / 255, 0xB4 / 255, 0xE9 / 255], 0.01)
    assert not layer.editable


def test_the_layer_of_mistakes_is_offered_nowhere_and_replaced_by_the_next(
    step: CompareStep, viewer: ViewerModel, qtbot: QtBot
) -> None:
    before = viewer.layers.selection.active
    press(step, qtbot)
    press(step, qtbot)
    assert len(mistakes(viewer)) == 1
    assert step.result.count() == step.truth.count() == 2
    assert viewer.layers.selection.active is before


def test_the_table_is_copied_with_its_header(step: CompareStep, qtbot: QtBot) -> None:
    press(step, qtbot)
    step.table.copy_button.click()
    clipboard = QGuiApplication.clipboard()
    assert clipboard is not None
    header, first, *_ = clipboard.text().splitlines()
    assert header == "Measure\tValue"
    assert first.split("\t") == ["True objects", "2"]


def test_a_result_with_the_paint_in_it_is_said_to_judge_no_network(
    step: CompareStep, result: Labels, truth: Labels
) -> None:
    assert step.action.hint.text() == "Mistakes are shown in a layer of their own."
    note_overridden(result, truth)
    step.refresh()
    assert "segment without Paint overrides" in step.action.hint.text()
    note_overridden(result, None)
    step.refresh()
    assert step.action.hint.text() == "Mistakes are shown in a layer of their own."


@pytest.mark.parametrize("zeros", list(Unpainted))
def test_the_reading_of_zeros_reaches_the_job(
    step: CompareStep, zeros: Unpainted, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    step.zeros.value = zeros
    assert asked(step, monkeypatch, qtbot)["unpainted"] is zeros


@pytest.mark.parametrize(("all_planes", "planes"), [(True, [2, 1, 0]), (False, [2])])
def test_the_planes_reach_the_job_the_shown_one_first(
    step: CompareStep,
    viewer: ViewerModel,
    all_planes: bool,
    planes: list[int],
    monkeypatch: pytest.MonkeyPatch,
    qtbot: QtBot,
) -> None:
    viewer.dims.set_current_step(0, 2)
    step.what.value = all_planes
    assert asked(step, monkeypatch, qtbot)["planes"] == planes


def test_the_layers_and_the_task_reach_the_job(
    step: CompareStep,
    workbench: Workbench,
    result: Labels,
    truth: Labels,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: QtBot,
) -> None:
    workbench.choose(task=Task.CLASSES)
    step.result.value, step.truth.value = truth, result
    wish = asked(step, monkeypatch, qtbot)
    assert wish["task"] is Task.CLASSES
    whole = slice(0, 64), slice(0, 48)
    np.testing.assert_array_equal(wish["result"].read(1, *whole)[0], truth.data[1])
    np.testing.assert_array_equal(wish["truth"].read(1, *whole)[0], result.data[1])
    assert wish["array"].shape == SHAPE


def test_planes_that_are_not_segmented_to_their_end_are_named_to_the_job(
    step: CompareStep, result: Labels, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    result.metadata[UNFINISHED] = (2,)
    assert asked(step, monkeypatch, qtbot)["unfinished"] == frozenset({2})


def test_classes_have_a_legend_of_their_own(
    step: CompareStep, workbench: Workbench, qtbot: QtBot
) -> None:
    workbench.choose(task=Task.CLASSES)
    press(step, qtbot)
    assert "pixels of a wrong class" in words(step)
    assert "IoU of class 3" in step.table.as_text()


def test_planes_in_another_order_are_not_compared(step: CompareStep, viewer: ViewerModel) -> None:
    step.result.value, step.truth.value = (
        viewer.add_labels(np.ones((4, 4, 9, 9), np.uint8), axis_labels=tuple(axes))
        for axes in ("tzyx", "ztyx")
    )
    assert "has the axes TZYX, but" in step.action.hint.text()
    assert not step.action.button.isEnabled()


def test_it_says_why_it_cannot_run(
    step: CompareStep, viewer: ViewerModel, result: Labels, truth: Labels
) -> None:
    step.truth.value = result
    assert "two different layers" in step.action.hint.text()
    step.truth.value = viewer.add_labels(np.ones((9, 9), np.uint8), name="small")
    assert step.action.hint.text() == (
        "'result' has 3×64×48 pixels, but 'small' has 9×9; choose layers of one size."
    )
    assert not step.action.button.isEnabled()
    for layer in list(viewer.layers):
        viewer.layers.remove(layer)
    step.refresh()
    assert "Open or make a labels layer" in step.action.hint.text()


def test_while_another_job_runs_it_waits(
    step: CompareStep, workbench: Workbench, qtbot: QtBot
) -> None:
    workbench.run("Training", endless_job("step", last="end"))
    assert step.action.hint.text() == "Training… wait, or press Stop."
    workbench.runner.pause()
    assert not step.action.button.isEnabled()
    with qtbot.waitSignal(workbench.ended):
        workbench.stop()
        assert not step.action.button.isEnabled()
    assert step.action.button.isEnabled()


def test_a_failure_is_told_and_can_be_tried_again(
    step: CompareStep, workbench: Workbench, viewer: ViewerModel, qtbot: QtBot
) -> None:
    viewer.dims.set_current_step(0, 0)
    step.what.value = False  # a plane without truth
    with qtbot.waitSignal(workbench.failed) as failed:
        press(step, qtbot)
    assert "no truth" in failed.args[0]
    assert step.table.isHidden()
    assert workbench.runner.state is JobState.IDLE
    viewer.dims.set_current_step(0, 1)
    press(step, qtbot)
    assert not step.table.isHidden()


def test_layers_removed_meanwhile_do_no_harm(
    step: CompareStep, viewer: ViewerModel, result: Labels, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(step.workbench.ended):
        step.action.button.click()
        for layer in [result, *mistakes(viewer)]:
            viewer.layers.remove(layer)
    assert "1 miss" in words(step)


def test_a_released_step_is_let_go_of(
    workbench: Workbench, viewer: ViewerModel, qtbot: QtBot
) -> None:
    comparing = Comparing(workbench)
    step = CompareStep(workbench, comparing)
    press(step, qtbot)
    step.release()
    comparing.release()
    gone = weakref.ref(step), weakref.ref(comparing)
    step.deleteLater()
    del step, comparing
    qtbot.wait(1)
    gc.collect()
    assert [ref() for ref in gone] == [None, None]
    viewer.layers[0].name = "renamed"
