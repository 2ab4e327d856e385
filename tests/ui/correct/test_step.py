"""The step Correct: predictions become paint, and the view goes where painting helps most."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt

from napari_unet.config import NETWORKS, ObjectsConfig, Task, Unpainted
from napari_unet.engine.errors import EngineError
from napari_unet.engine.events import Place, PlaceLookedAt, Suggested
from napari_unet.engine.network.model import Model
from napari_unet.io.unfinished import UNFINISHED
from napari_unet.ui.correct import job as correct_job
from napari_unet.ui.correct.control import Correcting
from napari_unet.ui.correct.part import Part
from napari_unet.ui.correct.repair import Tool
from napari_unet.ui.correct.repairing import Repairing
from napari_unet.ui.correct.step import CorrectStep
from napari_unet.ui.correct.suggesting import Suggesting
from napari_unet.ui.layers.added import Purpose, made_for, purpose
from napari_unet.ui.layers.paint_event import largest_painted, painted_planes
from napari_unet.ui.workbench import CurrentModel, Workbench
from napari_unet.ui.worker import Job
from tests.ui.conftest import CPU, endless_job, failing_job, job_of

PLACES = (
    Place(2, slice(32, 48), slice(16, 32), 0.625),
    Place(0, slice(0, 16), slice(0, 16), 0.5),
)


@pytest.fixture
def step(
    viewer: ViewerModel, image: Image, labels: Labels, model: Model, qtbot: QtBot
) -> Iterator[CorrectStep]:
    bench = Workbench(viewer)
    step = CorrectStep(bench, Correcting(bench), Suggesting(bench), Repairing(bench))
    bench.changed.connect(step.refresh)
    qtbot.addWidget(step)
    bench.use_device(CPU)
    bench.choose(images=(image,), labels=labels, start=CurrentModel("mine", model))
    yield step
    step.release()
    step.suggesting.release()
    step.correcting.release()
    step.repair.repairing.release()
    bench.close()


def add_result(step: CorrectStep, *, name: str = "result") -> Labels:
    """Add a result with object 5 on the shown plane (1)."""
    image = step.workbench.choices.image
    assert image is not None
    values = np.zeros(image.data.shape, np.int32)
    values[1, 10:20, 10:20] = 5
    layer = Labels(values, name=name, scale=image.scale, translate=image.translate)
    step.workbench.viewer.add_layer(layer)
    step.workbench.choose(result=layer)
    return layer


def take(step: CorrectStep, qtbot: QtBot) -> None:
    assert step.take.isEnabled(), step.take.toolTip()
    step.take.click()
    qtbot.waitUntil(lambda: not step.correcting.is_taking)


def failures(step: CorrectStep) -> list[str]:
    said: list[str] = []
    step.workbench.failed.connect(said.append)
    return said


# Take prediction


def test_without_a_result_it_says_what_to_do(step: CorrectStep) -> None:
    assert not step.take.isEnabled()
    assert "Segment first" in step.hint.text()
    assert step.coaching.text() == "Segment, then come back and look for mistakes."


def test_the_prediction_of_the_shown_plane_is_painted(
    step: CorrectStep, labels: Labels, qtbot: QtBot
) -> None:
    labels.data[0, 0, 0] = 8
    result = add_result(step)
    before = result.data.copy()
    labels.paint((1, 40, 40), 3)
    mine = labels.data[1] == 3
    take(step, qtbot)
    expected = np.where(before[1] == 5, 9, 1)
    expected[mine] = 3
    np.testing.assert_array_equal(labels.data[1], expected)
    assert not labels.data[2].any()
    np.testing.assert_array_equal(result.data, before)
    assert step.status.text() == (
        "Took 1 object into 'strokes'; undo takes all of it back. All that is whole in view counts "
        "as right now, though nobody may have looked at it: repair what is wrong before you train."
    )
    labels.undo()
    np.testing.assert_array_equal(labels.data[1] > 0, mine)
    assert step.status.text() == ""  # it is so no more


def test_what_was_taken_is_told_of_as_long_as_its_labels_are_chosen(
    step: CorrectStep, labels: Labels, qtbot: QtBot
) -> None:
    add_result(step)
    take(step, qtbot)
    step.refresh()
    assert "into 'strokes'" in step.status.text()
    step.workbench.viewer.layers.remove(labels)
    step.refresh()
    assert not step.status.text()


def test_a_plane_that_is_not_segmented_is_not_taken_for_background(
    step: CorrectStep, labels: Labels, qtbot: QtBot
) -> None:
    result = add_result(step)
    result.metadata[UNFINISHED] = (1,)
    before, said = labels.data.copy(), failures(step)
    take(step, qtbot)
    assert "This plane of 'result' is not segmented to its end; segment it first" in said[0]
    np.testing.assert_array_equal(labels.data, before)
    result.metadata[UNFINISHED] = (0, 2)
    take(step, qtbot)
    assert labels.data[1].all()


def test_task_and_unpainted_reach_it(step: CorrectStep, labels: Labels, qtbot: QtBot) -> None:
    add_result(step)
    step.workbench.choose(task=Task.CLASSES, unpainted=Unpainted.BACKGROUND)
    take(step, qtbot)
    assert set(np.unique(labels.data[1])) == {0, 5}


def test_labels_are_made_if_there_are_none(
    step: CorrectStep, viewer: ViewerModel, labels: Labels, qtbot: QtBot
) -> None:
    add_result(step)
    viewer.layers.remove(labels)
    take(step, qtbot)
    made = step.workbench.choices.labels
    assert made in viewer.layers
    assert made is not None
    assert set(np.unique(made.data[1])) == {1, 2}


def test_an_empty_plane_is_not_taken_for_background(
    step: CorrectStep, viewer: ViewerModel, labels: Labels, qtbot: QtBot
) -> None:
    add_result(step)
    viewer.dims.set_current_step(0, 2)
    said = failures(step)
    take(step, qtbot)
    assert said[0].startswith("'result' is empty on this plane")
    assert not labels.data.any()


def test_a_result_that_is_painted_on_is_not_taken(step: CorrectStep) -> None:
    step.workbench.choose(labels=add_result(step))
    assert not step.take.isEnabled()
    assert "You paint on 'result' itself" in step.hint.text()


def test_a_painted_plane_leaves_nothing_to_take(
    step: CorrectStep, labels: Labels, qtbot: QtBot
) -> None:
    add_result(step)
    labels.data[1] = 4
    take(step, qtbot)
    assert step.status.text() == "All that is whole in view is painted already in 'strokes'."


def test_the_preview_is_taken_while_a_model_trains(
    step: CorrectStep, viewer: ViewerModel, labels: Labels, image: Image, qtbot: QtBot
) -> None:
    add_result(step)
    preview = Labels(
        np.full((1, 8, 8), 2, np.int32),
        name="preview",
        scale=image.scale,
        translate=image.data_to_world((1, 4, 4)),
        metadata={"napari-unet-paint": "preview"},
    )
    viewer.add_layer(preview)
    assert step.correcting.prediction == step.workbench.choices.result
    step.workbench.run("Training", endless_job("a step", last="the end"))
    assert step.correcting.prediction == preview
    take(step, qtbot)
    assert (labels.data[1, 4:12, 4:12] == 2).all()
    assert np.count_nonzero(labels.data) == 64
    with qtbot.waitSignal(step.workbench.ended):
        step.workbench.stop()


def test_leaving_in_the_middle_finishes_what_is_half_painted(
    step: CorrectStep, labels: Labels, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_unet.ui.correct.take_over._AT_ONCE", 48)
    add_result(step)
    step.take.click()
    qtbot.waitUntil(lambda: bool(labels.data.any()))
    step.correcting.release()
    assert labels.data[1].all()
    labels.undo()
    assert not labels.data.any()


def _stroke(labels: Labels, take_on: Any) -> None:
    labels.paint((1, 40, 40), 3)
    take_on()


def _drag(labels: Labels, take_on: Any) -> None:
    """Paint as napari's brush does: the step of a drag is open for as long as it lasts."""
    with labels.block_history():
        labels.paint((1, 40, 40), 3)
        take_on()
        labels.paint((1, 42, 42), 3)


