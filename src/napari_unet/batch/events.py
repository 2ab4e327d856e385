"""What is told while files are worked on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_unet.engine.counts import count
from napari_unet.io.batch_summary import CSV, FileOutcome, Status
from napari_unet.io.input_files import InputFile


@dataclass(frozen=True, slots=True)
class Note:
    """Something that people should know, in a sentence; the work goes on."""

    text: str


@dataclass(frozen=True, slots=True)
class Stopped(Note):
    """The work was stopped, and this is there; run again, it goes on."""


@dataclass(frozen=True, slots=True)
class PartsDone:
    """How far an image is that other processes segment."""

    done: int  # tiles
    total: int
    state: str


@dataclass(frozen=True, slots=True)
class FileSegmented:
    """The last event of one file: its result is there, whole or as far as the work went."""

    output: Path
    record: Path | None  # None: another file has its name
    figures: Mapping[str, Any]
    left: int  # planes that were asked for and are not done
    objects: int | None  # None: what is written has none
    seconds: float

    @property
    def planes(self) -> int:
        """How many are done."""
        return int(self.figures["planes"])


@dataclass(frozen=True, slots=True)
class TableWritten:
    """The last event of a measurement."""

    output: Path | None  # None: it went elsewhere
    figures: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FilesStarted:
    """The files were found."""

    files: int
    device: str


@dataclass(frozen=True, slots=True)
class FilesProgress:
    """How far all files are."""

    ended: int  # files
    files: int
    share: float  # of the whole work, 0 to 1
    worked: float  # share that this run itself has done: what is skipped takes no time
    state: str = ""  # of the file that was heard of last

    @property
    def of_work(self) -> float:
        """How far this run is with what it has to do itself, 0 to 1."""
        left = max(0.0, 1 - self.share)
        return self.worked / (self.worked + left) if self.worked else 0.0


@dataclass(frozen=True, slots=True)
class FileEnded:
    """One file is done, skipped, failed, or left since the work was stopped."""

    file: InputFile
    outcome: FileOutcome
    ended: int  # files so far, this one included
    files: int

    def __str__(self) -> str:
        return f"{self.ended}/{self.files} {self.outcome.input}: {_tell(self.outcome)}"


@dataclass(frozen=True, slots=True)
class FilesDone:
    """The last event: what became of all files."""

    folder: Path
    outcomes: tuple[FileOutcome, ...]

    def having(self, status: Status) -> list[FileOutcome]:
        """Return those of one kind."""
        return [outcome for outcome in self.outcomes if outcome.status is status]

    @property
    def figures(self) -> dict[str, Any]:
        """How many there are of each kind."""
        return {
            "output": str(self.folder),
            "summary": str(self.folder / CSV),
            "files": len(self.outcomes),
            **{status.value: len(self.having(status)) for status in Status},
            "planes": sum(outcome.planes or 0 for outcome in self.outcomes),
            "objects": sum(outcome.objects or 0 for outcome in self.outcomes),
        }


def _tell(outcome: FileOutcome) -> str:
    match outcome.status:
        case Status.FAILED:
            return f"failed. {outcome.message}"
        case Status.SKIPPED:
            return "done before, skipped"
        case Status.LEFT:
            return "not done to its end"
    objects = "" if outcome.objects is None else f", {count(outcome.objects, 'object')}"
    return f"{count(outcome.planes or 0, 'plane')}{objects}, {outcome.seconds:.1f} s"
