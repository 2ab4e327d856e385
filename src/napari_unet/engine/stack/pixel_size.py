"""How large pixels are, and by how much those of two images differ."""

from __future__ import annotations

PixelSize = tuple[float, float]
"""Height and width, µm."""

ALIKE = 1.5
"""Pixels whose sides differ by no more than this factor are taken to be equally large."""

_FARTHEST = 100.0  # factor: no two images of one kind differ by more, but wrong files do


def side(size: PixelSize) -> float:
    """Return the side of a square as large as such a pixel, µm; flipped axes are no smaller."""
    return float(abs(size[0] * size[1]) ** 0.5)


def pixels_in(wanted: PixelSize | None, own: PixelSize | None) -> float:
    """Return how many pixels in a row are as long as one of the wanted size.

    1 where either is unknown, they are `ALIKE`, or they differ beyond reason.

    Examples
    --------
    >>> pixels_in((0.5, 0.5), (0.25, 0.25)), pixels_in((0.5, 0.5), (0.4, 0.4))
    (2.0, 1.0)
    """
    if wanted is None or own is None or not side(wanted) or not side(own):
        return 1.0
    ratio = side(wanted) / side(own)
    larger = max(ratio, 1 / ratio)
    return ratio if ALIKE < larger <= _FARTHEST else 1.0
