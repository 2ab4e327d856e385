"""What is left when memory runs out? At every allocation in turn, of a training and a segmentation.

    python -m benchmarks.starving [--part all] [--every 1]

A tiny run is looked through first: each line of the program from which NumPy or PyTorch are asked
for memory, at the start of the run and again in the middle of it. Then the run is done anew for
each of them, and there the memory runs out: once, and in another run each time from then on. A run
may adapt and come to its end, or end with an error that tells people what to do. Then a training
that has learned gives its best weights before, and a segmentation has given whole planes as a run
with enough memory does.
"""

from __future__ import annotations

import argparse
import inspect
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
import torch

import napari_unet
from napari_unet.config import (
    AugmentConfig,
    NetworkConfig,
    ObjectsConfig,
    Task,
    TrainConfig,
    Unpainted,
)
from napari_unet.engine.errors import UnetPaintError
from napari_unet.engine.events import PlaneDone, StepDone, TrainDone, Validated, View
from napari_unet.engine.network import Model, fresh_model, pick_device
from napari_unet.engine.paint import LabelScheme, TrainingSet
from napari_unet.engine.prediction import SegmentationPlan, segment
from napari_unet.engine.stack import ArrayPlanes, Normalization
from napari_unet.engine.training import TrainingPlan, fit
from napari_unet.engine.training.schedule import Schedule
from napari_unet.io.samples import paint_strokes, synthetic_cells

SOURCE = str(Path(napari_unet.__file__).parent) + os.sep
NUMPY = (
    *("array", "asarray", "ascontiguousarray", "empty", "zeros", "ones", "full", "arange"),
    *("zeros_like", "empty_like", "full_like", "concatenate", "stack", "pad", "where", "unique"),
    *("bincount", "flatnonzero", "nonzero", "linspace", "isin", "percentile", "repeat", "tile"),
)
TORCH = (
    *("from_numpy", "as_tensor", "tensor", "empty", "zeros", "zeros_like", "stack", "cat"),
    *("conv2d", "conv_transpose2d", "max_pool2d", "relu", "softmax", "sigmoid", "where"),
)
NETWORK = NetworkConfig(name="tiny", levels=2, base_channels=4)
QUICK = TrainConfig(
    seconds=None, steps=6, patch=24, batch=1, augment=AugmentConfig(elastic_sigma=2, shift=4)
)
PLANES = 4  # of the segmentation
MIDDLE = 3  # steps, or planes, after which memory runs out in the second half of the runs

Site = tuple[str, int, str]
"""File below the package, line, and what was asked for memory."""


@dataclass(slots=True)
class Scarcity:
    """Memory that runs out where it is asked for from one line."""

    site: Site | None = None  # None: there is enough
    again: bool = False  # also each time after
    is_on: bool = True
    seen: Counter[Site] = field(default_factory=Counter)
    failed: int = 0

    def ask(self, name: str, error: Callable[[], Exception]) -> None:
        """Note that somebody asks for memory; fail if it is the one.

        Raises
        ------
        MemoryError, RuntimeError
            As NumPy and PyTorch do.
        """
        place = _asker() if self.is_on else None
        if place is None:
            return
        site = (*place, name)
        self.seen[site] += 1
        if site == self.site and (self.again or not self.failed):
            self.failed += 1
            raise error()

    @contextmanager
    def reigning(self) -> Iterator[None]:
        """Ask everyone who asks NumPy and PyTorch for memory."""
        wanted: list[tuple[Any, str, Callable[[], Exception]]]
        wanted = [(np, name, MemoryError) for name in NUMPY]
        for module in (torch, torch.nn.functional):
            wanted += [(module, name, _no_memory) for name in TORCH if hasattr(module, name)]
        with ExitStack() as patches:
            for module, name, error in wanted:
                asking = self._asking(getattr(module, name), name, error)
                patches.enter_context(patch.object(module, name, asking))
            yield

    def _asking(
        self, function: Callable[..., Any], name: str, error: Callable[[], Exception]
    ) -> Callable[..., Any]:
        def ask_first(*arguments: Any, **options: Any) -> Any:
            self.ask(name, error)
            return function(*arguments, **options)

        return ask_first


def _no_memory() -> Exception:
    return RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")


def _asker() -> tuple[str, int] | None:
    """Return the innermost line of the package that leads here; None: none does."""
    frame = inspect.currentframe()
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(SOURCE):
            return name[len(SOURCE) :], frame.f_lineno
        frame = frame.f_back
    return None


Run = Callable[[Scarcity, int], str]
"""Runs something, in which memory is scarce after so many steps; returns what was wrong."""


class _User:
    """Looks at a plane, and paints on another after some steps."""

    def __init__(self, labels: npt.NDArray[Any], truth: npt.NDArray[Any]) -> None:
        self._labels, self._truth, self._asked = labels, truth, 0

    def view(self) -> View:
        return View(0, slice(0, 64), slice(0, 64))

    def take_painted(self) -> frozenset[int]:
        self._asked += 1
        if self._asked != 1:
            return frozenset()
        self._labels[1] = paint_strokes(self._truth)[1]
        return frozenset({1})


