"""What became of many files: a list as JSON and as CSV in the folder of their results."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from napari_unet.engine.errors import without_controls
from napari_unet.io.replacing import replacing
from napari_unet.io.tables import Columns, check_unlocked, open_table_writer

JSON, CSV = "summary.json", "summary.csv"
"""Names of the two files."""

_LONGEST = 4096  # characters of a path or sentence
_COLUMNS = ("input", "output", "status", "planes", "objects", "seconds", "message")


class Status(StrEnum):
    """What became of a file."""

    DONE = "done"
    SKIPPED = "skipped"  # it was done before
    FAILED = "failed"
    LEFT = "left"  # not begun, or not done to its end


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of one file."""

    input: str
    output: str
    status: Status = Status.LEFT
    planes: int | None = None  # that are done; None: unknown
    objects: int | None = None  # None: unknown, or there are none to count
    seconds: float | None = None  # None: nothing was computed
    message: str = ""  # why it failed

    @property
    def as_line(self) -> dict[str, object]:
        """Its figures, texts as one line each."""
        told = asdict(self)
        for name in ("input", "output", "message"):
            told[name] = without_controls(" ".join(told[name].split("\n")), _LONGEST)
        return told


def check_summary(folder: Path) -> None:
    """Learn now whether the summary can be written: Excel locks files on Windows.

    Raises
    ------
    FileError
        If it cannot.
    """
    for name in (JSON, CSV):
        check_unlocked(folder / name)


def write_summary(folder: Path, outcomes: Sequence[FileOutcome]) -> None:
    """Write both files; each is replaced in one step.

    Raises
    ------
    FileError
        If one cannot be written.
    """
    lines = [outcome.as_line for outcome in outcomes]
    with replacing(folder / JSON) as temporary:
        temporary.write_text(f"{json.dumps({'files': lines}, indent=1)}\n", "ascii")
    with open_table_writer(folder / CSV, _COLUMNS) as write:
        write(_columns(lines))


def objects_before(folder: Path) -> dict[str, int]:
    """Return the objects of each output, as an earlier summary counted them; damaged: none."""
    try:
        files = json.loads((folder / JSON).read_text("ascii"))["files"]
        return {
            file["output"]: int(file["objects"]) for file in files if file["objects"] is not None
        }
    except (OSError, LookupError, TypeError, ValueError, RecursionError):
        return {}


def _columns(lines: Sequence[dict[str, object]]) -> Columns:
    return {
        name: np.array([_empty(name, line[name]) for line in lines], dtype=_dtype(name))
        for name in _COLUMNS
    }


def _dtype(name: str) -> type:
    return float if name in ("planes", "objects", "seconds") else object


def _empty(name: str, value: object) -> object:
    return math.nan if value is None and _dtype(name) is float else value
