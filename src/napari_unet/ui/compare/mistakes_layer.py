"""The layer that shows where a segmentation is wrong, and in what way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import zarr
from napari.components import ViewerModel
from napari.layers import Labels
from napari.utils.colormaps import CyclicLabelColormap

from napari_unet.ui.layers.added import Purpose, made_for
from napari_unet.ui.layers.geometry import full_resolution, in_sight, placement
from napari_unet.ui.layers.throttled_refresh import ThrottledRefresh

COLOURS = {1: "#d55e00", 2: "#56b4e9", 3: "#f0e442", 4: "#cc79a7"}
"""Of false positives, misses, splits and merges: apart for the colour-blind, too (Okabe, Ito)."""

_CHUNK = 2048  # largest side of a chunk, pixels


def blank_mistakes(layer: Labels) -> Any:
    """Return an array of the layer's shape, uint8, that takes memory only where it is written.

    It may be written in one thread and shown in another; its planes are packed.
    """
    shape = tuple(full_resolution(layer).shape)
    chunk = (*(1,) * (len(shape) - 2), *(min(side, _CHUNK) for side in shape[-2:]))
    return zarr.create_array(store={}, shape=shape, chunks=chunk, dtype="uint8", fill_value=0)


class MistakesLayer:
    """Shows an array of mistakes on a result; to be used on the main thread only."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layer: Labels | None = None
        self._refresh = ThrottledRefresh(self._refresh_now)

    @property
    def layer(self) -> Labels | None:
        """The layer, None if there is none or it was removed."""
        return self._layer if self._layer in self._viewer.layers else None

    def begin(self, array: Any, result: Labels, kinds: Mapping[int, str]) -> Labels:
        """Show an empty array, in place of the one before; `kinds` names 1 and on."""
        if self.layer is not None:
            self._viewer.layers.remove(self.layer)
        selected = set(self._viewer.layers.selection)
        layer = Labels(
            array,
            name=f"{result.name} mistakes",
            metadata=made_for(Purpose.MISTAKES),
            features={"index": [0, *kinds], "mistake": ["none", *kinds.values()]},
            # Not a DirectLabelColormap: where numba is installed, napari compiles code for its
            # first use, on the main thread, for a second or two. Numbers beyond the last do not
            # occur, so nothing is cyclic here.
            colormap=CyclicLabelColormap(
                colors=["transparent", *(COLOURS[kind] for kind in kinds)]
            ),
            opacity=0.9,
            **placement(result),
        )
        layer.editable = False
        self._viewer.add_layer(layer)
        self._viewer.layers.selection = selected  # people go on where they were
        self._layer = layer
        return layer

    def show(self, position: tuple[int, ...]) -> None:
        """Show the plane at this position, which was written into the array."""
        layer = self.layer
        if layer is not None and in_sight(self._viewer, layer, position):
            self._refresh.soon()

    def release(self) -> None:
        """Let go of the layer, which stays in the viewer."""
        self._refresh.cancel()
        self._layer = None

    def _refresh_now(self) -> None:
        if self.layer is not None:
            self.layer.refresh(extent=False)
