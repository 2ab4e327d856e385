"""Viewers without a window, fake jobs, and a device that is found at once."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels

from napari_unet.config import NetworkConfig, Task
from napari_unet.engine.device import DeviceChoice
from napari_unet.engine.events import Stop
from napari_unet.engine.model import Model, fresh_model
from napari_unet.engine.normalize import Normalization
from napari_unet.ui.jobs import devices
from napari_unet.ui.jobs.runner import Job

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
def device_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The device is found without looking for it."""
    found = devices.DeviceFound(CPU, "auto", ("cpu",))
    monkeypatch.setattr(devices, "find_device", lambda _wish: job_of(found))
