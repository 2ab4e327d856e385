"""The largest number that a labels layer has had, so that no number is given twice.

It is noted in the layer: numbers of objects that were deleted are in no pixel any more.
"""

from __future__ import annotations

from napari.layers import Layer

_KEY = "napari-unet-paint largest number of"  # key in the metadata; a copy of the layer has it, too


def note_used(layer: Layer, largest: int) -> None:
    """Note that numbers up to `largest` are in use, or were; those noted before stay noted."""
    layer.metadata[_KEY] = str(layer.unique_id), max(largest, largest_used(layer) or 0)


def largest_used(layer: Layer) -> int | None:
    """Return the largest number that is noted; None: nobody has counted yet."""
    owner, largest = layer.metadata.get(_KEY, ("", 0))
    return int(largest) if owner == str(layer.unique_id) else None


def forget_used(layer: Layer) -> None:
    """Forget it, as the layer has other data now."""
    layer.metadata.pop(_KEY, None)
