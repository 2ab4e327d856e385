"""Tables and pictures of the benchmark of stroke budgets.

    python -m benchmarks.stroke_tables results/stroke_budgets --document docs/stroke_budgets.md

The tables go between the two marks of the document, or to standard output; the pictures, of the
best and the worst tested plane of each set, into the folder ``images`` beside it.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.documents import put_into
from benchmarks.microscopy_sets import SETS
from benchmarks.pictures import draw_best_and_worst, show_best_and_worst
from benchmarks.stroke_budgets import cached_set, paint_budget, score
from benchmarks.stroke_cells import METHODS, Cell, has_labels, read_cells, read_labels
from napari_unet.config import Task

__all__ = ["draw_set", "render", "summarise"]

_SCORES = {"iou": "IoU", "seg": "SEG", "ap50": "AP at 0.5", "map": "AP 0.5 to 0.95"}
_PEERS = METHODS[1:]

Scores = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Case:
    """The same paint and time for every method."""

    set: str
    budget: int
    seconds: float
    seed: int
    scores: Mapping[str, Scores]  # of each method
    share: float  # painted pixels


def gather(done: Mapping[Cell, dict[str, Any]], model: str) -> list[Case]:
    """Return the cases that every method has finished, in the order of the table."""
    found: dict[tuple[str, int, float, int], dict[str, Scores]] = {}
    shares: dict[tuple[str, int, float, int], float] = {}
    for cell, record in done.items():
        if cell.method != "bundled" or cell.model == model:
            case = (cell.set, cell.budget, cell.seconds, cell.seed)
            found.setdefault(case, {})[cell.method] = record["scores"]
            shares[case] = record["paint"]["share"]
    names = list(SETS)
    return [
        Case(*case, scores=scores, share=shares[case])
        for case, scores in sorted(found.items(), key=lambda one: (names.index(one[0][0]), *one[0]))
        if set(scores) == set(METHODS)
    ]


def render(cases: Sequence[Case], model: str, document: Path | None = None) -> str:
    """Return all tables as Markdown, with the pictures that lie beside the document."""
    parts = [f"Bundled network: `{model}`.", *(summarise(cases, peer) for peer in _PEERS)]
    for name in SETS:
        own = [case for case in cases if case.set == name]
        if own:
            title, split = cached_set(name).title, cached_set(name).split
            parts += [f"### {title}", f"{split[0].upper()}{split[1:]}.", _table(own)]
            if document:
                parts.append(show_best_and_worst(title, _pictures(document, name), document))
    return "\n\n".join(parts)


def summarise(cases: Sequence[Case], peer: str) -> str:
    """Return the mean lead of the bundled network over a peer, per score and time."""
    lines = [
        f"Lead over {'the random forest' if peer == 'forest' else 'the network from scratch'}:\n",
        "| score | seconds | cells | mean | smallest | at least as good |",
        "|---|---|---|---|---|---|",
    ]
    for key, title in _SCORES.items():
        for seconds in sorted({case.seconds for case in cases}):
            leads = [
                case.scores["bundled"][key] - case.scores[peer][key]
                for case in cases
                if case.seconds == seconds and key in case.scores["bundled"]
            ]
            if leads:
                wins = sum(lead >= 0 for lead in leads)
                lines.append(
                    f"| {title} | {seconds:g} | {len(leads)} | {statistics.mean(leads):+.3f} "
                    f"| {min(leads):+.3f} | {wins} of {len(leads)} |"
                )
    return "\n".join(lines)


def _table(cases: Sequence[Case]) -> str:
    """Return the cases of one set, a row each: bundled / scratch / forest for each score."""
    keys = [key for key in _SCORES if key in cases[0].scores["bundled"]]
    heads = [f"{_SCORES[key]}: {' / '.join(METHODS)}" for key in keys]
    lines = [
        " | ".join(["| actions | painted | seconds", *heads, "IoU: lead |"]),
        "|---" * (len(heads) + 4) + "|",
    ]
    for case in cases:
        scores = [" / ".join(f"{case.scores[m][key]:.3f}" for m in METHODS) for key in keys]
        lead = case.scores["bundled"]["iou"] - max(case.scores[peer]["iou"] for peer in _PEERS)
        lines.append(
            f"| {case.budget} | {case.share:.1%} | {case.seconds:g} | {' | '.join(scores)} "
            f"| {lead:+.3f} |"
        )
    return "\n".join(lines)


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
        paint_budget(cell.set, cell.budget, cell.seed).labels,
        {chosen.painted[0]: first, **found},
        {number: score(chosen, [labels], [number])[key] for number, labels in found.items()},
        caption=f"{cell.budget} actions, {cell.seconds:g} s of training.  {_SCORES[key]}",
        path=_pictures(document, cell.set),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, help="folder of finished cells")
    parser.add_argument("--document", type=Path, help="write into it; default: print the tables")
    parser.add_argument("--model", help="name and digest as in the cells; default: the last one")
    parser.add_argument("--budget", type=int, default=50, help="of the pictures")
    parser.add_argument("--seconds", type=float, default=60, help="of the pictures")
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
        is_wanted = (cell.model, cell.budget, cell.seconds) == (model, wish.budget, wish.seconds)
        if is_wanted and has_labels(wish.output, cell):
            draw_set(cell, wish.output, wish.document)
    put_into(wish.document, "tables", render(cases, model, wish.document))


if __name__ == "__main__":
    main()
