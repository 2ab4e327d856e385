"""The chain of a TIFF's directories ends, and its sizes are numbers: seen to before tifffile is.

tifffile follows a chain that leads in a circle for hours. A size that is stored as bytes, or as
several numbers, it gives as Python's bytes or tuple, and such a one times a large number is
gigabytes of copies.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from napari_unet.engine.errors import FileError

_SIZES = {
    256,
    257,
    277,
    278,
    322,
    323,
    32997,
    32998,
}  # width, length, samples, strips, tiles, depth
_WHOLE_NUMBERS = {3, 4, 8, 9, 13, 16, 17, 18}  # types of an entry
_NDPI = 65420  # tag of a slide scanner whose directories are linked by 64 bits
_MOST_ENTRIES = 4096  # of a directory, as tifffile allows


def check_directories(path: Path) -> None:
    """Raise `FileError` if the chain has no end, or a size is no number; no TIFF at all passes."""
    with path.open("rb") as file:
        for code, kind, count in _entries(file, path):
            if code in _SIZES and (kind not in _WHOLE_NUMBERS or count != 1):
                raise _damaged(path, f"its tag {code} is no number")


def _damaged(path: Path, reason: str) -> FileError:
    return FileError(
        f"'{path}' is a damaged TIFF ({reason}); copy or export it from its source once more."
    )


def _entries(file: IO[bytes], path: Path) -> Iterator[tuple[int, int, int]]:
    """Yield tag, type and count of the entries of all directories, until one is not whole."""
    head = file.read(16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8:
        return
    is_big = struct.unpack(f"{order}H", head[2:4])[0] == 43
    number, offset, entry, size = ("Q", "Q", "HHQ8x", 20) if is_big else ("H", "I", "HHI4x", 12)
    number, offset, entry = order + number, order + offset, order + entry
    at = 8 if is_big else 4
    file.seek(at)
    seen: set[int] = set()
    try:
        while True:
            (place,) = struct.unpack(offset, file.read(struct.calcsize(offset)))
            if not place:
                return
            if place in seen:
                raise _damaged(path, "its planes lead in a circle")
            seen.add(place)
            file.seek(place)
            (count,) = struct.unpack(number, file.read(struct.calcsize(number)))
            if count > _MOST_ENTRIES:
                return
            entries = file.read(count * size)
            for found in struct.iter_unpack(entry, entries[: len(entries) // size * size]):
                if found[0] == _NDPI and not is_big:
                    offset = f"{order}Q"
                yield found
    except (struct.error, OSError, ValueError, OverflowError):
        return
