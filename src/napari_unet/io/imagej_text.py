"""What ImageJ tells of the channels of an image: their names, colours and display ranges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np

from napari_unet.io.stack import Channel, hex_colour, limits_of

_COLOURED = ("composite", "color")  # modes that show the colours; "grayscale" does not


def imagej_channels(meta: Mapping[str, Any], count: int) -> tuple[Channel, ...]:
    """Return the channels of an image.

    Parameters
    ----------
    meta
        Of `tifffile.TiffFile.imagej_metadata`.
    count
        Number of channels.
    """
    names = _names(meta.get("Labels") or (), count)
    ranges = list(meta.get("Ranges") or ())
    if not ranges and count == 1:
        ranges = [meta.get("min"), meta.get("max")]
    limits = [limits_of(low, high) for low, high in zip(ranges[::2], ranges[1::2], strict=False)]
    luts = meta.get("LUTs") or () if meta.get("mode") in _COLOURED else ()
    colours = [_colour(lut) for lut in luts]
    found = zip_longest(range(count), names, colours[:count], limits[:count])
    return tuple(Channel(name or "", colour, shown) for _, name, colour, shown in found)


def _names(labels: Sequence[str], count: int) -> list[str]:
    """Return the labels of the first plane's channels, if all planes call them the same."""
    names = [str(label).strip() for label in labels[:count]]
    alike = all(str(label).strip() == names[i % count] for i, label in enumerate(labels))
    return names if count > 1 and alike and len(set(names)) == count else []


def _colour(lut: Any) -> str | None:
    """Return the brightest colour of a table (3, 256) that rises evenly from black."""
    table = np.asarray(lut, dtype=np.int64)
    if table.shape != (3, 256):
        return None
    even = np.rint(np.outer(table[:, -1], np.linspace(0, 1, 256)))
    return hex_colour(table[:, -1].tolist()) if np.abs(table - even).max() <= 2 else None
