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
