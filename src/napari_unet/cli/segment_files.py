"""Segment many files with one model, a few at a time, into a folder."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_unet.batch.events import FileEnded, FilesDone, FilesProgress, FilesStarted, Note
from napari_unet.batch.files import FilesEvent, segment_files
from napari_unet.batch.measuring import check_measurable
from napari_unet.batch.segmenter import RESULT_SUFFIXES
from napari_unet.cli.console import Interruption, Update, progress_bar, say
from napari_unet.cli.segment import load_segmenter
from napari_unet.engine.counts import count, duration
from napari_unet.engine.errors import SettingsError
from napari_unet.io.batch_summary import Status
from napari_unet.io.input_files import each_position, find_inputs, is_pattern
from napari_unet.io.paths import is_folder
from napari_unet.io.read_zarr import is_zarr
from napari_unet.io.stack import AS_IT_IS, View

ALL = "all"
"""The position that means each image of a file of several."""


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
    view: View = AS_IT_IS,
    **wishes: Any,
) -> FilesDone:
    """Find the images, load the model, and segment as `batch.files.segment_files` does.

    Raises
    ------
    UnetPaintError
        If there is nothing to segment, or all of it would fail; nothing is written then.
    """
    if tables:
        check_measurable(wishes["kind"])
    files = find_inputs(images, folder, suffix)
    if view.position == ALL:
        files, view = each_position(files), replace(view, position=None)
    segmenter = load_segmenter(view=view, **wishes)
    others = wishes.get("others")
    return _tell(segment_files(files, folder, segmenter, stop, tables=tables, others=others))


def tell_failures(done: FilesDone) -> None:
    """Say each failure in a line."""
    failed = done.having(Status.FAILED)
    if failed:
        say(f"{count(len(failed), 'file')} of {len(done.outcomes)} failed:")
    for outcome in failed:
        say(f"  {outcome.input}: {outcome.message}")


def _tell(events: Iterator[FilesEvent]) -> FilesDone:
    """Show how far the files are."""
    began = time.monotonic()
    done = None
    with progress_bar("Segmenting") as update:
        for event in events:
            match event:
                case FilesStarted():
                    say(f"Segmenting {count(event.files, 'file')} on {event.device}")
                case Note():
                    say(f"Note: {event.text}")
                case FilesProgress():
                    _show(event, time.monotonic() - began, update)
                case FileEnded():
                    say(str(event))
                case FilesDone():
                    done = event
    assert done is not None  # it is the last
    if left := len(done.having(Status.LEFT)):
        say(f"{count(left, 'file')} left to do. To go on, run the same command again.")
    return done


def _show(progress: FilesProgress, seconds: float, update: Update) -> None:
    parts = [f"{progress.ended} of {count(progress.files, 'file')}", progress.state]
    if done := progress.of_work:
        parts.append(f"{duration(seconds * (1 - done) / done)} left")
    update(progress.share, ", ".join(filter(None, parts)))
