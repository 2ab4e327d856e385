"""What a layer is for, if this plugin made it; written in its metadata."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from napari.layers import Layer

__all__ = ["Purpose", "made_for", "purpose"]

_KEY = "napari-unet-paint"


class Purpose(StrEnum):
    """What our layers show."""

    PREVIEW = "preview"
    SEGMENTATION = "segmentation"
    WEIGHT_MAP = "weight map"
    MISTAKES = "mistakes"


def made_for(purpose: Purpose) -> dict[str, Any]:
    """Return the metadata of a layer that is made for this."""
    return {_KEY: purpose.value}


def purpose(layer: Layer) -> Purpose | None:
    """Return what the layer is for; None if it is the user's own."""
    written = layer.metadata.get(_KEY)
    return Purpose(written) if written in tuple(Purpose) else None
