"""Files appear whole or not at all: written under a temporary name, then renamed."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from napari_unet.engine.errors import FileError
from napari_unet.io.failures import cannot_write


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename what was written there when the block ends.

    If the block fails, is interrupted or closed, the temporary file or folder is removed and
    an existing `path` stays as it was.

    Raises
    ------
    FileError
        If the folder does not exist or cannot be written to, or the disk is full; also when
        the block itself raises `OSError`.
    """
    given = Path(path)
    target = Path(os.path.realpath(given))  # a link stays a link
    _check_folder(given)
    temporary = target.with_name(f".{target.name[:40]}.{secrets.token_hex(4)}.part")
    try:
        # Learn now, not after an hour, that nothing can be written, or not under this name.
        with suppress(FileNotFoundError):
            target.lstat()
        temporary.touch(exist_ok=False)
        temporary.unlink()
        yield temporary
        _rename(temporary, target)
    except OSError as error:
        raise cannot_write(given, error) from error
    finally:
        _remove(temporary)


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


def _rename(temporary: Path, target: Path) -> None:
    if not temporary.is_dir():
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())  # network disks tell only now that they are full
        temporary.replace(target)
        return
    # A folder replaces no folder in one step; the old one steps aside and comes back on failure.
    aside = temporary.with_suffix(".old")
    if target.exists():
        target.rename(aside)
    try:
        temporary.rename(target)
    except OSError:
        if aside.exists():
            aside.rename(target)
        raise
    _remove(aside)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
