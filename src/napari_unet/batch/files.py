"""Segment many files with one model into a folder; each is done once, and a few at a time."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Condition
from typing import NamedTuple

import torch

from napari_unet.batch.events import (
    FileEnded,
    FilesDone,
    FileSegmented,
    FilesProgress,
    FilesStarted,
    Note,
    Stopped,
)
from napari_unet.batch.measuring import measure_result
from napari_unet.batch.segmenter import Opened, Segmenter, check_segmentation
from napari_unet.batch.tally import Tally
from napari_unet.engine.errors import NO_MEMORY, FileError, UnetPaintError
from napari_unet.engine.events import (
    MemoryShort,
    SegmentEvent,
    SegmentStarted,
    Stop,
    TileDone,
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
from napari_unet.io.failures import cannot_write
from napari_unet.io.hashes import FileStamp, file_stamp, stack_hash
from napari_unet.io.input_files import InputFile
from napari_unet.io.provenance import Provenance, Source
from napari_unet.io.provenance_files import mend_beside, read_provenance

FilesEvent = FilesStarted | Note | FilesProgress | FileEnded | FilesDone

_MOST_AT_ONCE = 4  # files
_TOGETHER = 1 << 24  # pixels of the planes that are worked on at once
_WRITE_EVERY = 10.0  # seconds between two summaries while the work goes on


def segment_files(
    files: Sequence[InputFile],
    folder: Path,
    segmenter: Segmenter,
    stop: Stop = never,
    *,
    tables: bool = False,
) -> Iterator[FilesEvent]:
    """Segment each file that is not done yet; what is wrong with one stops none of the others.

    While the network computes one file, others are read, cut into objects and written.

    Parameters
    ----------
    files
        Images and their outputs below the folder, which is made if there is none.
    tables
        Whether the objects of each are measured, too, into "NAME.csv" beside its result.
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
    _make_folder(folder)
    check_summary(folder)
    before = objects_before(folder)
    outcomes = [FileOutcome(str(file), str(file.output)) for file in files]
    yield FilesStarted(len(files), str(segmenter.device))
    room = _Room(_TOGETHER)

    def work(index: int) -> Iterator[_Heard]:
        one = _OneFile(files[index], outcomes[index], segmenter, stop, tables, before, room)
        for told in one.events():
            yield _Heard(index, told)

    tally, summary = Tally(files), _Summary(folder, outcomes)
    try:
        with closing(events_of(work, range(len(files)), files_at_once())) as heard:
            for index, told in heard:
                if isinstance(told, FileOutcome):
                    outcomes[index] = told
                yield from _told(index, files[index], told, tally)
                yield from summary.write_if_old()
    finally:
        last = summary.write()
    yield from last
    yield FilesDone(folder, tuple(outcomes))


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
    index: int, file: InputFile, told: Note | _At | FileOutcome, tally: Tally
) -> Iterator[FilesEvent]:
    match told:
        case Note():
            yield told
        case _At(share, state):
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


class _Room:
    """Lets small planes be worked on together, and a large one alone.

    Parameters
    ----------
    pixels
        Of the planes that are worked on together.
    """

    def __init__(self, pixels: int) -> None:
        self._most = self._left = pixels
        self._changed = Condition()

    @contextmanager
    def taken(self, pixels: int) -> Iterator[None]:
        """Wait until there is room for a plane, and take it."""
        wanted = min(pixels, self._most)
        with self._changed:
            self._changed.wait_for(lambda: self._left >= wanted)
            self._left -= wanted
        try:
            yield
        finally:
            with self._changed:
                self._left += wanted
                self._changed.notify_all()


class _At(NamedTuple):
    """How far a file is."""

    share: float
    state: str


class _Heard(NamedTuple):
    """What is told of a file."""

    number: int
    told: Note | _At | FileOutcome


