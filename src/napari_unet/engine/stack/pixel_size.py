"""How large pixels are, and by how much those of two images differ."""

from __future__ import annotations

PixelSize = tuple[float, float]
"""Height and width, µm."""

ALIKE = 1.5
"""Pixels whose sides differ by no more than this factor are taken to be equally large."""


def side(size: PixelSize) -> float:
    """Return the side of a square as large as such a pixel, µm."""
    return float((size[0] * size[1]) ** 0.5)


def pixels_in(wanted: PixelSize | None, own: PixelSize | None) -> float:
    """Return how many pixels in a row are as long as one of the wanted size.

    1 where either is unknown, or they are `ALIKE`.

    Examples
    --------
    >>> pixels_in((0.5, 0.5), (0.25, 0.25)), pixels_in((0.5, 0.5), (0.4, 0.4))
    (2.0, 1.0)
    """
    if wanted is None or own is None:
        return 1.0
    ratio = side(wanted) / side(own)
    return 1.0 if 1 / ALIKE <= ratio <= ALIKE else ratio
