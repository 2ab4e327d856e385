"""Does a class that is painted ever vanish? Strokes on one section, classes, several seeds.

    python -m benchmarks.class_strokes
    python -m benchmarks.class_strokes --sets fibsem --strokes 20 --steps 100 600 --seeds 0 1

Each class gets the same number of short strokes on one plane; the bundled network trains for some
steps, and a random forest on multi-scale features (`benchmarks.forest`, the best of its settings)
learns from the same strokes. Prints the IoU of each class on the tested planes, in Markdown.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from benchmarks.annotator import paint_classes
from benchmarks.forest import grow_forests, segment_planes
from benchmarks.microscopy_sets import SETS
from benchmarks.scribbles import Scores, scores_after
from benchmarks.stroke_budgets import cached_set, score
from napari_unet.config import Task
from napari_unet.io.checkpoints import load_model
from napari_unet.io.library import DEFAULT, find_model

Labels = npt.NDArray[np.int32]


def paint(name: str, strokes: int, seed: int) -> Labels:
    """Paint one plane with strokes of each class."""
    chosen = cached_set(name)
    labels = np.zeros(chosen.truth.shape, dtype=np.int32)
    plane = chosen.painted[0]
    labels[plane] = paint_classes(chosen.truth[plane], per_class=strokes, seed=seed)
    return labels


def of_forest(name: str, labels: Labels, *, seed: int) -> Scores:
    """Grow the forests whole, and score the best of them."""
    chosen = cached_set(name)
    grown = grow_forests(chosen.planes, labels, chosen.task, seed=seed)
    found = segment_planes(grown.forests, chosen.planes, chosen.tested)
    scores = [score(chosen, planes, chosen.tested) for planes in found]
    return max(scores, key=lambda one: one["iou"])


def _row(name: str, title: str, results: Sequence[Scores]) -> str:
    classes = [key for key in results[0] if key.startswith("iou_")]
    seeds = [" / ".join(f"{one[key]:.2f}" for key in classes) for one in results]
    mean = np.mean([one["iou"] for one in results])
    return f"| {cached_set(name).title} | {title} | **{mean:.3f}** | {' | '.join(seeds)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sets = [name for name in SETS if name in {"isbi2012", "fibsem"}]
    parser.add_argument("--sets", nargs="+", choices=sets, default=sets)
    parser.add_argument("--strokes", nargs="+", type=int, default=[5, 20], help="of each class")
    parser.add_argument("--steps", nargs="+", type=int, default=[100])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--model", default=DEFAULT, help="bundled name or file")
    wish = parser.parse_args()
    start = load_model(find_model(wish.model))
    print(f"| set | | mean IoU | {' | '.join(f'seed {seed}' for seed in wish.seeds)} |")
    print("|---" * (3 + len(wish.seeds)) + "|")
    for name in wish.sets:
        assert cached_set(name).task is Task.CLASSES
        for strokes in wish.strokes:
            labels = [paint(name, strokes, seed) for seed in wish.seeds]
            painted = list(zip(wish.seeds, labels, strict=True))
            forests = [of_forest(name, one, seed=seed) for seed, one in painted]
            print(_row(name, f"{strokes} strokes, forest", forests), flush=True)
            for steps in wish.steps:
                networks = [
                    scores_after(name, one, start, steps=steps, seed=seed) for seed, one in painted
                ]
                print(_row(name, f"{strokes} strokes, {steps} steps", networks), flush=True)


if __name__ == "__main__":
    main()
