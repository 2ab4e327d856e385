"""Who works on something that is kept: one window or command at a time, and none that has ended.

A claim is an empty file beside, with the mark of its process in its name. It counts as long as that
process runs, so that a crash leaves nothing locked, and it needs no locks of the file system, which
many a network disk does not have.
"""

from __future__ import annotations

import os
import random
import secrets
import time
import weakref
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from napari_unet.engine.errors import FileError
from napari_unet.io.failures import cannot_write
from napari_unet.io.process import MARK, Process, find_mark

_SHOWN = 40  # letters of the name that a claim begins with
_CLAIM = rf"\.({MARK})-[0-9a-f]{{8}}\.claim$"
_TRIES = 5  # where two come in the same moment


class Claim:
    """Something is this process's, until it is released, forgotten or the process ends."""

    def __init__(self, file: Path) -> None:
        self.release = weakref.finalize(self, _remove, file, os.getpid())
        """Let others have it; a second call does nothing."""


def claim(path: Path, what: str, *, quiet: float) -> Claim:
    """Make a file or folder this process's, whether it is there yet or not.

    Two that come within the same few milliseconds may both be refused; never do both get it.

    Parameters
    ----------
    path
        What is to be worked on; its folder exists.
    what
        What it is, in the sentence of a refusal.
    quiet
        Seconds without a change after which another computer's process is taken to have ended.

    Raises
    ------
    FileError
        If it is another's, or of this process elsewhere, or nothing can be written beside it.
    """
    own = path.with_name(f"{_begin(path)}.{Process().mark}-{secrets.token_hex(4)}.claim")
    others = _holders(path, quiet)
    for _ in range(_TRIES):
        if others:
            break
        try:
            own.touch(exist_ok=False)
        except OSError as error:
            raise cannot_write(own, error) from error
        held = Claim(own)
        if _holders(path, quiet) == [own]:
            return held
        held.release()  # another came in the same moment
        time.sleep(random.random() / 20)  # noqa: S311 no secret
        others = _holders(path, quiet)
    raise FileError(f"{what} is still going on in another window or command{_which(others)}.")


def is_claimed(path: Path, *, quiet: float) -> bool:
    """Return whether a process works on it; `quiet` as of `claim`."""
    return bool(_holders(path, quiet))


@contextmanager
def claimed(path: Path, what: str, *, quiet: float) -> Iterator[None]:
    """Make it this process's for as long as the block runs.

    Raises
    ------
    FileError
        As of `claim`.
    """
    held = claim(path, what, quiet=quiet)
    try:
        yield
    finally:
        held.release()


def _which(claims: list[Path]) -> str:
    """Return which one has made the first claim, and what to do, in words."""
    process = find_mark(_CLAIM, claims[0].name) if claims else None
    known = "" if process is None else f" (process {process.number})"
    return f"{known}; let it end there first"


def _holders(path: Path, quiet: float) -> list[Path]:
    """Return the claims that count, and remove those of processes that have ended."""
    found = []
    for name in _names(path.parent):
        process = find_mark(_CLAIM, name)
        if process is None:
            continue
        file, running = path.with_name(name), process.is_running()
        if running is False:
            with suppress(OSError):
                file.unlink(missing_ok=True)
        elif name.startswith(f"{_begin(path)}.") and (
            running or time.time() - max(_changed(file), _changed(path)) < quiet
        ):
            found.append(file)
    return found


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in os.scandir(folder) if entry.name.endswith(".claim")]
    except OSError:  # it has gone, and all claims with it
        return []


def _begin(path: Path) -> str:
    """Return how the names of its claims begin."""
    return f".{path.name[:_SHOWN]}.{zlib.crc32(os.fsencode(path.name)):08x}"


def _changed(path: Path) -> float:
    """Return when a file, or one in a folder, was changed last, seconds since the epoch."""
    try:
        files = [path, *(path.iterdir() if path.is_dir() else ())]
        return float(max(file.stat().st_mtime for file in files))
    except OSError:  # not there, or just now replaced
        return 0.0


def _remove(file: Path, owner: int) -> None:
    if os.getpid() == owner:  # not in a copy of the process
        with suppress(OSError):
            file.unlink(missing_ok=True)
