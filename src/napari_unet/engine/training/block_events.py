"""From blocks to pixels of the plane: what training on a reduced stack reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from napari_unet.engine.events import (
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
    from napari_unet.engine.training.seen_set import SeenSet

_Value = TypeVar("_Value", bound=np.generic)


def events_on_plane(events: Iterator[TrainEvent], seen: SeenSet) -> Iterator[TrainEvent]:
    """Yield the events with boxes and arrays in pixels of the planes as they were given.

    A block counts as all of its pixels, so a stroke that is thinner than a block counts for more
    than was painted. Previews are in pixels of the plane already.
    """
    for event in events:
        yield _event_on_plane(event, seen)


def _event_on_plane(event: TrainEvent, seen: SeenSet) -> TrainEvent:
    match event:
        case TrainStarted() | LabelsTaken():
            return replace(event, held_out=held_out_on_plane(event.held_out, seen))
        case TrainDone():
            held_out = held_out_on_plane(event.model.record.held_out, seen)
            record = replace(event.model.record, held_out=held_out)
            painted = tuple(
                _painted_on_plane(one, seen.reduction(one.plane)) for one in event.painted
            )
            return replace(event, model=replace(event.model, record=record), painted=painted)
        case MemoryShort():
            return replace(event, side=seen.usual.on_plane(event.side))
        case _:
            return event


def held_out_on_plane(blocks: tuple[HeldOut, ...], seen: SeenSet) -> tuple[HeldOut, ...]:
    """Return what was held out on seen planes, in pixels of the planes as they were given."""
    found = []
    for block in blocks:
        reduction = seen.reduction(block.plane)
        if not reduction.changes:
            found.append(block)
            continue
        height, width = reduction.plane_shape
        y = reduction.on_plane(block.y[0]), min(reduction.on_plane(block.y[1]), height)
        x = reduction.on_plane(block.x[0]), min(reduction.on_plane(block.x[1]), width)
        pixels = min(round(block.pixels * reduction.area), (y[1] - y[0]) * (x[1] - x[0]))
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
    if reduction.enlargement > 1:
        return _pixels_seen_as_several(blocks, origin, reduction.enlargement)
    pixels = blocks.repeat(reduction.factor, axis=0).repeat(reduction.factor, axis=1)
    return pixels[: height - top, : width - left], (top, left)


def _pixels_seen_as_several(
    seen: npt.NDArray[_Value], origin: tuple[int, int], enlargement: int
) -> tuple[npt.NDArray[_Value], tuple[int, int]]:
    """Return the values of the pixels of the plane that lie wholly in this part, and its origin."""
    top, left = (-(-first // enlargement) for first in origin)
    skipped = top * enlargement - origin[0], left * enlargement - origin[1]
    rows, columns = (
        max(0, length - skip) // enlargement
        for length, skip in zip(seen.shape, skipped, strict=True)
    )
    pixels = seen[skipped[0] :: enlargement, skipped[1] :: enlargement]
    return pixels[:rows, :columns], (top, left)


def _painted_on_plane(painted: PaintedPixels, reduction: Reduction) -> PaintedPixels:
    if not reduction.changes:
        return painted
    classes, origin = pixels_on_plane(painted.classes, painted.origin, reduction)
    return PaintedPixels(painted.plane, origin, classes)


def known_in_blocks(
    known: Sequence[PaintedPixels], seen: Callable[[int], Reduction]
) -> tuple[PaintedPixels, ...]:
    """Return what `events_on_plane` made of painted blocks as the blocks that they were.

    `seen` gives how a plane is seen, by its number.
    """

    def first_of_blocks(painted: PaintedPixels) -> PaintedPixels:
        reduction = seen(painted.plane)
        factor, enlargement = reduction.factor, reduction.enlargement
        classes: npt.NDArray[Any] = painted.classes[::factor, ::factor]
        classes = classes.repeat(enlargement, axis=0).repeat(enlargement, axis=1)
        top, left = (first * enlargement // factor for first in painted.origin)
        return PaintedPixels(painted.plane, (top, left), classes)

    return tuple(map(first_of_blocks, known))
