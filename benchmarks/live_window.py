"""A real napari viewer with the dock, driven by its buttons, and a heart that beats beside it."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np

os.environ["NAPARI_CONFIG"] = ""  # napari's own settings, not those of whoever runs this

import napari
from napari.layers import Image, Labels
from qtpy.QtCore import QEventLoop, QObject, Qt, QTimer
from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import QAbstractButton, QApplication

from napari_unet.config import Task, TrainConfig, Unpainted
from napari_unet.io.samples import Sample, paint_strokes, synthetic_cells
from napari_unet.ui.dock import UNetPaint
from napari_unet.ui.runner import JobRunner, JobState, OnEnd, OnEvent
from napari_unet.ui.segment.step import SegmentStep
from napari_unet.ui.train.step import TrainStep
from napari_unet.ui.worker import Job

__all__ = [
    "Counter",
    "Figures",
    "Heartbeat",
    "Window",
    "describe_machine",
    "live",
    "make_sample",
    "wait_until",
]

Figures = dict[str, Any]

BEAT = 10  # ms
LONG = 300  # seconds; nothing that is waited for takes as long
SIDE = 2048  # of the large planes, pixels
PLANES = 24  # of them; their labels stay in memory


class Collections:
    """Looks at Python's garbage collections: while one lasts, no thread runs Python."""

    def __init__(self) -> None:
        self._began = 0.0
        self._seen: list[tuple[float, float]] = []  # when, and how long, seconds

    def start(self) -> None:
        """Look from now on."""
        gc.callbacks.append(self._note)

    def stop(self) -> tuple[float, float]:
        """Look no more; return when the longest began (as `time.perf_counter`), and its seconds."""
        gc.callbacks.remove(self._note)
        return max(self._seen, key=lambda seen: seen[1], default=(0.0, 0.0))

    def _note(self, phase: str, _: object) -> None:
        now = time.perf_counter()
        if phase == "start":
            self._began = now
        else:
            self._seen.append((self._began, now - self._began))


class Heartbeat(QObject):
    """Beats every 10 ms, as long as nothing keeps the event loop."""

    def __init__(self) -> None:
        super().__init__()
        self._collections = Collections()
        self._beats: list[float] = []  # seconds
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(lambda: self._beats.append(time.perf_counter()))

    def start(self) -> None:
        """Beat from now on."""
        self._collections.start()
        self._beats = [time.perf_counter()]
        self._timer.start(BEAT)

    def stop(self) -> Figures:
        """Beat no more; return how late the beats were, ms."""
        self._timer.stop()
        collected, lasted = self._collections.stop()
        late = 1000 * np.diff(self._beats) - BEAT
        since = np.array(self._beats[:-1]) - self._beats[0]
        worst = np.argsort(late)[: -5 - 1 : -1]
        p50, p99, p999 = np.percentile(late, [50, 99, 99.9])
        return {
            "seconds": self._beats[-1] - self._beats[0],
            "beats": len(late),
            "within_50_ms": float(np.mean(late <= 50)),
            "over_200_ms": int(np.sum(late > 200)),
            "late_50_ms": float(p50),
            "late_99_ms": float(p99),
            "late_99.9_ms": float(p999),
            "longest_ms": float(late.max()),
            "longest": [{"at_s": float(since[i]), "late_ms": float(late[i])} for i in worst],
            "collection": {"at_s": collected - self._beats[0], "ms": 1000 * lasted},
        }


