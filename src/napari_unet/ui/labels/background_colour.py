"""The colour of painted background: the image is seen through it, and no object has the same."""

from __future__ import annotations

import numpy as np
from napari.layers import Labels
from napari.utils.colormaps import CyclicLabelColormap
from napari.utils.colormaps.colormap_utils import label_colormap

_COLOUR = (0.95, 0.25, 0.15, 0.35)
_USUAL = label_colormap(49)  # that napari gives to a new layer
_ROUNDS = 20  # of these colours; then a number looks like the background once more


def show_background(labels: Labels, background: int | None) -> None:
    """Draw this label as background; None or 0: all labels are drawn as napari does.

    Objects keep the colours that they have in results. Colours that the user has chosen or
    shuffled are left alone.
    """
    wanted, other = (_OURS, _USUAL) if background else (_USUAL, _OURS)
    has = labels.colormap
    if isinstance(has, CyclicLabelColormap) and np.array_equal(has.colors, other.colors):
        labels.colormap = CyclicLabelColormap(colors=wanted.colors)


def _with_background() -> CyclicLabelColormap:
    colours = _USUAL.colors
    rounds = np.tile(colours[1:], (_ROUNDS, 1))
    rounds[0] = _COLOUR
    return CyclicLabelColormap(colors=np.concatenate([colours[:1], rounds]))


_OURS = _with_background()
