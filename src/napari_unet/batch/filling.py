"""The file of a segmentation, filled plane by plane as its events come."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from napari_unet.batch.events import PartsDone
from napari_unet.config import OutputKind, Task
from napari_unet.engine.events import (
    PlaneDone,
    PlaneUncut,
    SegmentDone,
    SegmentEvent,
    SegmentStarted,
    TileDone,
)
from napari_unet.engine.prediction import SegmentationPlan
from napari_unet.engine.stack import bands
from napari_unet.io.images import ImageStack
from napari_unet.io.labels import (
    PlaneWriter,
    open_label_writer,
    open_probability_writer,
)
from napari_unet.io.making import Making, PlaneHashed
from napari_unet.io.stack import Layout


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
        if event.labels is None:
            self._written += 1
        else:
            self.take_rows(event.plane, map(event.labels.rows, bands(self._plane)))

    def take_rows(self, plane: int, rows: Iterable[npt.NDArray[Any]]) -> None:
        """Take a whole plane, in bands of rows from the top."""
        self.fill(plane)
        for band in rows:
            self._writer.write(band)
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
def open_filling(output: Path, stack: ImageStack, plan: SegmentationPlan) -> Iterator[Filling]:
    """Open the output with the image's axes and pixel size."""
    layout = result_layout(stack, plan)
    with open_writer(output, layout, plan.kind) as writer:
        yield Filling(writer, leading_shape(layout, plan.kind), layout.plane_shape)


def result_layout(stack: ImageStack, plan: SegmentationPlan) -> Layout:
    """Return the layout of a result of an image."""
    if plan.kind is not OutputKind.PROBABILITIES:
        return stack.layout()
    model = plan.model
    return stack.layout(channels=1 if model.task is Task.OBJECTS else len(model.values))


def leading_shape(layout: Layout, kind: OutputKind) -> tuple[int, ...]:
    """Return the shape of a plane's values before (Y, X)."""
    return layout.shape[-3:-2] if kind is OutputKind.PROBABILITIES else ()


def open_writer(
    output: Path, layout: Layout, kind: OutputKind
) -> AbstractContextManager[PlaneWriter]:
    """Open the output."""
    is_labels = kind is not OutputKind.PROBABILITIES
    return (open_label_writer if is_labels else open_probability_writer)(output, layout)


class Takes(Protocol):
    """What takes the finished planes of a segmentation, in order."""

    def take_tile(self, event: TileDone) -> None:
        """Take a tile of final values."""
        ...

    def take_plane(self, event: PlaneDone) -> None:
        """Take the end of a plane."""
        ...

    def note_unfinished(self, planes: Collection[int]) -> None:
        """Let the file say which of the planes that were asked for it lacks."""
        ...

    def note_provenance(self, text: str) -> None:
        """Let the file say what made it, in a line of JSON."""
        ...

    def fill(self, count: int) -> None:
        """Write empty planes until there are `count`."""
        ...


class Kept(Protocol):
    """Where the work on an image is kept, to be gone on with; a context."""

    def begin(self, started: SegmentStarted) -> None:
        """Take note that the work begins or goes on."""
        ...

    def remove(self) -> None:
        """Remove what was kept: the work is done."""
        ...

    def __enter__(self) -> Any:
        """Keep it."""
        ...

    def __exit__(self, *_: object) -> None:
        """Leave it for who comes next."""
        ...


@dataclass(frozen=True, slots=True)
class Filled:
    """What became of a file."""

    begun: SegmentStarted
    done: SegmentDone
    objects: int


def fill(
    events: Iterator[SegmentEvent | PlaneHashed | PartsDone],
    filling: Takes,
    kept: Kept,
    making: Making,
    *,
    numbered: bool,
) -> Generator[SegmentEvent | PartsDone, None, Filled]:
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
