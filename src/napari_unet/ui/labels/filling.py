"""How napari fills an outline that people draw, in the version that is installed."""

from __future__ import annotations

from typing import NamedTuple

import napari

_FILLING_BRUSH = (0, 8)  # of napari: the first version with a brush that fills


class Filling(NamedTuple):
    """In one short line, and in full."""

    line: str
    more: str


def how_to_fill(version: str) -> Filling:
    """Return how a version of napari fills; either way is one undo step, and paint like any other.

    Examples
    --------
    >>> how_to_fill("0.6.6").line
    'Fill: 3 polygon · 4 bucket'
    """
    if tuple(int(part) for part in version.split(".")[:2]) < _FILLING_BRUSH:
        return Filling(
            "Fill: 3 polygon · 4 bucket",
            "Keys of napari. 3: click round an object, double-click to fill it. 4: click into an "
            "outline that you have drawn.",
        )
    return Filling(
        "Fill: right-click, go round · 3 polygon",
        "With the brush, right-click where an object begins, go round it without a button, and "
        "back at the start it is filled. Key 3: click round an object, double-click to fill it.",
    )


FILL = how_to_fill(napari.__version__)
"""That of this napari."""
