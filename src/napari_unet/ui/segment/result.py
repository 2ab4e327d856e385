"""The layers of one result: labels or classes in one, class probabilities in one layer each."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Layer

from napari_unet.config import OutputKind
from napari_unet.engine.errors import EngineError
from napari_unet.engine.events import PlaneDone, PlaneUncut, TileDone, Uncut
from napari_unet.engine.stack import ArrayPlanes
from napari_unet.io.kept_planes import KeptPlanes
from napari_unet.io.unfinished import UNFINISHED
from napari_unet.ui.layers.added import GROUP, Purpose, made_for
from napari_unet.ui.layers.arrays import pieces
from napari_unet.ui.layers.geometry import placement, same_placement, spatial_shape
from napari_unet.ui.segment.pyramid import Pyramid

_DTYPES = {OutputKind.LABELS: np.int32, OutputKind.CLASSES: np.uint8}
_COLOURS = ("green", "magenta", "blue", "red", "cyan", "yellow")  # added up where they meet


@dataclass(slots=True, eq=False)
class Result:
    """A segmentation's arrays, the layers that show them, and what has happened to them.

    Parameters
    ----------
    image
        What was segmented, or its first channel; the layers lie exactly on it.
    kind
        Labels, classes or probabilities.
    channels
        Name of each probability channel; empty for labels and classes.
    layers
        Layers of an earlier result that are filled anew; empty: new ones are made.
    """

    image: Image
    kind: OutputKind
    channels: tuple[str, ...] = ()
    layers: tuple[Layer, ...] = ()
    names: tuple[str, ...] = ()  # as given here; a layer with another name is the user's own
    pyramids: tuple[Pyramid, ...] = ()  # one per layer
    edited: frozenset[int] = frozenset()  # planes corrected by hand
    uncut: KeptPlanes[Uncut] = field(default_factory=KeptPlanes)  # what planes were cut from
    shape: tuple[int, ...] = field(init=False)  # pixels; the image can be given data of another
    placement: dict[str, Any] = field(init=False)  # of the layers

    def __post_init__(self) -> None:
        self.shape, self.placement = spatial_shape(self.image), placement(self.image)

    @property
    def arrays(self) -> tuple[Any, ...]:
        """The array of each layer, at full resolution."""
        return tuple(pyramid.finest for pyramid in self.pyramids)

    def prepare(self) -> None:
        """Make the arrays if there are none; may be called from any thread.

        Raises
        ------
        EngineError
            If there is no memory for them.
        """
        if self.pyramids:
            return
        dtype = _DTYPES.get(self.kind, np.float32)
        self.pyramids = tuple(Pyramid.of(layer) for layer in self.layers)
        if self.pyramids and not isinstance(self.arrays[0], np.ndarray):
            for pyramid in self.pyramids:
                pyramid.clear()  # on disk: one folder per result is enough
            return
        names = self._new_names()
        try:
            self.pyramids = tuple(
                Pyramid.new(self.shape, dtype, name, share=1 / len(names)) for name in names
            )
        except MemoryError as error:
            raise EngineError(
                f"There is no memory for the segmentation of '{self.image.name}'. Close other "
                "images, or use the command 'napari-unet segment', which writes to disk."
            ) from error

    def write(self, event: TileDone | PlaneDone) -> None:
        """Put a tile or a plane into the arrays; may be called from any thread.

        Not through the layer: that would fill its undo history, and on the main thread.
        """
        at = self.position(event.plane)
        if isinstance(event, TileDone):
            parts = event.values if self.channels else (event.values,)
            for pyramid, values in zip(self.pyramids, parts, strict=True):
                pyramid.write(at, event.y, event.x, values)
        elif event.labels is not None:
            (pyramid,) = self.pyramids
            height, width = event.labels.shape
            for rows in pieces(height):
                pyramid.write(at, rows, slice(0, width), event.labels.rows(rows))
        else:
            for pyramid, (y, x) in product(self.pyramids, event.missing):
                pyramid.write(at, y, x, 0)

    def keep(self, event: PlaneUncut) -> None:
        """Keep what a plane is cut from, if there is room; may be called from any thread."""
        self.uncut.keep(event.plane, event.uncut)

    def note_unfinished(self, planes: Iterable[int]) -> None:
        """Note in the layers which planes are not done, or only in part."""
        noted = tuple(sorted(planes))
        for layer in self.layers:
            if noted:
                layer.metadata[UNFINISHED] = noted
            else:
                layer.metadata.pop(UNFINISHED, None)

    def position(self, plane: int) -> tuple[int, ...]:
        """Return the plane's indices along the leading axes."""
        return ArrayPlanes(self.arrays[0]).position(plane)

    def make_layers(self) -> tuple[Layer, ...]:
        """Return layers for the arrays, on the image; they are not in a viewer yet."""
        options: dict[str, Any] = {
            **self.placement,
            "multiscale": self.pyramids[0].is_multiscale,  # napari would look into it to guess
            "metadata": {**made_for(Purpose.SEGMENTATION), GROUP: secrets.token_hex(8)},
        }
        named = zip((pyramid.data for pyramid in self.pyramids), self._new_names(), strict=True)
        if not self.channels:
            return tuple(Labels(data, name=name, **options) for data, name in named)
        return tuple(
            Image(
                data,
                name=name,
                colormap=_COLOURS[index % len(_COLOURS)],
                blending="additive",
                contrast_limits=(0, 1),
                **options,
            )
            for index, (data, name) in enumerate(named)
        )

    def _new_names(self) -> tuple[str, ...]:
        if self.channels:
            return tuple(f"{self.image.name} {channel} probability" for channel in self.channels)
        word = "segmentation" if self.kind is OutputKind.LABELS else "classes"
        return (f"{self.image.name} {word}",)

    def is_shown(self) -> bool:
        """Return True if the layers have these arrays as their data."""
        return (
            bool(self.layers)
            and len(self.layers) == len(self.pyramids)
            and all(map(Pyramid.is_shown_by, self.pyramids, self.layers))
        )

    def holds(self, layers: Sequence[Layer]) -> bool:
        """Return True if the result is still shown as it was made, edited or not."""
        shape = spatial_shape(self.image)
        return (
            self.is_shown()
            and all(layer in layers and same_placement(layer, self.image) for layer in self.layers)
            and all(tuple(array.shape) == shape for array in self.arrays)
        )

    def is_untouched(self) -> bool:
        """Return True if nobody has corrected or renamed it, so that it may be replaced."""
        return not self.edited and tuple(layer.name for layer in self.layers) == self.names
