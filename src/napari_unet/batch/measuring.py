"""Measure the objects of a label image, plane by plane into a table."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

from napari_unet.batch.events import Note, TableWritten
from napari_unet.batch.plane_selection import PlaneSelection
from napari_unet.config import OutputKind
from napari_unet.engine.errors import SettingsError, UnetPaintError
from napari_unet.engine.events import Stop, never
from napari_unet.engine.measurements import Measures, PlaneMeasured, measure
from napari_unet.io.images import ImageStack, open_image
from napari_unet.io.output_files import check_output
from napari_unet.io.pairing import fit_to_labels, open_labels_for
from napari_unet.io.paths import is_folder
from napari_unet.io.replacing import put_in_place
from napari_unet.io.stack import AS_IT_IS, Layout, View
from napari_unet.io.tables import Rows, begin_table, check_unlocked, open_table_writer
from napari_unet.io.unfinished import unfinished_path
from napari_unet.io.view import as_seen

MASKS = ((1, 1), (255, 255))
"""Lowest and highest number of objects that probably are none, but a mask."""


@dataclass(frozen=True, slots=True)
class MeasureWishes:
    """What is asked of a measurement."""

    volumes: bool = False
    background: int = 0  # a number that is no object
    view: View = AS_IT_IS  # of the image; its axes are those of the labels, too
    pixel_size: float | None = None  # µm; None: as the files say
    z_step: float | None = None  # µm


def check_table(path: Path, inputs: tuple[Path, ...], kind: OutputKind = OutputKind.LABELS) -> None:
    """Make sure, before the work begins, that a table of such labels can be written there.

    Raises
    ------
    UnetPaintError
        As `check_output` does; also if there will be no labels.
    """
    check_measurable(kind)
    check_output(path, suffixes=(".csv",), inputs=inputs)
    check_unlocked(path)


def check_measurable(kind: OutputKind) -> None:
    """Raise `SettingsError` for what has no objects to measure."""
    if kind is OutputKind.PROBABILITIES:
        raise SettingsError(
            "Probabilities have no objects to measure; leave out --table, or the output kind."
        )


def measure_result(
    labels: Path,
    image: Path,
    table: Path,
    selection: PlaneSelection | None = None,
    view: View = AS_IT_IS,
) -> Iterator[Note | PlaneMeasured | TableWritten]:
    """Measure what a `Segmenter` has written, as `measure_file` does.

    A segmentation that was stopped is measured as far as it went.
    """
    try:
        yield from measure_file(
            labels, image, output=table, selection=selection, wishes=MeasureWishes(view=view)
        )
    except UnetPaintError:
        yield Note(f"The segmentation is in '{labels}'; only its table is missing.")
        raise


def measure_file(
    labels: Path,
    image: Path | None,
    *,
    output: Path | TextIO,
    selection: PlaneSelection | None = None,
    wishes: MeasureWishes,
    stop: Stop = never,
) -> Iterator[Note | PlaneMeasured | TableWritten]:
    """Measure, and write the rows of what is finished.

    If the work is stopped, a file that was there before stays, and the new one is called
    "….unfinished" beside it.

    Parameters
    ----------
    output
        A file that ends in .csv, or what takes the lines.

    Yields
    ------
    Note, PlaneMeasured, TableWritten
        `TableWritten` is the last.

    Raises
    ------
    UnetPaintError
        Whatever is wrong with the input or the output; the text says what to do.
    """
    path = output if isinstance(output, Path) else None
    if path is not None:
        check_table(path, (labels,) if image is None else (labels, image))
    stack = open_stack(labels, image, wishes.view)
    numbers = None if selection is None else selection.numbers(stack.layout().count)
    planes = open_labels_for(stack, labels, numbers)
    layout = stack_layout(stack, None if image is None else labels, wishes)
    if _lacks_step(layout, wishes):
        yield Note("The distance of the planes is not known: lengths are in pixels; add --z-step.")
    grey = None if image is None else stack.planes()
    channels = () if image is None else stack.channel_names()
    measures = Measures(layout, channels, wishes.volumes)
    events = measure(
        planes,
        measures,
        image=grey,
        planes=planes.present,
        background=wishes.background,
        stop=stop,
    )
    written = unfinished_path(path) if path is not None and path.exists() else path
    with _open_table(written or output, measures.names()) as write:
        found = yield from _follow(events, write)
    if path is not None and written is not None and found.planes == len(planes.present):
        written = put_in_place(written, path) if written != path else path
    if note := _odd(found, labels):
        yield Note(note)
    figures = {
        "output": str(written),
        "planes": found.planes,
        "rows": found.rows,
        "lengths_in": "µm" if measures.unit == "um" else "px",
        **({"channels": len(measures.channels)} if image is not None else {}),
    }
    yield TableWritten(written, figures)


def open_stack(labels: Path, image: Path | None, view: View) -> ImageStack:
    """Return the image, or the labels themselves, as they are meant."""
    if image is not None:
        stack = open_image(image, view)
        return stack if view.axes or view.channels else fit_to_labels(stack, labels)
    if view.channels:
        raise SettingsError("--channels are those of an image; give it after the labels.")
    stack = open_image(labels, replace(view, axes=None)).channels_as_planes()  # labels have none
    return as_seen(stack, replace(view, position=None)) if view.axes else stack


def stack_layout(stack: ImageStack, labels: Path | None, wishes: MeasureWishes) -> Layout:
    """Return axes and spacing, as typed, as the image says, or else as the file of labels says."""
    layout = stack.layout()
    spacing: dict[str, float] = {}
    if labels is not None and layout.pixel_size is None and not is_folder(labels):
        spacing |= open_image(labels).channels_as_planes().layout().spacing
    spacing |= layout.spacing
    if wishes.pixel_size is not None:
        spacing |= dict.fromkeys("YX", wishes.pixel_size)
    if wishes.z_step is not None:
        spacing["Z"] = wishes.z_step
    if wishes.volumes and "Z" not in layout.axes:
        raise SettingsError(
            f"'{stack.name}' has the axes {layout.axes} and so no volumes; leave out --volumes, or "
            "name its axes with --axes (ZYX, for example)."
        )
    return replace(layout, spacing={axis: spacing[axis] for axis in layout.axes if axis in spacing})


def _lacks_step(layout: Layout, wishes: MeasureWishes) -> bool:
    return wishes.volumes and "Z" not in layout.spacing and layout.pixel_size is not None


@contextmanager
def _open_table(output: Path | TextIO, names: Sequence[str]) -> Iterator[Rows]:
    if not isinstance(output, Path):
        yield begin_table(output, names)
        return
    with open_table_writer(output, names) as write:
        yield write


@dataclass(frozen=True, slots=True)
class _Found:
    """What was measured."""

    planes: int
    rows: int
    numbers: tuple[int, int]  # the lowest and the highest of an object


def _follow(events: Iterator[PlaneMeasured], write: Rows) -> Generator[PlaneMeasured, None, _Found]:
    """Write the rows as they come."""
    planes = rows = highest = 0
    lowest = sys.maxsize
    for event in events:
        yield event
        write(event.rows.columns)
        planes, rows = event.done, rows + len(event.rows)
        lowest = min(lowest, int(event.rows["label"].min(initial=lowest)))
        highest = max(highest, int(event.rows["label"].max(initial=highest)))
    return _Found(planes, rows, (lowest, highest))


def _odd(found: _Found, labels: Path) -> str:
    """Return what may not be as one thinks."""
    if not found.rows:
        return f"There are no objects in '{labels.name}': the table has its first line only."
    if found.numbers in MASKS:
        return (
            f"All objects in '{labels.name}' have the number {found.numbers[0]}, as in a mask, and "
            "are measured as one; to measure each of them, number them first (in Python: "
            "skimage.measure.label)."
        )
    return ""
