"""The size of objects in the step Train: given, found out, in µm, and drawn on the image."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QEnterEvent, QWheelEvent
from qtpy.QtWidgets import QApplication, QWidget

from napari_unet.config import NETWORKS, NetworkConfig, Task, TrainConfig, Unpainted
from napari_unet.engine.events import TrainStarted
from napari_unet.engine.network.model import Model
from napari_unet.engine.network.record import Diameter, DiameterSource
from napari_unet.engine.paint import TrainingSet
from napari_unet.engine.paint.label_scheme import LabelScheme
from napari_unet.engine.training.plan import TrainingPlan
from napari_unet.ui.layers.inputs import image_planes, lesson_planes
from napari_unet.ui.train import job as train_job
from napari_unet.ui.train import size_part, sizing
from napari_unet.ui.train.control import Training
from napari_unet.ui.train.size_part import SizePart
from napari_unet.ui.train.sizing import SizeFound, find_size
from napari_unet.ui.train.step import TrainStep
from napari_unet.ui.workbench import CurrentModel, Workbench
from tests.ui.conftest import CPU, endless_job, job_of

ESTIMATED = Diameter(57.4, DiameterSource.ESTIMATED)
STARTED = TrainStarted("CPU", (1,), 1200, (), (0, 1), 99, reduction=2, diameter=ESTIMATED)


@pytest.fixture
def step(workbench: Workbench, painted: Labels, qtbot: QtBot) -> Iterator[TrainStep]:
    training = Training(workbench)
    step = TrainStep(workbench, training)
    qtbot.addWidget(step)
    workbench.changed.connect(step.refresh)
    yield step
    workbench.changed.disconnect(step.refresh)
    step.release()
    training.release()


@pytest.fixture
def part(step: TrainStep, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot) -> SizePart:
    """The part, in a window with a canvas."""
    canvas = QWidget()
    qtbot.addWidget(canvas)
    monkeypatch.setattr(size_part, "canvases", lambda _inside: [canvas])
    step.show()
    return step.object_size


Install = Callable[[Diameter | None], list[TrainingPlan]]


@pytest.fixture
def finding(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Let this be found; returns the plans that were asked about."""

    def install(diameter: Diameter | None) -> list[TrainingPlan]:
        plans: list[TrainingPlan] = []

        def find(_pairs: Any, plan: TrainingPlan) -> Any:
            plans.append(plan)
            return job_of(SizeFound(diameter))

        monkeypatch.setattr(sizing, "find_size", find)
        return plans

    return install


def estimate(step: TrainStep, qtbot: QtBot) -> None:
    with qtbot.waitSignal(step.workbench.ended):
        qtbot.mouseClick(step.object_size.field.estimate, Qt.MouseButton.LeftButton)  # type: ignore[no-untyped-call]


def hover(part: SizePart, *, above: bool) -> None:
    place = QPointF(1, 1)
    event = QEnterEvent(place, place, place) if above else QEvent(QEvent.Type.Leave)
    QApplication.sendEvent(part.field.box, event)


def test_it_is_automatic_unless_a_number_is_given(step: TrainStep) -> None:
    box = step.object_size.field.box
    assert box.text() == "auto"
    assert step.inspected()[1].diameter is None
    box.setValue(60)
    assert step.inspected()[1].diameter == 60


def test_training_is_told_what_the_estimate_has_found_out(
    step: TrainStep,
    workbench: Workbench,
    finding: Install,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: QtBot,
) -> None:
    plans = finding(ESTIMATED)
    estimate(step, qtbot)

    def train(_pairs: Any, plan: TrainingPlan, *_: Any, **__: Any) -> Any:
        plans.append(plan)
        return job_of(STARTED)

    monkeypatch.setattr(train_job, "train_on_labels", train)
    with qtbot.waitSignal(workbench.ended):
        step.action.button.click()
    of_estimate, of_training = plans
    assert of_training.sizes is of_estimate.sizes
    assert of_training.config.diameter is None


