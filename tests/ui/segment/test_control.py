"""Segmentations: where results go, what a second press does, and what is kept."""

from __future__ import annotations

import gc
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels
from pytestqt.qtbot import QtBot

from napari_unet.config import ObjectsConfig, OutputKind, Task, TilingConfig, Unpainted
from napari_unet.engine.errors import ImageError
from napari_unet.engine.events import (
    FinishReason,
    Judged,
    PlaneDone,
    SegmentDone,
    SegmentStarted,
    Stop,
    TileDone,
)
from napari_unet.engine.network.model import Model
from napari_unet.engine.stack.run_labels import RunLabels
from napari_unet.io.unfinished import unfinished_in
from napari_unet.ui.layers.added import is_overridden_by, made_on
from napari_unet.ui.layers.geometry import placement
from napari_unet.ui.layers.paint_count import PaintCount
from napari_unet.ui.runner import JobState
from napari_unet.ui.segment import job as segment_job
from napari_unet.ui.segment.control import Scope, Segmentation
from napari_unet.ui.workbench import CurrentModel, Workbench
from tests.ui.conftest import CPU

SETTINGS = (OutputKind.LABELS, TilingConfig(), ObjectsConfig())


class FakeEngine:
    """Segments whole planes with one object each; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[segment_job.Turn] = []
        self.planes_before_stop: int | None = None  # None: all
        self.error: Exception | None = None
        self.judged: Judged | None = None  # of each plane
        self.hold = False  # after the first plane, until it is stopped

    def __call__(self, turns: Sequence[segment_job.Turn]) -> Callable[[Stop], Iterator[object]]:
        self.asked += turns
        return lambda stop: self._run(turns, stop)

    def _run(self, turns: Sequence[segment_job.Turn], stop: Stop) -> Iterator[object]:
        for number, turn in enumerate(turns):
            if self.error:
                raise self.error
            turn.sink.prepare()
            wanted = turn.numbers if turn.numbers is not None else range(turn.planes.count)
            todo = [plane for plane in wanted if plane not in turn.resume.finished]
            yield segment_job.TurnStarted(number)
            yield SegmentStarted("CPU", tuple(todo), len(todo), 64)
            _wait_for_layers(turn)
            done = []
            for index, plane in enumerate(todo[: self.planes_before_stop]):
                values = self._values(turn, turn.resume.largest + index + 1)
                whole = slice(0, 64), slice(0, 48)
                for event in (
                    TileDone(plane, *whole, values, index + 1, len(todo)),
                    PlaneDone(plane, _labels(turn, values), objects=1, judged=self.judged),
                ):
                    turn.sink.write(event)
                    yield event
                done.append(plane)
                while self.hold and not stop():
                    time.sleep(0.001)
            all_done = len(done) == len(todo)
            reason = FinishReason.COMPLETED if all_done else FinishReason.STOPPED
            yield SegmentDone(reason, tuple(done), 1.0)

    def _values(self, turn: segment_job.Turn, number: int) -> Any:
        shape = turn.planes.shape
        if turn.plan.kind is OutputKind.PROBABILITIES:
            channels = 1 if turn.plan.model.task is Task.OBJECTS else len(turn.plan.model.values)
            return np.full((channels, *shape), number / 10, np.float32)
        dtype = np.int32 if turn.plan.kind is OutputKind.LABELS else np.uint8
        return np.full(shape, number, dtype)


def _labels(turn: segment_job.Turn, values: Any) -> RunLabels | None:
    return RunLabels.of(values) if turn.plan.kind is OutputKind.LABELS else None


def _wait_for_layers(turn: segment_job.Turn) -> None:
    """Let a worker not end while a layer is made: both catch warnings, which threads share."""
    until = time.monotonic() + 1
    while not getattr(turn.sink, "layers", ()) and time.monotonic() < until:
        time.sleep(0.001)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    engine = FakeEngine()
    monkeypatch.setattr(segment_job, "segment_images", engine)
    return engine


@pytest.fixture
def workbench(viewer: ViewerModel, image: Image, model: Model, qtbot: QtBot) -> Iterator[Workbench]:
    bench = Workbench(viewer)
    bench.use_device(CPU)
    bench.choose(images=(image,), start=CurrentModel("mine", model))
    yield bench
    bench.close()


@pytest.fixture
def segmentation(workbench: Workbench, engine: FakeEngine) -> Iterator[Segmentation]:
    control = Segmentation(workbench)
    yield control
    control.release()


@pytest.fixture
def run(segmentation: Segmentation, qtbot: QtBot) -> Callable[..., None]:
    """Segment and wait for the end."""

    def start(scope: Scope = Scope.STACK, *settings: Any, **options: Any) -> None:
        kind, tiling, objects = settings or SETTINGS
        with qtbot.waitSignal(segmentation.workbench.ended):
            segmentation.start(scope, kind, tiling, objects, **options)

    return start


def results(viewer: ViewerModel) -> list[Any]:
    return [x for x in viewer.layers if x.metadata.get("napari-unet-paint") == "segmentation"]


def stop_after(engine: FakeEngine, planes: int | None) -> None:
    engine.planes_before_stop = planes


# What reaches the engine


def test_all_settings_reach_the_job(
    run: Any, engine: FakeEngine, viewer: ViewerModel, image: Image, model: Model
) -> None:
    viewer.dims.set_current_step(0, 2)
    tiling, objects = TilingConfig(tile=64, rotations=7), ObjectsConfig(min_size=5, link=True)
    run(Scope.STACK, OutputKind.LABELS, tiling, objects)
    (turn,) = engine.asked
    assert turn.plan.model is model
    assert turn.device is CPU
    assert (turn.plan.tiling, turn.plan.objects, turn.plan.kind) == (
        tiling,
        objects,
        OutputKind.LABELS,
    )
    assert turn.numbers is None
    assert turn.focus[0] == 2
    assert turn.resume.finished == frozenset()
    np.testing.assert_array_equal(turn.planes.read(1, slice(0, 64), slice(0, 48))[0], image.data[1])


def test_this_plane_is_the_one_on_screen(run: Any, engine: FakeEngine, viewer: ViewerModel) -> None:
    viewer.dims.set_current_step(0, 2)
    run(Scope.PLANE)
    assert engine.asked[0].numbers == (2,)
    (layer,) = results(viewer)
    assert (layer.data[2] == 1).all()
    assert not layer.data[:2].any()


def test_selected_layers_are_done_one_after_the_other(
    run: Any, engine: FakeEngine, viewer: ViewerModel, image: Image, segmentation: Segmentation
) -> None:
    other = viewer.add_image(np.zeros((2, 64, 48), np.uint8), name="other")
    viewer.layers.selection = {image, other, viewer.layers["strokes"]}
    run(Scope.LAYERS)
    assert [turn.planes.count for turn in engine.asked] == [3, 2]
    assert [layer.name for layer in results(viewer)] == [
        "cells segmentation",
        "other segmentation",
    ]
    assert all(layer.data.all() and layer.editable for layer in results(viewer))
    assert segmentation.summary.startswith("2 layers · 5 planes · 5 objects")


def test_nothing_selected_says_what_to_do(segmentation: Segmentation, viewer: ViewerModel) -> None:
    viewer.layers.selection = set()
    assert "hold Ctrl" in str(segmentation.why_not(Scope.LAYERS))


# What is painted


@pytest.fixture
def painted(workbench: Workbench, labels: Labels) -> Labels:
    """Choose labels with enough paint to learn from, and count it."""
    labels.data[1, 5, 5:9] = 1
    labels.data[1, 20, 5:9] = 2
    workbench.choose(labels=labels)
    workbench.painted = PaintCount(planes=1, ones=4, unpainted=3000, numbers=np.array([1, 2]))
    return labels


def test_what_is_painted_reaches_the_job(
    run: Any, engine: FakeEngine, segmentation: Segmentation, painted: Labels
) -> None:
    run()
    planes = engine.asked[0].painted
    assert planes is not None
    assert is_overridden_by(segmentation.workbench.choices.result, painted)
    painted.data[2, 0, 0] = 5  # people go on painting
    for plane, values in enumerate(painted.data):
        np.testing.assert_array_equal(planes.read(plane, slice(0, 64), slice(0, 48))[0], values)


def test_how_the_network_itself_found_the_painted_objects_is_told(
    run: Any, engine: FakeEngine, segmentation: Segmentation, painted: Labels
) -> None:
    engine.judged = Judged(3, 5)
    run()
    line = "the network itself found 9 of 15 objects painted whole"  # on three planes
    assert segmentation.summary.endswith(line)
    engine.judged = None
    run()
    assert "painted" not in segmentation.summary


@pytest.mark.parametrize(
    "chosen",
    [
        {"unpainted": Unpainted.BACKGROUND},
        {"task": Task.CLASSES},
        {"labels": None},
    ],
)
def test_labels_that_mean_something_else_do_not_override(
    run: Any, engine: FakeEngine, workbench: Workbench, painted: Labels, chosen: dict[str, Any]
) -> None:
    workbench.choose(**chosen)
    run()
    assert engine.asked[0].painted is None


@pytest.mark.parametrize(
    "count",
    [
        None,  # not counted yet
        PaintCount(planes=3, ones=900, unpainted=2000, numbers=np.array([1])),  # a mask
        PaintCount(
            planes=1,
            ones=90,
            unpainted=2000,
            numbers=np.arange(1, 9),
            is_label_image=True,
        ),
    ],
)
def test_labels_of_which_0_may_be_the_background_do_not_override(
    run: Any, engine: FakeEngine, workbench: Workbench, painted: Labels, count: PaintCount | None
) -> None:
    workbench.painted = count
    run()
    assert engine.asked[0].painted is None


def test_paint_of_another_image_does_not_override(
    run: Any, engine: FakeEngine, viewer: ViewerModel, painted: Labels
) -> None:
    viewer.layers.selection = {viewer.add_image(np.zeros((3, 64, 48), np.uint8), name="other")}
    run(Scope.LAYERS)
    assert engine.asked[0].painted is None


@pytest.mark.parametrize("made_there", [True, False])
def test_paint_that_was_made_on_another_image_does_not_override_when_that_is_chosen(
    run: Any,
    engine: FakeEngine,
    workbench: Workbench,
    viewer: ViewerModel,
    image: Image,
    painted: Labels,
    *,
    made_there: bool,
) -> None:
    other = viewer.add_image(image.data.copy(), **placement(image), name="other")
    if made_there:
        painted.metadata.update(made_on([image]))
    workbench.choose(images=(other,))
    run()
    assert (engine.asked[0].painted is None) == made_there


def test_without_the_switch_the_prediction_stays_and_with_it_all_starts_anew(
    run: Any, engine: FakeEngine, segmentation: Segmentation, painted: Labels
) -> None:
    stop_after(engine, 1)
    run(overrides=False)
    assert engine.asked[0].painted is None
    assert not is_overridden_by(segmentation.workbench.choices.result, painted)
    assert segmentation.missing(Scope.STACK, *SETTINGS, overrides=False) == 2
    assert segmentation.missing(Scope.STACK, *SETTINGS) is None
    run()
    assert engine.asked[1].painted is not None
    assert engine.asked[1].resume.finished == frozenset()


# Where results go


def test_classes_and_probabilities_get_layers_of_their_own(
    run: Any, viewer: ViewerModel, workbench: Workbench, model: Model
) -> None:
    network = replace(model.network, classes=3)
    three = replace(model, task=Task.CLASSES, values=(1, 2, 5), network=network)
    workbench.choose(start=CurrentModel("classes", three))
    run(Scope.STACK, OutputKind.CLASSES, *SETTINGS[1:])
    run(Scope.STACK, OutputKind.PROBABILITIES, *SETTINGS[1:])
    classes, *probabilities = results(viewer)
    assert isinstance(classes, Labels)
    assert classes.data.dtype == np.uint8
    assert [layer.name for layer in probabilities] == [
        "cells class 1 probability",
        "cells class 2 probability",
        "cells class 5 probability",
    ]
    for layer in probabilities:
        assert isinstance(layer, Image)
        assert layer.blending == "additive"
        assert tuple(layer.contrast_limits) == (0, 1)
        np.testing.assert_allclose(layer.data[:, 0, 0], (0.1, 0.2, 0.3), rtol=1e-6)
    assert len({layer.colormap.name for layer in probabilities}) == 3


def test_the_result_is_chosen_when_it_begins(
    run: Any, viewer: ViewerModel, workbench: Workbench
) -> None:
    run()
    assert workbench.choices.result is results(viewer)[0]


def test_this_plane_goes_into_the_result_that_is_there_with_new_numbers(
    run: Any, viewer: ViewerModel, engine: FakeEngine, workbench: Workbench, model: Model
) -> None:
    run()
    (layer,) = results(viewer)
    before = layer.data.copy()
    workbench.choose(start=CurrentModel("better", replace(model)))
    run(Scope.PLANE)
    assert results(viewer) == [layer]
    assert (layer.data[1] == 4).all()  # planes have the numbers 1, 2, 3
    np.testing.assert_array_equal(layer.data[[0, 2]], before[[0, 2]])
    assert engine.asked[-1].resume.finished == frozenset()


def test_a_new_model_starts_anew_in_the_same_layer(
    run: Any, viewer: ViewerModel, workbench: Workbench, model: Model, engine: FakeEngine
) -> None:
    run()
    (layer,) = results(viewer)
    layer.opacity = 0.3
    workbench.choose(start=CurrentModel("better", replace(model)))
    stop_after(engine, 1)
    run()
    assert results(viewer) == [layer]
    assert layer.opacity == 0.3
    assert np.count_nonzero(layer.data) == 64 * 48


def _paint(layer: Labels) -> None:
    layer.paint((0, 10, 10), 9)


def _rename(layer: Labels) -> None:
    layer.name = "mine"


def _replace(layer: Labels) -> None:
    layer.data = layer.data.copy()


@pytest.mark.parametrize("change", [_paint, _rename, _replace])
def test_a_result_that_was_changed_by_hand_is_kept(
    run: Any, viewer: ViewerModel, workbench: Workbench, model: Model, change: Any
) -> None:
    run()
    (first,) = results(viewer)
    change(first)
    kept = first.data.copy()
    workbench.choose(start=CurrentModel("better", replace(model)))
    run()
    assert len(results(viewer)) == 2
    np.testing.assert_array_equal(first.data, kept)


def test_never_into_the_layer_that_is_painted_on(
    run: Any, viewer: ViewerModel, workbench: Workbench
) -> None:
    run()
    workbench.choose(labels=results(viewer)[0])
    run(Scope.PLANE)
    run()
    assert len(results(viewer)) == 2


def test_another_image_gets_a_layer_of_its_own(
    run: Any, viewer: ViewerModel, workbench: Workbench
) -> None:
    run()
    workbench.choose(images=(viewer.add_image(np.zeros((3, 64, 48), np.uint8), name="other"),))
    run()
    assert [layer.name for layer in results(viewer)] == ["cells segmentation", "other segmentation"]


# Stopping and going on


def missing(segmentation: Segmentation, *settings: Any) -> int | None:
    return segmentation.missing(Scope.STACK, *(settings or SETTINGS))


def test_a_second_press_does_only_what_is_missing(
    run: Any, engine: FakeEngine, segmentation: Segmentation, viewer: ViewerModel
) -> None:
    assert missing(segmentation) is None
    stop_after(engine, 1)
    run()
    assert missing(segmentation) == 2
    assert segmentation.summary == "Segmented 1 of 3 planes · 1 object"
    stop_after(engine, None)
    run()
    (layer,) = results(viewer)
    resume = engine.asked[-1].resume
    assert resume.finished == {0}
    assert resume.largest == 1
    assert resume.labels is not None
    assert (resume.labels.read(0, slice(0, 64), slice(0, 48)) == 1).all()
    assert layer.data[:, 0, 0].tolist() == [1, 2, 3]
    assert missing(segmentation) is None
    assert segmentation.summary.startswith("3 planes · 3 objects · ")


def test_whole_stacks_start_anew_when_nothing_is_missing(run: Any, engine: FakeEngine) -> None:
    run()
    run()
    assert engine.asked[-1].resume.finished == frozenset()


def test_start_over_forgets_what_is_finished(
    run: Any, engine: FakeEngine, viewer: ViewerModel
) -> None:
    stop_after(engine, 2)
    run()
    run(anew=True)
    assert engine.asked[-1].resume.finished == frozenset()
    assert len(results(viewer)) == 1


@pytest.mark.parametrize("what", ["model", "tiling", "objects", "kind", "data", "layer"])
def test_any_change_starts_anew(
    run: Any,
    engine: FakeEngine,
    segmentation: Segmentation,
    workbench: Workbench,
    viewer: ViewerModel,
    image: Image,
    model: Model,
    what: str,
) -> None:
    stop_after(engine, 1)
    run()
    kind, tiling, objects = SETTINGS
    match what:
        case "model":
            workbench.choose(start=CurrentModel("better", replace(model)))
        case "tiling":
            tiling = TilingConfig(rotations=2)
        case "objects":
            objects = ObjectsConfig(threshold=0.7)
        case "kind":
            kind = OutputKind.CLASSES
        case "data":
            image.data = image.data.copy()
        case "layer":
            viewer.layers.remove(results(viewer)[0])
    assert missing(segmentation, kind, tiling, objects) is None
    run(Scope.STACK, kind, tiling, objects)
    assert engine.asked[-1].resume.finished == frozenset()


SHAPES = [(2, 64, 48), (5, 64, 48), (3, 40, 48), (64, 48), (2, 3, 64, 48), (3, 64, 48)]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_result_of_data_that_are_shown_no_more_says_so_until_it_is_made_anew(
    run: Any, segmentation: Segmentation, image: Image, shape: tuple[int, ...]
) -> None:
    run()
    image.data = np.ones(shape, np.uint8)
    told = "'cells' shows other data than 'cells segmentation' was made of; segment again."
    assert segmentation.summary == told
    assert missing(segmentation) is None


def test_a_second_press_segments_the_data_that_are_shown_now(
    run: Any,
    engine: FakeEngine,
    segmentation: Segmentation,
    viewer: ViewerModel,
    image: Image,
) -> None:
    run()
    (before,) = results(viewer)
    image.data = image.data[:2].copy()
    run()
    assert engine.asked[-1].planes.count == 2
    assert segmentation.summary.startswith("2 planes · 2 objects")
    assert [len(layer.data) for layer in results(viewer)] == [3, 2]
    assert (before.data[2] > 0).all()  # it is the user's now


def test_painted_objects_of_data_that_are_shown_no_more_are_not_gone_to(
    run: Any, engine: FakeEngine, segmentation: Segmentation, image: Image
) -> None:
    engine.judged = Judged(1, 0, ((slice(0, 4), slice(0, 4)),))
    run()
    assert len(segmentation.missed) == 3
    image.data = image.data[:1]
    assert segmentation.missed == []


@pytest.mark.parametrize("shape", SHAPES)
def test_other_data_while_it_is_segmented_are_no_trouble(
    run: Any,
    engine: FakeEngine,
    segmentation: Segmentation,
    viewer: ViewerModel,
    image: Image,
    shape: tuple[int, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def replace_before(turns: Sequence[segment_job.Turn]) -> Any:
        image.data = np.ones(shape, np.uint8)
        return engine(turns)

    monkeypatch.setattr(segment_job, "segment_images", replace_before)
    failed: list[str] = []
    segmentation.workbench.failed.connect(failed.append)
    run()
    assert failed == []
    (layer,) = results(viewer)
    assert layer.data.shape == (3, 64, 48)  # of what was asked for
    assert segmentation.summary.endswith("was made of; segment again.")


def test_planes_that_were_edited_are_not_done_again(
    run: Any, engine: FakeEngine, segmentation: Segmentation, viewer: ViewerModel
) -> None:
    stop_after(engine, 1)
    run()
    (layer,) = results(viewer)
    layer.paint((2, 10, 10), 50)
    assert missing(segmentation) == 1
    stop_after(engine, None)
    run()
    assert engine.asked[-1].resume.finished == {0, 2}
    assert engine.asked[-1].resume.largest == 50
    assert (layer.data[1] == 51).all()
    assert layer.data[2].max() == 50


def test_a_renamed_result_is_gone_on_with(
    run: Any, engine: FakeEngine, viewer: ViewerModel
) -> None:
    stop_after(engine, 1)
    run()
    results(viewer)[0].name = "mine"
    run()
    assert len(results(viewer)) == 1


def test_this_plane_then_the_stack_does_the_other_planes(
    run: Any, engine: FakeEngine, segmentation: Segmentation
) -> None:
    run(Scope.PLANE)
    assert missing(segmentation) == 2
    run()
    assert engine.asked[-1].resume.finished == {1}


def test_this_plane_is_done_again_when_asked(run: Any, engine: FakeEngine) -> None:
    run(Scope.PLANE)
    run(Scope.PLANE)
    assert engine.asked[-1].resume.finished == frozenset()
    assert engine.asked[-1].resume.largest == 1


def test_this_plane_leaves_a_corrected_plane_alone(run: Any, viewer: ViewerModel) -> None:
    run(Scope.PLANE)
    (first,) = results(viewer)
    first.paint((1, 10, 10), 50)
    kept = first.data.copy()
    run(Scope.PLANE)
    assert len(results(viewer)) == 2
    np.testing.assert_array_equal(first.data, kept)


# While it runs


def test_layers_are_locked_while_they_fill(
    segmentation: Segmentation, engine: FakeEngine, viewer: ViewerModel, qtbot: QtBot
) -> None:
    engine.hold = True
    segmentation.start(Scope.STACK, *SETTINGS)
    qtbot.waitUntil(lambda: segmentation.summary.startswith("Segmented 1 of 3"))
    (layer,) = results(viewer)
    assert not layer.editable
    with qtbot.waitSignal(segmentation.workbench.ended):
        segmentation.workbench.stop()
    assert layer.editable
    assert not segmentation.is_running


def test_deleting_the_result_stops_the_job(
    segmentation: Segmentation, engine: FakeEngine, viewer: ViewerModel, qtbot: QtBot
) -> None:
    engine.hold = True
    segmentation.start(Scope.STACK, *SETTINGS)
    qtbot.waitUntil(lambda: len(results(viewer)) == 1)
    with qtbot.waitSignal(segmentation.workbench.ended):
        viewer.layers.remove(results(viewer)[0])
    assert segmentation.summary == ""
    assert missing(segmentation) is None


def test_pause_and_resume(segmentation: Segmentation, engine: FakeEngine, qtbot: QtBot) -> None:
    engine.hold = True
    runner = segmentation.workbench.runner
    segmentation.pause()  # nothing runs
    states: list[JobState] = []
    runner.state_changed.connect(states.append)
    segmentation.start(Scope.STACK, *SETTINGS)
    segmentation.pause()
    segmentation.resume()
    assert states == [JobState.RUNNING, JobState.PAUSED, JobState.RUNNING]
    with qtbot.waitSignal(segmentation.workbench.ended):
        segmentation.workbench.stop()


def test_a_failure_leaves_no_layer(run: Any, engine: FakeEngine, viewer: ViewerModel) -> None:
    engine.error = ImageError("The image is constant.")
    run()
    assert results(viewer) == []
    engine.error = None
    run()
    assert len(results(viewer)) == 1


def test_progress_is_told(run: Any, segmentation: Segmentation, qtbot: QtBot) -> None:
    told: list[Any] = []
    segmentation.workbench.progressed.connect(told.append)
    run()
    assert [p.text for p in told[:3]] == ["Segmenting…", "Tile 1 of 3", "Tile 2 of 3"]
    assert told[-1].fraction == 1


def test_other_jobs_are_none_of_its_business(
    segmentation: Segmentation, workbench: Workbench, viewer: ViewerModel, qtbot: QtBot
) -> None:
    event = PlaneDone(0, RunLabels.of(np.ones((64, 48))), 1)
    with qtbot.waitSignal(workbench.ended):
        workbench.run(
            "Comparing", lambda _stop: iter([event, SegmentDone(FinishReason.TIME, (), 1)])
        )
    assert results(viewer) == []
    assert segmentation.summary == ""


def test_nothing_is_held_after_release(
    workbench: Workbench, engine: FakeEngine, viewer: ViewerModel, qtbot: QtBot
) -> None:
    control = Segmentation(workbench)
    before = len(viewer.layers.events.removed.callbacks)
    with qtbot.waitSignal(workbench.ended):
        control.start(Scope.STACK, *SETTINGS)
    (layer,) = results(viewer)
    painted = len(layer.events.paint.callbacks)
    control.release()
    assert len(viewer.layers.events.removed.callbacks) == before - 1
    assert len(layer.events.paint.callbacks) == painted - 1
    assert layer in viewer.layers
    seen = weakref.ref(control)
    del control
    gc.collect()
    assert seen() is None


# What is not finished


def unfinished(layer: Any) -> tuple[int, ...]:
    return unfinished_in(layer.metadata)


def test_layers_say_which_planes_are_not_finished(
    run: Any, engine: FakeEngine, viewer: ViewerModel
) -> None:
    stop_after(engine, 1)
    run()
    (layer,) = results(viewer)
    assert unfinished(layer) == (1, 2)
    layer.paint((2, 5, 5), 9)  # as a person may do it instead
    assert unfinished(layer) == (1,)
    stop_after(engine, None)
    run()
    assert unfinished(layer) == ()
    stop_after(engine, 0)
    run(Scope.PLANE)  # once more, stopped at once
    assert unfinished(layer) == (int(viewer.dims.current_step[0]),)


def test_a_plane_of_another_model_leaves_the_others_as_they_are(
    run: Any, viewer: ViewerModel, workbench: Workbench, model: Model
) -> None:
    run()
    workbench.choose(start=CurrentModel("another", replace(model)))
    run(Scope.PLANE)
    (layer,) = results(viewer)
    assert layer.data.all()
    assert unfinished(layer) == ()


def test_all_layers_of_probabilities_say_it(
    run: Any, engine: FakeEngine, viewer: ViewerModel, workbench: Workbench, model: Model
) -> None:
    three = replace(
        model, task=Task.CLASSES, values=(1, 2, 5), network=replace(model.network, classes=3)
    )
    workbench.choose(start=CurrentModel("classes", three))
    stop_after(engine, 2)
    run(Scope.STACK, OutputKind.PROBABILITIES, *SETTINGS[1:])
    assert [unfinished(layer) for layer in results(viewer)] == [(2,)] * 3
