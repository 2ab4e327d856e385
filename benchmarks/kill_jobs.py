"""A window that is killed while it trains or segments, and one that goes on when asked to.

Each window opens the image (and the strokes), presses *Resume* or *Continue* where that is offered,
else *Train on labels* or *Segment stack*, and writes what comes of it. That must be, number by
number, what a window gives that nobody has killed. Windows are forked from a process that has
loaded all libraries already, which saves most of the time that a start takes.
"""

from __future__ import annotations

import importlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.killing import Forked, Killed, places
from napari_unet.config import NetworkConfig, Task, TilingConfig
from napari_unet.engine.network import Model, fresh_model
from napari_unet.engine.stack import Normalization
from napari_unet.io.samples import paint_strokes, synthetic_cells

BEGUN, RESULT = "begun.txt", "result.npy"
OFFERED, NEW = "it goes on", "it begins anew"
STEPS, PLANES, SIDE, TILE = 40, 6, 192, 48
_LOADED = (
    *("benchmarks.person", "torch._dynamo", "openvino"),
    *("napari_unet.engine.training.fine_tuning", "napari_unet.engine.prediction.segmentation"),
)
AGAIN = 0.3  # share of the kills after which the next window is killed as well

Array = npt.NDArray[Any]


def windows_training(folder: Path, kills: int, rng: np.random.Generator) -> Iterator[Killed]:
    """Yield what came of each kill of a window that trains."""
    yield from _kill("training", folder, kills, rng)


def windows_segmenting(folder: Path, kills: int, rng: np.random.Generator) -> Iterator[Killed]:
    """Yield what came of each kill of a window that segments."""
    yield from _kill("segmenting", folder, kills, rng)


def _kill(kind: str, folder: Path, kills: int, rng: np.random.Generator) -> Iterator[Killed]:
    name = f"{kind} in a window"
    for library in _LOADED:  # for all windows
        importlib.import_module(library)
    right, seconds, _ = _let_end(kind, folder)
    done = 0
    while done < kills:
        with _window(kind, folder) as victim:
            victim.wait_until((folder / BEGUN).exists)
            went_on = (folder / BEGUN).read_text() == OFFERED
            victim.live(victim.age + rng.uniform(0.1, seconds))
            after, was_alive = victim.age, victim.kill()
        (folder / BEGUN).unlink()
        equal = None
        if not was_alive or done + 1 >= kills or rng.random() > AGAIN:
            if not (folder / RESULT).exists():
                found, _, went_on = _let_end(kind, folder)
            else:  # it had ended just before
                found = _take_result(folder)
            equal = np.array_equal(found, right)
        if was_alive:
            done += 1
            yield Killed(name, after, equal=equal, went_on=went_on)


def _window(kind: str, folder: Path) -> Forked:
    return Forked(partial(work, kind, folder), folder / "said.txt", places(folder))


def _let_end(kind: str, folder: Path) -> tuple[Array, float, bool]:
    """Return what a window gives, the seconds that its job took, and whether it went on."""
    with _window(kind, folder) as victim:
        victim.wait_until((folder / BEGUN).exists)
        begun = victim.age
        if victim.end():
            raise RuntimeError(victim.last_words())
        seconds = victim.age - begun
    went_on = (folder / BEGUN).read_text() == OFFERED
    (folder / BEGUN).unlink()
    return _take_result(folder), seconds, went_on


def _take_result(folder: Path) -> Array:
    found: Array = np.load(folder / RESULT)
    (folder / RESULT).unlink()
    shutil.rmtree(folder / "data", ignore_errors=True)  # what is kept of a result nobody saved
    return found


class _Window:
    """A real window in which something is started or gone on with, and ends."""

    def __init__(self, folder: Path) -> None:
        from benchmarks.person import Person  # noqa: PLC0415  # only here is a window

        self._folder = folder
        self.person = Person()

    def train(self) -> Array:
        """Train on strokes, or go on; return the weights."""
        from benchmarks.random_hands import TINY_TRAINING  # noqa: PLC0415

        sample = synthetic_cells(1, 2, (128, 128))
        workbench: Any = self.person.dock.workbench
        self.person.viewer.add_image(sample.image, name="cells")
        self.person.viewer.add_labels(paint_strokes(sample.truth), name="strokes")
        workbench.choose(start=_model())
        step: Any = self.person.step("Train")
        config = replace(TINY_TRAINING, seconds=None, steps=STEPS)
        step.settings.train.set_value(config)
        limit = step.settings.seconds
        limit.set_value(replace(limit.value(), seconds=None))
        recovery = self.person.dock.controls.training.recovery
        self._press("Train", recovery, "Resume", "Train on labels")
        self.person.wait()
        weights = workbench.choices.start.model.weights
        return np.concatenate([weights[name].numpy().ravel() for name in sorted(weights)])

    def segment(self) -> Array:
        """Segment a stack, or go on; return the labels."""
        from benchmarks.person import wait_until  # noqa: PLC0415

        image = synthetic_cells(1, PLANES, (SIDE, SIDE)).image
        self.person.viewer.add_image(image, name="cells")
        self.person.dock.workbench.choose(start=_model())
        step: Any = self.person.step("Segment")
        step.tiling.set_value(TilingConfig(tile=TILE))
        recovery = self.person.dock.controls.segment_recovery
        self._press("Segment", recovery, "Continue", "Segment stack")
        records = step.segmentation
        wait_until(lambda: bool(records.last) and not records.last[0].missing)
        self.person.wait()
        result: Any = self.person.dock.workbench.choices.result
        return np.asarray(result.data)

    def _press(self, title: str, recovery: Any, go_on: str, start: str) -> None:
        """Press what is offered, else the button that starts, and note which."""
        from benchmarks.person import wait_until  # noqa: PLC0415

        wait_until(lambda: not recovery.is_looking)
        is_offered = recovery.offered is not None
        self.person.click(title, go_on if is_offered else start)
        temporary = self._folder / f"{BEGUN}.part"
        temporary.write_text(OFFERED if is_offered else NEW)
        temporary.replace(self._folder / BEGUN)


def _model() -> Any:
    """Return the model to start from, and to segment with."""
    from napari_unet.ui.workbench import CurrentModel  # noqa: PLC0415

    network = NetworkConfig(name="tiny", base_channels=4, levels=2)
    model: Model = fresh_model(network, Normalization((0.0,), (1.0,)), Task.OBJECTS, (0, 1), seed=0)
    return CurrentModel("tiny", model)


def work(kind: str, folder: Path) -> None:
    """Let a window start or go on, and write what comes of it."""
    from napari_unet.io import interrupted, kept_segmentation  # noqa: PLC0415
    from napari_unet.io.library import FOLDER_VARIABLE  # noqa: PLC0415

    kept_segmentation._WAIT = 0  # noqa: SLF001  # kept from the first tile on
    interrupted.KEEP_EVERY = 0.1  # seconds
    window = _Window(folder)
    os.environ[FOLDER_VARIABLE] = str(folder / "models")
    found = window.train() if kind == "training" else window.segment()
    temporary = folder / f"part-{RESULT}"
    np.save(temporary, found)
    temporary.replace(folder / RESULT)
    os._exit(0)  # as it is: what it kept stays
