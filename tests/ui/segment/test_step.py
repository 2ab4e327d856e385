"""The step Segment in each of its states, with a fake segmentation engine."""

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

from napari_unet.config import NETWORKS, PRESETS, Along, OutputKind, TilingConfig
from napari_unet.engine.errors import EngineError
from napari_unet.engine.events import (
    FinishReason,
    Judged,
    PlaneDone,
    SegmentDone,
    SegmentStarted,
    Stop,
)
from napari_unet.engine.network.model import Model
from napari_unet.engine.stack.run_labels import RunLabels
from napari_unet.ui.layers.paint_count import PaintCount
from napari_unet.ui.segment import job as segment_job
from napari_unet.ui.segment.control import Scope, Segmentation
from napari_unet.ui.segment.files_control import SegmentingFiles
from napari_unet.ui.segment.recovery import SegmentRecovery
from napari_unet.ui.segment.step import SegmentStep
from napari_unet.ui.workbench import CurrentModel, Workbench
from tests.ui.conftest import CPU


class FakeEngine:
    """Finishes the first plane, then waits until it is stopped; or fails."""

    def __init__(self) -> None:
        self.turns: list[segment_job.Turn] = []
        self.error: Exception | None = None
        self.judged: Judged | None = None

    def __call__(self, turns: Sequence[segment_job.Turn]) -> Callable[[Stop], Iterator[object]]:
        self.turns += turns
        return self._run

    def _run(self, stop: Stop) -> Iterator[object]:
        turn = self.turns[-1]
        if self.error:
            raise self.error
        turn.sink.prepare()
        yield segment_job.TurnStarted(0)
        yield SegmentStarted("CPU", (0, 1, 2), 3, 64)
        yield PlaneDone(0, RunLabels.of(np.ones((64, 48))), 1, judged=self.judged)
        while not stop():
            time.sleep(0.001)
        yield SegmentDone(FinishReason.STOPPED, (0,), 1.0)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    engine = FakeEngine()
    monkeypatch.setattr(segment_job, "segment_images", engine)
    return engine


@pytest.fixture
def step(
    viewer: ViewerModel, image: Image, model: Model, engine: FakeEngine, qtbot: QtBot
) -> Iterator[SegmentStep]:
    bench = Workbench(viewer)
    segmentation = Segmentation(bench)
    recovery = SegmentRecovery(bench, segmentation)
    step = SegmentStep(bench, segmentation, recovery, SegmentingFiles(bench))
    bench.changed.connect(step.refresh)
    qtbot.addWidget(step)
    bench.use_device(CPU)
    bench.choose(images=(image,), start=CurrentModel("mine", model))
    yield step
    step.release()
    recovery.release()
    step.segmentation.release()
    bench.close()


def run_until_one_plane(step: SegmentStep, qtbot: QtBot) -> None:
    step.start.click()
    qtbot.waitUntil(lambda: step.status.text() == "Segmented 1 of 3 planes · 1 object")


def stop(step: SegmentStep, qtbot: QtBot) -> None:
    with qtbot.waitSignal(step.workbench.ended):
        step.workbench.stop()


def test_idle(step: SegmentStep) -> None:
    assert step.start.isEnabled()
    assert step.start.text() == "Segment stack"
    assert step.pause.isHidden()
    assert step.anew.isHidden()
    assert step.hint.isHidden()
    assert step.status.isHidden()


def test_the_button_says_what_it_does(step: SegmentStep, viewer: ViewerModel, image: Image) -> None:
    step.scope.value = Scope.PLANE
    assert step.start.text() == "Segment this plane"
    step.scope.value = Scope.LAYERS
    viewer.layers.selection = {viewer.add_image(np.zeros((3, 64, 48)), name="b"), image}
    assert step.start.text() == "Segment 2 layers"
    viewer.layers.selection = set()
    assert step.start.text() == "Segment selected layers"
    assert not step.start.isEnabled()
    assert "click them" in step.hint.text()


