"""Which program has made something on disk, and whether it still runs: told by a file's name."""

from __future__ import annotations

import os
import platform
import re
import zlib
from dataclasses import dataclass, field

import psutil  # type: ignore[import-untyped]  # napari brings it

MARK = r"[0-9a-f]{8}-\d{1,9}-\d{1,11}"
"""What a mark looks like."""

_SAME = 60  # seconds by which the start of a process may seem to move when the clock is set


def _host() -> str:
    return f"{zlib.crc32(platform.node().encode()):08x}"


@dataclass(frozen=True, slots=True)
class Process:
    """A running program; its number alone may be another's by now."""

    host: str = field(default_factory=_host)  # check sum of the computer's name
    number: int = field(default_factory=os.getpid)
    started: int = field(default_factory=lambda: int(psutil.Process().create_time()))

    @classmethod
    def of(cls, mark: str) -> Process:
        """Return the process that has made this mark."""
        host, number, started = mark.split("-")
        return cls(host, int(number), int(started))

    @property
    def mark(self) -> str:
        """What it is known by in the name of a file."""
        return f"{self.host}-{self.number}-{self.started}"

    def is_running(self) -> bool | None:
        """Return whether it still runs, None if it is another computer's."""
        if self.host != _host():
            return None
        try:
            found = psutil.Process(self.number)
            if found.status() == psutil.STATUS_ZOMBIE:  # nobody has asked how it ended
                return False
            return bool(abs(found.create_time() - self.started) < _SAME)
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:  # it is there, and another user's
            return True


def find_mark(pattern: str, name: str) -> Process | None:
    """Return the process whose mark is in a name, None if it does not match.

    Parameters
    ----------
    pattern
        Regular expression with the mark as its first group.
    """
    found = re.search(pattern, name)
    return None if found is None else Process.of(found[1])
