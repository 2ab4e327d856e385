"""Numbers of things in words, for all that people read."""

from __future__ import annotations

__all__ = ["count"]

_IRREGULAR = {"axis": "axes"}


def count(number: int, thing: str) -> str:
    """Return "1 plane", "1,204 planes", "0 classes".

    The last word of `thing` is put into the plural, unless it is one of them.
    """
    return f"{number:,} {thing if number == 1 else _plural(thing)}"


def _plural(thing: str) -> str:
    if thing in _IRREGULAR:
        return _IRREGULAR[thing]
    return thing + ("es" if thing.endswith(("s", "x", "ch", "sh")) else "s")
