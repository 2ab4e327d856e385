"""What files call their axes: one letter for each, and the order in which they are read here."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from napari_unet.io.lazy import LazyArray

_KNOWN = "TZCYXSAPRHEQ"  # axes that OME names, and so can be written again
_SPARE = "ZTQPRAHEBDFGIJKLMNOUVW"  # names for axes that a file leaves unnamed, innermost first

_WORDS = {
    "T": ("t", "time", "timepoint", "frame"),
    "Z": ("z", "depth", "plane", "slice", "section"),
    "C": ("c", "ch", "channel", "wavelength"),
    "Y": ("y", "height", "row"),
    "X": ("x", "width", "col", "column"),
}
_LETTERS = {word: letter for letter, words in _WORDS.items() for word in words}
_KINDS = {"time": "T", "channel": "C"}  # types of OME-Zarr that leave no choice


def axis_letters(names: Sequence[str | None], kinds: Sequence[str | None] = ()) -> str:
    """Return a letter for each axis, as `name_axes` does; Y and X are there if they can be.

    Parameters
    ----------
    names
        What a file calls its axes: "z", "Depth", "channels", None.
    kinds
        The type of each where it is told: "space", "time", "channel".
    """
    letters = [_letter(name, kind) for name, kind in zip_longest(names, kinds)]
    if not {"Y", "X"} & set(letters):  # unnamed axes of space end in Y and X
        unnamed = [i for i, letter in enumerate(letters) if letter == "?"]
        for axis, i in zip("XY", reversed(unnamed), strict=False):
            letters[i] = axis
    return name_axes("".join(letters))


def name_axes(axes: str) -> str:
    """Give each unnamed axis a name: Z to the innermost, T to the next, then Q, P, ….

    Parameters
    ----------
    axes
        One letter per axis; "I" and "Q" (tifffile: image series, other) and any letter that
        OME does not know count as unnamed, and so does a letter that comes twice.
    """
    named: list[str] = []
    for axis in axes:
        known = axis in _KNOWN and axis != "Q" and axis not in named
        named.append(axis if known else "?")
    spare = (axis for axis in _SPARE if axis not in named)
    for i in range(len(named) - 1, -1, -1):
        if named[i] == "?":
            named[i] = next(spare)
    return "".join(named)


def in_reading_order(array: LazyArray, axes: str) -> tuple[LazyArray, str]:
    """Return the array with Y and X last, and S, the samples of a colour picture, after them.

    The other axes keep their order. Nothing is read.
    """
    tail = [axis for axis in "YXS" if axis in axes]
    if axes.endswith("".join(tail)):
        return array, axes
    for axis in tail:
        array = array.move_axis(axes.index(axis), len(axes) - 1)
        axes = axes.replace(axis, "") + axis
    return array, axes


def axis_letter(name: str) -> str:
    """Return the letter of an axis that is called so, in any of the usual words; "?" for others.

    Examples
    --------
    >>> axis_letter("time"), axis_letter("Channels"), axis_letter("p"), axis_letter("-3")
    ('T', 'C', 'P', '?')
    """
    return _letter(name, None)


def _letter(name: str | None, kind: str | None) -> str:
    """Return "?" for a name that says nothing."""
    word = (name or "").strip().lower()
    found = _LETTERS.get(word) or _LETTERS.get(word.removesuffix("s"))
    if kind in _KINDS:
        return _KINDS[kind]
    return found or (word.upper() if len(word) == 1 and word.upper() in _KNOWN else "?")
