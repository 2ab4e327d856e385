"""What comes of scribbles alone, and of filled cells? Networks compared on the same paint.

    python -m benchmarks.scribbles light
    python -m benchmarks.scribbles light old.safetensors --persons scribbler --seeds 0 1 2

The *scribbler* paints 20 short strokes inside objects of one plane, each with its object's number,
and 20 on the background, and outlines nothing. The *filler* paints the 20 actions of the stroke
budgets on two planes, three of five of which fill an object (`benchmarks.annotator`). Training is
limited by steps, so that the figures do not depend on the machine. Prints tables in Markdown.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from benchmarks.annotator import scribble_objects
from benchmarks.microscopy_sets import SETS
from benchmarks.stroke_budgets import cached_set, paint_budget, score
from napari_unet.cli.settings import train_config
from napari_unet.config import Task, Unpainted
from napari_unet.engine.events import TrainDone
from napari_unet.engine.network import Model, pick_device
from napari_unet.engine.paint import LabelScheme, TrainingSet
from napari_unet.engine.prediction import SegmentationPlan, segment, whole_planes
from napari_unet.engine.stack import ArrayPlanes
from napari_unet.engine.training import TrainingPlan, fit
from napari_unet.io.checkpoints import load_model
from napari_unet.io.library import find_model

_STROKES = 20  # inside objects, and as many on the background
_ACTIONS = 20
_SCORES = ("iou", "seg", "ap50")

Labels = npt.NDArray[np.int32]
Scores = dict[str, float]


def scribbler(name: str, seed: int) -> Labels:
    """Paint one plane with strokes alone."""
    chosen = cached_set(name)
    labels = np.zeros(chosen.truth.shape, dtype=np.int32)
    plane = chosen.painted[0]
    labels[plane] = scribble_objects(chosen.truth[plane], strokes=_STROKES, seed=seed)
    return labels


def filler(name: str, seed: int) -> Labels:
    """Paint two planes, and fill objects."""
    return paint_budget(name, _ACTIONS, seed).labels


PERSONS = {"scribbler": scribbler, "filler": filler}


def scores_after(name: str, labels: Labels, start: Model, *, steps: int, seed: int) -> Scores:
    """Train on the labels, and score the tested planes."""
    chosen, device = cached_set(name), pick_device("cpu")
    plan = TrainingPlan(
        start=start,
        scheme=LabelScheme(chosen.task, Unpainted.IGNORED),
        config=train_config(start, seconds=None, steps=steps, seed=seed),
        device=device,
    )
    *_, done = fit(TrainingSet.of((chosen.planes, ArrayPlanes(labels))), plan)
    assert isinstance(done, TrainDone)
    events = segment(
        SegmentationPlan.usual(done.model), chosen.planes, device=device, numbers=chosen.tested
    )
    return score(chosen, [values for _, values in whole_planes(events)], chosen.tested)


def measure(name: str, labels: Labels, start: Model, *, steps: int, seed: int) -> list[float]:
    """Return IoU, SEG and AP at 0.5 on the tested planes, after training on the labels."""
    scores = scores_after(name, labels, start, steps=steps, seed=seed)
    return [scores[key] for key in _SCORES]


def row(title: str, cells: Sequence[Sequence[float]]) -> str:
    """Return a row of a table: the mean, and each set."""
    shown = [" / ".join(f"{value:.3f}" for value in cell) for cell in cells]
    mean = " / ".join(f"{value:.3f}" for value in np.mean(cells, axis=0))
    return f"| {title} | **{mean}** | {' | '.join(shown)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    objects = [name for name in SETS if name not in ("isbi2012", "fibsem")]
    parser.add_argument("models", nargs="+", help="bundled names or files")
    parser.add_argument("--persons", nargs="+", choices=PERSONS, default=list(PERSONS))
    parser.add_argument("--sets", nargs="+", choices=objects, default=objects)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    wish = parser.parse_args()
    assert all(cached_set(name).task is Task.OBJECTS for name in wish.sets)
    models = {name: load_model(find_model(name)) for name in wish.models}
    for person in wish.persons:
        print(f"\n{person}, {wish.steps} steps: IoU / SEG / AP at 0.5\n")
        print(f"| network | mean | {' | '.join(cached_set(name).title for name in wish.sets)} |")
        print("|---" * (len(wish.sets) + 2) + "|")
        for title, model in models.items():
            cells = [
                np.mean(
                    [
                        measure(
                            name, PERSONS[person](name, seed), model, steps=wish.steps, seed=seed
                        )
                        for seed in wish.seeds
                    ],
                    axis=0,
                )
                for name in wish.sets
            ]
            print(row(title, [list(cell) for cell in cells]), flush=True)


if __name__ == "__main__":
    main()
