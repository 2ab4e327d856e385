"""Does the whole program survive what people do with layers? Played in a real napari viewer.

    python -m benchmarks.crashes [--repeats 20] [--case all] [--seed 0]
    xvfb-run -s "-screen 0 1600x1200x24" python -m benchmarks.crashes   # without a screen

Each run is a process of its own, in which the dock is driven by its buttons; it has survived if it
ends as it should, without an error that nobody caught. Where it has not, what it said last is
printed, with Python's stack when it crashed.

segment-another      train with live preview on one image, choose another, hide all but that one,
                     press "Segment stack": the preview goes while one layer alone is drawn
delete-all-but-one   train, then delete the labels and the image; one layer is left
random               actions on layers and buttons in random order, other ones in each run
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType

from napari.layers import Image, Labels

from benchmarks.live_window import Window, live, wait_until
from benchmarks.random_hands import TINY, TINY_TRAINING, RandomHands
from napari_unet.engine.events import Previewed
from napari_unet.io.library import FOLDER_VARIABLE
from napari_unet.io.samples import paint_strokes, synthetic_cells
from napari_unet.ui.image.step import ImageStep

PREVIEWS = 2  # that are waited for
LIMIT = 300  # seconds for a run
SAID = 25  # lines that are printed of a run that has not survived


def segment_another(window: Window, _seed: int) -> None:
    """Segment an image that is the only visible layer, while the preview of another goes."""
    first, labels = _open(window)
    second = window.viewer.add_image(first.data[::-1].copy(), name="second")
    _train(window)
    picker = next(step for step in window.dock.steps if isinstance(step, ImageStep)).picker
    picker.value = second
    picker.picked.emit()
    first.visible = labels.visible = False
    live(0.5)
    window.press(window.segment.start)
    live(LIMIT, window.is_idle)
    live(1)


def delete_all_but_one(window: Window, _seed: int) -> None:
    """Delete what was trained on, layer by layer, beside an image that stays."""
    first, labels = _open(window)
    window.viewer.add_image(first.data[::-1].copy(), name="second")
    _train(window)
    for layer in (labels, first):
        window.viewer.layers.remove(layer)
        live(0.5)
    if "preview" in window.viewer.layers:
        window.viewer.layers.remove("preview")
    for zoom in (1, 2, 3):
        window.viewer.scene.camera.zoom = zoom
        live(0.3)


def random(window: Window, seed: int) -> None:
    """Do anything."""
    RandomHands(window, seed).play()


CASES: dict[str, Callable[[Window, int], None]] = {
    "segment-another": segment_another,
    "delete-all-but-one": delete_all_but_one,
    "random": random,
}


def play(case: str, seed: int) -> None:
    """Play a case in this process; exit status 1 after an error that nobody caught."""
    errors = []

    def note(kind: type[BaseException], error: BaseException, at: TracebackType | None) -> None:
        errors.append(error)
        sys.__excepthook__(kind, error, at)

    with tempfile.TemporaryDirectory() as folder:
        os.environ[FOLDER_VARIABLE] = folder  # the user's own last model stays
        window = Window()
        sys.excepthook = note  # PyQt ends the program otherwise
        CASES[case](window, seed)
        window.viewer.close()
        live(0.5)
    sys.stdout.flush()
    os._exit(1 if errors else 0)


def play_apart(case: str, seed: int) -> str:
    """Play a case in a process of its own; return how it ended."""
    command = [sys.executable, "-X", "faulthandler", "-m", "benchmarks.crashes", "--play"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            [*command, "--case", case, "--seed", str(seed)],
            check=False,
            capture_output=True,
            text=True,
            env=environment,
            timeout=LIMIT,
        )
    except subprocess.TimeoutExpired:
        return f"not ended after {LIMIT} s"
    if done.returncode == 0:
        return "survived"
    said = (done.stdout + done.stderr).splitlines()
    print(*(line[:200] for line in said[-SAID:]), sep="\n")
    return _ending(done.returncode)


def main() -> None:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=20, help="runs of each case")
    parser.add_argument("--case", choices=[*CASES, "all"], default="all")
    parser.add_argument("--seed", type=int, default=0, help="of the first run; the next has 1 more")
    parser.add_argument("--play", action="store_true", help="one case, in this process")
    wish = parser.parse_args()
    if wish.play:
        play(wish.case, wish.seed)
    for case in CASES if wish.case == "all" else [wish.case]:
        endings: Counter[str] = Counter()
        for seed in range(wish.seed, wish.seed + wish.repeats):
            begun = time.perf_counter()
            ending = play_apart(case, seed)
            endings[ending] += 1
            print(f"{case}, seed {seed}: {ending}, {time.perf_counter() - begun:.0f} s", flush=True)
        ends = ", ".join(f"{count} {ending}" for ending, count in endings.items())
        print(f"{case}: {endings['survived']} of {wish.repeats} survived ({ends})", flush=True)


def _open(window: Window) -> tuple[Image, Labels]:
    """Show a small stack with strokes, and choose both."""
    sample = synthetic_cells(planes=4, shape=(128, 128))
    image = window.viewer.add_image(sample.image, name="first")
    labels = window.viewer.add_labels(paint_strokes(sample.truth), name="strokes")
    window.dock.workbench.choose(images=(image,), labels=labels)
    window.viewer.dims.set_current_step(0, 1)
    return image, labels


def _train(window: Window) -> None:
    """Train a tiny network until there are some previews."""
    previews: list[object] = []
    window.dock.controls.training.reported.connect(
        lambda event: previews.append(event) if isinstance(event, Previewed) else None
    )
    window.set_training(TINY_TRAINING)
    window.dock.workbench.choose(start=TINY)
    window.press(window.train.action.button)
    wait_until(lambda: len(previews) >= PREVIEWS or window.is_idle())
    window.stop()


def _ending(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"ended with an error ({code})"


if __name__ == "__main__":
    main()
