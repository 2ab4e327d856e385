"""Numbers and shapes in words, for all that people read."""

from __future__ import annotations

from collections.abc import Iterable

_IRREGULAR = {"axis": "axes"}


def count(number: int, thing: str) -> str:
    """Return "1 plane", "1,204 planes", "0 classes".

    The last word of `thing` is put into the plural, unless it is one of them.
    """
    return f"{number:,} {thing if number == 1 else _plural(thing)}"


def shape_text(shape: Iterable[int]) -> str:
    """Return "3×512×696" for (3, 512, 696)."""
    return "×".join(map(str, shape))


def _plural(thing: str) -> str:
    if thing in _IRREGULAR:
        return _IRREGULAR[thing]
    return thing + ("es" if thing.endswith(("s", "x", "ch", "sh")) else "s")


def duration(seconds: float) -> str:
    """Return a time as people tell it.

    Examples
    --------
    >>> duration(45), duration(185), duration(7800)
    ('45 s', '3 min 05 s', '2 h 10 min')
    """
    whole = round(seconds)
    if whole < 90:
        return f"{whole} s"
    if whole < 90 * 60:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
