"""Does a window that is worked in for hours stay as it was? Cycles of the whole work in a real one.

    python -m benchmarks.soak --minutes 120 --output soak.jsonl
    xvfb-run -s "-screen 0 1600x1200x24" python -m benchmarks.soak        # without a screen
    python -m benchmarks.soak --tell soak.jsonl         # the verdict, also while it runs

In each cycle a person opens an image in place of the one before, paints with the mouse, trains with
live preview, paints meanwhile, segments the stack, takes the prediction, repairs it and undoes a
stroke, compares, and exports; every tenth time the dock is closed and opened as well. After each
cycle the C library's heap gives back what it can of what nobody holds, and a line is written:
resident memory, bytes of the heap in use (with glibc), threads, open files, Qt's widgets, the
longest time for which the window did not answer, and how long the cycle took. The slopes are
Theil's and Sen's, the median of those between all pairs of cycles, with their interval of 95 %; the
first cycles, in which libraries are loaded and caches fill, do not count.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]
import tifffile
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QFileDialog
from scipy.stats import theilslopes

from benchmarks.live_window import Figures, Heartbeat
from benchmarks.newcomer import free_lines, inner_cells
from benchmarks.person import Person, free_line, pause, wait_until
from benchmarks.random_hands import TINY, TINY_TRAINING
from napari_unet.io.samples import Sample, synthetic_cells
from napari_unet.ui.train.step import TrainStep

PLANES, SIDE = 3, 256
TRAINING = 5  # seconds
REOPENED = 10  # cycles from one closing of the dock to the next
WARM = 10  # cycles that do not count
ENOUGH = 20  # cycles that count, for a verdict
MEGABYTE = 1 << 20
HOUR = 3600


@dataclass(frozen=True, slots=True)
class Trend:
    """What must not grow, and by how much it may, in an hour."""

    key: str
    unit: str
    limit: float


TRENDS = (
    Trend("memory", "MB", 20),
    Trend("heap", "MB", 20),
    Trend("threads", "", 1),
    Trend("files", "", 1),
    Trend("widgets", "", 20),
    Trend("stall", "ms", 20),
    Trend("seconds", "s", 5),
)


def soak(minutes: float, output: Path) -> None:
    """Work for so long, and write a line per cycle."""
    until = time.monotonic() + 60 * minutes
    person = Person()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, output.open("w") as lines:
        chooser: Any = QFileDialog  # answered in place of the person
        cycle = 0
        while time.monotonic() < until:
            path = Path(folder) / f"labels.{('tif', 'zarr')[cycle % 2]}"
            chooser.getSaveFileName = lambda *_, path=path, **__: (str(path), "")
            figures = {"at": time.monotonic() - begun, **measure_cycle(person, cycle, path)}
            lines.write(json.dumps(figures) + "\n")
            lines.flush()
            print(" · ".join(f"{key} {value:.4g}" for key, value in figures.items()), flush=True)
            cycle += 1
    person.viewer.close()


def measure_cycle(person: Person, cycle: int, path: Path) -> Figures:
    """Do the work once; return what the program holds after it."""
    sample = synthetic_cells(seed=cycle % REOPENED, planes=PLANES, shape=(SIDE, SIDE))
    heart, begun = Heartbeat(), time.monotonic()
    heart.start()
    begin(person, sample, reopen=cycle % REOPENED == REOPENED - 1)
    paint(person, sample, plane=1, cells=4)
    train(person, sample)
    person.click("Segment", "Segment stack")
    person.wait()
    correct(person, sample)
    compare(person, sample)
    person.click("Export", "Export")
    person.wait()
    assert path.exists()
    if path.suffix == ".tif":
        assert tifffile.imread(path).shape == sample.image.shape
    beats, seconds = heart.stop(), time.monotonic() - begun
    gc.collect()  # what nobody holds is no growth
    pause(0.2)
    heap = trim_heap()
    process = psutil.Process()
    return {
        "cycle": cycle,
        "memory": process.memory_info().rss / MEGABYTE,
        "heap": heap / MEGABYTE,
        "threads": process.num_threads(),
        "files": process.num_fds() if hasattr(process, "num_fds") else process.num_handles(),
        "widgets": len(QApplication.allWidgets()),
        "stall": beats["longest_ms"],
        "seconds": seconds,
    }


class _HeapInfo(ctypes.Structure):
    """glibc's `mallinfo2`."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


def trim_heap() -> int:
    """Let the C library's heap give back what it can; return the bytes that are in use.

    0 where it is not glibc's.
    """
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallinfo2"):
        return 0
    library.malloc_trim(0)
    library.mallinfo2.restype = _HeapInfo
    info: Any = library.mallinfo2()
    return int(info.uordblks + info.hblkhd)


