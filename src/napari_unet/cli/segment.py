"""Segment a stack with a trained model, plane by plane into a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet.cli.console import Interruption, progress_bar, say
from napari_unet.cli.options import PlaneSelection
from napari_unet.cli.settings import require_folder
from napari_unet.config import ObjectsConfig, OutputKind, Task, TilingConfig
from napari_unet.engine.device import pick_device
from napari_unet.engine.errors import SettingsError
from napari_unet.engine.events import (
    PlaneDone,
    SegmentDone,
    SegmentEvent,
    SegmentStarted,
    TileDone,
)
from napari_unet.engine.model import Model
from napari_unet.engine.predict import segment
from napari_unet.io.checkpoints import load_model
from napari_unet.io.images import ImageStack, open_image
from napari_unet.io.labels import (
    PlaneWriter,
    open_label_writer,
    open_probability_writer,
)
from napari_unet.io.library import find_model

__all__ = ["segment_stack"]


def segment_stack(
    image: Path,
    *,
    model: str,
    output: Path,
    selection: PlaneSelection | None,
    tiling: TilingConfig,
    objects: ObjectsConfig = ObjectsConfig(),  # noqa: B008 frozen
    kind: OutputKind,
    device: str,
    stop: Interruption,
) -> dict[str, Any]:
    """Segment, write each plane as it is finished, and return the figures.

    The file has the image's planes, axes and pixel size; planes that are not selected, or not
    reached when the work is stopped, are 0 in it.

    Raises
    ------
    UnetPaintError
        Whatever is wrong with the input, the device or the output; the text says what to do.
    """
    require_folder(output, suffixes=(".tif", ".tiff", ".zarr"), inputs=(image,))
    choice = pick_device(device)
    trained = load_model(find_model(model))
    numbered = kind is OutputKind.LABELS and trained.task is Task.OBJECTS
    if objects.link and not numbered:
        raise SettingsError(
            "Only numbered objects can be linked from plane to plane; leave out --link, or take a "
            "model of objects and the output kind 'labels'."
        )
    stack = open_image(image)
    planes = stack.planes()
    numbers = range(planes.count) if selection is None else selection.numbers(planes.count)
    events = segment(
        trained,
        planes,
        device=choice,
        tiling=tiling,
        objects=objects,
        kind=kind,
        numbers=numbers,
        stop=stop,
    )
    with _open_writer(output, stack, trained, kind) as writer:
        begun, done, found = _follow(events, writer)
        if not done.planes:
            say("Stopped before the first plane was finished; nothing is written.")
            stop.exit_if_requested()
        writer.fill(planes.count)
    return {
        "output": str(output),
        "kind": kind.value,
        "device": begun.device,
        "planes": len(done.planes),
        "empty_planes": planes.count - len(done.planes),
        **({"objects": found} if numbered else {}),
        "tile": begun.tile,
        "finished": done.reason.value,
        "seconds": round(done.seconds, 3),
    }


class _Filling:
    """Writes planes in order and fills those between them, and after them, with zeros."""

    def __init__(self, writer: PlaneWriter, empty: npt.NDArray[Any]) -> None:
        self._writer = writer
        self._empty = empty
        self._written = 0

    def write(self, number: int, values: npt.NDArray[Any]) -> None:
        """Write a plane; all written before have smaller numbers."""
        self.fill(number)
        self._writer.write(values)
        self._written += 1

    def fill(self, count: int) -> None:
        """Write empty planes until there are `count`."""
        while self._written < count:
            self._writer.write(self._empty)
            self._written += 1


@contextmanager
def _open_writer(
    output: Path, stack: ImageStack, model: Model, kind: OutputKind
) -> Iterator[_Filling]:
    """Open the output with the image's axes and pixel size."""
    opened: AbstractContextManager[PlaneWriter]
    if kind is OutputKind.PROBABILITIES:
        channels = 1 if model.task is Task.OBJECTS else len(model.values)
        layout = stack.layout(channels=channels)
        opened = open_probability_writer(output, layout)
        empty = np.zeros(layout.shape[-3:], np.float32)
    else:
        layout = stack.layout()
        opened = open_label_writer(output, layout)
        empty = np.zeros(layout.shape[-2:], np.int32)
    with opened as writer:
        yield _Filling(writer, empty)


def _follow(
    events: Iterator[SegmentEvent], writer: _Filling
) -> tuple[SegmentStarted, SegmentDone, int]:
    """Write whole planes as they come; return the first event, the last, and the objects."""
    begun = done = None
    objects = 0
    with progress_bar("Segmenting") as update:
        for event in events:
            match event:
                case SegmentStarted():
                    begun = event
                    say(f"Segmenting {len(event.planes)} planes on {event.device}")
                case TileDone():
                    update(event.done / event.total, f"plane {event.plane}")
                case PlaneDone(complete=True):
                    writer.write(event.plane, event.values)
                    objects += event.objects
                case SegmentDone():
                    done = event
    assert begun is not None
    assert done is not None  # `segment` ends with it or raises
    return begun, done, objects
