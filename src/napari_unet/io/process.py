"""Which program has made something on disk, and whether it still runs."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, field

import psutil  # type: ignore[import-untyped]  # napari brings it

_SAME = 60  # seconds by which the start of a process may seem to move when the clock is set


@dataclass(frozen=True, slots=True)
class Process:
    """A running program; its number alone may be another's by now."""

    host: str = field(default_factory=platform.node)
    number: int = field(default_factory=os.getpid)
    started: float = field(default_factory=lambda: float(psutil.Process().create_time()))

    def is_running(self) -> bool | None:
        """Return whether it still runs, None if it is another computer's."""
        if self.host != platform.node():
            return None
        try:
            found = psutil.Process(self.number)
            if found.status() == psutil.STATUS_ZOMBIE:  # nobody has asked how it ended
                return False
            return bool(abs(found.create_time() - self.started) < _SAME)
        except psutil.NoSuchProcess:
            return False