@dataclass(frozen=True, slots=True)
class _OneFile:
    """One of the files, on its way."""

    file: InputFile
    begun: FileOutcome
    segmenter: Segmenter
    stop: Stop
    tables: bool
    before: Mapping[str, int]  # objects of what was done before, by output
    room: _Room

    def events(self) -> Iterator[Note | _At | FileOutcome]:
        """Segment it unless it is done; the last event is what became of it."""
        outcome = self.begun
        try:
            if not self.stop():
                outcome = yield from self._segment()
        except UnetPaintError as error:
            outcome = replace(self.begun, status=Status.FAILED, message=str(error))
        except MemoryError:
            outcome = replace(self.begun, status=Status.FAILED, message=NO_MEMORY)
        yield outcome

    def _segment(self) -> Generator[Note | _At, None, FileOutcome]:
        output, segmenter = self.file.output, self.segmenter
        _make_folder(output.parent)
        check_segmentation(output, self.file.path)
        stamp = file_stamp(self.file.path)
        image = segmenter.open(self.file.path, self.file.position)
        with self.room.taken(math.prod(image.stack.layout().plane_shape)):
            made = _made_before(output)
            if made is not None and not segmenter.anew:
                changes = _changes(segmenter, image, output, made)
                if changes == "":
                    mend_beside(output)  # the run before may have been killed just then
                    yield from self._measure(output, only_missing=True)
                    planes, objects = len(made.planes), self.before.get(self.begun.output)
                    return replace(
                        self.begun, status=Status.SKIPPED, planes=planes, objects=objects
                    )
                if changes is not None:
                    yield Note(f"'{output}' is made anew, since {changes} changed.")
            if made is not None and made.corrected:
                raise FileError(
                    f"'{output}' was corrected by hand and would be lost; move it away, or choose "
                    "another folder."
                )
            return (yield from self._make(image, stamp))

    def _make(
        self, image: Opened, stamp: FileStamp | None
    ) -> Generator[Note | _At, None, FileOutcome]:
        def check() -> None:
            if file_stamp(image.path) != stamp:
                raise FileError(
                    f"'{image.path}' changed while it was segmented, so its result was not kept; "
                    "segment it again when it is whole."
                )

        backend = self.segmenter.backend
        events = self.segmenter.segment(
            image, self.file.output, self.stop, backend=backend, check=check
        )
        made = yield from _told_of_one(events)
        if made is None:
            return self.begun
        if not made.left:
            yield from self._measure(made.output)
        return replace(
            self.begun,
            status=Status.LEFT if made.left else Status.DONE,
            planes=made.planes,
            objects=made.objects,
            seconds=made.seconds,
        )

    def _measure(self, result: Path, *, only_missing: bool = False) -> Iterator[Note | _At]:
        table = self.file.output.with_suffix(".csv")
        if not self.tables or (only_missing and _is_of(table, result)):
            return
        own = self.segmenter.view
        view = replace(own, position=self.file.position or own.position)
        for event in measure_result(result, self.file.path, table, self.segmenter.selection, view):
            if isinstance(event, Note):
                yield event


def _is_of(table: Path, result: Path) -> bool:
    """Return whether a table is of a result as it is: not older, as one that was locked stays."""
    try:
        return table.stat().st_mtime_ns >= result.stat().st_mtime_ns
    except FileNotFoundError:
        return False


def _told_of_one(
    events: Iterator[Note | SegmentEvent | FileSegmented],
) -> Generator[Note | _At, None, FileSegmented | None]:
    """Tell what matters among others; return what was written, None: nothing."""
    planes = 0
    for event in events:
        match event:
            case Stopped():  # the summary says so
                pass
            case Note():
                yield event
            case MemoryShort():
                yield Note(f"{event}.")
            case SegmentStarted():
                planes = len(event.planes)
            case TileDone():
                yield _At(event.done / event.total, f"plane {event.plane}" if planes > 1 else "")
            case FileSegmented():
                return event
    return None


def _made_before(output: Path) -> Provenance | None:
    """Return what made the result that is there; None: there is none.

    Raises
    ------
    FileError
        If what is there is no result of this program.
    """
    if not output.exists():
        return None
    try:
        return read_provenance(output)
    except FileError as error:
        raise FileError(
            f"'{output}' is there already and no result of this program; move it away, or choose "
            "another folder or suffix."
        ) from error


def _changes(segmenter: Segmenter, image: Opened, output: Path, made: Provenance) -> str | None:
    """Return what is another one than when a result was made, with its verb; "": nothing.

    None: nothing either, but it was not made to its end. The image is read.
    """
    wanted = segmenter.wanted(image.stack, output)
    left = set(wanted.numbers).difference(made.planes)
    if set(made.planes).difference(wanted.numbers):
        return "the planes that are asked for have"
    source = Source.of(image.stack, image.path)
    is_same = {
        "the image has": (source.shape, source.axes, dict(source.spacing))
        == (made.image.shape, made.image.axes, dict(made.image.spacing))
        and stack_hash(wanted.planes, made.planes) == made.image.hash,
        "the model has": segmenter.used.hash == made.model.hash,
        "what is written has": wanted.kind is made.kind,
        "how it is predicted has": replace(wanted.tiling, tile=None)
        == replace(made.tiling, tile=None),  # the side of tiles changes nothing
        "how objects are cut has": not segmenter.is_numbered or wanted.objects == made.objects,
    }
    changed = next((words for words, same in is_same.items() if not same), "")
    return changed or (None if left else "")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
