"""What lies at a path, whatever the path: a name that is too long, a link to itself, a pipe."""

from __future__ import annotations

import stat
from pathlib import Path

from napari_unet.engine.errors import FileError
from napari_unet.io.failures import cannot_read


def is_file(path: Path) -> bool:
    """Return whether a plain file is there; False for a path that none can have."""
    return stat.S_ISREG(_mode(path))


def is_folder(path: Path) -> bool:
    """Return whether a folder is there; False for a path that none can have."""
    return stat.S_ISDIR(_mode(path))


def check_readable(path: Path) -> None:
    """Raise `FileError` unless a plain file or a folder is there; a pipe would keep us waiting."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        raise cannot_read(path, error) from error
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise FileError(f"'{path}' is neither a file nor a folder; choose the file of an image.")


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return 0
