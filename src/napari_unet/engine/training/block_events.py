"""From blocks to pixels of the plane: what training on a reduced stack reports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from napari_unet.engine.events import (
    Corrected,
    LabelsTaken,
    MemoryShort,
    PaintedPixels,
    TrainDone,
    TrainEvent,
    TrainStarted,
)
from napari_unet.engine.stack.reduction import Reduction

if TYPE_CHECKING:
    from napari_unet.engine.network.record import HeldOut

_Value = TypeVar("_Value", bound=np.generic)


def events_on_plane(events: Iterator[TrainEvent], reduction: Reduction) -> Iterator[TrainEvent]:
    """Yield the events with boxes, counts and arrays in pixels of the plane.

    A block counts as all of its pixels, so a stroke that is thinner than a block counts for more
    than was painted. Previews are in pixels of the plane already.
    """
    for event in events:
        yield event if reduction.factor == 1 else _event_on_plane(event, reduction)


def _event_on_plane(event: TrainEvent, reduction: Reduction) -> TrainEvent:
    area = reduction.factor**2
    match event:
        case TrainStarted() | LabelsTaken():
            return replace(
                event,
                labelled_pixels=event.labelled_pixels * area,
                held_out=held_out_on_plane(event.held_out, reduction),
            )
        case Corrected():
            return replace(event, pixels=event.pixels * area)
        case TrainDone():
            record = replace(
                event.model.record,
                labelled_pixels=event.model.record.labelled_pixels * area,
                held_out=held_out_on_plane(event.model.record.held_out, reduction),
            )
            return replace(
                event,
                model=replace(event.model, record=record),
                painted=tuple(_painted_on_plane(painted, reduction) for painted in event.painted),
            )
        case MemoryShort():
            return replace(event, side=event.side * reduction.factor)
        case _:
            return event


def held_out_on_plane(blocks: tuple[HeldOut, ...], reduction: Reduction) -> tuple[HeldOut, ...]:
    """Return what was held out on a reduced plane, in pixels of the plane."""
    height, width = reduction.plane_shape
    factor = reduction.factor
    found = []
    for block in blocks:
        y = block.y[0] * factor, min(block.y[1] * factor, height)
        x = block.x[0] * factor, min(block.x[1] * factor, width)
        pixels = min(block.pixels * factor**2, (y[1] - y[0]) * (x[1] - x[0]))
        found.append(replace(block, y=y, x=x, pixels=pixels))
    return tuple(found)


def pixels_on_plane(
    blocks: npt.NDArray[_Value], origin: tuple[int, int], reduction: Reduction
) -> tuple[npt.NDArray[_Value], tuple[int, int]]:
    """Return (y, x) values of blocks as values of pixels, and their origin in the plane.

    Parameters
    ----------
    blocks
        Part of a reduced plane.
    origin
        Of that part, blocks (Y, X).
    """
    top, left = (first * reduction.factor for first in origin)
    height, width = reduction.plane_shape
    pixels = blocks.repeat(reduction.factor, axis=0).repeat(reduction.factor, axis=1)
    return pixels[: height - top, : width - left], (top, left)


def _painted_on_plane(painted: PaintedPixels, reduction: Reduction) -> PaintedPixels:
    classes, origin = pixels_on_plane(painted.classes, painted.origin, reduction)
    return PaintedPixels(painted.plane, origin, classes)


def known_in_blocks(
    known: Sequence[PaintedPixels], reduction: Reduction
) -> tuple[PaintedPixels, ...]:
    """Return what `events_on_plane` made of painted blocks as the blocks that they were."""
    factor = reduction.factor

    def first_of_blocks(painted: PaintedPixels) -> PaintedPixels:
        classes: npt.NDArray[Any] = painted.classes[::factor, ::factor]
        top, left = painted.origin
        return PaintedPixels(painted.plane, (top // factor, left // factor), classes)

    return tuple(map(first_of_blocks, known))
