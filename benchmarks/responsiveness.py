"""Does the window stay alive while it trains and segments? Measured on a real napari viewer.

    python benchmarks/responsiveness.py [--seconds 60] [--part all] [--json FILE]
    xvfb-run -s "-screen 0 1600x1200x24" python benchmarks/responsiveness.py   # without a screen

The dock is driven by its buttons. Each part runs in a process of its own, so that the first layers
of a session are in its figures:

heartbeat-train    a timer of 10 ms beats while a stack of 512×512 planes is trained on, with live
                   preview; how late are the beats, and how long the longest gap?
heartbeat-segment  the same while a stack of 2048×2048 planes is segmented and shown
first-preview      from the click on "Train on labels" to the first preview on the screen
preview-cost       steps per second with live preview on and off, in turns
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from napari_unet.io.library import FOLDER_VARIABLE

os.environ["NAPARI_CONFIG"] = ""  # napari's own settings, not those of whoever runs this

import napari
from napari.layers import Image, Labels
from qtpy.QtCore import QEventLoop, QObject, Qt, QTimer
from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import QAbstractButton, QApplication

from napari_unet.config import NETWORKS, RECIPES, Task, TrainConfig, Unpainted
from napari_unet.engine.events import StepDone, TileDone, TrainDone
from napari_unet.io.samples import Sample, paint_strokes, synthetic_cells
from napari_unet.ui.dock import UNetPaint
from napari_unet.ui.jobs.runner import JobState
from napari_unet.ui.steps.segment import SegmentStep
from napari_unet.ui.steps.train import TrainStep
from napari_unet.ui.workbench import CurrentModel

Figures = dict[str, Any]

BEAT = 10  # ms
LONG = 300  # seconds; nothing that is waited for takes as long
SIDE = 2048  # of the planes that are segmented, pixels
PLANES = 24  # of them; their labels stay in memory
MODEL_SECONDS = 10  # of training before they are segmented
PREVIEWS = 5  # that are waited for
PAIRS = 4  # of training with and without preview
PAIR_SECONDS = 20  # of each
SETTLE = 6  # seconds after a change: the time saved while there was no preview is spent first


class Heartbeat(QObject):
    """Beats every 10 ms, as long as nothing keeps the event loop."""

    def __init__(self) -> None:
        super().__init__()
        self._beats: list[float] = []  # seconds
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(lambda: self._beats.append(time.perf_counter()))

    def start(self) -> None:
        """Beat from now on."""
        self._beats = [time.perf_counter()]
        self._timer.start(BEAT)

    def stop(self) -> Figures:
        """Beat no more; return how late the beats were, ms."""
        self._timer.stop()
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
        }


class Window:
    """A real viewer with the dock."""

    def __init__(self) -> None:
        self.viewer = napari.Viewer(show=True)
        self.viewer.window.resize(1300, 900)
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
        self._choose(image, labels)

    def open_large(self) -> None:
        """Show a stack of large planes, each the sample's many times, and choose it."""
        plane = make_sample().image[0]
        tiled = np.tile(plane, (SIDE // plane.shape[0], SIDE // plane.shape[1]))
        image = self.viewer.add_image(np.broadcast_to(tiled, (PLANES, SIDE, SIDE)), name="large")
        self._choose(image, None)

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

    def _choose(self, image: Image, labels: Labels | None) -> None:
        self.dock.workbench.choose(
            images=(image,), labels=labels, task=Task.OBJECTS, unpainted=Unpainted.IGNORED
        )
        live(2)


def heartbeat_train(window: Window, seconds: float) -> Figures:
    """Return how late beats are while the dock trains, the click included."""
    window.open_sample()
    window.set_training(long_training())
    steps = Counter(window, lambda event: isinstance(event, StepDone))
    heart = Heartbeat()
    heart.start()
    window.press(window.train.action.button)
    live(seconds)
    figures = heart.stop()
    window.stop()
    return {**figures, "steps_per_s": steps.total / figures["seconds"]}


def heartbeat_segment(window: Window, seconds: float) -> Figures:
    """Return how late beats are while the dock segments large planes, the click included."""
    window.open_large()
    window.dock.workbench.choose(start=CurrentModel("short", short_model()))
    pixels = Counter(window, lambda e: e.values.size if isinstance(e, TileDone) else 0)
    heart = Heartbeat()
    heart.start()
    window.press(window.segment.start)
    live(seconds, window.is_idle)
    figures = heart.stop()
    window.stop()
    return {**figures, "mpx_per_s": pixels.total / 1e6 / figures["seconds"]}


def first_preview(window: Window, _seconds: float) -> Figures:
    """Return the seconds from the click to the frame that shows the first preview."""
    window.open_sample()
    taken = []
    for _ in range(PREVIEWS):
        window.set_training(long_training())
        taken.append(wait_for_preview(window))
        window.stop()
        window.dock.controls.training.preview.remove()
        window.dock.workbench.choose(start=NETWORKS["light"])  # a new network
        live(2)
    return {
        "seconds": taken,
        "first_s": taken[0],
        "median_s": statistics.median(taken),
        "worst_s": max(taken),
    }


def wait_for_preview(window: Window) -> float:
    """Press "Train on labels"; return the seconds until the first preview has been drawn."""
    previewed: list[object] = []
    drawn: list[float] = []

    def on_frame(*_: object) -> None:
        if previewed and not drawn:
            drawn.append(time.perf_counter())

    canvases = [w for w in QApplication.allWidgets() if isinstance(w, QOpenGLWidget)]
    signals: list[tuple[Any, Callable[..., None]]]
    signals = [(window.dock.controls.training.previewed, previewed.append)]
    signals += [(canvas.frameSwapped, on_frame) for canvas in canvases]
    for signal, slot in signals:
        signal.connect(slot)
    begun = time.perf_counter()
    window.press(window.train.action.button)
    wait_until(lambda: bool(drawn))
    for signal, slot in signals:
        signal.disconnect(slot)
    return drawn[0] - begun


def preview_cost(window: Window, _seconds: float) -> Figures:
    """Return steps per second with and without live preview, in turns of one run."""
    window.open_sample()
    window.set_training(replace(long_training(), validation_share=0))  # validation takes time too
    steps = Counter(window, lambda event: isinstance(event, StepDone))
    window.press(window.train.action.button)
    wait_until(lambda: steps.total > 0)
    speeds: dict[bool, list[float]] = {True: [], False: []}
    for pair in range(PAIRS):
        for on in (True, False) if pair % 2 == 0 else (False, True):  # a drift cancels out
            window.train.preview.setChecked(on)
            live(SETTLE)
            speeds[on].append(steps.speed(PAIR_SECONDS))
    window.stop()
    ratios = [on / off for on, off in zip(speeds[True], speeds[False], strict=True)]
    return {
        "steps_per_s_on": statistics.median(speeds[True]),
        "steps_per_s_off": statistics.median(speeds[False]),
        "ratios": ratios,
        "median_ratio": statistics.median(ratios),
    }


class Counter:
    """Adds up what the events of a job are worth, with the times at which they came."""

    def __init__(self, window: Window, worth: Callable[[object], int]) -> None:
        self.total = 0
        self._times: list[float] = []
        self._worth = worth
        window.dock.workbench.runner.reported.connect(self._count)

    def speed(self, seconds: float) -> float:
        """Wait so long; return events per second, between the first and the last of them."""
        self._times.clear()
        live(seconds)
        return (len(self._times) - 1) / (self._times[-1] - self._times[0])

    def _count(self, event: object) -> None:
        worth = self._worth(event)
        if worth:
            self.total += worth
            self._times.append(time.perf_counter())


def make_sample() -> Sample:
    return synthetic_cells(planes=4, shape=(512, 512))


def long_training() -> TrainConfig:
    """Return the settings of a light network that trains until it is stopped."""
    return replace(RECIPES["light"], seconds=3600, patience=0)


def short_model() -> Any:
    """Return a light network that has been trained for some seconds."""
    from napari_unet.engine.device import pick_device  # noqa: PLC0415  # the dock loads torch
    from napari_unet.engine.planes import ArrayPlanes  # noqa: PLC0415
    from napari_unet.engine.train import fit  # noqa: PLC0415

    sample = make_sample()
    *_, done = fit(
        ArrayPlanes(sample.image),
        ArrayPlanes(paint_strokes(sample.truth)),
        start=NETWORKS["light"],
        task=Task.OBJECTS,
        unpainted=Unpainted.IGNORED,
        config=replace(RECIPES["light"], seconds=MODEL_SECONDS),
        device=pick_device(),
    )
    assert isinstance(done, TrainDone)
    return done.model


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


PARTS: dict[str, Callable[[Window, float], Figures]] = {
    "heartbeat-train": heartbeat_train,
    "heartbeat-segment": heartbeat_segment,
    "first-preview": first_preview,
    "preview-cost": preview_cost,
}


def measure(part: str, seconds: float) -> Figures:
    """Run a part in this process."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ[FOLDER_VARIABLE] = folder  # the user's own last model stays
        window = Window()
        figures = PARTS[part](window, seconds)
        figures["machine"] = describe_machine(window)
        window.viewer.close()
    return figures


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


def measure_apart(part: str, seconds: float) -> Figures:
    """Run a part in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figures.json"
        wish = ["--part", part, "--seconds", str(seconds), "--json", str(path)]
        subprocess.run([sys.executable, __file__, *wish], check=True, stdout=subprocess.DEVNULL)
        figures: Figures = json.loads(path.read_text())[part]
        return figures


def show(results: dict[str, Figures]) -> None:
    """Print tables."""
    machine = next(iter(results.values()))["machine"]
    print(" · ".join(f"{name} {value}" for name, value in machine.items()))
    beats = {part: figures for part, figures in results.items() if "beats" in figures}
    if beats:
        print(
            "\n| | s | beats | within 50 ms | over 200 ms | 50 % | 99 % | 99.9 % | longest |",
            end="",
        )
        print(" work |\n|---|---|---|---|---|---|---|---|---|---|")
    for part, f in beats.items():
        late = " | ".join(f"{f[f'late_{share}_ms']:.1f} ms" for share in ("50", "99", "99.9"))
        work = (
            f"{f['steps_per_s']:.2f} steps/s"
            if "steps_per_s" in f
            else f"{f['mpx_per_s']:.2f} Mpx/s"
        )
        print(
            f"| {part} | {f['seconds']:.0f} | {f['beats']} | {100 * f['within_50_ms']:.2f} % "
            f"| {f['over_200_ms']} | {late} | {f['longest_ms']:.0f} ms | {work} |"
        )
    for part, f in beats.items():
        longest = ", ".join(f"{g['late_ms']:.0f} ms at {g['at_s']:.1f} s" for g in f["longest"])
        print(f"\n{part}, the longest: {longest}")
    if "first-preview" in results:
        f = results["first-preview"]
        print(
            f"\nfirst-preview: {f['first_s']:.2f} s the first time, median {f['median_s']:.2f} s, "
            f"worst {f['worst_s']:.2f} s of {len(f['seconds'])}"
        )
    if "preview-cost" in results:
        f = results["preview-cost"]
        print(
            f"\npreview-cost: {f['steps_per_s_on']:.2f} steps/s with, {f['steps_per_s_off']:.2f} "
            f"without, median of {len(f['ratios'])} ratios {f['median_ratio']:.3f} "
            f"({min(f['ratios']):.3f} to {max(f['ratios']):.3f})"
        )


def main() -> None:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, help="of a heartbeat part")
    parser.add_argument("--part", choices=[*PARTS, "all"], default="all")
    parser.add_argument("--json", type=Path, help="file for the figures")
    wish = parser.parse_args()
    if wish.part == "all":
        results = {part: measure_apart(part, wish.seconds) for part in PARTS}
    else:
        results = {wish.part: measure(wish.part, wish.seconds)}
    show(results)
    if wish.json:
        wish.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
