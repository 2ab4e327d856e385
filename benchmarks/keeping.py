"""What it costs to keep strokes on disk while a person paints, in a real napari viewer.

    python -m benchmarks.keeping [--seconds 60] [--sides 512 2048] [--planes 4]
    xvfb-run -s "-screen 0 1600x1200x24" python -m benchmarks.keeping       # without a screen

Strokes are drawn with the mouse without a rest. Told are the processor time of all that keeps them,
in the window's thread and beside it, as a share of the time that passed, and how late the beats of
a timer of 10 ms are, with keeping and without, in turns.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.live_window import Figures, Heartbeat
from benchmarks.person import Person, pause, wait_until
from napari_unet.io.unsaved import usual_folder
from napari_unet.ui.labels import autosave

TURNS = 2  # with and without
COSTLY = ("_Saving.run", "_Keeper._save")
STROKE = 12  # points


class Cost:
    """Adds up the processor time of what is called."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def of(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, its time counted."""

        def counted(*arguments: Any, **options: Any) -> Any:
            begun = time.thread_time()
            try:
                return function(*arguments, **options)
            finally:
                self.seconds += time.thread_time() - begun

        return counted


def measure(
    person: Person, cost: Cost, side: int, planes: int, seconds: float
) -> dict[bool, list[Figures]]:
    """Paint on planes of this side, in turns with and without keeping."""
    rng = np.random.default_rng(0)
    image = np.broadcast_to(rng.integers(0, 255, (side, side), np.uint8), (planes, side, side))
    person.viewer.layers.clear()
    person.viewer.add_image(image, name="noise")
    person.show_plane(0)
    figures: dict[bool, list[Figures]] = {True: [], False: []}
    for _ in range(TURNS):
        for keeps in (True, False):
            person.click("Labels", "New labels")
            pause(2)  # the layer is there
            figures[keeps].append(paint(person, cost, side, seconds, keeps=keeps))
            assert bool(list(usual_folder().glob("*.zarr"))) == keeps
            person.viewer.layers.remove(person.labels)
    return figures


def paint(person: Person, cost: Cost, side: int, seconds: float, *, keeps: bool) -> Figures:
    """Paint for so long; return the cost, and how late the window's beats were."""
    rng = np.random.default_rng(1)
    heart, before = Heartbeat(), cost.seconds
    folder = usual_folder() if keeps else None
    with patch.object(autosave, "folder_to_keep_in", lambda: folder):
        begun, until = time.monotonic(), time.monotonic() + seconds
        heart.start()
        while time.monotonic() < until:
            y, x = rng.uniform(0.1, 0.8, 2) * side
            person.draw([(y + i * side / 100, x + i * side / 200) for i in range(STROKE)])
        beats, passed = heart.stop(), time.monotonic() - begun
    return {**beats, "share": (cost.seconds - before) / passed}


def main() -> None:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, help="of each turn")
    parser.add_argument("--sides", type=int, nargs="+", default=[512, 2048])
    parser.add_argument("--planes", type=int, default=4)
    wish = parser.parse_args()
    cost = Cost()
    for name in COSTLY:
        owner, method = name.split(".")
        kind = getattr(autosave, owner)
        setattr(kind, method, cost.of(getattr(kind, method)))
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_DATA_HOME"] = folder  # strokes kept there are not the user's
        person = Person()
        wait_until(lambda: person.dock.workbench.device is not None)
        print("| | of a core | beats within 50 ms | 99 % | longest |\n|---|---|---|---|---|")
        for side in wish.sides:
            for keeps, turns in measure(person, cost, side, wish.planes, wish.seconds).items():
                share = np.mean([turn["share"] for turn in turns])
                within = np.mean([turn["within_50_ms"] for turn in turns])
                late = np.mean([turn["late_99_ms"] for turn in turns])
                longest = max(turn["longest_ms"] for turn in turns)
                print(
                    f"| {wish.planes} × {side}², {'kept' if keeps else 'not kept'} "
                    f"| {100 * share:.2f} % | {100 * within:.2f} % | {late:.0f} ms "
                    f"| {longest:.0f} ms |",
                    flush=True,
                )
        person.viewer.close()


if __name__ == "__main__":
    main()