@pytest.mark.parametrize("paint", [_stroke, _drag])
@pytest.mark.parametrize("bands_before", [0, 5])
def test_a_stroke_meanwhile_and_what_is_taken_are_a_step_each(
    step: CorrectStep,
    labels: Labels,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    paint: Any,
    bands_before: int,
) -> None:
    monkeypatch.setattr("napari_unet.ui.correct.take_over._AT_ONCE", 48)  # a row
    labels.paint((1, 60, 40), 7)  # stays, whatever is undone below
    mine = labels.data.copy()
    add_result(step)
    correcting = step.correcting
    monkeypatch.setattr(correcting._timer, "start", lambda: None)  # time goes on by hand
    step.take.click()
    qtbot.waitUntil(lambda: correcting._painting is not None)

    def take_on(bands: int = 3) -> None:
        for _ in range(bands):
            if correcting.is_taking:
                correcting._paint_on()

    take_on(bands_before)
    paint(labels, take_on)
    while correcting.is_taking:
        take_on()
    assert labels.data[1].all()
    after = labels.data.copy()
    labels.undo()
    left = 1 if bands_before else 3  # what is taken, or the stroke: the earlier of the two
    assert set(np.unique(labels.data)) - {8} == {0, 7, left}
    labels.undo()
    np.testing.assert_array_equal(labels.data, mine)
    labels.redo()
    labels.redo()
    np.testing.assert_array_equal(labels.data, after)


