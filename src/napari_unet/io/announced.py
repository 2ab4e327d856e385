"""What a file announces of its size, held against what an image can have, before it is read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from napari_unet.engine.counts import shape_text
from napari_unet.engine.errors import FileError

_LONGEST_SIDE = 2**21  # pixels; the largest slides have some 400,000
_MOST_PLANES = 10_000_000  # channels, z and t together
_MOST_CHANNELS = 4096  # which are read together, and shown as a layer each
_LARGEST_PIECE = 2**31  # bytes of a strip, tile or chunk, which is decoded whole


def check_planes(shape: Sequence[int], axes: str, path: Path) -> None:
    """Raise `FileError` if an image has no pixels, or more than any image has.

    Parameters
    ----------
    shape
        Length of each axis that a file announces.
    axes
        One letter each.
    """
    sides = [n for n, axis in zip(shape, axes, strict=True) if axis in "YX"]
    channels = shape[axes.index("C")] if "C" in axes else 1
    planes = math.prod(n for n, axis in zip(shape, axes, strict=True) if axis not in "YXS")
    if 0 in shape:
        raise FileError(
            f"'{path}' holds no pixels ({shape_text(shape)}); export it from its source once more."
        )
    is_too_long = max(sides, default=0) > _LONGEST_SIDE or channels > _MOST_CHANNELS
    if is_too_long or planes > _MOST_PLANES:
        raise FileError(
            f"'{path}' announces an image of {shape_text(shape)}, more than any can have; it is "
            "damaged, copy or export it from its source once more."
        )


def check_piece(shape: Sequence[int], itemsize: int, path: Path) -> None:
    """Raise `FileError` if a piece of a file takes too much memory when it is decoded.

    Parameters
    ----------
    shape
        Of a strip, tile or chunk.
    itemsize
        Bytes per pixel.
    """
    size = math.prod(shape) * itemsize
    if size > _LARGEST_PIECE:
        raise FileError(
            f"'{path}' is packed in pieces of {shape_text(shape)}, each of which takes "
            f"{size / 1e9:,.1f} GB of memory; save it in tiles of 512×512 pixels."
        )
