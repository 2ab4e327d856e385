"""Where the time of a segmentation and of a short training goes, before and after a change.

    python -m benchmarks.profiles [--repeats 3]
    python -m benchmarks.profiles --before COMMIT         # beside the code of an older commit

`segment` is from grey values to objects, `objects` from probabilities that are at hand, as if the
network took no time: what a fast GPU leaves to the processor; `train` is a short training.

Every 5 ms a second thread looks where the caller's thread is, and counts the time for the module of
`napari_unet` that is innermost there: what it calls in other libraries is its own time. What runs
in other threads meanwhile counts for nobody. Each figure is the median of the repeats, each in a
process of its own, in which the same work was done once before. The older commit is checked out
into a temporary folder; this file must run with its code, too: 659bd36's with what came
before segmentation plans, b411dac's with what came before that.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from unittest import mock

import numpy as np
import numpy.typing as npt

import napari_unet
from napari_unet.cli.settings import train_config
from napari_unet.config import OutputKind, Task, Unpainted
from napari_unet.engine.network import pick_device
from napari_unet.engine.paint import LabelScheme, TrainingSet
from napari_unet.engine.prediction import Predictor, SegmentationPlan, segment
from napari_unet.engine.stack import ArrayPlanes, Tile
from napari_unet.engine.training import TrainingPlan, fit
from napari_unet.io.checkpoints import load_model
from napari_unet.io.library import find_model
from napari_unet.io.samples import synthetic_cells

ROOT = Path(__file__).parents[1]
PERIOD = 0.005  # seconds between two looks
SIDE = 2048  # of the plane that is segmented, pixels
TRAINED_SIDE = 1024  # of the plane that trains, every pixel of it labelled
STEPS = 60
FEWEST = 0.02  # share of the time from which a module has a line of its own
REST = "the rest"

Profile = dict[str, float]
"""Seconds of each module."""


def segment_plane() -> Callable[[], object]:
    """Return the work of segmenting a plane full of cells with `light`."""
    model = load_model(find_model("light"))
    planes = ArrayPlanes(synthetic_cells(seed=1, planes=1, shape=(SIDE, SIDE)).image)
    return lambda: sum(
        1 for _ in segment(SegmentationPlan.usual(model), planes, device=pick_device("cpu"))
    )


def cut_objects() -> Callable[[], object]:
    """Return the work of cutting probabilities into objects, as if the network took no time."""
    # Older code, which `--before` sets beside today's, has no such module.
    from napari_unet.engine.prediction import whole_planes  # noqa: PLC0415

    model = load_model(find_model("light"))
    planes = ArrayPlanes(synthetic_cells(seed=1, planes=1, shape=(SIDE, SIDE)).image)
    device = pick_device("cpu")
    events = segment(
        SegmentationPlan.usual(model, kind=OutputKind.PROBABILITIES), planes, device=device
    )
    ((_, probabilities),) = whole_planes(events)

    def predict(_: Predictor, _plane: int, tile: Tile) -> npt.NDArray[np.float32]:
        return np.asarray(probabilities[:, tile.y.as_slice, tile.x.as_slice])

    def cut() -> int:
        with mock.patch.object(Predictor, "predict", predict):
            return sum(1 for _ in segment(SegmentationPlan.usual(model), planes, device=device))

    return cut


def train() -> Callable[[], object]:
    """Return the work of training `light` on a plane full of labelled cells."""
    model = load_model(find_model("light"))
    limited = train_config(model, seconds=None, steps=STEPS, seed=0)
    config = replace(limited, validation_share=0.0)  # else 20 validations, whatever the steps
    cells = synthetic_cells(seed=1, planes=1, shape=(TRAINED_SIDE, TRAINED_SIDE))

    def steps() -> int:
        events = fit(
            TrainingSet.of((ArrayPlanes(cells.image), ArrayPlanes(cells.truth.astype(np.int32)))),
            TrainingPlan(
                start=model,
                scheme=LabelScheme(Task.OBJECTS, Unpainted.BACKGROUND),
                config=config,
                device=pick_device("cpu"),
            ),
        )
        return sum(1 for _ in events)

    return steps


WORKS: dict[str, tuple[str, Callable[[], Callable[[], object]]]] = {
    "segment": (f"`light` segments {SIDE}×{SIDE} px into objects", segment_plane),
    "objects": (f"{SIDE}×{SIDE} px of probabilities become objects", cut_objects),
    "train": (f"`light` trains {STEPS} steps on {TRAINED_SIDE}×{TRAINED_SIDE} px", train),
}


def module_of(frame: FrameType | None) -> str:
    """Return the module of napari_unet that is innermost in a stack of calls."""
    package = str(Path(napari_unet.__file__).parent)
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(package):
            return str(Path(file).relative_to(package))
        frame = frame.f_back
    return REST


def profile(work: Callable[[], object]) -> Profile:
    """Do some work, and return the seconds that its thread was in each module."""
    seen: Counter[str] = Counter()
    caller, done = threading.get_ident(), threading.Event()

    def look() -> None:
        while not done.wait(PERIOD):
            stack = sys._current_frames().get(caller)  # noqa: SLF001 made for this
            seen[module_of(stack)] += 1

    watcher = threading.Thread(target=look)
    watcher.start()
    begin = time.perf_counter()
    work()
    seconds = time.perf_counter() - begin
    done.set()
    watcher.join()
    looks = max(seen.total(), 1)
    return {name: seconds * count / looks for name, count in seen.items()}


def profile_once(name: str) -> None:
    """Print the profile of one work as JSON."""
    work = WORKS[name][1]()
    work()
    print(json.dumps(profile(work)))


def profiles(name: str, source: Path, repeats: int) -> Profile:
    """Return the median profile of some work, done by the code in a folder."""
    path = os.pathsep.join([str(source), str(ROOT)])
    command = [sys.executable, "-m", "benchmarks.profiles", "--once", name]
    runs = [
        json.loads(
            subprocess.run(
                command, env={**os.environ, "PYTHONPATH": path}, check=True, stdout=subprocess.PIPE
            ).stdout
        )
        for _ in range(repeats)
    ]
    return {
        module: statistics.median(run.get(module, 0.0) for run in runs)
        for module in set().union(*runs)
    }


@contextmanager
def sources_of(commit: str) -> Iterator[Path]:
    """Check out the sources of a commit into a temporary folder."""
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name) / "tree"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--detach", "--quiet", str(tree), commit], check=True)
        try:
            version = Path("src", "napari_unet", "_version.py")  # written by the build, not in git
            shutil.copy(ROOT / version, tree / version)
            yield tree / "src"
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True)


def render(before: Profile | None, after: Profile) -> str:
    """Return the table of one work as Markdown, the dearest module first."""
    columns = [after] if before is None else [before, after]
    least = FEWEST * max(sum(column.values()) for column in columns)
    own = {name for column in columns for name, seconds in column.items() if seconds >= least}
    own -= {REST}
    rows = [
        (f"`{name}`", [column.get(name, 0.0) for column in columns])
        for name in sorted(own, key=lambda name: -max(c.get(name, 0.0) for c in columns))
    ]
    rows.append((REST, [sum(s for n, s in c.items() if n not in own) for c in columns]))
    rows.append(("together", [sum(column.values()) for column in columns]))
    titles = ["module", *([] if before is None else ["before, s"]), "now, s"]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    lines += [f"| {name} | {' | '.join(f'{s:.2f}' for s in row)} |" for name, row in rows]
    return "\n".join(lines)


def main() -> None:
    """Profile and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--works", nargs="+", choices=WORKS, default=list(WORKS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--before", metavar="COMMIT", help="set its code beside today's")
    parser.add_argument("--once", choices=WORKS, help=argparse.SUPPRESS)
    wish = parser.parse_args()
    if wish.once:
        profile_once(wish.once)
        return
    for name in wish.works:
        before = None
        if wish.before:
            with sources_of(wish.before) as source:
                before = profiles(name, source, wish.repeats)
        after = profiles(name, ROOT / "src", wish.repeats)
        print(f"### {WORKS[name][0]}\n\n{render(before, after)}\n", flush=True)


if __name__ == "__main__":
    main()
