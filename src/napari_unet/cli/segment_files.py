"""Segment many files with one model, one after the other, into a folder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import typer

from napari_unet.cli.console import Interruption, Update, say
from napari_unet.cli.files_progress import progress_of
from napari_unet.cli.measure import check_measurable, measure_result
from napari_unet.cli.segment import RESULT_SUFFIXES, Segmenter, require_segmentation
from napari_unet.cli.usage import NO_MEMORY
from napari_unet.engine.counts import count
from napari_unet.engine.errors import FileError, SettingsError, UnetPaintError
from napari_unet.io.batch_summary import (
    CSV,
    FileOutcome,
    Status,
    check_summary,
    objects_before,
    write_summary,
)
from napari_unet.io.failures import cannot_write
from napari_unet.io.hashes import file_stamp, stack_hash
from napari_unet.io.input_files import InputFile, find_inputs, is_pattern
from napari_unet.io.paths import is_folder
from napari_unet.io.provenance import Provenance, Source
from napari_unet.io.provenance_files import has_record, path_beside, read_provenance
from napari_unet.io.read_zarr import is_zarr

_WRITE_EVERY = 10.0  # seconds between two summaries while the work goes on


@dataclass(frozen=True, slots=True)
class FilesDone:
    """What became of all files."""

    folder: Path
    outcomes: list[FileOutcome]

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

    def tell_failures(self) -> None:
        """Say each failure in a line."""
        failed = self.having(Status.FAILED)
        if failed:
            say(f"{count(len(failed), 'file')} of {len(self.outcomes)} failed:")
        for outcome in failed:
            say(f"  {outcome.input}: {outcome.message}")


def is_folder_wanted(images: Sequence[Path], output: Path) -> bool:
    """Return whether the output is a folder for results, not the file of one.

    Raises
    ------
    SettingsError
        If there are several images for one file.
    """
    several = len(images) > 1 or is_pattern(images[0])
    if output.suffix.lower() in RESULT_SUFFIXES and not _is_plain_folder(output):
        if several:
            raise SettingsError(
                f"Several images have several results, but '{output}' is one file; give --output "
                "the name of a folder."
            )
        return False
    return several or not output.suffix or is_folder(output)


def _is_plain_folder(path: Path) -> bool:
    return is_folder(path) and not is_zarr(path)


def segment_into_folder(
    images: Sequence[Path],
    folder: Path,
    stop: Interruption,
    *,
    suffix: str = "",
    tables: bool = False,
    **wishes: Any,
) -> FilesDone:
    """Find the images, load the model, and segment as `segment_files` does.

    Raises
    ------
    UnetPaintError
        If there is nothing to segment, or all of it would fail; nothing is written then.
    """
    if tables:
        check_measurable(wishes["kind"])
    files = find_inputs(images, folder, suffix)
    return segment_files(files, folder, Segmenter.of(**wishes), stop, tables=tables)


def segment_files(
    files: list[InputFile],
    folder: Path,
    segmenter: Segmenter,
    stop: Interruption,
    *,
    tables: bool = False,
) -> FilesDone:
    """Segment each file that is not done yet; what is wrong with one stops none of the others.

    Parameters
    ----------
    files
        Images and their outputs below the folder, which is made if there is none.
    tables
        Whether the objects of each are measured, too, into "NAME.csv" beside its result.

    Raises
    ------
    UnetPaintError
        If the folder cannot be written.
    """
    _make_folder(folder)
    check_summary(folder)
    before = objects_before(folder)
    outcomes = [FileOutcome(str(file.path), str(file.output)) for file in files]
    say(f"Segmenting {count(len(files), 'file')} on {segmenter.device}")
    written = time.monotonic()
    with progress_of(files) as progress:
        for index, file in enumerate(files):
            if stop():
                break
            one = _OneFile(file, segmenter, stop, tables, progress.of(index))
            outcome = outcomes[index] = one.outcome(outcomes[index], before)
            progress.finish(index, worked=outcome.status is not Status.SKIPPED)
            say(f"{index + 1}/{len(files)} {file.path}: {_tell(outcome)}")
            if time.monotonic() - written > _WRITE_EVERY:
                write_summary(folder, outcomes)
                written = time.monotonic()
    write_summary(folder, outcomes)
    done = FilesDone(folder, outcomes)
    if left := len(done.having(Status.LEFT)):
        say(f"{count(left, 'file')} left to do. To go on, run the same command again.")
    return done


@dataclass(frozen=True, slots=True)
class _OneFile:
    """One of the files, on its way."""

    file: InputFile
    segmenter: Segmenter
    stop: Interruption
    tables: bool
    update: Update

    def outcome(self, begun: FileOutcome, before: dict[str, int]) -> FileOutcome:
        """Segment it unless it is done, and return what became of it."""
        try:
            return self._segment(begun, before)
        except UnetPaintError as error:
            return replace(begun, status=Status.FAILED, message=str(error))
        except MemoryError:
            return replace(begun, status=Status.FAILED, message=NO_MEMORY)
        except typer.Exit:  # stopped before anything of it was done
            return begun

    def _segment(self, begun: FileOutcome, before: dict[str, int]) -> FileOutcome:
        image, output = self.file.path, self.file.output
        _make_folder(output.parent)
        require_segmentation(output, image)
        provenance = _made_before(output)
        if provenance is not None and not self.segmenter.anew:
            changes = _changes(self.segmenter, self.file, provenance)
            if changes == "":
                self._measure({"output": str(output)}, only_missing=True)
                planes, objects = len(provenance.planes), before.get(begun.output)
                return replace(begun, status=Status.SKIPPED, planes=planes, objects=objects)
            if changes is not None:
                say(f"Note: '{output}' is made anew, since {changes} changed.")
        if provenance is not None and provenance.corrected:
            raise FileError(
                f"'{output}' was corrected by hand and would be lost; move it away, or choose "
                "another folder."
            )
        figures = self._made(image, output)
        done = figures["empty_planes"] == 0 or figures["finished"] == "completed"
        if done:
            self._measure(figures)
        return replace(
            begun,
            status=Status.DONE if done else Status.LEFT,
            planes=figures["planes"],
            objects=figures.get("objects"),
            seconds=figures["seconds"],
        )

    def _made(self, image: Path, output: Path) -> dict[str, Any]:
        stamp = file_stamp(image)

        def check() -> None:
            if file_stamp(image) != stamp:
                raise FileError(
                    f"'{image}' changed while it was segmented, so its result was not kept; run "
                    "the same command again when it is whole."
                )

        return self.segmenter.segment(
            image,
            output,
            self.stop,
            update=self.update,
            backend=self.segmenter.backend,
            check=check,
        )

    def _measure(self, figures: dict[str, Any], *, only_missing: bool = False) -> None:
        table = self.file.output.with_suffix(".csv")
        if self.tables and not (only_missing and table.exists()):
            measure_result(figures, self.file.path, table, self.segmenter.selection)


def _made_before(output: Path) -> Provenance | None:
    """Return what made the result that is there; None: there is none.

    Raises
    ------
    FileError
        If what is there is no result of this program.
    """
    if not output.exists():
        return None
    beside = path_beside(output)
    try:
        return read_provenance(beside if has_record(output) else output)
    except FileError as error:
        raise FileError(
            f"'{output}' is there already and no result of this program; move it away, or choose "
            "another folder or --suffix."
        ) from error


def _changes(segmenter: Segmenter, file: InputFile, made: Provenance) -> str | None:
    """Return what is another one than when a result was made, with its verb; "": nothing.

    None: nothing either, but it was not made to its end. The image is read.
    """
    stack = segmenter.open(file.path)
    wanted = segmenter.wanted(stack, file.output)
    left = set(wanted.numbers).difference(made.planes)
    if set(made.planes).difference(wanted.numbers):
        return "the planes that are asked for have"
    source = Source.of(stack, file.path)
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


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
