"""What the network sees: the weight map lies on the strokes, the patch is in the panel."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from napari.layers import Image, Labels
from pytestqt.qtbot import QtBot

from napari_unet.config import NetworkConfig, Task, TrainConfig, Unpainted
from napari_unet.engine.errors import LabelsError, SettingsError
from napari_unet.engine.paint.label_scheme import LabelScheme
from napari_unet.engine.training.plan import TrainingPlan
from napari_unet.ui.inspect import job as inspect_job
from napari_unet.ui.inspect.control import Inspecting
from napari_unet.ui.inspect.job import Inspected, SeenPatch
from napari_unet.ui.inspect.step import InspectStep
from napari_unet.ui.runner import JobEnd
from napari_unet.ui.workbench import Workbench
from napari_unet.ui.worker import Job
from tests.ui.conftest import CPU, failing_job, job_of

NETWORK, CONFIG = NetworkConfig(levels=2), TrainConfig(patch=16, seed=40)
PATCH = SeenPatch(
    np.zeros((36, 36), np.float32), np.ones((20, 20), np.int32), np.ones((20, 20), np.float32), 8
)
SEEN = Inspected(1, (4, 6), np.full((30, 20), 2.5, np.float32), 2, PATCH)


@pytest.fixture
def step(workbench: Workbench, qtbot: QtBot) -> Iterator[InspectStep]:
    inspecting = Inspecting(workbench)
    step = InspectStep(workbench, inspecting, lambda: (NETWORK, CONFIG))
    qtbot.addWidget(step)
    workbench.changed.connect(step.refresh)
    yield step
    workbench.changed.disconnect(step.refresh)
    step.release()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Put a fake job in the place of the inspection; return what it was asked, each time."""
    asked: list[dict[str, Any]] = []

    def fake(_pairs: Any, plan: TrainingPlan, **kwargs: Any) -> Job:
        asked.append({"plan": plan, **kwargs})
        return job_of(SEEN)

    monkeypatch.setattr(inspect_job, "inspect_labels", fake)
    return asked


def press(step: InspectStep, qtbot: QtBot, *, another: bool = False) -> JobEnd:
    with qtbot.waitSignal(step.workbench.ended) as ended:
        (step.another if another else step.show_button).click()
    end: JobEnd = ended.args[0]
    return end


def test_every_choice_reaches_the_job(
    step: InspectStep, workbench: Workbench, asked: list[dict[str, Any]], qtbot: QtBot
) -> None:
    workbench.choose(task=Task.CLASSES, unpainted=Unpainted.BACKGROUND)
    workbench.viewer.dims.set_current_step(0, 2)
    press(step, qtbot)
    (given,) = asked
    plan = given["plan"]
    assert (plan.start, plan.config, plan.device) == (NETWORK, CONFIG, CPU)
    assert plan.scheme == LabelScheme(Task.CLASSES, Unpainted.BACKGROUND)
    assert plan.sizes is workbench.sizes
    assert (given["plane"], given["seed"]) == (2, 40)


def test_another_draws_the_next_seed_and_show_begins_anew(
    step: InspectStep, asked: list[dict[str, Any]], qtbot: QtBot
) -> None:
    assert step.another.isHidden()
    for another in (False, True, True, False):
        press(step, qtbot, another=another)
    assert [settings["seed"] for settings in asked] == [40, 41, 42, 40]


def test_the_weight_map_lies_on_the_painted_part(
    step: InspectStep, workbench: Workbench, image: Image, asked: list[Any], qtbot: QtBot
) -> None:
    selected = workbench.viewer.layers.selection.active
    press(step, qtbot)
    layer = workbench.viewer.layers["weight map"]
    assert layer.data.shape == (1, 30, 20)
    assert np.allclose(layer.data_to_world((0, 0, 0)), image.data_to_world((1, 4, 6)))
    assert layer.colormap.name == "inferno"
    assert tuple(layer.contrast_limits) == (0, 2.5)
    assert workbench.viewer.layers.selection.active is selected


