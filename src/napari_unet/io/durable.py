"""What the standard library lacks for files that outlive a power failure, and for folders.

Written data are on the disk only after `fsync`, of a file and of the folder that names it; and one
folder takes the place of another in one step only where the system can let two paths swap.
"""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress
from pathlib import Path

_HERE = -100  # AT_FDCWD: a path is meant from the working folder
_SWAP = 2  # RENAME_EXCHANGE, RENAME_SWAP


def sync(path: Path) -> None:
    """Wait until a file, or a folder with everything in it, is on the disk.

    Raises
    ------
    OSError
        If it is not: network disks tell only now that they are full.
    """
    if not path.is_dir():
        with path.open("rb+") as opened:
            os.fsync(opened.fileno())
        return
    for folder, _, names in os.walk(path):
        for name in names:
            sync(Path(folder, name))
        sync_names(Path(folder))


def sync_names(folder: Path) -> None:
    """Wait until the disk knows what is in a folder, where a system can."""
    if sys.platform == "win32":  # it opens no folders, and writes renamed names by itself
        return
    with suppress(OSError):  # a file system that has no such call
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def swap(one: Path, other: Path) -> bool:
    """Let two paths be each what the other was, in one step; False: it cannot be done here."""
    try:
        system = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "darwin":
            status = system.renamex_np(os.fsencode(one), os.fsencode(other), _SWAP)
        else:
            names = os.fsencode(one), os.fsencode(other)
            status = system.renameat2(_HERE, names[0], _HERE, names[1], _SWAP)
    except (AttributeError, OSError, TypeError):  # a system without it
        return False
    return bool(status == 0)
