"""Probabilities → what is written: labels, classes or the probabilities themselves.

First each tile by itself is settled, which is all that is kept of it; then it joins its plane.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from napari_unet.config import ObjectsConfig, OutputKind, Task
from napari_unet.engine.errors import SettingsError
from napari_unet.engine.network.model import Model
from napari_unet.engine.objects.decoder import ObjectDecoder, foreground_of, settle_objects
from napari_unet.engine.objects.uncut import UncutPlane
from napari_unet.engine.paint.holes import as_painted
from napari_unet.engine.paint.outline import outline_of
from napari_unet.engine.stack.reduction import Reduction
from napari_unet.engine.stack.tiles import Tile

Probabilities = npt.NDArray[np.float32]
"""(K, y, x); of objects the foreground, and after it the shape field of a network with one"""

Settled = npt.NDArray[Any]
"""What of a tile's probabilities decides the result.

Of numbered objects (1 or 2, y, x) uint8, as `settle_objects` says; else the values themselves.
"""


class PlaneDecoder(Protocol):
    """Decodes one plane tile by tile; used once."""

    def add(self, tile: Tile, settled: Settled) -> npt.NDArray[Any]:
        """Take a tile, settled; return the values to show now."""
        ...

    def finish(self) -> UncutPlane | None:
        """Return the plane, to be cut into objects; None: the values of the tiles were final."""
        ...


class PixelDecoder:
    """Decodes each pixel by itself: its values are settled."""

    def add(self, tile: Tile, settled: Settled) -> npt.NDArray[Any]:  # noqa: ARG002
        """Take a tile; return its final values, (..., y, x)."""
        return settled

    def finish(self) -> None:
        """Return that nothing is left to do; pixels are no objects."""


def wanted_channels(task: Task) -> slice:
    """Return which of the network's answers are decoded: of objects all but the background."""
    return slice(1, None) if task is Task.OBJECTS else slice(None)


def plane_decoder(
    model: Model,
    kind: OutputKind,
    objects: ObjectsConfig,
    shape: tuple[int, int],
    *,
    offset: int,
    provisional: bool = True,
) -> PlaneDecoder:
    """Return a decoder for one plane.

    Parameters
    ----------
    model
        Its task and label values say what the probabilities mean.
    kind
        What is wanted.
    objects
        How foreground is cut into objects on this plane; see `objects_on_plane`.
    shape
        Of the plane, pixels (Y, X).
    offset
        The largest object number that other planes use.
    provisional
        Whether tiles of objects are numbered before their plane is finished.
    """
    if model.task is Task.OBJECTS and kind is OutputKind.LABELS:
        return ObjectDecoder(shape, objects, offset=offset, provisional=provisional)
    return PixelDecoder()


def settler(
    model: Model, kind: OutputKind, objects: ObjectsConfig
) -> Callable[[Probabilities], Settled]:
    """Return what settles the tiles of any plane; the parameters are those of `plane_decoder`.

    Raises
    ------
    SettingsError
        If classes are wanted as uint8, but a label value is above 255.
    """
    is_objects, outline = model.task is Task.OBJECTS, outline_of(model)
    if kind is OutputKind.PROBABILITIES:
        return lambda p: p[: 1 if is_objects else None].copy()
    if is_objects and kind is OutputKind.LABELS:
        return lambda p: settle_objects(p, objects.threshold, outline)
    if is_objects:
        return lambda p: foreground_of(p, objects.threshold, outline).astype(np.uint8)
    dtype = np.uint8 if kind is OutputKind.CLASSES else np.int32
    if max(model.values) > np.iinfo(dtype).max:
        raise SettingsError(
            f"Class {max(model.values)} does not fit into 8 bit; choose the output 'labels'."
        )
    values = np.array(model.values, dtype)
    return lambda p: values[p.argmax(axis=0)]


def is_settled(values: Settled, tile: Tile, model: Model, settle: Callable[..., Settled]) -> bool:
    """Return whether an array is what `settle` returns of a tile, by its shape and type."""
    answers = np.zeros((model.network.outputs, 1, 1), np.float32)
    pixel = settle(answers[wanted_channels(model.task)])
    shape = (*pixel.shape[:-2], tile.y.length, tile.x.length)
    return (values.dtype, values.shape) == (pixel.dtype, shape)


def objects_on_plane(model: Model, objects: ObjectsConfig, seen: Reduction) -> ObjectsConfig:
    """Return how a model's foreground is cut on planes so seen, by the sizes that it learned."""
    return as_painted(seen.objects(objects), *model.sizes_on(seen))