def begin(person: Person, sample: Sample, *, reopen: bool) -> None:
    """Close what was open, open another image, and make labels for it."""
    person.viewer.layers.clear()
    if reopen:
        person.viewer.window.remove_dock_widget(person.dock)
        pause(0.5)
        _, person.dock = person.viewer.window.add_plugin_dock_widget(
            "napari-unet-paint", "U-Net Paint"
        )
        wait_until(lambda: person.dock.workbench.device is not None)
        person.wait()
    person.viewer.add_image(sample.image, name="cells")
    person.show_plane(1)
    person.click("Labels", "New labels")
    person.dock.workbench.choose(start=TINY)
    step = next(step for step in person.dock.steps if isinstance(step, TrainStep))
    step.settings.train.set_value(replace(TINY_TRAINING, seconds=TRAINING))
    person.write("Train", "Time, s", TRAINING)


def paint(person: Person, sample: Sample, *, plane: int, cells: int) -> None:
    """Paint strokes on the background and on some cells of a plane."""
    person.show_plane(plane)
    truth = sample.truth[plane]
    person.press(Qt.Key.Key_G)
    for stroke in free_lines(truth == 0, 3):
        person.draw(stroke)
    for cell in islice(inner_cells(truth), cells):
        person.press(Qt.Key.Key_N)
        person.draw(free_line(truth == cell))


def train(person: Person, sample: Sample) -> None:
    """Train to the end, and paint on another plane as soon as there is a preview."""
    person.click("Train", "Train on labels")
    layers = person.viewer.layers
    ends = time.monotonic() + TRAINING
    wait_until(lambda: "preview" in layers or time.monotonic() > ends)
    paint(person, sample, plane=0, cells=1)
    person.wait()


def correct(person: Person, sample: Sample) -> None:
    """Take the prediction of a plane, paint on it, and take the stroke back."""
    person.show_plane(2)
    if person.button("Correct", "Take prediction").isEnabled():
        person.click("Correct", "Take prediction")
        pause(0.5)
        person.wait()
    paint(person, sample, plane=2, cells=1)
    person.labels.undo()
    pause(0.2)


def compare(person: Person, sample: Sample) -> None:
    """Compare the result with the truth."""
    person.viewer.add_labels(sample.truth, name="truth").visible = False
    step: Any = person.step("Compare")
    step.truth.setCurrentText("truth")
    person.click("Compare", "Compare")
    person.wait()


def tell(cycles: Sequence[Figures]) -> None:
    """Print the table of slopes, and the verdict."""
    hours = (cycles[-1]["at"] + cycles[-1]["seconds"]) / HOUR if cycles else 0
    print(f"{len(cycles)} cycles in {60 * hours:.0f} minutes")
    counted = cycles[WARM:]
    if len(counted) < ENOUGH:
        print(f"Too few for a verdict: {WARM + ENOUGH} are needed.")
        return
    at = np.array([figures["at"] for figures in counted]) / HOUR
    print("\n| | first | last | highest | per hour | of 95 % | |\n|---|---|---|---|---|---|---|")
    grows = []
    for trend in TRENDS:
        values = np.array([figures.get(trend.key, 0) for figures in counted], float)
        slope, _, low, high = theilslopes(values, at)
        is_flat = low <= 0 or slope <= trend.limit
        grows += [] if is_flat else [trend.key]
        first, last = np.median(values[:ENOUGH]), np.median(values[-ENOUGH:])
        print(
            f"| {trend.key}{f', {trend.unit}' if trend.unit else ''} | {first:.0f} | {last:.0f} "
            f"| {values.max():.0f} | {slope:+.2f} | {low:+.2f} to {high:+.2f} "
            f"| {'flat' if is_flat else 'grows'} |"
        )
    verdict = f"it grows: {', '.join(grows)}" if grows else "nothing grows"
    print(f"\nVerdict: {verdict}.")


def read(path: Path) -> list[Figures]:
    """Return the cycles of a file; a line that is being written is left out."""
    lines = path.read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def main() -> None:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--output", type=Path, default=Path("soak.jsonl"), help="a line per cycle")
    parser.add_argument("--tell", type=Path, help="only print the verdict of such a file")
    wish = parser.parse_args()
    if wish.tell is None:
        with tempfile.TemporaryDirectory() as data:
            os.environ["XDG_DATA_HOME"] = data  # strokes kept there are not the user's
            soak(wish.minutes, wish.output)
    tell(read(wish.tell or wish.output))


if __name__ == "__main__":
    main()