def test_why_it_cannot_run_is_said_in_place(step: SegmentStep, viewer: ViewerModel) -> None:
    viewer.layers.clear()
    assert not step.start.isEnabled()
    assert step.hint.text().startswith("Open an image first")
    assert step.start.toolTip() == step.hint.text()


def test_running_pausing_stopping_and_going_on(step: SegmentStep, qtbot: QtBot) -> None:
    run_until_one_plane(step, qtbot)
    assert not step.start.isEnabled()
    assert not step.pause.isHidden()
    step.pause.click()
    assert step.pause.text() == "Resume"
    step.pause.click()
    assert step.pause.text() == "Pause"
    with qtbot.waitSignal(step.workbench.ended):
        step.workbench.stop()
        assert not step.pause.isEnabled()
        assert step.pause.toolTip() == "It is being stopped."
    assert step.pause.isHidden()
    assert step.start.text() == "Continue: 2 planes left"
    assert not step.anew.isHidden()


def test_changed_settings_start_anew(step: SegmentStep, qtbot: QtBot) -> None:
    run_until_one_plane(step, qtbot)
    stop(step, qtbot)
    step.objects._widgets["min_size"].value = 5
    assert step.start.text() == "Segment stack"
    assert step.anew.isHidden()


def test_start_over(step: SegmentStep, qtbot: QtBot, engine: FakeEngine) -> None:
    run_until_one_plane(step, qtbot)
    stop(step, qtbot)
    step.anew.click()
    stop(step, qtbot)
    assert engine.turns[-1].resume.finished == frozenset()
    step.start.click()
    stop(step, qtbot)
    assert engine.turns[-1].resume.finished == {0}


def test_a_failure_leaves_the_button_ready(
    step: SegmentStep, qtbot: QtBot, engine: FakeEngine
) -> None:
    engine.error = EngineError("Out of memory; take smaller tiles.")
    with qtbot.waitSignals([step.workbench.failed, step.workbench.ended]):
        step.start.click()
    assert step.start.isEnabled()
    assert step.start.text() == "Segment stack"


@pytest.mark.parametrize(
    ("form", "setting", "value", "expected"),
    [
        ("tiling", "tile", 128, 128),
        ("tiling", "tile", 0, None),
        ("tiling", "rotations", 7, 7),
        ("objects", "threshold", 0.7, 0.7),
        ("objects", "min_size", 5, 5),
        ("objects", "min_size", 0, None),
        ("objects", "fill_holes", False, False),
        ("objects", "largest_hole", 9, 9),
        ("objects", "largest_hole", 0, None),
        ("objects", "neck", 0.3, 0.3),
        ("objects", "gap", 3, 3),
        ("objects", "link", True, True),
        ("objects", "link_along", Along.T, Along.T),
    ],
)
def test_every_setting_reaches_the_job(
    step: SegmentStep,
    qtbot: QtBot,
    engine: FakeEngine,
    form: str,
    setting: str,
    value: Any,
    expected: Any,
) -> None:
    getattr(step, form)._widgets[setting].value = value
    engine.error = EngineError("enough")
    with qtbot.waitSignal(step.workbench.ended):
        step.start.click()
    asked = getattr(engine.turns[-1].plan, form)
    assert getattr(asked, setting) == expected
    usual = getattr(PRESETS["light"], form)
    assert (asked == usual) is (expected is None)  # else it is another than without it


@pytest.mark.parametrize("overrides", [True, False])
def test_paint_overrides_if_that_is_wanted(
    step: SegmentStep, qtbot: QtBot, engine: FakeEngine, labels: Labels, *, overrides: bool
) -> None:
    step.workbench.choose(labels=labels)
    step.workbench.painted = PaintCount(1, ones=4, unpainted=30, numbers=np.array([1, 2]))
    if not overrides:
        step.paint._widgets["overrides"].value = False
    engine.error = EngineError("enough")
    with qtbot.waitSignal(step.workbench.ended):
        step.start.click()
    assert (engine.turns[-1].painted is not None) is overrides


