"""Where the window keeps trainings that have not come to their end: found, and swept."""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from pathlib import Path

import platformdirs

DAYS_KEPT = 14
"""Days for which a training waits to be gone on with."""

_ENDING = ".unfinished"
_MOST = 5  # that wait; older ones go
_MOST_BYTES = 4 << 30  # in all
_DAY = 24 * 3600  # seconds


def new_place() -> Path:
    """Return the file in which a training that begins is kept; it is not there yet."""
    return _folder() / f"{time.strftime('%Y-%m-%d %H-%M-%S')} {secrets.token_hex(4)}{_ENDING}"


def find_places() -> list[Path]:
    """Return the files that are there, the newest first; what is too old or too much is removed."""
    now = time.time()
    found: list[tuple[float, int, Path]] = []
    with suppress(OSError):  # there is no folder yet
        for path in _folder().iterdir():
            with suppress(OSError):  # another window has just removed it
                status = path.stat()
                if path.suffix == _ENDING:
                    found.append((status.st_mtime, status.st_size, path))
                elif path.suffix == ".part" and now - status.st_mtime > _DAY:
                    path.unlink()  # of a program that was killed
    kept: list[Path] = []
    size = 0
    for saved, own, path in sorted(found, reverse=True):
        size += own
        if len(kept) < _MOST and size <= _MOST_BYTES and now - saved < DAYS_KEPT * _DAY:
            kept.append(path)
        else:
            remove_place(path)
    return kept


def remove_place(path: Path) -> None:
    """Remove a file, if it is there."""
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _folder() -> Path:
    return platformdirs.user_data_path("napari-unet-paint") / "trainings"
