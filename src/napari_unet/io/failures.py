"""What the operating system complains about, said so that a person can mend it."""

from __future__ import annotations

import errno
from pathlib import Path

from napari_unet.engine.errors import FileError, printable, reason_of

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NAMES = {errno.ENAMETOOLONG, errno.ELOOP}  # a name that is too long, a link to itself
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


class FileWarning(UserWarning):
    """Something in a file is not as it should be, but it can be read."""

    def __init__(self, sentence: str) -> None:
        super().__init__(printable(sentence))


def cannot_read(path: Path, error: BaseException) -> FileError:
    """Return the error for a file or folder that cannot be read."""
    if isinstance(error, FileNotFoundError):
        return FileError(f"'{path}' does not exist; check the path.")
    if isinstance(error, PermissionError):
        return FileError(f"'{path}' may not be read; ask its owner for permission, or copy it.")
    if isinstance(error, MemoryError):
        return FileError(
            f"'{path}' needs more memory than there is ({reason_of(error)}); save a part of it."
        )
    if isinstance(error, OSError) and error.errno in _NAMES:
        return FileError(f"'{path}' cannot be read ({error.strerror}); check the path.")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else error
    return FileError(
        f"'{path}' cannot be read ({reason_of(reason)}); copy it from its source once more."
    )


def cannot_write(path: Path, error: OSError) -> FileError:
    """Return the error for a file that cannot be written."""
    if error.errno in _FULL:
        return FileError(
            f"The disk is full: '{path}' could not be written whole and was left as it was "
            "before; free some space or choose another folder."
        )
    if error.errno in _FORBIDDEN:
        return FileError(
            f"The folder '{path.parent}' is read-only, or '{path.name}' is open in another "
            "program; choose another folder or close the file there."
        )
    reason = error.strerror or str(error)
    return FileError(f"'{path}' cannot be written ({reason}); choose another folder or name.")


def exists_already(path: Path) -> FileError:
    """Return the error for a name that is taken."""
    return FileError(f"'{path}' exists already; choose another name or remove it first.")
