"""How far a job is, in words, and how long it has worked."""

from __future__ import annotations

import time
from dataclasses import dataclass

from napari_unet.engine.counts import duration

_SOON = 2.0  # seconds of work before a time left is told


@dataclass(frozen=True, slots=True)
class Progress:
    """One line, and how much is done."""

    text: str
    fraction: float | None = None  # 0 to 1; None: nobody knows


class Stopwatch:
    """Tells for how long there was work, without the pauses."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._paused_at: float | None = None

    @property
    def seconds(self) -> float:
        """Time worked."""
        return (self._paused_at or time.monotonic()) - self._began

    def pause(self) -> None:
        """Stop the clock."""
        if self._paused_at is None:
            self._paused_at = time.monotonic()

    def resume(self) -> None:
        """Let the clock go on."""
        if self._paused_at is not None:
            self._began += time.monotonic() - self._paused_at
            self._paused_at = None


def time_left(seconds: float, fraction: float) -> str | None:
    """Return "12 s left" after `seconds` for `fraction` of the work; None: too early to tell."""
    if seconds < _SOON or fraction <= 0:
        return None
    return f"{duration(seconds * (1 - fraction) / fraction)} left"
