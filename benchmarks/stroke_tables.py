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

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.microscopy_sets import SETS, MicroscopySet
from benchmarks.stroke_budgets import cached_set, paint_budget, score
from benchmarks.stroke_cells import METHODS, Cell, has_labels, read_cells, read_labels
from napari_unet.cli.picture import Row, draw_overview
from napari_unet.config import Task

__all__ = ["draw_set", "render", "summarise"]

_MARKS = "<!-- tables: begin -->", "<!-- tables: end -->"
_SCORES = {"iou": "IoU", "seg": "SEG", "ap50": "AP at 0.5", "map": "AP 0.5 to 0.95"}
_PEERS = METHODS[1:]
_WINDOW = 256  # side of the part of a plane that is shown, pixels
_WIDTH = 1400  # of a picture, its pixels
_LARGEST = 150_000  # bytes of a picture
_QUALITIES = range(85, 20, -10)

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


def render(cases: Sequence[Case], model: str) -> str:
    """Return all tables as Markdown."""
    parts = [f"Bundled network: `{model}`.", *(summarise(cases, peer) for peer in _PEERS)]
    for name in SETS:
        own = [case for case in cases if case.set == name]
        if own:
            parts += [f"### {cached_set(name).title}", f"{cached_set(name).split}.", _table(own)]
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


def draw_set(cell: Cell, output: Path, folder: Path) -> list[Path]:
    """Draw the best and the worst tested plane of a cell, each below a painted one."""
    chosen = cached_set(cell.set)
    first, *tested = read_labels(output, cell)
    key = "iou" if chosen.task is Task.CLASSES else "seg"
    scores = [
        score(chosen, [found], [number])[key]
        for found, number in zip(tested, chosen.tested, strict=True)
    ]
    labels = paint_budget(cell.set, cell.budget, cell.seed).labels
    above = _row("painted", chosen, chosen.painted[0], first, labels)
    pictures = []
    for which, index in (("best", int(np.argmax(scores))), ("worst", int(np.argmin(scores)))):
        number = chosen.tested[index]
        pictures.append(
            _draw(
                folder / f"stroke_budgets_{cell.set}_{which}.jpg",
                f"{chosen.title}: the {which} tested plane",
                f"{cell.budget} actions, {cell.seconds:g} s of training.  "
                f"{_SCORES[key]} {scores[index]:.3f} on this plane.",
                [above, _row("not painted", chosen, number, tested[index], labels)],
                chosen.pixel_size,
            )
        )
    return pictures


def _row(
    title: str, chosen: MicroscopySet, number: int, found: npt.NDArray[Any], labels: Any
) -> Row:
    """Return the part of a plane where most is painted, or else is."""
    image = chosen.image[number]
    grey = image.mean(axis=0) if image.ndim == 3 else image
    area = labels[number] if labels[number].any() else chosen.truth[number]
    window = _busiest(area > 0)
    return Row(
        title,
        grey[window],
        labels[number][window],
        found[window],
        chosen.truth[number][window].clip(0),
        classes=chosen.task is Task.CLASSES,
    )


def _busiest(area: npt.NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the window that holds most of an area, on a grid of half its side."""
    corners = [
        (y, x)
        for y in range(0, max(1, area.shape[0] - _WINDOW + 1), _WINDOW // 2)
        for x in range(0, max(1, area.shape[1] - _WINDOW + 1), _WINDOW // 2)
    ]
    windows = [(slice(y, y + _WINDOW), slice(x, x + _WINDOW)) for y, x in corners]
    return max(windows, key=lambda window: int(area[window].sum()))


def _draw(
    path: Path, title: str, caption: str, rows: Sequence[Row], pixel_size: float | None
) -> Path:
    """Write a JPEG that is small enough for the documentation."""
    picture = draw_overview(path.with_suffix(".png"), title, caption, rows, pixel_size=pixel_size)
    with Image.open(picture) as drawn:
        height = round(drawn.height * _WIDTH / drawn.width)
        small = drawn.convert("RGB").resize((_WIDTH, height), Image.Resampling.LANCZOS)
    picture.unlink()
    for quality in _QUALITIES:
        small.save(path, quality=quality, optimize=True)
        if path.stat().st_size < _LARGEST:
            break
    return path


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
    tables = render(gather(done, model), model)
    if wish.document is None:
        print(tables)
        return
    before, _, rest = wish.document.read_text(encoding="utf-8").partition(_MARKS[0])
    after = rest.partition(_MARKS[1])[2]
    text = f"{before}{_MARKS[0]}\n\n{tables}\n\n{_MARKS[1]}{after}"
    wish.document.write_text(text, encoding="utf-8")
    folder = wish.document.parent / "images"
    folder.mkdir(exist_ok=True)
    for cell in done:
        is_wanted = (cell.model, cell.budget, cell.seconds) == (model, wish.budget, wish.seconds)
        if is_wanted and has_labels(wish.output, cell):
            draw_set(cell, wish.output, folder)


if __name__ == "__main__":
    main()
