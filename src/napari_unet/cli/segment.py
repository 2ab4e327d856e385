"""Segment a stack with a trained model, plane by plane into a file."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet.cli.console import Interruption, progress_bar, say
from napari_unet.cli.going_on import Wanted, take_up
from napari_unet.cli.options import PlaneSelection
from napari_unet.cli.settings import SegmentWishes, require_folder
from napari_unet.config import OutputKind, Task
from napari_unet.engine.counts import count
from napari_unet.engine.errors import SettingsError
from napari_unet.engine.events import (
    MemoryShort,
    PlaneDone,
    SegmentDone,
    SegmentEvent,
    SegmentStarted,
    TileDone,
)
from napari_unet.engine.network import Model, pick_device
from napari_unet.engine.prediction import segment
from napari_unet.engine.stack import bands
from napari_unet.io.checkpoints import load_model
from napari_unet.io.images import ImageStack, open_image
from napari_unet.io.kept_segmentation import KeptSegmentation
from napari_unet.io.labels import (
    PlaneWriter,
    open_label_writer,
    open_probability_writer,
)
from napari_unet.io.library import find_model
from napari_unet.io.making import Making, PlaneHashed, hashing
from napari_unet.io.provenance import Source, UsedModel, to_text
from napari_unet.io.provenance_files import write_beside
from napari_unet.io.replacing import put_in_place
from napari_unet.io.unfinished import tell_unfinished, unfinished_path
from napari_unet.io.write_zarr import check_no_other_folder

_GO_ON = "To go on, run the same command again."


def segment_stack(
    image: Path,
    *,
    model: str,
    output: Path,
    selection: PlaneSelection | None,
    wishes: SegmentWishes,
    kind: OutputKind,
    device: str,
    stop: Interruption,
    anew: bool = False,
) -> dict[str, Any]:
    """Segment, write what is finished, and return the figures.

    The file has the image's planes, axes and pixel size; planes that are not selected, or not
    reached when the work is stopped, are 0 in it. If it is stopped, a file that was there before
    stays, and the new one is called "….unfinished" beside it. Asked for again, the work goes on
    where it was stopped or killed, unless it is to begin `anew`.

    Raises
    ------
    UnetPaintError
        Whatever is wrong with the input, the device or the output; the text says what to do.
    """
    require_folder(output, suffixes=(".tif", ".tiff", ".zarr"), inputs=(image,))
    check_no_other_folder(output)
    choice = pick_device(device)
    path = find_model(model)
    trained = load_model(path)
    numbered = kind is OutputKind.LABELS and trained.task is Task.OBJECTS
    if wishes.link and not numbered:
        raise SettingsError(
            "Only numbered objects can be linked from plane to plane; leave out --link, or take a "
            "model of objects and the output kind 'labels'."
        )
    stack = _for_model(open_image(image), trained)
    planes = stack.planes()
    numbers = range(planes.count) if selection is None else selection.numbers(planes.count)
    wanted = Wanted(
        name=stack.name,
        planes=planes,
        numbers=numbers,
        model_name=path.stem,
        model=trained,
        device=choice,
        tiling=wishes.tiling(trained.network),
        objects=wishes.objects(trained.network),
        kind=kind,
        output=output,
    )
    kept, tiling = take_up(wanted, anew=anew)
    events = segment(
        trained,
        planes,
        device=choice,
        tiling=tiling,
        objects=wanted.objects,
        kind=kind,
        numbers=numbers,
        kept=kept,
        stop=stop,
    )
    making = Making(model=UsedModel.of(trained, path.stem, path))
    # What is there stays until all of this is done.
    written = unfinished_path(output) if output.exists() else output
    with closing(kept):
        with _open_writer(written, stack, trained, kind) as filling:
            told = hashing(events, planes)
            begun, done, found = _follow(told, kept, filling, making, numbered=numbered)
            if not done.planes:
                say(f"Stopped before the first plane was finished; nothing is written. {_GO_ON}")
                stop.exit_if_requested()
            filling.fill(planes.count)
            left = set(begun.planes).difference(done.planes)
            filling.note_unfinished(left)
            provenance = making.provenance(
                planes,
                Source.of(stack, image),
                kind=kind,
                tiling=wanted.tiling,
                objects=wanted.objects,
            )
            assert provenance is not None  # a plane is done
            filling.note_provenance(to_text(provenance, output.absolute().parent))
        if not left and written != output:
            written = put_in_place(written, output)
        record = write_beside(written, provenance)
        if left:
            stays = "" if written == output else f" '{output.name}' is as it was."
            say(f"{tell_unfinished(left)} and 0 in '{written.name}'.{stays} {_GO_ON}")
        else:
            kept.remove()
    return {
        "output": str(written),
        "record": None if record is None else str(record),
        "kind": kind.value,
        "device": begun.device,
        "planes": len(done.planes),
        "empty_planes": planes.count - len(done.planes),
        **({"objects": found} if numbered else {}),
        "tile": begun.tile,
        "finished": done.reason.value,
        "seconds": round(done.seconds, 3),
    }


def _for_model(stack: ImageStack, model: Model) -> ImageStack:
    """Return the stack; if it is one plane of channels and the model takes one, they are planes."""
    planes = stack.channels_as_planes()
    count = planes.layout().count
    if model.network.in_channels > 1 or stack.layout().count > 1 or count == 1:
        return stack
    say(f"The model takes one channel: the {count} channels of '{stack.name}' are read as planes.")
    return planes


class _Filling:
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
def _open_writer(
    output: Path, stack: ImageStack, model: Model, kind: OutputKind
) -> Iterator[_Filling]:
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
        yield _Filling(writer, leading, layout.plane_shape)


def _follow(
    events: Iterator[SegmentEvent | PlaneHashed],
    kept: KeptSegmentation,
    filling: _Filling,
    making: Making,
    *,
    numbered: bool,
) -> tuple[SegmentStarted, SegmentDone, int]:
    """Write what is final as it comes; return the first event, the last, and the objects.

    Of numbered objects only whole planes are final, of anything else each tile.
    """
    begun = done = None
    objects = 0
    with progress_bar("Segmenting") as update:
        for event in events:
            making.note(event)
            match event:
                case SegmentStarted():
                    begun = event
                    kept.begin(event)
                    say(f"Segmenting {count(len(event.planes), 'plane')} on {event.device}")
                case TileDone():
                    update(event.done / event.total, f"plane {event.plane}")
                    if not numbered:
                        filling.take_tile(event)
                case PlaneDone():
                    filling.take_plane(event)
                    objects += event.objects if event.complete else 0
                case MemoryShort():
                    say(f"{event}.")
                case SegmentDone():
                    done = event
    assert begun is not None
    assert done is not None  # `segment` ends with it or raises
    return begun, done, objects
