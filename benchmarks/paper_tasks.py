"""The tasks of the U-Net paper, trained on fully labelled planes, with ablations.

    python -m benchmarks.paper_tasks --seconds 300 --output results/paper_tasks
    python -m benchmarks.paper_tasks --tasks isbi2012 --variants default --seconds 600
    python -m benchmarks.paper_tables results/paper_tasks --document docs/results.md

Planes far from those that train are tested. DIC-HeLa and PhC-U373 are scored with SEG, ISBI 2012
with the challenge's measures on the mean over 7 rotations. Each finished run is a line of
``OUTPUT/runs.jsonl`` and is not done again.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from skimage import measure as measure_regions

from benchmarks.microscopy_sets import DATA, MicroscopySet, sequence
from benchmarks.stroke_budgets import name_of_weights, score, untrained
from benchmarks.threshold_scan import Section, best_scores, scan_thresholds
from napari_unet.cli.settings import train_config
from napari_unet.config import (
    NETWORKS,
    RECIPES,
    NetworkConfig,
    OutputKind,
    Task,
    TilingConfig,
    TrainConfig,
    Unpainted,
    preset_of,
)
from napari_unet.engine.events import TrainDone
from napari_unet.engine.network import Model, pick_device
from napari_unet.engine.paint import LabelScheme, TrainingSet
from napari_unet.engine.prediction import SegmentationPlan, segment, whole_planes
from napari_unet.engine.stack import ArrayPlanes
from napari_unet.engine.training import TrainingPlan, fit
from napari_unet.io.checkpoints import load_model
from napari_unet.io.library import DEFAULT, find_model

ROTATIONS = 7  # as the paper, for ISBI 2012


@dataclass(frozen=True, slots=True)
class PaperTask:
    """A stack whose painted planes train, each of their pixels labelled."""

    stack: MicroscopySet
    paper: str  # its figures
    are_membranes: bool = False  # scored by the measures of ISBI 2012
    reduction: int | None = None  # None: from the sizes of the objects


def dic_hela() -> PaperTask:
    """Twelve frames train, five others 15 frames or more away are tested."""
    stack = sequence(
        "DIC-HeLa",
        "ctc_dic_c2dh_hela",
        painted=(0, 2, 4, 6, 54, 58, 62, 66, 70, 74, 78, 82),
        tested=(21, 31, 33, 34, 39),
        split="frames 0, 2, 4, 6 and every fourth from 54 on train (silver truth); gold frames 21, "
        "31, 33, 34, 39 are tested, at least 15 (150 minutes) away",
    )
    return PaperTask(stack, "SEG 0.775, second 0.46")


def phc_u373() -> PaperTask:
    """Thirteen early frames train, six late ones are tested."""
    stack = sequence(
        "PhC-U373",
        "ctc_phc_c2dh_u373",
        painted=tuple(range(1, 50, 4)),
        tested=(72, 75, 92, 96, 102, 112),
        split="every fourth frame from 1 to 49 trains (silver truth); gold frames 72, 75, 92, 96, "
        "102, 112 are tested, at least 23 away",
    )
    return PaperTask(stack, "SEG 0.92, second 0.83")


def isbi2012() -> PaperTask:
    """Six sections of both halves train, six are tested, three or more away.

    As in the paper, cells are objects and membranes the background between them, so that the
    border weight tells the network where a gap would join two cells.
    """
    sections = [_components(section) for section in _isbi_cells()]
    return _isbi("ISBI 2012", Task.OBJECTS, np.stack(sections))


def isbi2012_ten() -> PaperTask:
    """More sections train, as far as twenty with public truth allow; the paper had thirty."""
    few = isbi2012()
    more = replace(
        few.stack,
        title="ISBI 2012, ten sections",
        painted=(0, 1, 2, *range(8, 15)),
        tested=(5, 17, 18, 19),
        split="sections 0 to 2 and 8 to 14 train; 5 and 17 to 19 are tested, at least 3 away",
    )
    return replace(few, stack=more)


def isbi2012_classes() -> PaperTask:
    """The same sections, where membrane and cell are two classes without border weight."""
    return _isbi("ISBI 2012, as classes", Task.CLASSES, np.where(_isbi_cells(), 2, 1))


def _isbi_cells() -> npt.NDArray[np.bool_]:
    cells: npt.NDArray[np.bool_] = tifffile.imread(DATA / "isbi2012" / "train-labels.tif") > 0
    return cells


def _isbi(title: str, task: Task, truth: npt.NDArray[Any]) -> PaperTask:
    stack = MicroscopySet(
        title,
        task,
        tifffile.imread(DATA / "isbi2012" / "train-volume.tif"),
        truth.astype(np.int32),
        (0, 1, 2, 10, 11, 12),
        (5, 6, 7, 15, 16, 17),
        "sections 0 to 2 and 10 to 12 train; 5 to 7 and 15 to 17 are tested, at least 3 away",
    )
    figures = "Rand error 0.0382, warping error 0.000353"
    return PaperTask(stack, figures, are_membranes=True, reduction=1)


TASKS: dict[str, Callable[[], PaperTask]] = {
    "dic_hela": dic_hela,
    "phc_u373": phc_u373,
    "isbi2012": isbi2012,
    "isbi2012_ten": isbi2012_ten,
    "isbi2012_classes": isbi2012_classes,
}

MAIN_TASKS = ["dic_hela", "phc_u373", "isbi2012"]

Start = Model | NetworkConfig

Found = dict[int, npt.NDArray[np.int32]]
"""Number of the plane → its objects."""


def _rigid(config: TrainConfig) -> TrainConfig:
    return replace(config, augment=replace(config.augment, elastic_sigma=0.0))


def _recipe_2015(config: TrainConfig) -> TrainConfig:
    kept = {name: getattr(config, name) for name in ("seconds", "steps", "seed", "reduction")}
    return replace(RECIPES["2015"], **kept)


VARIANTS: dict[str, tuple[str, Callable[[TrainConfig], TrainConfig]]] = {
    "default": ("bundled network, default recipe", lambda config: config),
    "no_pretraining": ("the same network from random weights", lambda config: config),
    "recipe_2015": ("the same network from random weights, the paper's recipe", _recipe_2015),
    "no_elastic": ("without elastic deformation", _rigid),
    "no_border": ("without border weights", lambda config: replace(config, w0=0.0)),
    "2015": ("the paper's network and recipe", _recipe_2015),
}


def start_of(variant: str, bundled: Model) -> Start:
    """Return what a variant starts from."""
    if variant == "2015":
        return NETWORKS["2015"]
    return untrained(bundled) if variant in ("no_pretraining", "recipe_2015") else bundled


def measure(
    task: PaperTask, variant: str, start: Start, *, seconds: float, seed: int
) -> tuple[dict[str, Any], Found]:
    """Train, predict and score; also return what was found on some planes."""
    device, stack = pick_device("cpu"), task.stack
    recipe = train_config(start, seconds=seconds, steps=None, seed=seed, reduction=task.reduction)
    *_, done = fit(
        TrainingSet.of((stack.planes, ArrayPlanes(painted_planes(stack)))),
        TrainingPlan(
            start=start,
            scheme=LabelScheme(stack.task, Unpainted.IGNORED),
            config=VARIANTS[variant][1](recipe),
            device=device,
        ),
    )
    assert isinstance(done, TrainDone)
    begun = time.perf_counter()
    way = _segment_membranes if task.are_membranes else _segment_objects
    scores, found = way(stack, done.model)
    record = done.model.record
    figures = {
        "scores": scores,
        "steps": record.steps,
        "best_step": record.best_step,
        "seconds": record.seconds,
        "finished": record.finished,
        "reduction": done.model.reduction,
        "prediction_seconds": time.perf_counter() - begun,
        "device": str(device),
    }
    return figures, found


def painted_planes(stack: MicroscopySet) -> npt.NDArray[np.int32]:
    """Return labels as if a person had painted all of each training plane."""
    labels = np.zeros(stack.truth.shape, dtype=np.int32)
    trained = list(stack.painted)
    # Of objects 0 is the background; then undecided, -1, becomes 0. Classes begin at 1 as they are.
    background = LabelScheme(stack.task, Unpainted.IGNORED).background or 0
    labels[trained] = stack.truth[trained] + background
    return labels


def _segment_objects(stack: MicroscopySet, model: Model) -> tuple[dict[str, float], Found]:
    usual = preset_of(model.network)
    events = segment(
        SegmentationPlan(model, usual.objects, tiling=usual.tiling),
        stack.planes,
        device=pick_device("cpu"),
        numbers=_shown(stack),
    )
    found = dict(whole_planes(events))
    return score(stack, [found[number] for number in stack.tested], stack.tested), found


def _segment_membranes(stack: MicroscopySet, model: Model) -> tuple[dict[str, float], Found]:
    """Score the probability of cells; what is found are the cells that the Rand error counts."""
    events = segment(
        SegmentationPlan.usual(
            model, tiling=TilingConfig(rotations=ROTATIONS), kind=OutputKind.PROBABILITIES
        ),
        stack.planes,
        device=pick_device("cpu"),
        numbers=_shown(stack),
    )
    cells = {plane: values[-1].astype(np.float32) for plane, values in whole_planes(events)}
    first = 1 if stack.task is Task.OBJECTS else 2  # label of cells
    sections = (Section(cells[n], stack.truth[n] >= first) for n in stack.tested)
    best = best_scores(scan_thresholds(sections))
    threshold = best["rand_error"].threshold
    found = {n: _components(values > threshold) for n, values in cells.items()}
    return {name: score.value for name, score in best.items()}, found


def _shown(stack: MicroscopySet) -> tuple[int, ...]:
    """Return the planes that are predicted: one that was trained on, for a picture, and others."""
    return (stack.painted[0], *stack.tested)


def _components(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    numbers: npt.NDArray[np.int32] = measure_regions.label(mask, connectivity=1).astype(np.int32)
    return numbers


def read_runs(output: Path) -> list[dict[str, Any]]:
    """Return the finished runs."""
    file = output / "runs.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def keep(output: Path, run: dict[str, Any], found: Found) -> None:
    """Write what a run found, then its line."""
    path = labels_of(output, run)
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(
        path,
        np.stack(list(found.values())).astype(np.uint16),
        photometric="minisblack",
        compression="zlib",
    )
    with (output / "runs.jsonl").open("a") as file:
        file.write(json.dumps(run) + "\n")


def labels_of(output: Path, run: dict[str, Any]) -> Path:
    """Return where the labels of a run are: the first training plane and the tested planes."""
    parts = (run["task"], run["variant"], f"{run['limit']:g}s", run["weights"], str(run["seed"]))
    return output / "labels" / f"{'_'.join(parts)}.tif"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=MAIN_TASKS)
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default=DEFAULT, help="bundled name or file")
    parser.add_argument("--output", type=Path, default=Path("results/paper_tasks"))
    wish = parser.parse_args()
    path = find_model(wish.model)
    bundled = load_model(path)
    for variant, name in product(wish.variants, wish.tasks):
        start = start_of(variant, bundled)
        key = {
            "task": name,
            "variant": variant,
            "limit": wish.seconds,
            "seed": wish.seed,
            "weights": name_of_weights(path) if isinstance(start, Model) else "random",
        }
        if any(key.items() <= run.items() for run in read_runs(wish.output)):
            continue
        figures, found = measure(
            TASKS[name](), variant, start, seconds=wish.seconds, seed=wish.seed
        )
        keep(wish.output, {**key, **figures}, found)
        print(json.dumps({**key, **figures}), flush=True)


if __name__ == "__main__":
    main()