def test_an_undo_meanwhile_takes_back_what_is_taken(
    step: CorrectStep, labels: Labels, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_unet.ui.correct.take_over._AT_ONCE", 48)
    add_result(step)
    step.take.click()
    qtbot.waitUntil(lambda: bool(labels.data.any()))
    labels.undo()
    qtbot.waitUntil(lambda: not step.correcting.is_taking)
    assert not labels.data.any()
    assert step.status.text() == "Nothing was taken into 'strokes': it was undone."


def test_those_who_follow_the_paint_are_told_of_all_that_was_taken(
    step: CorrectStep, labels: Labels, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_unet.ui.correct.take_over._AT_ONCE", 480)
    told: list[Any] = []
    labels.events.paint.connect(lambda event: told.append(event.value))
    add_result(step)
    take(step, qtbot)
    assert painted_planes(told[-1], (3,)) == frozenset({1})
    assert largest_painted(told[-1]) == 2


# Take a part of it


def press_t(step: CorrectStep, qtbot: QtBot, *at: float) -> None:
    """Press T while the cursor is over a pixel of the image."""
    viewer = step.workbench.viewer
    image = step.workbench.choices.image
    assert image is not None
    viewer.cursor.position = image.data_to_world(at)
    (action,) = (action for key, action in viewer.keymap.items() if str(key) == "T")
    action(viewer)
    qtbot.waitUntil(lambda: not step.correcting.is_taking)


def test_t_takes_the_object_under_the_cursor_and_nothing_else(
    step: CorrectStep, labels: Labels, qtbot: QtBot
) -> None:
    result = add_result(step)
    result.data[1, 30:40, 10:20] = 6
    labels.paint((1, 60, 40), 3)
    before = labels.data.copy()
    press_t(step, qtbot, 1, 33, 12)
    np.testing.assert_array_equal(labels.data[1], np.where(result.data[1] == 6, 4, before[1]))
    assert step.status.text() == "Took this object into 'strokes'; undo takes it back."
    assert result.visible
    press_t(step, qtbot, 1, 33, 12)
    assert step.status.text() == "All of this object is painted already in 'strokes'."
    labels.undo()
    np.testing.assert_array_equal(labels.data, before)


@pytest.mark.parametrize("at", [(1, 50, 30), (1, 70, 12), (1, 33, -5)])
def test_where_no_object_is_none_is_taken(
    step: CorrectStep, labels: Labels, qtbot: QtBot, at: tuple[float, ...]
) -> None:
    add_result(step)
    said = failures(step)
    press_t(step, qtbot, *at)
    assert said == ["No object is under the cursor: point at one in the image, and press T."]
    assert not labels.data.any()


def test_the_key_is_told_of_while_it_does_something(step: CorrectStep) -> None:
    assert step.key.isHidden()
    add_result(step)
    assert not step.key.isHidden()
    assert "T takes the object under the cursor" in step.key.text()


def test_what_is_in_view_is_taken_but_for_what_reaches_out_of_it(
    step: CorrectStep, labels: Labels, qtbot: QtBot
) -> None:
    result = add_result(step)
    result.data[1, 30:40, 10:20] = 6
    labels.corner_pixels = np.array([[0, 5, 0], [0, 34, 25]])  # first and last pixel on screen
    assert step.part.value is Part.VIEW  # the usual way
    assert step.unseen.isHidden()
    assert "what is whole in view" in step.take.toolTip()
    take(step, qtbot)
    expected = np.zeros_like(labels.data)
    expected[1, 5:35, :26] = 1
    expected[1, 10:20, 10:20] = 2
    expected[1, 30:35, 10:20] = 0  # it goes on below
    np.testing.assert_array_equal(labels.data, expected)
    assert step.status.text().startswith("Took 1 object into 'strokes'")
    assert "All that is whole in view counts as right now" in step.status.text()
    assert result.visible


def test_a_whole_plane_is_taken_only_with_a_sentence_that_says_so(
    step: CorrectStep, labels: Labels, qtbot: QtBot
) -> None:
    add_result(step)
    labels.corner_pixels = np.array([[0, 5, 0], [0, 34, 25]])
    step.part.value = Part.PLANE
    assert not step.unseen.isHidden()
    assert "also what nobody has looked at" in step.unseen.text()
    take(step, qtbot)
    assert labels.data[1].all()
    assert "All of this plane counts as right now" in step.status.text()


# The result while one corrects


def add_own_result(step: CorrectStep) -> Labels:
    result = add_result(step)
    result.metadata.update(made_for(Purpose.SEGMENTATION))
    return result


def test_from_the_first_stroke_on_a_plane_the_result_is_drawn_as_outlines(
    step: CorrectStep, viewer: ViewerModel, labels: Labels, qtbot: QtBot
) -> None:
    result = add_own_result(step)
    labels.paint((1, 40, 40), 3)
    assert result.contour > 0
    viewer.dims.set_current_step(0, 2)  # there it is still to be judged
    assert result.contour == 0
    viewer.dims.set_current_step(0, 1)
    assert result.contour == 0
    take(step, qtbot)
    assert result.contour > 0
    assert result.visible
    step.correcting.release()
    assert result.contour == 0


def test_a_result_that_is_segmented_anew_is_drawn_whole(
    step: CorrectStep, labels: Labels, qtbot: QtBot
) -> None:
    result = add_own_result(step)
    labels.paint((1, 40, 40), 3)
    step.workbench.run("Training", endless_job("a step", last="the end"))
    assert result.contour > 0
    with qtbot.waitSignal(step.workbench.ended):
        step.workbench.stop()
    step.workbench.run("Segmenting", endless_job("a tile", last="the end"))
    assert result.contour == 0
    labels.paint((1, 30, 40), 3)
    assert result.contour == 0
    with qtbot.waitSignal(step.workbench.ended):
        step.workbench.stop()


def test_under_a_preview_the_result_is_drawn_as_outlines(
    step: CorrectStep, viewer: ViewerModel, labels: Labels, qtbot: QtBot
) -> None:
    result = add_own_result(step)
    step.workbench.run("Training", endless_job("a step", last="the end"))
    assert result.contour == 0
    preview = Labels(labels.data, name="preview", metadata=made_for(Purpose.PREVIEW))
    viewer.add_layer(preview)
    assert result.contour > 0
    viewer.dims.set_current_step(0, 2)  # the preview follows
    assert result.contour > 0
    with qtbot.waitSignal(step.workbench.ended):
        step.workbench.stop()
    assert result.contour > 0  # it stays
    viewer.layers.remove(preview)
    assert result.contour == 0


def test_outlines_have_one_colour_whatever_the_numbers(step: CorrectStep, labels: Labels) -> None:
    result = add_own_result(step)
    before = result.colormap
    labels.paint((1, 40, 40), 3)
    np.testing.assert_array_equal(result.get_color(5), result.get_color(77))
    assert result.get_color(0) is None  # the background
    step.correcting.release()
    assert result.colormap is before


@pytest.mark.parametrize("how", ["chosen", "brush"])
def test_a_result_that_is_painted_on_itself_has_its_colours(
    step: CorrectStep, labels: Labels, how: str
) -> None:
    result = add_own_result(step)
    before = result.colormap
    labels.paint((1, 40, 40), 3)
    if how == "chosen":
        step.workbench.choose(labels=result)
    else:
        result.mode = "paint"
    assert result.contour == 0
    assert result.colormap is before


def test_how_people_have_drawn_a_result_is_left_alone(step: CorrectStep, labels: Labels) -> None:
    result = add_own_result(step)
    result.contour = 1
    labels.paint((1, 40, 40), 3)
    step.correcting._outlining._end()
    assert result.contour == 1
    result.contour, result.visible = 0, False
    labels.paint((1, 20, 40), 3)
    assert result.contour == 0


# Suggest where to paint next


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Put a fake search in place; what it was asked for."""
    asked: list[Any] = []

    def fake(*args: Any, **options: Any) -> Job:
        asked.append((args, options))
        return job_of(PlaceLookedAt(1, 2), PlaceLookedAt(2, 2), Suggested(PLACES))

    monkeypatch.setattr(correct_job, "suggest_places", fake)
    return asked


def suggest(step: CorrectStep, qtbot: QtBot) -> None:
    assert step.suggest.isEnabled(), step.suggest.toolTip()
    with qtbot.waitSignal(step.workbench.ended):
        step.suggest.click()


def test_it_jumps_to_the_place(
    step: CorrectStep, viewer: ViewerModel, image: Image, qtbot: QtBot, asked: list[Any]
) -> None:
    viewer.dims.ndisplay = 3
    suggest(step, qtbot)
    assert viewer.dims.ndisplay == 2
    assert viewer.dims.current_step[0] == 2
    camera = getattr(viewer, "scene", viewer).camera
    np.testing.assert_allclose(camera.center[-2:], image.data_to_world((2, 39.5, 23.5))[-2:])
    place_in_view = 15 * 0.5 * camera.zoom  # pixels of the canvas
    assert 0.25 < place_in_view / 600 < 0.4
    assert step.status.text().startswith(
        "Plane 2: the network is least sure here (uncertainty 0.62)"
    )


def marks(viewer: ViewerModel) -> list[Labels]:
    return [
        layer
        for layer in viewer.layers
        if isinstance(layer, Labels) and purpose(layer) is Purpose.PLACE
    ]


def test_the_place_is_framed_until_one_leaves_it(
    step: CorrectStep, viewer: ViewerModel, image: Image, qtbot: QtBot, asked: list[Any]
) -> None:
    selected = viewer.layers.selection.active
    suggest(step, qtbot)
    (mark,) = marks(viewer)
    assert viewer.layers.selection.active is selected
    np.testing.assert_array_equal(mark.data[0, 1:-1, 1:-1], np.zeros((16, 16)))
    assert mark.data.sum() == 2 * 18 + 2 * 16
    np.testing.assert_allclose(mark.data_to_world((0, 1, 1)), image.data_to_world((2, 32, 16)))
    step.suggest.click()
    (mark,) = marks(viewer)
    np.testing.assert_allclose(mark.data_to_world((0, 1, 1)), image.data_to_world((0, 0, 0)))
    viewer.dims.set_current_step(0, 1)
    qtbot.waitUntil(lambda: marks(viewer) == [])


def test_the_frame_goes_when_the_place_is_out_of_view_or_painted(
    step: CorrectStep, viewer: ViewerModel, image: Image, qtbot: QtBot, asked: list[Any]
) -> None:
    suggest(step, qtbot)
    labels = step.workbench.choices.labels
    assert labels is not None
    camera = getattr(viewer, "scene", viewer).camera
    image.corner_pixels = np.array([[0, 30, 0], [0, 60, 47]])
    camera.center = (0, 15, 25)
    assert len(marks(viewer)) == 1
    image.corner_pixels = np.array([[0, 0, 0], [0, 31, 47]])  # as drawn, just beside the place
    camera.center = (0, 12, 25)
    qtbot.waitUntil(lambda: marks(viewer) == [])
    step.suggest.click()
    assert len(marks(viewer)) == 1
    _paint(labels, 0, 8, 8)
    assert marks(viewer) == []


def test_a_frame_that_is_deleted_is_no_trouble(
    step: CorrectStep, viewer: ViewerModel, qtbot: QtBot, asked: list[Any]
) -> None:
    suggest(step, qtbot)
    viewer.layers.remove(marks(viewer)[0])
    assert not step.status.text()
    viewer.dims.set_current_step(0, 1)
    assert marks(viewer) == []


@pytest.mark.parametrize("why", ["left", "painted", "another model"])
def test_nothing_is_said_of_a_place_once_its_frame_is_gone(
    step: CorrectStep, viewer: ViewerModel, qtbot: QtBot, asked: list[Any], why: str
) -> None:
    suggest(step, qtbot)
    assert "least sure here" in step.status.text()
    labels = step.workbench.choices.labels
    assert labels is not None
    match why:
        case "left":
            viewer.dims.set_current_step(0, 1)
        case "painted":
            _paint(labels, 2, 40, 20)
        case "another model":
            _train(step)
    qtbot.waitUntil(lambda: marks(viewer) == [])
    assert not step.status.text()


def test_what_was_taken_is_still_said_when_the_frame_goes(
    step: CorrectStep, viewer: ViewerModel, qtbot: QtBot, asked: list[Any]
) -> None:
    result = add_result(step)
    result.data[2] = result.data[1]
    suggest(step, qtbot)
    take(step, qtbot)
    viewer.dims.set_current_step(0, 0)
    qtbot.waitUntil(lambda: marks(viewer) == [])
    assert step.status.text().startswith("Took 1 object")


def test_places_of_data_that_the_image_shows_no_more_are_forgotten(
    step: CorrectStep, viewer: ViewerModel, image: Image, qtbot: QtBot, asked: list[Any]
) -> None:
    suggest(step, qtbot)
    image.data = image.data[:1]
    step.workbench.changed.emit()  # as the step Image does
    qtbot.waitUntil(lambda: marks(viewer) == [])
    assert step.suggesting.left == 0
    assert not step.status.text()


def test_places_that_are_found_in_data_shown_no_more_are_not_gone_to(
    step: CorrectStep, image: Image, qtbot: QtBot, asked: list[Any]
) -> None:
    with qtbot.waitSignal(step.workbench.ended):
        step.suggest.click()
        image.data = image.data[:1]
    again = "Another image is shown than was searched; press Suggest again."
    assert step.status.text() == again
    assert step.suggesting.left == 0


def test_painting_on_labels_of_another_shape_is_no_trouble_while_a_place_is_framed(
    step: CorrectStep, viewer: ViewerModel, labels: Labels, qtbot: QtBot, asked: list[Any]
) -> None:
    suggest(step, qtbot)
    labels.data = labels.data[:1]
    assert marks(viewer) == []
    _paint(labels, 0, 8, 8)


def test_the_frame_stays_while_napari_deletes_its_image_and_perhaps_all_layers(
    step: CorrectStep, viewer: ViewerModel, image: Image, qtbot: QtBot, asked: list[Any]
) -> None:
    suggest(step, qtbot)
    viewer.layers.remove(image)
    assert len(marks(viewer)) == 1  # perhaps the next to be deleted
    qtbot.waitUntil(lambda: marks(viewer) == [])


def test_the_search_asks_for_what_is_chosen(
    step: CorrectStep,
    viewer: ViewerModel,
    model: Model,
    labels: Labels,
    qtbot: QtBot,
    asked: list[Any],
) -> None:
    viewer.dims.set_current_step(0, 2)
    labels.data[1, 3, 3] = 7
    step.workbench.choose(unpainted=Unpainted.BACKGROUND)
    suggest(step, qtbot)
    ((asked_model, planes, painted), options) = asked[0]
    assert asked_model is model
    assert planes.count == 3
    assert painted.read(1, slice(3, 4), slice(3, 4)) == 7
    assert options["device"] is CPU
    assert options["focus"][0] == 2
    assert options["count"] == 5
    assert options["unpainted"] is Unpainted.BACKGROUND
    assert options["objects"] == ObjectsConfig()


def test_it_says_where_one_object_may_be_two(
    step: CorrectStep, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = replace(PLACES[0], one_or_two=0.67)
    job = job_of(Suggested((place, PLACES[1])))
    monkeypatch.setattr(correct_job, "suggest_places", lambda *_, **__: job)
    suggest(step, qtbot)
    assert step.status.text().startswith("Plane 2: one object or two?")
    step.suggest.click()
    assert step.status.text().startswith("Plane 0: the network is least sure here")


def test_the_next_place_needs_no_search(
    step: CorrectStep, viewer: ViewerModel, qtbot: QtBot, asked: list[Any]
) -> None:
    suggest(step, qtbot)
    step.suggest.click()
    assert viewer.dims.current_step[0] == 0
    assert len(asked) == 1
    suggest(step, qtbot)  # none is left
    assert len(asked) == 2


def _replace(step: CorrectStep) -> None:
    assert step.workbench.choices.labels is not None
    step.workbench.choices.labels.data = step.workbench.choices.labels.data.copy()


def _train(step: CorrectStep) -> None:
    model = step.workbench.choices.model
    assert model is not None
    step.workbench.choose(start=CurrentModel("better", replace(model)))


@pytest.mark.parametrize("change", [_replace, _train])
def test_places_are_outdated_when_the_model_or_all_labels_change(
    step: CorrectStep, qtbot: QtBot, asked: list[Any], change: Any
) -> None:
    suggest(step, qtbot)
    assert step.suggesting.left == 1
    change(step)
    assert step.suggesting.left == 0


def _set_items(labels: Labels, plane: int, y: int, x: int) -> None:
    labels.data_setitem((np.array([plane]), np.array([y]), np.array([x])), 5)


def _paint(labels: Labels, plane: int, y: int, x: int) -> None:
    labels.brush_size = 3
    labels.paint((plane, y, x), 5)


@pytest.mark.parametrize("paint", [_paint, _set_items])
@pytest.mark.parametrize(
    ("plane", "y", "x", "unpainted", "left"),
    [
        (2, 40, 20, Unpainted.IGNORED, 1),  # the place that is shown
        (1, 8, 8, Unpainted.IGNORED, 1),  # another plane
        (0, 8, 30, Unpainted.IGNORED, 1),  # beside the place
        (0, 8, 8, Unpainted.IGNORED, 0),
        (0, 8, 30, Unpainted.BACKGROUND, 0),  # all of that plane is painted now
        (1, 8, 8, Unpainted.BACKGROUND, 1),
    ],
)
def test_a_stroke_settles_only_the_place_that_it_paints(
    step: CorrectStep,
    labels: Labels,
    viewer: ViewerModel,
    qtbot: QtBot,
    asked: list[Any],
    paint: Any,
    plane: int,
    y: int,
    x: int,
    unpainted: Unpainted,
    left: int,
) -> None:
    step.workbench.choose(unpainted=unpainted)
    suggest(step, qtbot)
    viewer.dims.set_current_step(0, plane)
    paint(labels, plane, y, x)
    assert step.suggesting.left == left


def test_places_stay_when_something_else_changes(
    step: CorrectStep, qtbot: QtBot, asked: list[Any]
) -> None:
    suggest(step, qtbot)
    add_result(step)
    assert step.suggesting.left == 1


def test_nothing_left_to_suggest_is_said(
    step: CorrectStep, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(correct_job, "suggest_places", lambda *_, **__: job_of(Suggested(())))
    suggest(step, qtbot)
    assert step.status.text() == "No unsure place was found that is not painted yet."


def test_states_of_the_search(
    step: CorrectStep, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = endless_job(PlaceLookedAt(1, 2), last=Suggested(()))
    monkeypatch.setattr(correct_job, "suggest_places", lambda *_, **__: search)
    step.suggest.click()
    assert not step.suggest.isEnabled()
    assert step.suggest.toolTip() == "Looking for unsure places… wait, or press Stop."
    with qtbot.waitSignal(step.workbench.ended):
        step.workbench.stop()
    assert step.status.text() == "It was stopped before an unsure place was found."
    assert step.suggest.isEnabled()
    failing = failing_job(EngineError("Out of memory."))
    monkeypatch.setattr(correct_job, "suggest_places", lambda *_, **__: failing)
    said = failures(step)
    suggest(step, qtbot)
    assert said == ["Out of memory."]
    assert step.suggest.isEnabled()


# Coaching and leaving


@pytest.mark.parametrize("task", list(Task))
@pytest.mark.parametrize("unpainted", list(Unpainted))
def test_the_first_strokes_are_explained(
    step: CorrectStep, task: Task, unpainted: Unpainted
) -> None:
    step.workbench.choose(task=task, unpainted=unpainted, start=NETWORKS["light"])
    assert step.coaching.text().startswith("Paint ")
    assert step.coaching.text().endswith("Then train.")


def test_after_a_segmentation_mistakes_are_looked_for(step: CorrectStep) -> None:
    add_result(step)
    assert step.coaching.text() == "Look for mistakes: paint over them, then train again."


def test_it_fits_a_narrow_dock(step: CorrectStep) -> None:
    assert step.minimumSizeHint().width() <= 280


def test_nothing_is_held_after_release(viewer: ViewerModel, labels: Labels, qtbot: QtBot) -> None:
    bench = Workbench(viewer)
    emitters = [viewer.layers.events.inserted, viewer.layers.events.removed]
    emitters += [labels.events.paint, labels.events.data]
    before = [len(emitter.callbacks) for emitter in emitters]
    correcting, suggesting, repairing = Correcting(bench), Suggesting(bench), Repairing(bench)
    bench.choose(labels=labels)
    step = CorrectStep(bench, correcting, suggesting, repairing)
    repairing.take(Tool.SPLIT)
    step.release()
    suggesting.release()
    correcting.release()
    repairing.release()
    assert [len(emitter.callbacks) for emitter in emitters] == before
    seen: list[weakref.ref[Any]]
    seen = [weakref.ref(each) for each in (step, correcting, suggesting, repairing)]
    del step, correcting, suggesting, repairing
    gc.collect()
    assert [ref() for ref in seen] == [None] * 4
    bench.close()


def test_the_tool_that_is_held_is_pressed_down_until_escape(
    step: CorrectStep, qtbot: QtBot
) -> None:
    buttons = step.repair.buttons
    buttons[Tool.SPLIT].click()
    buttons[Tool.DELETE].click()
    assert [tool for tool in Tool if buttons[tool].isChecked()] == [Tool.DELETE]
    assert step.status.text().startswith("Click an object")
    qtbot.keyClick(buttons[Tool.DELETE], Qt.Key.Key_Escape)  # type: ignore[no-untyped-call]
    assert not any(button.isChecked() for button in buttons.values())
    assert step.repair.repairing.tool is None