def test_another_weight_map_takes_the_place_of_the_last(
    step: InspectStep, workbench: Workbench, asked: list[Any], qtbot: QtBot
) -> None:
    press(step, qtbot)
    layer = workbench.viewer.layers["weight map"]
    layer.name, layer.opacity, layer.visible = "w", 0.3, False
    press(step, qtbot)
    assert [other.name for other in workbench.viewer.layers] == ["cells", "w", "strokes"]
    layer = workbench.viewer.layers["w"]
    assert (layer.opacity, layer.visible) == (0.3, False)


def test_nothing_is_shown_of_data_that_the_image_shows_no_more(
    step: InspectStep, workbench: Workbench, image: Image, asked: list[Any], qtbot: QtBot
) -> None:
    said: list[str] = []
    workbench.progressed.connect(lambda progress: said.append(progress.text))
    with qtbot.waitSignal(workbench.ended):
        step.show_button.click()
        image.data = image.data[:1]
    assert said[-1] == "'cells' shows other data by now; press Show again."
    assert "weight map" not in workbench.viewer.layers
    assert step._pictures.isHidden()


def test_the_patch_is_shown_in_three_pictures(
    step: InspectStep, asked: list[Any], qtbot: QtBot
) -> None:
    press(step, qtbot)
    assert not step._pictures.isHidden()
    assert not step.another.isHidden()
    assert all(part._picture is not None for part in (step.grey, step.classes, step.weights))
    assert step.grey._frame == 8 / 36
    assert step.status.text() == "Plane 1: weights up to 2.5; 2 blocks held out."


def test_labels_have_the_colours_of_the_strokes(
    step: InspectStep, labels: Labels, asked: list[Any], qtbot: QtBot
) -> None:
    press(step, qtbot)
    picture = step.classes._picture
    assert picture is not None
    want = np.round(255 * np.asarray(labels.get_color(1)))
    assert np.allclose(picture.pixelColor(3, 3).getRgb(), want, atol=1)


def test_real_strokes_are_inspected(
    workbench: Workbench, step: InspectStep, labels: Labels, qtbot: QtBot
) -> None:
    labels.data[2, 10:30, 10:20] = 1
    labels.data[2, 10:30, 25:35] = 2
    assert press(step, qtbot) is JobEnd.COMPLETED
    layer = workbench.viewer.layers["weight map"]
    point = labels.data_to_world((2, 12, 12))
    workbench.viewer.dims.set_point(0, point[0])
    assert layer.get_value(point, world=True) > 0
    beside = labels.data_to_world((2, 12, 22))  # between the strokes
    assert not layer.get_value(beside, world=True)


def test_it_says_why_it_cannot_run(step: InspectStep, workbench: Workbench) -> None:
    assert step.show_button.isEnabled()
    workbench.choose(labels=None)
    assert not step.show_button.isEnabled()
    assert step.status.text() == step.show_button.toolTip()


def test_a_failure_leaves_it_ready(
    step: InspectStep, workbench: Workbench, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    job = failing_job(LabelsError("Nothing is painted."))
    monkeypatch.setattr(inspect_job, "inspect_labels", lambda *_args, **_settings: job)
    told: list[str] = []
    workbench.failed.connect(told.append)
    assert press(step, qtbot) is JobEnd.FAILED
    assert told == ["Nothing is painted."]
    assert step.show_button.isEnabled()


def test_settings_that_do_not_go_together_are_told_of(
    workbench: Workbench, asked: list[Any], qtbot: QtBot
) -> None:
    def refuse() -> tuple[NetworkConfig, TrainConfig]:
        raise SettingsError("Set a time.")

    inspecting = Inspecting(workbench)
    step = InspectStep(workbench, inspecting, refuse)
    qtbot.addWidget(step)
    with qtbot.waitSignal(workbench.failed) as failed:
        step.show_button.click()
    assert failed.args == ["Set a time."]
    assert asked == []
    step.release()


def test_it_fits_a_narrow_dock(step: InspectStep, asked: list[Any], qtbot: QtBot) -> None:
    press(step, qtbot)
    assert step.minimumSizeHint().width() <= 280


def test_after_release_nothing_holds_the_step(workbench: Workbench, qtbot: QtBot) -> None:
    inspecting = Inspecting(workbench)
    step = InspectStep(workbench, inspecting, lambda: (NETWORK, CONFIG))
    step.release()
    gone = weakref.ref(step), weakref.ref(inspecting)
    del step, inspecting
    gc.collect()
    assert [ref() for ref in gone] == [None, None]
