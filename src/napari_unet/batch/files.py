"""Segment many files with one model into a folder; each is done once, and a few at a time."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Protocol

import torch

from napari_unet.batch.events import (
    FileEnded,
    FilesDone,
    FilesProgress,
    FilesStarted,
    Note,
)
from napari_unet.batch.one_file import At, Heard, OneFile, Room, make_folder
from napari_unet.batch.segmenter import Segmenter
from napari_unet.batch.tally import Tally
from napari_unet.engine.errors import FileError
from napari_unet.engine.events import (
    Stop,
    never,
)
from napari_unet.engine.stack import events_of
from napari_unet.io.batch_summary import (
    JSON,
    FileOutcome,
    Status,
    check_summary,
    objects_before,
    write_summary,
)
from napari_unet.io.input_files import InputFile

FilesEvent = FilesStarted | Note | FilesProgress | FileEnded | FilesDone

_MOST_AT_ONCE = 4  # files
_WRITE_EVERY = 10.0  # seconds between two summaries while the work goes on


def segment_files(
    files: Sequence[InputFile],
    folder: Path,
    segmenter: Segmenter,
    stop: Stop = never,
    *,
    tables: bool = False,
    others: FileWorkers | None = None,
) -> Iterator[FilesEvent]:
    """Segment each file that is not done yet; what is wrong with one stops none of the others.

    While the network computes one file, others are read, cut into objects and written.

    Parameters
    ----------
    files
        Images and their outputs below the folder, which is made if there is none.
    tables
        Whether the objects of each are measured, too, into "NAME.csv" beside its result.
    others
        The processes that do the work; None: this one.
    stop
        Asked after each tile; what is not done by then is left for another run.

    Yields
    ------
    FilesEvent
        `FilesStarted`; then, for each file, its `FileEnded`, with `Note` and `FilesProgress`
        between; `FilesDone` at last. The summary is written every ten seconds and in the end.

    Raises
    ------
    UnetPaintError
        If the folder cannot be written, or the device fails.
    """
    make_folder(folder)
    check_summary(folder)
    before = objects_before(folder)
    outcomes = [FileOutcome(str(file), str(file.output)) for file in files]
    device = str(segmenter.device) if others is None else others.name
    yield FilesStarted(len(files), device)
    room = Room()

    def work(index: int) -> Iterator[Heard]:
        one = OneFile(files[index], outcomes[index], segmenter, stop, tables, before, room)
        for told in one.events():
            yield Heard(index, told)

    tally, summary = Tally(files), _Summary(folder, outcomes)
    if others is None:
        hearing = events_of(work, range(len(files)), files_at_once())
    else:
        begun = list(zip(files, outcomes, strict=True))
        hearing = others.hear(begun, folder, segmenter, stop, tables=tables, before=before)
    try:
        with closing(hearing) as heard:
            for index, told in heard:
                if isinstance(told, FileOutcome):
                    outcomes[index] = told
                yield from _told(index, files[index], told, tally)
                yield from summary.write_if_old()
    finally:
        last = summary.write()
    yield from last
    yield FilesDone(folder, tuple(outcomes))


class FileWorkers(Protocol):
    """Other processes, which segment one file each."""

    @property
    def name(self) -> str:
        """What people call them."""
        ...

    def hear(
        self,
        files: Sequence[tuple[InputFile, FileOutcome]],
        folder: Path,
        segmenter: Segmenter,
        stop: Stop,
        *,
        tables: bool,
        before: Mapping[str, int],
    ) -> Generator[Heard, None, None]:
        """Yield what is told of files, each with what is known of it before."""
        ...


class _Summary:
    """The list of what became of the files; that it is open in Excel ends no work of a night.

    Parameters
    ----------
    folder
        Of the results.
    outcomes
        Those of all files, which change.
    """

    def __init__(self, folder: Path, outcomes: list[FileOutcome]) -> None:
        self._folder = folder
        self._outcomes = outcomes
        self._written = time.monotonic()
        self._told = ""

    def write_if_old(self) -> list[Note]:
        """Write it, unless it was just written."""
        return self.write() if time.monotonic() - self._written > _WRITE_EVERY else []

    def write(self) -> list[Note]:
        """Write it; return what is to be said if that cannot be done, once."""
        self._written = time.monotonic()
        try:
            write_summary(self._folder, self._outcomes)
        except FileError as error:
            if str(error) != self._told:
                self._told = str(error)
                return [Note(f"{error} All results are there, and the list is in '{JSON}'.")]
        return []


def _told(
    index: int, file: InputFile, told: Note | At | FileOutcome, tally: Tally
) -> Iterator[FilesEvent]:
    match told:
        case Note():
            yield told
        case At(share, state):
            yield tally.move(index, share, state)
        case FileOutcome(status=Status.LEFT):
            pass  # it has not ended
        case FileOutcome():
            progress = tally.end(index, worked=told.status is not Status.SKIPPED)
            yield FileEnded(file, told, progress.ended, progress.files)
            yield progress


def files_at_once() -> int:
    """Return how many files are under way together: one computes, the others wait for the disk."""
    return min(_MOST_AT_ONCE, max(2, torch.get_num_threads()))
