"""The file of a segmentation, filled plane by plane as its events come."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet.config import OutputKind, Task
from napari_unet.engine.events import (
    PlaneDone,
    PlaneUncut,
    SegmentDone,
    SegmentEvent,
    SegmentStarted,
    TileDone,
)
from napari_unet.engine.network import Model
from napari_unet.engine.stack import bands
from napari_unet.io.images import ImageStack
from napari_unet.io.kept_segmentation import KeptSegmentation
from napari_unet.io.labels import (
    PlaneWriter,
    open_label_writer,
    open_probability_writer,
)
from napari_unet.io.making import Making, PlaneHashed


class Filling:
    """Writes planes in order, as they are finished, with zeros between and after them.

    Parameters
    ----------
    writer
        Of the file.
    leading
        Shape of a plane before (Y, X).
    plane
        Shape of a plane, pixels (Y, X).
    """

    def __init__(
        self, writer: PlaneWriter, leading: tuple[int, ...], plane: tuple[int, int]
    ) -> None:
        self._writer = writer
        self._leading = leading
        self._plane = plane
        self._written = 0  # planes
        self._beside: list[npt.NDArray[Any]] = []  # tiles, from the left

    def take_tile(self, event: TileDone) -> None:
        """Take a tile of final values; they come row by row, and all before in smaller planes."""
        self.fill(event.plane)
        self._beside.append(event.values)
        if event.x.stop == self._plane[1]:
            self._writer.write(np.concatenate(self._beside, axis=-1))
            self._beside = []

    def take_plane(self, event: PlaneDone) -> None:
        """Take the end of a plane; one that is not complete is left out."""
        self._beside = []
        if not event.complete:
            self._writer.drop_rows()
            return
        if event.labels is not None:
            self.fill(event.plane)
            for rows in bands(self._plane):
                self._writer.write(event.labels.rows(rows))
        self._written += 1

    def note_unfinished(self, planes: Collection[int]) -> None:
        """Let the file say which of the planes that were asked for it lacks."""
        self._writer.note_unfinished(planes)

    def note_provenance(self, text: str) -> None:
        """Let the file say what made it, in a line of JSON."""
        self._writer.note_provenance(text)

    def fill(self, count: int) -> None:
        """Write empty planes until there are `count`."""
        for _ in range(self._written, count):
            for rows in bands(self._plane):
                shape = (*self._leading, rows.stop - rows.start, self._plane[1])
                self._writer.write(np.zeros(shape, np.uint8))
        self._written = max(self._written, count)


@contextmanager
def open_filling(
    output: Path, stack: ImageStack, model: Model, kind: OutputKind
) -> Iterator[Filling]:
    """Open the output with the image's axes and pixel size."""
    opened: AbstractContextManager[PlaneWriter]
    leading: tuple[int, ...]
    if kind is OutputKind.PROBABILITIES:
        channels = 1 if model.task is Task.OBJECTS else len(model.values)
        layout, leading = stack.layout(channels=channels), (channels,)
        opened = open_probability_writer(output, layout)
    else:
        layout, leading = stack.layout(), ()
        opened = open_label_writer(output, layout)
    with opened as writer:
        yield Filling(writer, leading, layout.plane_shape)


@dataclass(frozen=True, slots=True)
class Filled:
    """What became of a file."""

    begun: SegmentStarted
    done: SegmentDone
    objects: int


def fill(
    events: Iterator[SegmentEvent | PlaneHashed],
    filling: Filling,
    kept: KeptSegmentation,
    making: Making,
    *,
    numbered: bool,
) -> Generator[SegmentEvent, None, Filled]:
    """Write what is final as it comes, and tell the events that are of use to others.

    Of numbered objects only whole planes are final, of anything else each tile.
    """
    begun = done = None
    objects = 0
    for event in events:
        making.note(event)
        match event:
            case SegmentStarted():
                begun = event
                kept.begin(event)
            case TileDone():
                if not numbered:
                    filling.take_tile(event)
            case PlaneDone():
                filling.take_plane(event)
                objects += event.objects if event.complete else 0
            case PlaneUncut() | PlaneHashed():  # large, or of no use to others
                continue
            case SegmentDone():
                done = event
        yield event
    assert begun is not None
    assert done is not None  # `segment` ends with it or raises
    return Filled(begun, done, objects)
