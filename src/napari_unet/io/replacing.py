"""Files appear whole or not at all: written under a temporary name, then renamed.

Every file and folder that is written for people goes this way. Of several processes that write one
place at once, each writes a file of its own, and what is there afterwards is whole and of one.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from napari_unet.engine.errors import FileError
from napari_unet.io.durable import swap, sync, sync_names
from napari_unet.io.failures import cannot_write, exists_already
from napari_unet.io.process import MARK, Process, find_mark

# What a name is followed by while it is written.
_LEFT = rf"\.({MARK})-[0-9a-f]{{8}}\.(part|old|narrow)$"
_SHOWN = 40  # letters of the name that a temporary one begins with
_DEAD = 14 * 24 * 3600  # seconds after which another computer's is taken to have ended
_TRIES = 20  # to take the place of a folder that other processes replace meanwhile


@contextmanager
def replacing(path: str | Path, *, overwrite: bool = True) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename what was written there when the block ends.

    If the block fails, is interrupted or closed, the temporary file or folder is removed and
    an existing `path` stays as it was. It has its name only once it is on the disk, so a power
    failure does no harm either. What killed processes have left in its folder is cleared up.

    Parameters
    ----------
    overwrite
        False: what has appeared under the name until the end stays, also if another process has
        just put it there. Of files only.

    Raises
    ------
    FileError
        If the folder does not exist or cannot be written to, or the disk is full; also when
        the block itself raises `OSError`, and when `path` exists and may not be overwritten.
    """
    given = Path(path)
    target = Path(os.path.realpath(given))  # a link stays a link
    temporary = _begin(given, target)
    try:
        yield temporary
        if overwrite:
            move_over(temporary, target)
        else:
            sync(temporary)
            move_beside(temporary, target)
    except FileExistsError as error:
        raise exists_already(given) from error
    except OSError as error:
        raise cannot_write(given, error) from error
    finally:
        _remove(temporary)


def check_writable(path: Path) -> None:
    """Learn now, not after an hour, whether a file or folder can be written under this name.

    Raises
    ------
    FileError
        As of `replacing`.
    """
    _begin(path, Path(os.path.realpath(path)))


def restore_replaced(path: Path) -> None:
    """Bring back what a killed process has put aside to replace it, and clear up what it left.

    Nothing is done while that process lives, nor for one of another computer.
    """
    place = path.absolute()
    with suppress(OSError, ValueError):  # a path that none can have
        begin = f".{place.name[:_SHOWN]}."
        left = [p for p in _left_in(place.parent) if p.name.startswith(begin)]
        for old in sorted(p for p in left if p.suffix == ".old"):
            if not os.path.lexists(place):
                old.rename(place)
        for leftover in left:
            _remove(leftover)


def put_in_place(source: Path, path: Path) -> Path:
    """Rename a whole file or folder, in place of what `path` is; a link stays a link.

    Raises
    ------
    FileError
        If it cannot be done; both are then as they were.
    """
    try:
        move_over(source, Path(os.path.realpath(path)))
    except OSError as error:
        raise cannot_write(path, error) from error
    return path


def move_over(source: Path, target: Path) -> None:
    """Rename a file or folder, in place of what has its new name.

    Raises
    ------
    OSError
        If it cannot be done; both are then as they were.
    """
    sync(source)
    if not source.is_dir():
        source.replace(target)
    elif target.is_dir() and swap(source, target):
        aside = _temporary(target)
        with suppress(OSError):
            source = source.rename(aside)  # a name that is known for what it is
        _remove(source)
    else:
        _move_folder(source, target)
    sync_names(target.parent)


def _move_folder(source: Path, target: Path) -> None:
    """Rename a folder; what has its new name steps aside.

    It comes back on failure or, if the process is killed between, with the next `restore_replaced`.
    """
    for _ in range(_TRIES):
        aside = _temporary(target).with_suffix(".old")
        with suppress(FileNotFoundError):
            target.rename(aside)
        try:
            source.rename(target)
        except OSError:
            if not os.path.lexists(target):
                if aside.exists():
                    aside.rename(target)
                raise
            _remove(aside)  # another process has just put its own there
        else:
            _remove(aside)
            return
    raise OSError(errno.EBUSY, "other processes replace it again and again")


def move_beside(source: Path, target: Path) -> None:
    """Rename a file; of several processes that want a name at once, one gets it.

    Raises
    ------
    FileExistsError
        If there is something of that name.
    OSError
        If it cannot be done.
    """
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # a disk without links, or no source
        source.lstat()
        target.touch(exist_ok=False)  # the name is ours
        source.replace(target)
    else:
        source.unlink()
    sync_names(target.parent)


def _begin(given: Path, target: Path) -> Path:
    """Return a temporary path beside the target, once it has proved to be one for writing."""
    _check_folder(given)
    restore_replaced(target)
    _sweep(target.parent)
    temporary = _temporary(target)
    try:
        with suppress(FileNotFoundError):
            target.lstat()
        temporary.touch(exist_ok=False)
        temporary.unlink()
    except OSError as error:
        raise cannot_write(given, error) from error
    return temporary


def _temporary(target: Path) -> Path:
    owner = f"{Process().mark}-{secrets.token_hex(4)}"
    return target.with_name(f".{target.name[:_SHOWN]}.{owner}.part")


def _sweep(folder: Path) -> None:
    """Remove what killed processes were about to write; what they have put aside stays."""
    with suppress(OSError):
        for left in _left_in(folder):
            if left.suffix != ".old":
                _remove(left)


def _left_in(folder: Path) -> list[Path]:
    """Return what processes that have ended were writing in a folder, or have put aside."""
    names = [entry.name for entry in os.scandir(folder) if entry.name.startswith(".")]
    return [folder / name for name in names if _is_left(folder / name)]


def _is_left(path: Path) -> bool:
    process = find_mark(_LEFT, path.name)
    if process is None:
        return False
    running = process.is_running()
    if running is None:
        return time.time() - path.lstat().st_mtime > _DEAD
    return not running


def _check_folder(path: Path) -> None:
    folder = path.absolute().parent
    if not folder.exists():
        raise FileError(
            f"The folder '{folder}' does not exist, so '{path.name}' cannot be written; create it "
            "or choose another one."
        )
    if not folder.is_dir():
        raise FileError(
            f"'{folder}' is a file, not a folder, so '{path.name}' cannot be written into it; "
            "choose a folder."
        )


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
