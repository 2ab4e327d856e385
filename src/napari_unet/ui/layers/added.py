"""Layers that this plugin adds: what each is for, and how they come beside people's work."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Any

from napari.components import ViewerModel
from napari.layers import Layer

_KEY = "napari-unet-paint"

GROUP = "napari-unet-paint result"
"""Key in the metadata of a segmentation's layers: the same for all of one result."""

_MADE_ON = "napari-unet-paint made on"  # key in the metadata of labels to paint on

_OVERRIDDEN = "napari-unet-paint overridden by"  # key in the metadata of a segmentation's layers


class Purpose(StrEnum):
    """What our layers show."""

    PREVIEW = "preview"
    SEGMENTATION = "segmentation"
    WEIGHT_MAP = "weight map"
    MISTAKES = "mistakes"
    PLACE = "place to paint"


def made_for(purpose: Purpose) -> dict[str, Any]:
    """Return the metadata of a layer that is made for this."""
    return {_KEY: purpose.value}


def purpose(layer: Layer) -> Purpose | None:
    """Return what the layer is for; None if it is the user's own."""
    written = layer.metadata.get(_KEY)
    return Purpose(written) if written in tuple(Purpose) else None


def note_overridden(result: Layer, painted: Layer | None) -> None:
    """Note in a segmentation's layer which paint is in it; None: none is."""
    result.metadata.pop(_OVERRIDDEN, None)
    if painted is not None:
        result.metadata[_OVERRIDDEN] = str(painted.unique_id)


def is_overridden_by(result: Layer | None, painted: Layer | None) -> bool:
    """Return True if the paint of a layer is in this result."""
    if result is None or painted is None:
        return False
    return bool(result.metadata.get(_OVERRIDDEN) == str(painted.unique_id))


def made_on(image: Layer) -> dict[str, Any]:
    """Return the metadata of labels that are made to be painted on, on this image."""
    return {_MADE_ON: str(image.unique_id)}


def other_image(
    viewer: ViewerModel, labels: Layer | None, images: Collection[Layer]
) -> Layer | None:
    """Return the image that labels were made on, if it is another one than these, and is there.

    None is returned for labels that were not made here, too: they may belong to any image.
    """
    made = None if labels is None else labels.metadata.get(_MADE_ON)
    found = [layer for layer in viewer.layers if made and str(layer.unique_id) == made]
    return next((layer for layer in found if layer not in images), None)


def is_result(layer: Layer) -> bool:
    """Return True for a layer that a segmentation has made."""
    return purpose(layer) is Purpose.SEGMENTATION


def find_ours(viewer: ViewerModel, kind: Purpose) -> Layer | None:
    """Return the layer of this kind that an earlier dock of this viewer has made."""
    return next((layer for layer in viewer.layers if purpose(layer) is kind), None)


def add_unselected(
    viewer: ViewerModel, layer: Layer, *, above: Layer | None = None, below: Layer | None = None
) -> None:
    """Add a layer; what is selected stays so: people go on painting.

    Parameters
    ----------
    viewer, layer
        Where to add what.
    above
        The layer right below the new one; None, or one that is gone: it comes on top.
    below
        In place of `above`: the layer right above the new one, as far as it is there.

    Notes
    -----
    napari selects what it adds. That it does so for a moment is told to nobody: the window would
    show the controls of the new layer and then again those before, a sixth of what adding costs.
    """
    layers = viewer.layers
    selected = set(layers.selection)
    position = layers.index(above) + 1 if above in layers else len(layers)
    if below in layers:
        position = layers.index(below)
    with layers.selection.events.blocker_all():
        layers.insert(position, layer)
        layers.selection = selected
