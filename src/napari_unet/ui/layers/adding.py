"""Adds layers beside people's work: what is selected stays selected, and nothing flickers."""

from __future__ import annotations

from napari.components import ViewerModel
from napari.layers import Layer

__all__ = ["add_unselected"]


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