def test_a_given_diameter_decides_the_reduction_unless_that_is_given_too(
    step: TrainStep, workbench: Workbench, model: Model
) -> None:
    step.object_size.field.box.setValue(60)
    for start in (NETWORKS["2015"], CurrentModel("mine", replace(model, reduction=3))):
        workbench.choose(start=start)
        assert step.inspected()[1].reduction is None
    step.settings.train._widgets["reduction"].value = 2
    assert step.inspected()[1].reduction == 2


def test_classes_have_none(step: TrainStep, workbench: Workbench) -> None:
    step.object_size.field.box.setValue(60)
    workbench.choose(task=Task.CLASSES)
    assert step.object_size.field._row.isHidden()
    assert step.inspected()[1].diameter is None
    workbench.choose(task=Task.OBJECTS)
    assert not step.object_size.field._row.isHidden()
    assert step.inspected()[1].diameter == 60


def test_it_is_told_in_micrometres_where_pixels_have_a_size(
    step: TrainStep, workbench: Workbench, viewer: ViewerModel, image: Image
) -> None:
    field = step.object_size.field
    assert field.caption.isHidden()
    field.box.setValue(100)  # of 0.5 × 0.25 µm
    assert field.caption.text() == "100 px = 35.4 µm"
    bare = Image(image.data)
    viewer.add_layer(bare)
    workbench.choose(images=(bare,))
    assert field.caption.isHidden()


def test_what_training_finds_out_is_shown_and_remembered_for_its_image(
    step: TrainStep,
    workbench: Workbench,
    viewer: ViewerModel,
    image: Image,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: QtBot,
) -> None:
    monkeypatch.setattr(train_job, "train_on_labels", lambda *_, **__: job_of(STARTED))
    with qtbot.waitSignal(workbench.ended):
        qtbot.mouseClick(step.action.button, Qt.MouseButton.LeftButton)  # type: ignore[no-untyped-call]
    field = step.object_size.field
    assert field.box.text() == "auto"
    assert field.caption.text() == "57 px = 20.3 µm, estimated"
    assert step.inspected()[1].diameter is None
    other = Image(image.data)
    viewer.add_layer(other)
    workbench.choose(images=(other,))
    assert field.caption.isHidden()
    workbench.choose(images=(image,))
    assert not field.caption.isHidden()


def test_what_was_given_is_not_taken_for_found_out(step: TrainStep, image: Image) -> None:
    step._training.sizing.note(image, Diameter(60.0, DiameterSource.GIVEN))
    assert step.object_size.field.box.found is None


def test_it_is_estimated_before_training(
    step: TrainStep, finding: Install, workbench: Workbench, qtbot: QtBot
) -> None:
    plans = finding(ESTIMATED)
    told: list[str] = []
    workbench.progressed.connect(lambda progress: told.append(progress.text))
    step.object_size.field.box.setValue(60)
    estimate(step, qtbot)
    (plan,) = plans
    assert (plan.start, plan.device, plan.config.diameter) == (NETWORKS["light"], CPU, None)
    assert step.object_size.field.box.text() == "auto"
    assert step.object_size.field.caption.text().startswith("57 px")
    assert told[-1] == "Objects are about 57 px wide (estimated from strokes)."


@pytest.mark.parametrize("source", DiameterSource)
def test_it_is_said_where_the_size_comes_from(
    step: TrainStep, finding: Install, qtbot: QtBot, source: DiameterSource
) -> None:
    finding(Diameter(60.0, source))  # given before: the model goes on with it
    estimate(step, qtbot)
    words = {"given": "as given before", "measured": "measured", "estimated": "estimated"}
    told = step.object_size.field.caption.text()
    assert told == f"60 px = 21.2 µm, {words[source.split()[0]]}"


