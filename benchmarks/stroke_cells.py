"""Finished cells of the benchmark of stroke budgets, in a folder.

Each is one line of ``cells.jsonl``, which is kept under version control, and one label image in
``labels``, which is not.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

METHODS = ("bundled", "scratch", "forest")


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the table."""

    set: str
    person: str  # who paints
    budget: int  # actions, or strokes of each class
    steps: int  # of training; 0: a forest, which grows to its full size
    method: str
    seed: int  # of the paint and of training
    model: str  # which bundled network, or which size from scratch; "" for the forest

    @property
    def name(self) -> str:
        """The name of its label image."""
        steps = f"{self.steps}steps" if self.steps else ""
        parts = (self.set, self.person, self.budget, steps, self.method, self.model, self.seed)
        return "_".join(str(part) for part in parts if part != "").replace("/", "-")


def read_cells(output: Path) -> dict[Cell, dict[str, Any]]:
    """Return the finished cells of a run; the later line counts."""
    file = output / "cells.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    records = [json.loads(line) for line in lines if line.endswith("}")]
    return {Cell(**record["cell"]): record for record in records}


def keep(output: Path, record: dict[str, Any], found: Sequence[npt.NDArray[np.int32]]) -> None:
    """Write a finished cell: its labels, then its line."""
    path = _labels_of(output, Cell(**record["cell"]))
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(
        path, np.stack(found).astype(np.uint16), photometric="minisblack", compression="zlib"
    )
    with (output / "cells.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def read_labels(output: Path, cell: Cell) -> list[npt.NDArray[np.int32]]:
    """Return what a finished cell made of the first painted and of the tested planes."""
    return list(tifffile.imread(_labels_of(output, cell)).astype(np.int32))


def has_labels(output: Path, cell: Cell) -> bool:
    """Return whether the label image of a finished cell is at hand."""
    return _labels_of(output, cell).exists()


def _labels_of(output: Path, cell: Cell) -> Path:
    return output / "labels" / f"{cell.name}.tif"
