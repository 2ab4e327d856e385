"""Tables and pictures of the tasks of the U-Net paper.

    python -m benchmarks.paper_tables results/paper_tasks --document docs/results.md

The tables go between the two marks of the document, or to standard output; the pictures, of the
best and the worst tested plane of each task, into the folder ``images`` beside it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from benchmarks.documents import put_into
from benchmarks.paper_tasks import TASKS, VARIANTS, PaperTask, labels_of, painted_planes, read_runs
from benchmarks.pictures import draw_best_and_worst, show_best_and_worst
from benchmarks.stroke_budgets import score
from napari_unet.config import Task

_OBJECTS = {"seg": "SEG", "ap50": "AP at 0.5", "iou": "IoU"}
_MEMBRANES = {
    "rand_error": "Rand error",
    "splits_and_mergers": "warping error",
    "pixel_error": "pixel error",
    "v_rand": "V^Rand",
    "v_info": "V^Info",
}

_SMALL = 0.01

Run = dict[str, Any]


def render(runs: list[Run], document: Path | None = None) -> str:
    """Return the tables as Markdown, a section for each task, with the pictures beside it."""
    parts = []
    for name, make in TASKS.items():
        own = [run for run in runs if run["task"] == name]
        if own:
            parts.append(_section(make(), own))
            if document:
                pictures = _pictures(document, name)
                parts.append(show_best_and_worst(make().stack.title, pictures, document))
    return "\n\n".join(parts)


def _section(task: PaperTask, runs: list[Run]) -> str:
    scores = _MEMBRANES if task.are_membranes else _OBJECTS
    split = task.stack.split[0].upper() + task.stack.split[1:]
    lines = [
        f"### {task.stack.title}\n\n{split}. The paper: {task.paper}.\n",
        f"| | weights | limit, s | steps | {' | '.join(scores.values())} |",
        "|---" * (len(scores) + 4) + "|",
    ]
    for run in sorted(runs, key=lambda run: (list(VARIANTS).index(run["variant"]), run["limit"])):
        figures = " | ".join(_figure(run["scores"][key]) for key in scores)
        title = VARIANTS[run["variant"]][0]
        lines.append(
            f"| {title} | `{run['weights']}` | {run['limit']:g} | {run['steps']:,} | {figures} |"
        )
    return "\n".join(lines)


def _figure(value: float) -> str:
    """Return three decimals, or three digits of the small errors."""
    return f"{value:.3f}" if value >= _SMALL else f"{value:.3g}"


def _pictures(document: Path, name: str) -> Path:
    return document.parent / "images" / f"paper_{name}"


def draw(run: Run, output: Path, document: Path) -> list[Path]:
    """Draw the best and the worst tested plane of a run, each below one that was trained on."""
    stack = TASKS[run["task"]]().stack
    first, *tested = tifffile.imread(labels_of(output, run)).astype(np.int32)
    found = dict(zip(stack.tested, tested, strict=True))
    return draw_best_and_worst(
        stack,
        painted_planes(stack),
        {stack.painted[0]: first, **found},
        {number: score(stack, [labels], [number])["seg"] for number, labels in found.items()},
        caption=f"{run['seconds']:.0f} s of training on {run['device']}.  SEG",
        path=_pictures(document, run["task"]),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, help="folder of finished runs")
    parser.add_argument("--document", type=Path, help="write into it; default: print the tables")
    wish = parser.parse_args()
    runs = read_runs(wish.output)
    if wish.document is None:
        print(render(runs))
        return
    (wish.document.parent / "images").mkdir(exist_ok=True)
    for run in runs:  # the last of a task counts
        is_drawn = run["variant"] == "default" and TASKS[run["task"]]().stack.task is Task.OBJECTS
        if is_drawn and labels_of(wish.output, run).exists():
            draw(run, wish.output, wish.document)
    put_into(wish.document, "paper tasks", render(runs, wish.document))


if __name__ == "__main__":
    main()
