"""How a file wants a channel to be called and shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from napari_unet.io.units import finite

BLACK = "#000000"
"""Colour of a channel whose low values are white and whose high values are black."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel as the file describes it; what it does not tell is empty.

    Parameters
    ----------
    name
        For example "DAPI".
    colour
        In which its brightest pixels are shown, "#rrggbb"; white, the usual, is not told.
    limits
        Grey values shown as black and as the full colour.
    """

    name: str = ""
    colour: str | None = None
    limits: tuple[float, float] | None = None


def fitting_channels(found: Iterable[Channel], count: int) -> tuple[Channel, ...]:
    """Return what a file tells of its channels; nothing, unless it tells of as many as it has."""
    channels = tuple(found)
    return channels if len(channels) == count and set(channels) != {Channel()} else ()


def hex_colour(samples: Sequence[int]) -> str | None:
    """Return red, green, blue (0 to 255) as "#rrggbb"; None for white, and for black."""
    text = "#" + "".join(f"{int(value):02x}" for value in samples)
    return None if text in ("#ffffff", BLACK) else text


def limits_of(low: Any, high: Any) -> tuple[float, float] | None:
    """Return the two grey values, None unless they are finite numbers in order."""
    darkest, brightest = finite(low), finite(high)
    if darkest is None or brightest is None or darkest >= brightest:
        return None
    return darkest, brightest
