"""Where segmentations are kept that have not come to their end: found, taken over, and swept."""

from __future__ import annotations

import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from napari_unet.engine.errors import FileError
from napari_unet.io.claims import claim, claimed, is_claimed
from napari_unet.io.kept_record import KeptRecord
from napari_unet.io.kept_segmentation import (
    AT_WORK,
    PLANES,
    RECORD,
    WHAT,
    Describe,
    KeptSegmentation,
    read_record,
)
from napari_unet.io.record_log import RecordLog

if TYPE_CHECKING:
    from napari_unet.engine.network import Model

DAYS_KEPT = 14
"""Days for which what was segmented waits to be gone on with."""

_NAME = re.compile(r"[\d-]+ [\d-]+ [0-9a-f]{8}")  # nobody else's folder is touched
_MOST = 20 << 30  # bytes that wait in all; older ones go
_DAY = 24 * 3600  # seconds


@dataclass(frozen=True, slots=True)
class KeptRun:
    """What is kept of a run that has ended before its work did."""

    folder: Path
    record: KeptRecord
    saved: float  # seconds since the epoch
    size: int  # bytes

    @property
    def finished(self) -> int:
        """Number of finished planes; of classes and probabilities, of those that were begun."""
        try:
            planes = len(RecordLog(self.folder / PLANES).entries())
        except OSError:
            return 0
        return planes or len(list(self.folder.glob("tiles-*")))

    def take(self) -> KeptSegmentation:
        """Take it over: it is this process's from now on.

        Raises
        ------
        FileError
            If it is no longer there, another process was quicker, or it cannot be read.
        """
        held = claim(self.folder, WHAT, quiet=AT_WORK)
        try:
            return KeptSegmentation(self.folder, held=held)
        except OSError as error:
            held.release()
            raise FileError(
                f"What was kept of the segmentation of '{self.record.name}' is there no longer; "
                "another window or command has gone on with it. Segment it anew."
            ) from error

    def remove(self) -> None:
        """Remove it: nobody wants it.

        Raises
        ------
        FileError
            If another process has gone on with it.
        """
        with claimed(self.folder, WHAT, quiet=AT_WORK):
            shutil.rmtree(self.folder, ignore_errors=True)


def new_kept(describe: Describe, model: Model | None = None) -> KeptSegmentation:
    """Return what keeps a run that begins; its folder is made after a few seconds."""
    return KeptSegmentation(_new_folder(), describe, model)


def find_kept() -> list[KeptRun]:
    """Return what ended programs have left, the newest first; what is too old or much is removed.

    What a program that still runs keeps is not among them.
    """
    found = sorted(_look_around(), key=lambda run: run.saved, reverse=True)
    oldest = time.time() - DAYS_KEPT * _DAY
    kept, size = [], 0
    for run in found:
        size += run.size
        if run.saved < oldest or size > _MOST:
            with suppress(FileError):  # another process wants it
                run.remove()
        else:
            kept.append(run)
    return kept


def _look_around() -> Iterator[KeptRun]:
    try:
        folders = [path for path in _folder().iterdir() if _NAME.fullmatch(path.name)]
    except OSError:  # there is none
        return
    for folder in folders:
        with suppress(OSError):  # gone meanwhile
            run = _look_into(folder)
            if run is not None:
                yield run


def _look_into(folder: Path) -> KeptRun | None:
    """Return what is in a folder, None if it is nobody's, or of a program that still runs."""
    try:
        record = read_record(folder)
    except (OSError, ArithmeticError, LookupError, RecursionError, TypeError, ValueError):
        # Its program has ended while the folder was made, or is of another version.
        days = DAYS_KEPT if (folder / RECORD).exists() else 1
        if time.time() - folder.stat().st_mtime > days * _DAY:
            shutil.rmtree(folder, ignore_errors=True)
        return None
    stats = [file.stat() for file in folder.iterdir()]
    saved = max(stat.st_mtime for stat in stats)
    if is_claimed(folder, quiet=AT_WORK):
        return None
    return KeptRun(folder, record, saved, sum(stat.st_size for stat in stats))


def _folder() -> Path:
    return platformdirs.user_data_path("napari-unet-paint") / "segmenting"


def _new_folder() -> Path:
    return _folder() / f"{time.strftime('%Y-%m-%d %H-%M-%S')} {secrets.token_hex(4)}"
