"""How far a job is, in words."""

from __future__ import annotations

from dataclasses import dataclass

from napari_unet.engine.counts import duration

_SOON = 2.0  # seconds of work before a time left is told


@dataclass(frozen=True, slots=True)
class Progress:
    """One line, and how much is done."""

    text: str
    fraction: float | None = None  # 0 to 1; None: nobody knows


def time_left(seconds: float, fraction: float) -> str | None:
    """Return "12 s left" after `seconds` for `fraction` of the work; None: too early to tell."""
    if seconds < _SOON or fraction <= 0:
        return None
    return f"{duration(seconds * (1 - fraction) / fraction)} left"
