"""How good segmentation is after some strokes and some steps, against a peer and from scratch.

    python -m benchmarks.stroke_budgets --sets dic_hela isbi2012 --steps 100 --output results
    python -m benchmarks.stroke_tables results --document docs/stroke_budgets.md

A simulated person (`benchmarks.annotator`) paints on up to four planes; every method learns from
the same paint, and is scored on other planes. Training is limited by steps and the forest grows to
its full size, so that the figures do not depend on the machine. Each finished cell of the table is
kept in the folder OUTPUT (`benchmarks.stroke_cells`) and not measured again: a run can be stopped
and started again.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.annotator import correct, paint_classes, paint_plane, scribble_objects
from benchmarks.forest import SETTINGS, grow_forests, segment_planes
from benchmarks.microscopy_sets import SETS, MicroscopySet
from benchmarks.stroke_cells import METHODS, Cell, keep, read_cells
from benchmarks.undecided import leave_undecided
from napari_unet.cli.settings import train_config
from napari_unet.config import NETWORKS, NetworkConfig, Task, Unpainted
from napari_unet.engine.events import TrainDone
from napari_unet.engine.network import Model, pick_device
from napari_unet.engine.paint import LabelScheme, TrainingSet
from napari_unet.engine.prediction import SegmentationPlan, segment, whole_planes
from napari_unet.engine.scores import Comparison, evaluate_classes, evaluate_objects
from napari_unet.engine.stack import ArrayPlanes
from napari_unet.engine.training import TrainingPlan, fit
from napari_unet.io.checkpoints import load_model
from napari_unet.io.library import DEFAULT, find_model

PAINTER, SCRIBBLER = "painter", "scribbler"

PERSONS: dict[str, dict[int, tuple[int, ...]]] = {
    PAINTER: {
        8: (8,),
        20: (8, 12),
        50: (8, 12, 15, 15),
        120: (8, 12, 15, 15),  # and corrections of what is wrong then
    },
    SCRIBBLER: {5: (5,), 20: (20,)},
}
"""The budgets of each person → actions on each painted plane before any result is seen.

The *painter* fills objects and goes around them; the *scribbler* draws so many short strokes inside
objects, or in each class, and as many on the background, and outlines nothing.
"""

STEPS = (100, 400)

Labels = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Paint:
    """What a person has painted within a budget."""

    labels: Labels  # (planes, Y, X)
    actions: int
    share: float  # of the pixels of the planes that are painted on


@cache
def cached_set(name: str) -> MicroscopySet:
    """Return a set, read once."""
    return SETS[name]()


@cache
def paint_budget(name: str, budget: int, seed: int, person: str = PAINTER) -> Paint:
    """Paint a set within a budget; smaller budgets are part of larger ones.

    Notes
    -----
    What the largest budget has beyond the others corrects mistakes of the random forest, for
    every method: so all learn from the same paint, and the peer from that which it needs most.
    """
    chosen = cached_set(name)
    labels = np.zeros(chosen.truth.shape, dtype=np.int32)
    planned = PERSONS[person][budget]
    for plane, actions in zip(chosen.painted, planned, strict=False):
        labels[plane] = _paint(name, plane, actions, seed, person)
    done = sum(planned)
    if budget > done:  # the painter's largest
        done += _correct(chosen, labels, budget - done)
    share = float((labels[list(chosen.painted[: len(planned)])] > 0).mean())
    return Paint(labels, done, share)


def train_steps(name: str, start: Model, steps: int, *, budget: int) -> Model:
    """Return the model after some steps of training on the paint of a budget."""
    chosen = cached_set(name)
    *_, done = fit(
        TrainingSet.of((chosen.planes, ArrayPlanes(paint_budget(name, budget, 0).labels))),
        TrainingPlan(
            start=start,
            scheme=LabelScheme(chosen.task, Unpainted.IGNORED),
            config=train_config(start, seconds=None, steps=steps, seed=0),
            device=pick_device("cpu"),
        ),
    )
    assert isinstance(done, TrainDone)
    return done.model


@cache
def _paint(name: str, plane: int, actions: int, seed: int, person: str) -> Labels:
    """Return the paint on a plane, (Y, X)."""
    truth, task = cached_set(name).truth[plane], cached_set(name).task
    if person == PAINTER:
        return paint_plane(truth, task, actions=actions, seed=100 * seed + plane)
    if task is Task.CLASSES:
        return paint_classes(truth, per_class=actions, seed=seed)
    return scribble_objects(truth, strokes=actions, seed=seed)


def _correct(chosen: MicroscopySet, labels: Labels, actions: int) -> int:
    """Correct the forest's mistakes on the painted planes, in place; return the actions."""
    planes = list(chosen.painted)
    grown = grow_forests(chosen.planes, labels, chosen.task, settings=SETTINGS[:1])
    [seen] = segment_planes(grown.forests, chosen.planes, planes)
    corrected = correct(
        list(labels[planes]), list(chosen.truth[planes]), seen, chosen.task, actions=actions
    )
    labels[planes] = corrected.labels
    return corrected.actions


def score(chosen: MicroscopySet, found: Sequence[Labels], numbers: Sequence[int]) -> dict[str, Any]:
    """Score planes: ``iou`` (foreground, or mean of the classes), for objects seg and AP."""
    planes = [
        Comparison(*leave_undecided(prediction, chosen.truth[number]))
        for prediction, number in zip(found, numbers, strict=True)
    ]
    if chosen.task is Task.CLASSES:
        classes = evaluate_classes(planes)
        return {"iou": classes.mean_iou} | {f"iou_{n}": iou for n, iou in classes.iou.items()}
    objects = evaluate_objects(planes)
    return {
        "iou": objects.foreground_iou,
        "seg": objects.seg,
        "ap50": objects.average_precision,
        "map": objects.mean_average_precision,
    }