class Window:
    """A real viewer with the dock."""

    def __init__(self) -> None:
        self.viewer = napari.Viewer(show=True)
        self.viewer.window.resize(1300, 900)
        self.open_dock()

    def open_dock(self) -> None:
        """Open the dock, and wait until it is ready."""
        dock: UNetPaint
        _, dock = self.viewer.window.add_plugin_dock_widget("napari-unet-paint", "U-Net Paint")
        self.dock = dock
        self.train = next(step for step in dock.steps if isinstance(step, TrainStep))
        self.segment = next(step for step in dock.steps if isinstance(step, SegmentStep))
        wait_until(lambda: dock.workbench.device is not None and self.is_idle())

    def open_sample(self) -> None:
        """Show a stack of 512×512 planes with strokes, and choose both."""
        sample = make_sample()
        image = self.viewer.add_image(sample.image, name="cells")
        labels = self.viewer.add_labels(paint_strokes(sample.truth), name="strokes")
        self.viewer.dims.set_current_step(0, 1)
        self.choose(image, labels)

    def open_large(self) -> None:
        """Show a stack of large planes, each the sample's many times, and choose it."""
        plane = make_sample().image[0]
        tiled = np.tile(plane, (SIDE // plane.shape[0], SIDE // plane.shape[1]))
        image = self.viewer.add_image(np.broadcast_to(tiled, (PLANES, SIDE, SIDE)), name="large")
        self.choose(image)

    def set_training(self, config: TrainConfig) -> None:
        """Write these settings into the dock."""
        self.train.settings.train.set_value(config)
        limit = self.train.settings.seconds
        limit.set_value(replace(limit.value(), seconds=config.seconds))

    def press(self, button: QAbstractButton) -> None:
        """Press a button as soon as it can be pressed."""
        wait_until(button.isEnabled, button.toolTip)
        button.click()

    def stop(self) -> None:
        """Press Stop if something runs, and wait until it has ended."""
        if not self.is_idle():
            self.press(self.dock.progress.stop)
        wait_until(self.is_idle)

    def is_idle(self) -> bool:
        """Return whether no job runs."""
        return self.dock.workbench.runner.state is JobState.IDLE

    def choose(self, image: Image, labels: Labels | None = None) -> None:
        """Choose these layers in the dock."""
        self.dock.workbench.choose(
            images=(image,), labels=labels, task=Task.OBJECTS, unpainted=Unpainted.IGNORED
        )
        live(2)


class Counter:
    """Adds up what the events of a job are worth, with the times at which they came."""

    def __init__(self, window: Window, worth: Callable[[object], int]) -> None:
        self.total = 0
        self._times: list[float] = []
        self._worth = worth
        self._listen(window.dock.workbench.runner)

    def speed(self, seconds: float) -> float:
        """Wait so long; return events per second, between the first and the last of them."""
        self._times.clear()
        live(seconds)
        return (len(self._times) - 1) / (self._times[-1] - self._times[0])

    def _listen(self, runner: JobRunner) -> None:
        """Hear the events of the jobs that start from now on, before those who started them."""
        start = runner.start

        def start_and_count(
            name: str,
            job: Job,
            on_event: OnEvent | None = None,
            on_end: OnEnd | None = None,
            *,
            quiet: bool = False,
        ) -> None:
            def tell(event: object) -> None:
                self._count(event)
                if on_event is not None:
                    on_event(event)

            start(name, job, tell, on_end, quiet=quiet)

        runner.start = start_and_count  # type: ignore[method-assign]

    def _count(self, event: object) -> None:
        worth = self._worth(event)
        if worth:
            self.total += worth
            self._times.append(time.perf_counter())


def make_sample() -> Sample:
    return synthetic_cells(planes=4, shape=(512, 512))


def live(seconds: float, ended: Callable[[], bool] = lambda: False) -> None:
    """Let the window live so long, or until it has ended."""
    end = time.perf_counter() + seconds
    loop, look = QEventLoop(), QTimer()
    look.timeout.connect(lambda: loop.quit() if ended() or time.perf_counter() >= end else None)
    look.start(20)
    loop.exec()
    look.stop()


def wait_until(done: Callable[[], bool], why_not: Callable[[], str] = str) -> None:
    """Let the window live until `done`."""
    end = time.perf_counter() + LONG
    while not done():
        if time.perf_counter() >= end:
            raise TimeoutError(why_not())
        live(LONG, done)


def describe_machine(window: Window) -> Figures:
    import torch  # noqa: PLC0415  # the dock loads it
    from vispy.gloo import gl  # noqa: PLC0415

    canvas = next(w for w in QApplication.allWidgets() if isinstance(w, QOpenGLWidget))
    canvas.makeCurrent()
    renderer = gl.glGetParameter(gl.GL_RENDERER)
    canvas.doneCurrent()
    return {
        "cores": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "device": str(window.dock.workbench.device),
        "renderer": renderer,
        "python": sys.version.split()[0],
        **{name: version(name) for name in ("torch", "napari", "PyQt6", "napari-unet-paint")},
    }
