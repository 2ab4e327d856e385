"""Viewers without a window, fake jobs, and a device that is found at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels
from pytestqt.qtbot import QtBot

from napari_unet.config import NetworkConfig, Task
from napari_unet.engine.events import (
    FinishReason,
    PlaneDone,
    SegmentDone,
    SegmentStarted,
    Stop,
    TileDone,
    TrainDone,
)
from napari_unet.engine.network.device import DeviceChoice
from napari_unet.engine.network.model import Model, fresh_model
from napari_unet.engine.network.record import TrainRecord
from napari_unet.engine.stack.normalization import Normalization
from napari_unet.engine.stack.run_labels import RunLabels
from napari_unet.ui.device import job as device_job
from napari_unet.ui.dock import UNetPaint
from napari_unet.ui.model import job as model_job
from napari_unet.ui.segment import job as segment_job
from napari_unet.ui.train.job import TrainingBegins
from napari_unet.ui.workbench import CurrentModel, Workbench
from napari_unet.ui.worker import Job
from tests.ui.pressing import open_dock

CPU = DeviceChoice("cpu", "CPU, 1 threads", "chosen by hand", "buy a GPU")


def job_of(*events: object) -> Job:
    """Return a job that tells these events and ends."""

    def run(_stop: Stop) -> Iterator[object]:
        yield from events

    return run


def failing_job(error: Exception, *events: object) -> Job:
    """Return a job that tells these events and fails."""

    def run(_stop: Stop) -> Iterator[object]:
        yield from events
        raise error

    return run


def endless_job(event: object, *, last: object) -> Job:
    """Return a job that tells `event` again and again, and `last` when it is stopped."""

    def run(stop: Stop) -> Iterator[object]:
        while not stop():
            yield event
            time.sleep(0.001)
        yield last

    return run


def endless_training(event: object, *, last: object) -> Job:
    """Return an endless job that begins as a training does."""

    def run(stop: Stop) -> Iterator[object]:
        yield TrainingBegins()
        yield from endless_job(event, last=last)(stop)

    return run


def segmenting_job(value: int, *, hold: bool = False) -> Callable[..., Job]:
    """Return what takes the place of `segment_images`: it fills each plane with `value`.

    With `hold` it waits after the first plane, until it is stopped.
    """

    def make(turns: Sequence[segment_job.Turn]) -> Job:
        return lambda stop: _fill(turns, value, stop, hold=hold)

    return make


def _fill(
    turns: Sequence[segment_job.Turn], value: int, stop: Stop, *, hold: bool
) -> Iterator[object]:
    for number, turn in enumerate(turns):
        planes = sorted(set(range(turn.planes.count)) - turn.resume.finished)
        turn.sink.prepare()
        yield segment_job.TurnStarted(number)
        yield SegmentStarted("CPU", tuple(planes), len(planes), 64)
        height, width = turn.planes.shape
        whole, values = (slice(0, height), slice(0, width)), np.full((height, width), value)
        for done, plane in enumerate(planes, 1):
            for event in (
                TileDone(plane, *whole, values, done, len(planes)),
                PlaneDone(plane, RunLabels.of(values), objects=1),
            ):
                turn.sink.write(event)
                yield event
            while hold and not stop():
                time.sleep(0.001)
            if stop():
                yield SegmentDone(FinishReason.STOPPED, tuple(planes[:done]), 1.0)
                return
        yield SegmentDone(FinishReason.COMPLETED, tuple(planes), 1.0)


@pytest.fixture
def model() -> Model:
    """A tiny untrained model."""
    network = NetworkConfig(levels=2, base_channels=4)
    return fresh_model(network, Normalization((0.0,), (255.0,)), Task.OBJECTS, (0, 1))


@pytest.fixture
def image() -> Image:
    """A stack of three planes with a scale."""
    planes = np.random.default_rng(0).integers(0, 255, size=(3, 64, 48), dtype=np.uint8)
    return Image(
        planes,
        name="cells",
        scale=(2, 0.5, 0.25),
        translate=(0, 10, 20),
        units=("um", "um", "um"),
        axis_labels=("z", "y", "x"),
    )


@pytest.fixture
def labels(image: Image) -> Labels:
    """Labels that lie on the image; nothing is painted."""
    return Labels(
        np.zeros(image.data.shape, dtype=np.uint16),
        name="strokes",
        scale=image.scale,
        translate=image.translate,
    )


@pytest.fixture
def viewer(image: Image, labels: Labels) -> ViewerModel:
    """A viewer without a window, with an image and a labels layer."""
    model = ViewerModel()
    model.add_layer(image)
    model.add_layer(labels)
    return model


@pytest.fixture
def painted(labels: Labels) -> Labels:
    """The labels with enough paint to train on."""
    labels.data[1, :4] = 1
    labels.data[1, 8:12, 8:12] = 2
    return labels


@pytest.fixture
def no_bundled_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training starts from a new network, whatever models come with the package."""
    monkeypatch.setattr(model_job, "bundled_models", list)


@pytest.fixture
def device_at_once(no_bundled_models: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The device is found without looking for it."""
    found = device_job.DeviceFound(CPU, "auto", ("cpu",))
    monkeypatch.setattr(device_job, "find_device", lambda _wish: job_of(found))


@pytest.fixture
def trained(model: Model) -> TrainDone:
    """The last event of a training."""
    record = TrainRecord(steps=9, best_step=8, seconds=1, validation_iou=0.9)
    return TrainDone(FinishReason.TIME, replace(model, record=record))


Calls = list[tuple[tuple[Any, ...], dict[str, Any]]]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[[ModuleType, str, Job], Calls]:
    """Put a fake job in the place of one; returns the arguments of each call."""

    def install(module: ModuleType, name: str, job: Job) -> Calls:
        calls: Calls = []

        def take(*args: Any, **kwargs: Any) -> Job:
            calls.append((args, kwargs))
            return job

        monkeypatch.setattr(module, name, take)
        return calls

    return install


@pytest.fixture
def dock(
    viewer: ViewerModel, painted: Labels, qtbot: QtBot, device_at_once: None
) -> Iterator[UNetPaint]:
    """A dock that is ready, in no window, with labels to train on."""
    dock = open_dock(viewer, qtbot)
    qtbot.addWidget(dock)
    yield dock
    dock.close()


@pytest.fixture
def with_model(dock: UNetPaint, model: Model) -> UNetPaint:
    """A dock with a model that segments."""
    dock.workbench.choose(start=CurrentModel("mine", model, Path("mine.safetensors")))
    return dock


@pytest.fixture
def workbench(viewer: ViewerModel, image: Image, labels: Labels) -> Iterator[Workbench]:
    """A workbench on which image, labels and device are chosen."""
    bench = Workbench(viewer)
    bench.choose(images=(image,), labels=labels)
    bench.use_device(CPU)
    yield bench
    bench.close()
