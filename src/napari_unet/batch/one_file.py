"""One file of many: segmented unless it is done, and what became of it."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Condition
from typing import NamedTuple

from napari_unet.batch.events import FileSegmented, Note, PartsDone, Stopped
from napari_unet.batch.measuring import measure_result
from napari_unet.batch.segmenter import Opened, Segmenter, check_segmentation
from napari_unet.engine.errors import NO_MEMORY, FileError, UnetPaintError
from napari_unet.engine.events import MemoryShort, SegmentEvent, SegmentStarted, Stop, TileDone
from napari_unet.io.batch_summary import FileOutcome, Status
from napari_unet.io.failures import cannot_write
from napari_unet.io.hashes import FileStamp, file_stamp, stack_hash
from napari_unet.io.input_files import InputFile
from napari_unet.io.provenance import Provenance, Source
from napari_unet.io.provenance_files import mend_beside, read_provenance

_TOGETHER = 1 << 24  # pixels of the planes that are worked on at once


class Room:
    """Lets small planes be worked on together, and a large one alone.

    Parameters
    ----------
    pixels
        Of the planes that are worked on together.
    """

    def __init__(self, pixels: int = _TOGETHER) -> None:
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


class At(NamedTuple):
    """How far a file is."""

    share: float
    state: str


class Heard(NamedTuple):
    """What is told of a file."""

    number: int
    told: Note | At | FileOutcome


@dataclass(frozen=True, slots=True)
class OneFile:
    """One of the files, on its way."""

    file: InputFile
    begun: FileOutcome
    segmenter: Segmenter
    stop: Stop
    tables: bool
    before: Mapping[str, int]  # objects of what was done before, by output
    room: Room

    def events(self) -> Iterator[Note | At | FileOutcome]:
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

    def _segment(self) -> Generator[Note | At, None, FileOutcome]:
        output, segmenter = self.file.output, self.segmenter
        make_folder(output.parent)
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
    ) -> Generator[Note | At, None, FileOutcome]:
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

    def _measure(self, result: Path, *, only_missing: bool = False) -> Iterator[Note | At]:
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
    events: Iterator[Note | SegmentEvent | PartsDone | FileSegmented],
) -> Generator[Note | At, None, FileSegmented | None]:
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
                yield At(event.done / event.total, f"plane {event.plane}" if planes > 1 else "")
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
    wanted, plan = segmenter.wanted(image.stack, output), segmenter.plan
    left = set(wanted.numbers).difference(made.planes)
    if set(made.planes).difference(wanted.numbers):
        return "the planes that are asked for have"
    source = Source.of(image.stack, image.path)
    is_same = {
        "the image has": (source.shape, source.axes, dict(source.spacing))
        == (made.image.shape, made.image.axes, dict(made.image.spacing))
        and stack_hash(wanted.planes, made.planes) == made.image.hash,
        "the model has": segmenter.used.hash == made.model.hash,
        "what is written has": plan.kind is made.kind,
        "how it is predicted has": replace(plan.tiling, tile=None)
        == replace(made.tiling, tile=None),  # the side of tiles changes nothing
        "how objects are cut has": not plan.is_numbered or plan.objects == made.objects,
    }
    changed = next((words for words, same in is_same.items() if not same), "")
    return changed or (None if left else "")


def make_folder(folder: Path) -> None:
    """Make a folder for results, if there is none.

    Raises
    ------
    FileError
        If that cannot be done.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