def paint_of(cell: Cell) -> Paint:
    """Return what the person of a cell has painted."""
    return paint_budget(cell.set, cell.budget, cell.seed, cell.person)


def run_network(cell: Cell, start: Model | NetworkConfig) -> tuple[dict[str, Any], list[Labels]]:
    """Train and score a network; also return the first painted and the tested planes."""
    chosen, paint = cached_set(cell.set), paint_of(cell)
    device = pick_device("cpu")
    begun = time.perf_counter()
    *_, done = fit(
        TrainingSet.of((chosen.planes, ArrayPlanes(paint.labels))),
        TrainingPlan(
            start=start,
            scheme=LabelScheme(chosen.task, Unpainted.IGNORED),
            config=train_config(start, seconds=None, steps=cell.steps, seed=cell.seed),
            device=device,
        ),
    )
    spent = time.perf_counter() - begun
    assert isinstance(done, TrainDone)
    numbers = (chosen.painted[0], *chosen.tested)
    events = segment(
        SegmentationPlan.usual(done.model), chosen.planes, device=device, numbers=numbers
    )
    found = [values for _, values in whole_planes(events)]
    record = done.model.record
    figures = {
        "scores": score(chosen, found[1:], chosen.tested),
        "training": {
            "seconds": spent,
            "steps": record.steps,
            "best_step": record.best_step,
        },
    }
    return figures, found


def run_forest(cell: Cell, threads: int) -> tuple[dict[str, Any], list[Labels]]:
    """Grow and score forests; each score is the best of their settings on the tested planes."""
    chosen, paint = cached_set(cell.set), paint_of(cell)
    grown = grow_forests(chosen.planes, paint.labels, chosen.task, seed=cell.seed, threads=threads)
    numbers = (chosen.painted[0], *chosen.tested)
    found = segment_planes(grown.forests, chosen.planes, numbers, threads=threads)
    scores = [score(chosen, planes[1:], chosen.tested) for planes in found]
    best = max(range(len(scores)), key=lambda number: scores[number]["iou"])
    names = [forest.setting.name for forest in grown.forests]
    figures = {
        "scores": {key: max(one[key] for one in scores) for key in scores[0]},
        "settings": dict(zip(names, scores, strict=True)),
        "training": {"seconds": grown.seconds},
    }
    return figures, found[best]


def run_cell(
    cell: Cell, bundled: Model | None, network: NetworkConfig, threads: int
) -> tuple[dict[str, Any], list[Labels]]:
    """Measure one cell."""
    if cell.method == "forest":
        figures, found = run_forest(cell, threads)
    else:
        start = bundled if cell.method == "bundled" else network
        assert start is not None
        figures, found = run_network(cell, start)
    paint = paint_of(cell)
    painted = {"actions": paint.actions, "share": paint.share}
    return {"paint": painted, "threads": threads, **figures}, found


def wanted_cells(wish: argparse.Namespace, models: dict[str, str]) -> Iterator[Cell]:
    """Yield the cells that were asked for, the shorter trainings first, each once."""
    paints = [
        (name, person, budget)
        for name, person in product(wish.sets, wish.persons)
        for budget in PERSONS[person]
        if wish.budgets is None or budget in wish.budgets
    ]
    cells = (
        Cell(name, person, budget, 0 if method == "forest" else steps, method, seed, models[method])
        for seed, steps, (name, person, budget), method in product(
            wish.seeds, sorted(wish.steps), paints, wish.methods
        )
    )
    return iter(dict.fromkeys(cells))


def untrained(model: Model) -> NetworkConfig:
    """Return a new network of a model's size, as people get one: it has no shape field."""
    return replace(model.network, shape_field=False)


def load_start(wish: str, methods: Sequence[str]) -> tuple[Model | None, dict[str, str]]:
    """Return the bundled network, if it is measured, and what each method is called."""
    model, bundled = None, ""
    if "bundled" in methods:
        path = find_model(wish)
        model = load_model(path)
        bundled = name_of_weights(path)
    network = untrained(model) if model else NETWORKS[DEFAULT]
    scratch = f"{network.base_channels}/{network.levels}"
    return model, {"bundled": bundled, "scratch": scratch, "forest": ""}


def name_of_weights(path: Path) -> str:
    """Return the name of a model file with the beginning of its digest."""
    return f"{path.stem}-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--persons", nargs="+", choices=PERSONS, default=list(PERSONS))
    parser.add_argument("--budgets", nargs="+", type=int, help="default: all of each person")
    parser.add_argument("--steps", nargs="+", type=int, default=STEPS)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--model", default=DEFAULT, help="bundled name or file")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path("results/stroke_budgets"))
    return parser.parse_args()


def main() -> None:
    wish = parse()
    torch.set_num_threads(wish.threads)
    bundled, models = load_start(wish.model, wish.methods)
    network = untrained(bundled) if bundled else NETWORKS[DEFAULT]
    done = read_cells(wish.output)
    for cell in wanted_cells(wish, models):
        if cell in done:
            continue
        figures, found = run_cell(cell, bundled, network, wish.threads)
        done[cell] = record = figures | {"cell": asdict(cell)}
        keep(wish.output, record, found)
        scores = "  ".join(f"{name} {value:.3f}" for name, value in record["scores"].items())
        print(f"{cell.name:60}{scores}", flush=True)


if __name__ == "__main__":
    main()
