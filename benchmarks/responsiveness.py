"""Does the window stay alive while it trains and segments? Measured on a real napari viewer.

    python -m benchmarks.responsiveness [--seconds 60] [--part all] [--json FILE]
    xvfb-run -s "-screen 0 1600x1200x24" python -m benchmarks.responsiveness   # without a screen

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
from pathlib import Path
from typing import Any

from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import QApplication

from benchmarks.live_window import (
    Counter,
    Figures,
    Heartbeat,
    Window,
    describe_machine,
    live,
    make_sample,
    wait_until,
)
from napari_unet.config import NETWORKS, RECIPES, Task, TrainConfig, Unpainted
from napari_unet.engine.events import Previewed, StepDone, TileDone, TrainDone
from napari_unet.engine.paint import TrainingSet
from napari_unet.io.library import FOLDER_VARIABLE
from napari_unet.io.replacing import replacing
from napari_unet.io.samples import paint_strokes
from napari_unet.ui.workbench import CurrentModel

MODEL_SECONDS = 10  # of training before large planes are segmented
PREVIEWS = 5  # that are waited for
PAIRS = 4  # of training with and without preview
PAIR_SECONDS = 20  # of each
SETTLE = 6  # seconds after a change: the time saved while there was no preview is spent first


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

    def on_event(event: object) -> None:
        if isinstance(event, Previewed):
            previewed.append(event)

    def on_frame(*_: object) -> None:
        if previewed and not drawn:
            drawn.append(time.perf_counter())

    canvases = [w for w in QApplication.allWidgets() if isinstance(w, QOpenGLWidget)]
    signals: list[tuple[Any, Callable[..., None]]]
    signals = [(window.dock.controls.training.reported, on_event)]
    signals += [(canvas.frameSwapped, on_frame) for canvas in canvases]
    for signal, slot in signals:
        signal.connect(slot)
    begun = time.perf_counter()
    window.press(window.train.action.button)
    wait_until(lambda: bool(drawn) or window.is_idle())  # idle: it has failed
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


def long_training() -> TrainConfig:
    """Return the settings of a light network that trains until it is stopped."""
    return replace(RECIPES["light"], seconds=3600, patience=0)


def short_model() -> Any:
    """Return a light network that has been trained for some seconds."""
    from napari_unet.engine.network import pick_device  # noqa: PLC0415  # the dock loads torch
    from napari_unet.engine.paint import LabelScheme  # noqa: PLC0415
    from napari_unet.engine.stack import ArrayPlanes  # noqa: PLC0415
    from napari_unet.engine.training import TrainingPlan, fit  # noqa: PLC0415

    sample = make_sample()
    *_, done = fit(
        TrainingSet.of((ArrayPlanes(sample.image), ArrayPlanes(paint_strokes(sample.truth)))),
        TrainingPlan(
            start=NETWORKS["light"],
            scheme=LabelScheme(Task.OBJECTS, Unpainted.IGNORED),
            config=replace(RECIPES["light"], seconds=MODEL_SECONDS),
            device=pick_device(),
        ),
    )
    assert isinstance(done, TrainDone)
    return done.model


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


def measure_apart(part: str, seconds: float) -> Figures:
    """Run a part in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figures.json"
        wish = ["--part", part, "--seconds", str(seconds), "--json", str(path)]
        subprocess.run(
            [sys.executable, "-m", "benchmarks.responsiveness", *wish],
            check=True,
            stdout=subprocess.DEVNULL,
        )
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
        collection = f["collection"]
        if collection["ms"] > 0:  # there was one
            print(
                f"{part}, the longest garbage collection: {collection['ms']:.0f} ms "
                f"at {collection['at_s']:.1f} s"
            )
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
        with replacing(wish.json) as temporary:
            temporary.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
