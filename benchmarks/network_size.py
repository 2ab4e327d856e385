"""Quality against cost of pretrained networks of several sizes.

    python -m benchmarks.network_size light large --steps 100 --seeds 0 1

For each network, in one run: seconds per training step and Mpx/s of prediction, measured in turns
(medians of the repeats), and the mean scores on the tested planes of real microscopy after the
same strokes and as many steps, for each budget. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch

from benchmarks.microscopy_sets import SETS
from benchmarks.stroke_budgets import PAINTER, SCRIBBLER, cached_set, run_network, train_steps
from benchmarks.stroke_cells import Cell
from napari_unet.config import OutputKind
from napari_unet.engine.network import Model, margin, pick_device
from napari_unet.engine.prediction import SegmentationPlan, segment
from napari_unet.engine.stack import ArrayPlanes
from napari_unet.io.checkpoints import load_model
from napari_unet.io.library import find_model

_TIMED_SET = "bbbc039"
_TIMED_STEPS = 20
_TIMED_PLANE = 1024, 1024  # pixels
_PAINTS = (SCRIBBLER, 5), (PAINTER, 20), (PAINTER, 50)


@dataclass(frozen=True, slots=True)
class Quality:
    """Means over the sets."""

    iou: float
    seg: float
    ap50: float


def step_seconds(model: Model) -> float:
    """Return the seconds of one training step, without the first answer."""

    def spend(steps: int) -> float:
        begun = time.perf_counter()
        train_steps(_TIMED_SET, model, steps, budget=20)
        return time.perf_counter() - begun

    return (spend(1 + _TIMED_STEPS) - spend(1)) / _TIMED_STEPS


def prediction_speed(model: Model) -> float:
    """Return Mpx/s of a plane whose pixels are not reduced."""
    noise = np.random.default_rng(0).random((1, *_TIMED_PLANE), dtype=np.float32)
    begun = time.perf_counter()
    for _ in segment(
        SegmentationPlan.usual(model, kind=OutputKind.PROBABILITIES),
        ArrayPlanes(noise),
        device=pick_device("cpu"),
    ):
        pass
    return noise.size / 1e6 / (time.perf_counter() - begun)


def quality(
    model: Model, wish: argparse.Namespace, steps: int, person: str, budget: int
) -> Quality:
    """Train on strokes and score, on every set with every seed."""
    runs = [
        run_network(Cell(name, person, budget, steps, "bundled", seed, ""), model)[0]["scores"]
        for name in wish.sets
        for seed in wish.seeds
    ]
    means = {
        key: statistics.fmean(scores[key] for scores in runs if key in scores)
        for key in ("iou", "seg", "ap50")
    }
    return Quality(**means)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", help="bundled names or files")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--steps", nargs="+", type=int, default=[100])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--repeats", type=int, default=3)
    wish = parser.parse_args()
    models = {Path(name).stem: load_model(find_model(name)) for name in wish.models}
    rounds = [
        {name: (step_seconds(model), prediction_speed(model)) for name, model in models.items()}
        for _ in range(wish.repeats)
    ]
    print(
        f"{torch.get_num_threads()} threads; IoU / SEG / AP at 0.5; means over "
        f"{', '.join(cached_set(name).title for name in wish.sets)}\n"
    )
    kinds = list(product(wish.steps, _PAINTS))
    times = [f"{person}, {budget}, {steps} steps" for steps, (person, budget) in kinds]
    heads = ["network", "channels", "levels", "margin, px", "pretrained, steps", "s per step"]
    print("| " + " | ".join([*heads, "Mpx/s", *times]) + " |")
    print("|---" * (len(heads) + 1 + len(times)) + "|")
    for name, model in models.items():
        step, speed = (statistics.median(r[name][index] for r in rounds) for index in (0, 1))
        network = model.network
        cells = [
            f"| {name} | {network.base_channels} | {network.levels} | {margin(network.levels)} "
            f"| {model.record.steps} | {step:.3f} | {speed:.2f}"
        ]
        for steps, (person, budget) in kinds:
            found = quality(model, wish, steps, person, budget)
            cells.append(f"{found.iou:.3f} / {found.seg:.3f} / {found.ap50:.3f}")
        print(" | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
