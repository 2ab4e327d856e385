"""How large does the bundled network take objects to be that are only scribbled in?

    python -m benchmarks.object_sizes

On the first painted plane of each set of objects, with the paint of the *scribbler* of
`benchmarks.scribbles`, before any training. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse

import numpy as np

from benchmarks.microscopy_sets import SETS
from benchmarks.scribbles import scribbler
from benchmarks.stroke_budgets import cached_set
from napari_unet.config import Task, Unpainted
from napari_unet.engine.network import pick_device
from napari_unet.engine.paint import LabelScheme, TrainingSet
from napari_unet.engine.stack import ArrayPlanes
from napari_unet.engine.training import estimate_size
from napari_unet.io.checkpoints import load_model
from napari_unet.io.library import DEFAULT, find_model

_SMALLEST = 30  # pixels of a true object


def true_diameter(name: str) -> float:
    """Return that of a circle of the median object's area, on the plane that is painted."""
    chosen = cached_set(name)
    areas = np.bincount(np.maximum(chosen.truth[chosen.painted[0]], 0).ravel())[1:]
    return float(2 * np.sqrt(np.median(areas[areas >= _SMALLEST]) / np.pi))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    objects = [name for name in SETS if name not in ("isbi2012", "fibsem")]
    parser.add_argument("--model", default=DEFAULT, help="bundled name or file")
    parser.add_argument("--sets", nargs="+", choices=objects, default=objects)
    parser.add_argument("--seed", type=int, default=0)
    wish = parser.parse_args()
    model, scheme = load_model(find_model(wish.model)), LabelScheme(Task.OBJECTS, Unpainted.IGNORED)
    print("| set | true diameter, px | estimated | image reduced by |\n|---|---|---|---|")
    for name in wish.sets:
        labels = ArrayPlanes(scribbler(name, wish.seed))
        pairs = TrainingSet.of((cached_set(name).planes, labels))
        found = estimate_size(model, pairs, scheme, pick_device("cpu"), known=None)
        shown = "–" if found.diameter is None else f"{found.diameter:.0f}"
        title = cached_set(name).title
        print(f"| {title} | {true_diameter(name):.0f} | {shown} | {found.reduction} |", flush=True)


if __name__ == "__main__":
    main()
