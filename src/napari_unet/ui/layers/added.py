"""Layers that this plugin adds: what each is for, and how they come beside people's work."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Any

from napari.components import ViewerModel
from napari.layers import Layer

_KEY = "napari-unet-paint"

GROUP = "napari-unet-paint result"
"""Key in the metadata of a segmentation's layers: the same for all of one result."""

_MADE_ON = "napari-unet-paint made on"  # key in the metadata of labels: the image painted on

_OVERRIDDEN = "napari-unet-paint overridden by"  # key in the metadata of a segmentation's layers


class Purpose(StrEnum):
    """What our layers show."""

    PREVIEW = "preview"
    SEGMENTATION = "segmentation"
    WEIGHT_MAP = "weight map"
    MISTAKES = "mistakes"
    PLACE = "place to paint"
    TRUTH = "truth"  # of a sample: to compare with, not to paint on


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


def made_on(images: Sequence[Layer]) -> dict[str, Any]:
    """Return the metadata of labels that belong to this image, or to one of these channels."""
    return {_MADE_ON: [str(image.unique_id) for image in images]}


def images_of(viewer: ViewerModel, labels: Layer) -> tuple[Layer, ...]:
    """Return the channels of the image that labels are known to belong to, as far as all are there.

    Empty for labels that were neither made here nor trained on: they may belong to any image.
    """
    layers = {str(layer.unique_id): layer for layer in viewer.layers}
    known = labels.metadata.get(_MADE_ON)
    found = [layers.get(name) for name in known] if isinstance(known, list) else []
    there = tuple(layer for layer in found if layer is not None)
    return there if len(there) == len(found) else ()


def other_image(
    viewer: ViewerModel, labels: Layer | None, images: Collection[Layer]
) -> Layer | None:
    """Return the image that labels belong to, if it is another one than these, and is there.

    None is returned for labels that were not made here, too: they may belong to any image.
    """
    own = () if labels is None else images_of(viewer, labels)
    return None if any(layer in images for layer in own) else next(iter(own), None)


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
