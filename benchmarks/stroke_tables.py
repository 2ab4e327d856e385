"""Tables and pictures of the benchmark of stroke budgets.

    python -m benchmarks.stroke_tables results/stroke_budgets --document docs/stroke_budgets.md

The tables go between the two marks of the document, or to standard output; the pictures, of the
best and the worst tested plane of each set, into the folder ``images`` beside it.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.documents import put_into
from benchmarks.microscopy_sets import SETS
from benchmarks.pictures import draw_best_and_worst, show_best_and_worst
from benchmarks.stroke_budgets import PAINTER, cached_set, paint_of, score
from benchmarks.stroke_cells import METHODS, Cell, has_labels, read_cells, read_labels
from napari_unet.config import Task

_SCORES = {"iou": "IoU", "seg": "SEG", "ap50": "AP at 0.5", "map": "AP 0.5 to 0.95"}
_PEERS = METHODS[1:]
_TIE = 0.01  # a difference that says nothing

Scores = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Case:
    """The same paint for every method."""

    set: str
    person: str
    budget: int
    steps: int
    seed: int
    scores: Mapping[str, Scores]  # of each method that is finished
    share: float  # painted pixels

    def lead(self, peer: str, key: str) -> float | None:
        """Return by how much the bundled network is ahead of a peer, None if that is unknown."""
        ours, theirs = self.scores["bundled"].get(key), self.scores.get(peer, {}).get(key)
        return None if ours is None or theirs is None else ours - theirs


def gather(done: Mapping[Cell, dict[str, Any]], model: str) -> list[Case]:
    """Return the cases that the bundled network has finished, in the order of the table."""
    cases = []
    for cell, record in done.items():
        if cell.method != "bundled" or cell.model != model:
            continue
        scores = {
            other.method: found["scores"]
            for other, found in done.items()
            if replace(cell, steps=other.steps, method=other.method, model=other.model) == other
            and other.steps in (0, cell.steps)
            and (other.method != "bundled" or other == cell)
        }
        paint = (cell.set, cell.person, cell.budget)
        case = Case(*paint, cell.steps, cell.seed, scores, record["paint"]["share"])
        cases.append(case)
    names = list(SETS)

    def place(case: Case) -> tuple[Any, ...]:
        return names.index(case.set), case.person, case.budget, case.steps, case.seed

    return sorted(cases, key=place)


def render(cases: Sequence[Case], model: str, document: Path | None = None) -> str:
    """Return all tables as Markdown, with the pictures that lie beside the document."""
    parts = [f"Bundled network: `{model}`."]
    parts += [summarise(cases, peer) for peer in _measured(cases) if peer in _PEERS]
    for name in SETS:
        own = [case for case in cases if case.set == name]
        if own:
            title, split = cached_set(name).title, cached_set(name).split
            parts += [f"### {title}", f"{split[0].upper()}{split[1:]}.", _table(own)]
            if document:
                parts.append(show_best_and_worst(title, _pictures(document, name), document))
    return "\n\n".join(parts)


def summarise(cases: Sequence[Case], peer: str) -> str:
    """Return the lead of the bundled network over a peer, per person, score and steps."""
    lines = [
        f"Lead over {'the random forest' if peer == 'forest' else 'the network from scratch'}:\n",
        "| person | score | steps | cells | mean | smallest | ahead, or behind by 0.01 at most |",
        "|---|---|---|---|---|---|---|",
    ]
    kinds = sorted({(case.person, case.steps) for case in cases})
    for (key, title), (person, steps) in product(_SCORES.items(), kinds):
        alike = [case for case in cases if (case.person, case.steps) == (person, steps)]
        leads = [lead for case in alike if (lead := case.lead(peer, key)) is not None]
        if leads:
            enough = sum(lead >= -_TIE for lead in leads)
            lines.append(
                f"| {person} | {title} | {steps} | {len(leads)} | {statistics.mean(leads):+.3f} "
                f"| {min(leads):+.3f} | {enough} of {len(leads)} |"
            )
    return "\n".join(lines)


def _table(cases: Sequence[Case]) -> str:
    """Return the cases of one set, a row each: bundled / scratch / forest for each score."""
    keys = [key for key in _SCORES if key in cases[0].scores["bundled"]]
    methods = _measured(cases)
    heads = [f"{_SCORES[key]}: {' / '.join(methods)}" for key in keys]
    lines = [
        " | ".join(["| person | actions | painted | steps", *heads, "IoU: lead |"]),
        "|---" * (len(heads) + 5) + "|",
    ]
    for case in cases:
        scores = [
            " / ".join(_told(case.scores.get(m, {}).get(key)) for m in methods) for key in keys
        ]
        leads = [lead for peer in _PEERS if (lead := case.lead(peer, "iou")) is not None]
        least = f"{min(leads):+.3f}" if leads else ""
        lines.append(
            f"| {case.person} | {case.budget} | {case.share:.1%} | {case.steps} "
            f"| {' | '.join(scores)} | {least} |"
        )
    return "\n".join(lines)


def _measured(cases: Sequence[Case]) -> list[str]:
    """Return the methods that any of the cases has been measured with."""
    return [method for method in METHODS if any(method in case.scores for case in cases)]


def _told(score: float | None) -> str:
    return "–" if score is None else f"{score:.3f}"


def _pictures(document: Path, name: str) -> Path:
    return document.parent / "images" / f"stroke_budgets_{name}"


def draw_set(cell: Cell, output: Path, document: Path) -> list[Path]:
    """Draw the best and the worst tested plane of a cell, each below a painted one."""
    chosen = cached_set(cell.set)
    first, *tested = read_labels(output, cell)
    found = dict(zip(chosen.tested, tested, strict=True))
    key = "iou" if chosen.task is Task.CLASSES else "seg"
    return draw_best_and_worst(
        chosen,
        paint_of(cell).labels,
        {chosen.painted[0]: first, **found},
        {number: score(chosen, [labels], [number])[key] for number, labels in found.items()},
        caption=f"{cell.budget} actions, {cell.steps} steps of training.  {_SCORES[key]}",
        path=_pictures(document, cell.set),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, help="folder of finished cells")
    parser.add_argument("--document", type=Path, help="write into it; default: print the tables")
    parser.add_argument("--model", help="name and digest as in the cells; default: the last one")
    parser.add_argument("--budget", type=int, default=50, help="of the pictures")
    parser.add_argument("--steps", type=int, default=100, help="of the pictures")
    wish = parser.parse_args()
    done = read_cells(wish.output)
    models = [cell.model for cell in done if cell.method == "bundled"]
    if not models:
        parser.error(f"no cell of the bundled network is finished in {wish.output}")
    model = wish.model or models[-1]
    cases = gather(done, model)
    if wish.document is None:
        print(render(cases, model))
        return
    (wish.document.parent / "images").mkdir(exist_ok=True)
    for cell in done:
        paint = cell.model, cell.person, cell.budget, cell.steps
        is_wanted = paint == (model, PAINTER, wish.budget, wish.steps)
        if is_wanted and has_labels(wish.output, cell):
            draw_set(cell, wish.output, wish.document)
    put_into(wish.document, "tables", render(cases, model, wish.document))


if __name__ == "__main__":
    main()