def test_it_goes_from_one_painted_object_that_was_missed_to_the_next(
    step: SegmentStep, qtbot: QtBot, engine: FakeEngine, viewer: ViewerModel, image: Image
) -> None:
    assert step.missed.isHidden()
    boxes = (slice(30, 40), slice(10, 20)), (slice(50, 60), slice(10, 20))
    engine.judged = Judged(1, 3, boxes)
    step.start.click()
    qtbot.waitUntil(lambda: not step.missed.isHidden())
    assert "found 1 of 3 objects painted whole" in step.status.text()
    stop(step, qtbot)
    viewer.dims.set_current_step(0, 2)
    for middle in (34.5, 54.5, 34.5):
        step.missed.click()
        assert viewer.dims.current_step[0] == 0
        camera = getattr(viewer, "scene", viewer).camera
        np.testing.assert_allclose(camera.center[-2:], image.data_to_world((0, middle, 14.5))[-2:])


@pytest.mark.parametrize("kind", list(OutputKind))
def test_the_output_reaches_the_job(
    step: SegmentStep, qtbot: QtBot, engine: FakeEngine, kind: OutputKind
) -> None:
    step.kind.value = kind
    engine.error = EngineError("enough")
    with qtbot.waitSignal(step.workbench.ended):
        step.start.click()
    assert engine.turns[-1].plan.kind is kind


def test_it_fits_a_narrow_dock(step: SegmentStep, qtbot: QtBot) -> None:
    run_until_one_plane(step, qtbot)
    assert step.minimumSizeHint().width() <= 280
    stop(step, qtbot)
    assert step.minimumSizeHint().width() <= 280


def test_nothing_is_held_after_release(viewer: ViewerModel, qtbot: QtBot) -> None:
    bench = Workbench(viewer)
    segmentation = Segmentation(bench)
    changed = viewer.layers.selection.events.changed
    before = len(changed.callbacks)
    recovery = SegmentRecovery(bench, segmentation)
    step = SegmentStep(bench, segmentation, recovery, SegmentingFiles(bench))
    step.release()
    recovery.release()
    assert len(changed.callbacks) == before
    seen = weakref.ref(step)
    del step
    gc.collect()
    assert seen() is None
    segmentation.release()
    bench.close()


def test_a_model_of_the_paper_is_averaged_over_seven_rotations_and_no_neck_is_cut(
    step: SegmentStep, model: Model
) -> None:
    paper = replace(model, network=replace(model.network, name="2015"))
    step.workbench.choose(start=CurrentModel("paper", paper))
    assert (step.tiling.value(), step.objects.value()) == (
        PRESETS["2015"].tiling,
        PRESETS["2015"].objects,
    )
    step.tiling._widgets["rotations"].value = 3
    step.workbench.choose(start=CurrentModel("another", replace(paper, pixel_size=None)))
    assert step.tiling.value().rotations == 3  # chosen by hand
    step.workbench.choose(start=CurrentModel("mine", model))
    assert (step.tiling.value(), step.objects.value()) == (
        TilingConfig(),
        PRESETS["light"].objects,
    )


def test_a_new_network_of_the_paper_is_previewed_without_cutting_necks(step: SegmentStep) -> None:
    step.workbench.choose(start=NETWORKS["2015"])
    assert step.objects.value().neck == 0


def test_moving_the_slider_cuts_the_result_and_choosing_another_network_does_not(
    step: SegmentStep, monkeypatch: pytest.MonkeyPatch
) -> None:
    wished: list[float] = []
    monkeypatch.setattr(step.segmentation.pieces, "cut_at", wished.append)
    step.objects._widgets["neck"].value = 0.3
    step.workbench.choose(start=NETWORKS["2015"])
    assert step.objects.value().neck == 0
    assert wished == [0.3]