def test_that_nothing_was_found_is_said(
    step: TrainStep, finding: Install, workbench: Workbench, qtbot: QtBot
) -> None:
    finding(None)
    told: list[str] = []
    workbench.progressed.connect(lambda progress: told.append(progress.text))
    estimate(step, qtbot)
    assert told[-1].startswith("No objects were found under the paint")
    assert step.object_size.field.box.text() == "auto"


def test_an_estimate_that_is_stopped_says_so_and_finds_nothing(
    step: TrainStep,
    workbench: Workbench,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: QtBot,
) -> None:
    nothing = SizeFound(None)
    monkeypatch.setattr(sizing, "find_size", lambda *_: endless_job(nothing, last=nothing))
    told: list[str] = []
    workbench.progressed.connect(lambda progress: told.append(progress.text))
    qtbot.mouseClick(step.object_size.field.estimate, Qt.MouseButton.LeftButton)  # type: ignore[no-untyped-call]
    with qtbot.waitSignal(workbench.ended):
        workbench.runner.stop()
    assert told[-1] == "Stopped before the size was found."
    assert step.object_size.field.box.found is None


def test_it_says_why_nothing_can_be_estimated(step: TrainStep, workbench: Workbench) -> None:
    button = step.object_size.field.estimate
    assert button.isEnabled()
    workbench.choose(labels=None)
    assert not button.isEnabled()
    assert "labels" in button.toolTip()


def test_corrections_begin_with_what_was_found_out(step: TrainStep, image: Image) -> None:
    box = step.object_size.field.box
    step._training.sizing.note(image, ESTIMATED)
    box.stepUp()
    assert box.value() == 57
    box.stepUp()
    assert box.value() == 58


def test_digits_take_the_place_of_the_word(part: SizePart, qtbot: QtBot) -> None:
    box = part.field.box
    line = box.lineEdit()
    assert line is not None
    line.setCursorPosition(3)
    qtbot.keyClicks(box, "64")  # type: ignore[no-untyped-call]
    assert (box.value(), box.text()) == (64, "64")


def test_scrolling_past_it_changes_nothing(part: SizePart) -> None:
    place = QPointF(5, 5)
    event = QWheelEvent(
        place,
        place,
        QPoint(0, 120),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(part.field.box, event)
    assert part.field.box.value() == 0
    assert not event.isAccepted()


def test_the_circle_is_there_while_people_look_at_the_number(part: SizePart) -> None:
    seen = []
    for value in (0, 40):  # nothing is known, and something
        part.field.box.setValue(value)
        part._lingers.stop()
        for above in (False, True, False):
            hover(part, above=above)
            seen.append(part.circle.pane is not None)
    assert seen == [False, False, False, False, True, False]


def test_the_circle_stays_a_while_after_a_change(part: SizePart, qtbot: QtBot) -> None:
    part._lingers.setInterval(200)
    part.field.box.setValue(40)
    assert part.circle.pane is not None
    qtbot.waitUntil(lambda: part.circle.pane is None)


def test_the_circle_shows_what_was_found_out(part: SizePart, step: TrainStep, image: Image) -> None:
    step._training.sizing.note(image, ESTIMATED)
    assert part.circle.pane is not None
    step.workbench.choose(task=Task.CLASSES)
    assert part.circle.pane is None


def test_the_size_is_that_with_which_training_would_begin(labels: Labels, image: Image) -> None:
    labels.data[1] = 1
    labels.data[1, 4:24, 4:24], labels.data[1, 30:50, 20:40] = 2, 3
    scheme = LabelScheme(Task.OBJECTS, Unpainted.IGNORED)
    network = NetworkConfig(base_channels=2, levels=2)
    plan = TrainingPlan(start=network, scheme=scheme, config=TrainConfig(), device=CPU)
    job = find_size(TrainingSet.of((image_planes([image]), lesson_planes(labels))), plan)
    assert list(job(lambda: True)) == []  # it was stopped
    (event,) = job(lambda: False)
    assert isinstance(event, SizeFound)
    assert event.diameter == Diameter(2 * math.sqrt(20 * 20 / math.pi), DiameterSource.PAINTED)
