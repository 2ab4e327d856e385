"""A file to which records are added one after the other; a kill takes at most the one on its way.

Each record has a check sum, so that one that is not whole is not there.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from pathlib import Path
from typing import Any, NamedTuple

_MARK = b"UPr1"
_HEAD = struct.Struct("<4sIQI")  # mark, bytes of the description, bytes of the data, check sum


class Entry(NamedTuple):
    """A record: what it is, and where its data are in the file."""

    about: dict[str, Any]
    start: int  # bytes
    size: int


class RecordLog:
    """The records of one file; it need not be there yet.

    The file is open only while something is written or read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, about: dict[str, Any], data: bytes) -> Entry:
        """Add a record.

        Raises
        ------
        OSError
            If the disk is full; what is left of the record counts as nothing.
        """
        text = json.dumps(about).encode()
        head = _HEAD.pack(_MARK, len(text), len(data), zlib.crc32(data, zlib.crc32(text)))
        with self.path.open("ab") as file:
            start = file.tell() + len(head) + len(text)
            file.write(head + text + data)
        return Entry(about, start, len(data))

    def entries(self) -> list[Entry]:
        """Return the records that are whole, and cut off what a kill has left behind them.

        Raises
        ------
        OSError
            If the file is there and cannot be read.
        """
        if not self.path.exists():
            return []
        found: list[Entry] = []
        with self.path.open("r+b") as file:
            size = os.fstat(file.fileno()).st_size
            end = 0
            while (entry := _next(file, size)) is not None:
                found.append(entry)
                end = entry.start + entry.size
            if end < size:
                file.truncate(end)
        return found

    def read(self, entry: Entry) -> bytes:
        """Return the data of a record.

        Raises
        ------
        OSError
            If they cannot be read.
        """
        with self.path.open("rb") as file:
            file.seek(entry.start)
            return file.read(entry.size)

    def sync(self) -> None:
        """Wait until the disk has everything, for the case that the power fails."""
        with self.path.open("rb+") as file:
            os.fsync(file.fileno())


def _next(file: Any, size: int) -> Entry | None:
    """Return the record that begins here, None if there is no whole one."""
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    mark, text_size, data_size, check = _HEAD.unpack(head)
    start = file.tell() + text_size
    if mark != _MARK or start + data_size > size:
        return None
    text = file.read(text_size)
    if zlib.crc32(file.read(data_size), zlib.crc32(text)) != check:
        return None
    try:
        about = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return Entry(about, start, data_size) if isinstance(about, dict) else None
