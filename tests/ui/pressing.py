"""The buttons of the dock: which can be pressed, and pressing them."""

from __future__ import annotations

from typing import Any, TypeVar

from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QPushButton

from napari_unet.ui.compare.step import CompareStep
from napari_unet.ui.correct.step import CorrectStep
from napari_unet.ui.dock import UNetPaint
from napari_unet.ui.export.step import ExportStep
from napari_unet.ui.image.step import ImageStep
from napari_unet.ui.inspect.step import InspectStep
from napari_unet.ui.labels.step import LabelsStep
from napari_unet.ui.measure.step import MeasureStep
from napari_unet.ui.model.step import ModelStep
from napari_unet.ui.parts.step import Step
from napari_unet.ui.runner import JobRunner, OnEnd, OnEvent
from napari_unet.ui.segment.step import SegmentStep
from napari_unet.ui.train.step import TrainStep
from napari_unet.ui.worker import Job

StepKind = TypeVar("StepKind", bound=Step)

LONG = 60_000  # ms: the first list of models loads torch


def step(dock: UNetPaint, kind: type[StepKind]) -> StepKind:
    """Return the dock's step of this kind."""
    return next(step for step in dock.steps if isinstance(step, kind))


def open_dock(viewer: ViewerModel, qtbot: QtBot) -> UNetPaint:
    """Return a dock that has found its device and listed the models."""
    dock = UNetPaint(viewer)
    with qtbot.waitSignals([dock.workbench.ended] * 2, timeout=LONG):
        pass
    return dock


def buttons(dock: UNetPaint) -> dict[str, QPushButton]:
    """Return the buttons of all steps and of the footer."""
    segment, correct = step(dock, SegmentStep), step(dock, CorrectStep)
    return {
        "show me": step(dock, ImageStep).show_me,
        "new labels": step(dock, LabelsStep).new,
        "keep": step(dock, ModelStep).keep,
        "train": step(dock, TrainStep).action.button,
        "inspect": step(dock, InspectStep).show_button,
        "segment": segment.start,
        "pause": segment.pause,
        "start over": segment.anew,
        "take": correct.take,
        "suggest": correct.suggest,
        "compare": step(dock, CompareStep).action.button,
        "measure": step(dock, MeasureStep).action.button,
        "export": step(dock, ExportStep).export.button,
        "stop": dock.progress.stop,
    }


def can_press(dock: UNetPaint) -> set[str]:
    """Return what can be pressed; everything else that is in sight says why it cannot."""
    in_sight = {name: b for name, b in buttons(dock).items() if not b.isHidden()}
    for name, button in in_sight.items():
        assert button.toolTip(), f"'{name}' says nothing"
    return {name for name, button in in_sight.items() if button.isEnabled()}


def press(dock: UNetPaint, name: str, qtbot: QtBot) -> None:
    """Press a button and wait for the job to end."""
    button = buttons(dock)[name]
    assert button.isEnabled(), button.toolTip()
    with qtbot.waitSignal(dock.workbench.ended):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)  # type: ignore[no-untyped-call]


def begin(dock: UNetPaint, name: str, qtbot: QtBot) -> None:
    """Press a button and wait for the job's first event."""
    told = hear(dock.workbench.runner)
    buttons(dock)[name].click()
    qtbot.waitUntil(lambda: bool(told))


def hear(runner: JobRunner, kind: type = object) -> list[Any]:
    """Return a list that fills with the events of this kind of the jobs that start from now on."""
    told: list[Any] = []
    start = runner.start

    def start_and_hear(
        name: str,
        job: Job,
        on_event: OnEvent | None = None,
        on_end: OnEnd | None = None,
        *,
        quiet: bool = False,
    ) -> None:
        def tell(event: Any) -> None:
            if isinstance(event, kind):
                told.append(event)
            if on_event is not None:
                on_event(event)

        start(name, job, tell, on_end, quiet=quiet)

    runner.start = start_and_hear  # type: ignore[method-assign]
    return told