def train(scarcity: Scarcity, after: int) -> str:
    """Train beside a person who looks and paints."""
    sample = synthetic_cells(0, 2, (64, 64))
    labels = paint_strokes(sample.truth)
    labels[1] = 0
    plan = TrainingPlan(
        start=NETWORK,
        scheme=LabelScheme(Task.OBJECTS, Unpainted.IGNORED),
        config=QUICK,
        device=pick_device("cpu"),
        objects=ObjectsConfig,
    )
    user = _User(labels, sample.truth)
    steps, best = 0, False
    done: TrainDone | None = None
    scarcity.is_on = after == 0
    try:
        at_once = patch.object(Schedule, "may_ask_for_strokes", lambda _: True)
        with scarcity.reigning(), at_once:
            pairs = TrainingSet.of((ArrayPlanes(sample.image), ArrayPlanes(labels)))
            for event in fit(pairs, plan, live=user):
                if isinstance(event, StepDone):
                    steps = event.step
                    scarcity.is_on = steps >= after
                best |= isinstance(event, Validated) and event.step > 0
                done = event if isinstance(event, TrainDone) else done
    except UnetPaintError as error:
        return f"weights lost: {error}" if best and done is None else _unclear(error)
    except MemoryError:
        return "weights lost, and no sentence" if steps and done is None else ""
    return "" if done is not None else "no end"


class Segmentation:
    """A stack to segment, and the labels that a run with enough memory gives."""

    def __init__(self) -> None:
        self._image = synthetic_cells(1, PLANES, (64, 64)).image
        grey = Normalization((0.0,), (4095.0,))
        self._model: Model = fresh_model(NETWORK, grey, Task.OBJECTS, (0, 1), seed=3)
        self._right = self._labels()

    def __call__(self, scarcity: Scarcity, after: int) -> str:
        """Segment."""
        found: dict[int, npt.NDArray[Any]] = {}
        trouble = ""
        try:
            self._labels(scarcity, after, found)
            trouble = "" if len(found) == PLANES else "planes are missing"
        except UnetPaintError as error:
            trouble = _unclear(error)
        except MemoryError:  # window and command line have a sentence for it
            trouble = "planes are missing" if len(found) < after else ""
        wrong = [n for n, plane in found.items() if not np.array_equal(plane, self._right[n])]
        if wrong:
            return f"planes {wrong} are not as they should be"
        return trouble

    def _labels(
        self,
        scarcity: Scarcity | None = None,
        after: int = 0,
        found: dict[int, npt.NDArray[Any]] | None = None,
    ) -> dict[int, npt.NDArray[Any]]:
        scarcity = scarcity or Scarcity()
        found = {} if found is None else found
        scarcity.is_on = after == 0
        with scarcity.reigning():
            for event in segment(
                SegmentationPlan.usual(self._model),
                ArrayPlanes(self._image),
                device=pick_device("cpu"),
            ):
                if isinstance(event, PlaneDone) and event.complete:
                    is_on, scarcity.is_on = scarcity.is_on, False
                    found[event.plane] = np.asarray(event.labels)
                    scarcity.is_on = is_on or len(found) >= after
        return found


def _unclear(error: UnetPaintError) -> str:
    """Return what is wrong with the words of an error: they name a cure."""
    cures = ("memory", "try again", "start the program again")
    return "" if any(cure in str(error) for cure in cures) else f"no cure: {error}"


def starve(run: Run, every: int = 1) -> tuple[int, dict[str, str]]:
    """Let memory run out at each `every`-th place; return how many runs, and what was wrong."""
    runs, wrong = 0, {}
    for after in (0, MIDDLE):
        plenty = Scarcity()
        assert not run(plenty, after), run(plenty, after)
        sites = sorted(plenty.seen)
        for number, site in enumerate(sites[after % every :: every]):
            for again in (False, True) if every == 1 else (number % 2 == 0,):
                scarcity = Scarcity(site, again)
                runs += 1
                try:
                    trouble = run(scarcity, after)
                except Exception as error:  # noqa: BLE001  # what nobody has foreseen is the finding
                    trouble = f"{type(error).__name__}: {error}"
                if trouble:
                    where = f"{site[0]}:{site[1]} {site[2]}{' again' * again}, after {after}"
                    wrong[where] = trouble
    return runs, wrong


PARTS: dict[str, Callable[[], Run]] = {"train": lambda: train, "segment": Segmentation}


def main() -> None:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=[*PARTS, "all"], default="all")
    parser.add_argument("--every", type=int, default=1, help="1: all places")
    wish = parser.parse_args()
    torch.set_num_threads(1)
    failed = 0
    for part in PARTS if wish.part == "all" else [wish.part]:
        runs, wrong = starve(PARTS[part](), wish.every)
        failed += len(wrong)
        print(f"{part}: {runs} runs, {len(wrong)} of them ended as they should not", flush=True)
        for where, trouble in wrong.items():
            print(f"  {where}: {trouble}")
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
