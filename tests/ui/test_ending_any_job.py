"""Whatever runs, it ends at once when it is stopped, when the dock is closed, and at the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from napari.components import ViewerModel
from napari.layers import Labels
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QThreadPool
from qtpy.QtWidgets import QFileDialog

from napari_unet.config import NETWORKS, RECIPES
from napari_unet.engine.events import Stop
from napari_unet.ui.dock import UNetPaint
from napari_unet.ui.runner import JobRunner, JobState
from napari_unet.ui.worker import Job
from tests.ui.pressing import buttons
from tests.ui.test_dock_closing import ours

pytestmark = pytest.mark.usefixtures("device_at_once", "painted")

SOON = 1000  # ms; a tile or a step takes no longer than the 1 ms that these jobs do
STATES: dict[str, Callable[[UNetPaint], object]] = {
    **{
        name: lambda dock, name=name: buttons(dock)[name].click()  # type: ignore[misc]
        for name in ("train", "inspect", "segment", "suggest", "compare", "measure", "export")
    },
    "import": lambda dock: dock.controls.models.library.import_file(Path("other.safetensors")),
    "estimate": lambda dock: dock.controls.training.sizing.estimate(
        NETWORKS["light"], RECIPES["light"]
    ),
    "device": lambda dock: dock.controls.devices.find("cpu"),
}


class Hanging:
    """Takes the place of every job that starts: it goes on until it is asked to stop."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.ended = threading.Event()

    def __call__(self, stop: Stop) -> Iterator[object]:
        self.begun.set()
        try:
            while not stop():
                time.sleep(0.001)
            yield from ()
        finally:
            self.ended.set()


@pytest.fixture
def hanging(
    with_model: UNetPaint, viewer: ViewerModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Hanging:
    """The job that the next press starts."""
    painted = with_model.workbench.choices.labels
    assert painted is not None
    result = Labels(painted.data.copy(), name="result")
    viewer.add_layer(result)
    with_model.workbench.choose(result=result)
    path = str(tmp_path / "labels.tif")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (path, ""))
    hanging, start = Hanging(), JobRunner.start

    def start_hanging(self: JobRunner, name: str, _: Job, *listeners: Any, **how: Any) -> None:
        start(self, name, hanging, *listeners, **how)

    monkeypatch.setattr(JobRunner, "start", start_hanging)
    return hanging


@pytest.fixture(params=STATES)
def busy(
    request: pytest.FixtureRequest, with_model: UNetPaint, hanging: Hanging, qtbot: QtBot
) -> UNetPaint:
    """A dock in which each job in turn is running."""
    STATES[request.param](with_model)
    qtbot.waitUntil(hanging.begun.is_set, timeout=SOON)
    return with_model


def is_quiet() -> bool:
    pool = QThreadPool.globalInstance()
    assert pool is not None
    return pool.waitForDone(SOON)


def test_a_stopped_job_ends_and_leaves_no_thread(
    busy: UNetPaint, hanging: Hanging, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(busy.workbench.ended, timeout=SOON):
        busy.workbench.stop()
    assert hanging.ended.is_set()
    assert busy.workbench.runner.state is JobState.IDLE
    assert is_quiet()


def test_closing_ends_the_job_and_leaves_no_thread_and_no_listener(
    busy: UNetPaint, hanging: Hanging, viewer: ViewerModel
) -> None:
    begun = time.monotonic()
    busy.close()
    assert hanging.ended.wait(SOON / 1000)
    assert time.monotonic() - begun < SOON / 1000
    assert is_quiet()
    assert ours(viewer) == []
