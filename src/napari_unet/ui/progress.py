"""How far a job is, in words."""

from __future__ import annotations

from dataclasses import dataclass

_SOON = 2.0  # seconds of work before a time left is told


@dataclass(frozen=True, slots=True)
class Progress:
    """One line, and how much is done."""

    text: str
    fraction: float | None = None  # 0 to 1; None: nobody knows


def duration(seconds: float) -> str:
    """Return "45 s", "3 min 05 s", "2 h 10 min"."""
    whole = round(seconds)
    if whole < 90:
        return f"{whole} s"
    if whole < 90 * 60:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def time_left(seconds: float, fraction: float) -> str | None:
    """Return "12 s left" after `seconds` for `fraction` of the work; None: too early to tell."""
    if seconds < _SOON or fraction <= 0:
        return None
    return f"{duration(seconds * (1 - fraction) / fraction)} left"
