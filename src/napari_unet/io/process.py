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
            started = psutil.Process(self.number).create_time()
        except psutil.NoSuchProcess:
            return False
        return bool(abs(started - self.started) < _SAME)
