"""Measure the objects of a label image, plane by plane into a table."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from napari_unet.cli.console import progress_bar, say
from napari_unet.cli.options import PlaneSelection
from napari_unet.cli.settings import require_folder
from napari_unet.config import OutputKind
from napari_unet.engine.counts import count
from napari_unet.engine.errors import SettingsError, UnetPaintError
from napari_unet.engine.events import Stop, never
from napari_unet.engine.measurements import Measures, PlaneMeasured, measure
from napari_unet.engine.stack import Planes
from napari_unet.io.images import ImageStack, open_image
from napari_unet.io.pairing import fit_to_labels, open_labels_for
from napari_unet.io.paths import is_folder
from napari_unet.io.replacing import put_in_place
from napari_unet.io.stack import Layout
from napari_unet.io.tables import Rows, begin_table, check_unlocked, open_table_writer
from napari_unet.io.unfinished import unfinished_path

_MASKS = ((1, 1), (255, 255))  # lowest and highest number


@dataclass(frozen=True, slots=True)
class MeasureWishes:
    """What was typed for a measurement."""

    volumes: bool = False
    background: int = 0  # a number that is no object
    axes: str | None = None  # None: as the file says
    pixel_size: float | None = None  # µm; None: as the files say
    z_step: float | None = None  # µm


def require_table(
    path: Path, inputs: tuple[Path, ...], kind: OutputKind = OutputKind.LABELS
) -> None:
    """Make sure, before the work begins, that a table of such labels can be written there.

    Raises
    ------
    UnetPaintError
        As `require_folder` does; also if there will be no labels.
    """
    check_measurable(kind)
    require_folder(path, suffixes=(".csv",), inputs=inputs)
    check_unlocked(path)


def check_measurable(kind: OutputKind) -> None:
    """Raise `SettingsError` for what has no objects to measure."""
    if kind is OutputKind.PROBABILITIES:
        raise SettingsError(
            "Probabilities have no objects to measure; leave out --table, or the output kind."
        )


def measure_result(
    figures: Mapping[str, Any], image: Path, table: Path, selection: PlaneSelection | None
) -> dict[str, Any]:
    """Measure what `segment_stack` has written, and return what is new among the figures.

    A segmentation that was stopped is measured as far as it went, if anything is written.
    """
    labels = Path(figures["output"])
    try:
        found = measure_stack(
            labels, image, output=table, selection=selection, wishes=MeasureWishes()
        )
    except UnetPaintError:
        say(f"The segmentation is in '{labels}'; only its table is missing.")
        raise
    return {"table": found["output"], "rows": found["rows"]}


def measure_stack(
    labels: Path,
    image: Path | None,
    *,
    output: Path | None,
    selection: PlaneSelection | None = None,
    wishes: MeasureWishes,
    stop: Stop = never,
) -> dict[str, Any]:
    """Measure, write the rows of what is finished, and return the figures.

    If the work is stopped, a file that was there before stays, and the new one is called
    "….unfinished" beside it.

    Parameters
    ----------
    output
        Ends in .csv; None: the table goes to standard output.

    Raises
    ------
    UnetPaintError
        Whatever is wrong with the input or the output; the text says what to do.
    """
    if output is not None:
        require_table(output, (labels,) if image is None else (labels, image))
    stack = _open_stack(labels, image, wishes.axes)
    numbers = None if selection is None else selection.numbers(stack.layout().count)
    planes = open_labels_for(stack, labels, numbers)
    layout = _layout(stack, None if image is None else labels, wishes)
    grey = None if image is None else stack.planes()
    measures = Measures(layout, _channels(stack, grey), wishes.volumes)
    events = measure(
        planes,
        measures,
        image=grey,
        planes=planes.present,
        background=wishes.background,
        stop=stop,
    )
    written = unfinished_path(output) if output is not None and output.exists() else output
    with _open_table(written, measures.names()) as write:
        found = _follow(events, write)
    if output is not None and written is not None and found.planes == len(planes.present):
        written = put_in_place(written, output) if written != output else output
    _tell(found, labels)
    return {
        "output": str(written),
        "planes": found.planes,
        "rows": found.rows,
        "lengths_in": "µm" if measures.unit == "um" else "px",
        **({"channels": len(measures.channels)} if image is not None else {}),
    }


def _open_stack(labels: Path, image: Path | None, axes: str | None) -> ImageStack:
    """Return the image, or the labels themselves, with the axes that were typed."""
    if image is None:
        stack = open_image(labels).channels_as_planes()  # labels have no channels
    else:
        stack = fit_to_labels(open_image(image), labels)
    if axes is None:
        return stack
    if len(axes) != len(stack.axes) or axes[-1] != stack.axes[-1]:
        raise SettingsError(
            f"'{stack.name}' has {count(len(stack.axes), 'axis')}, read as {stack.axes}; write one "
            f"letter for each after --axes, in their order, the last of them {stack.axes[-1]}."
        )
    return replace(stack, axes=axes)


def _layout(stack: ImageStack, labels: Path | None, wishes: MeasureWishes) -> Layout:
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
    if wishes.volumes and "Z" not in spacing and {"Y", "X"} <= spacing.keys():
        say("The distance of the planes is not known: lengths are in pixels; add --z-step.")
    return replace(layout, spacing={axis: spacing[axis] for axis in layout.axes if axis in spacing})


def _channels(stack: ImageStack, grey: Planes | None) -> tuple[str, ...]:
    """Return a name for each channel, which may be empty."""
    if grey is None:
        return ()
    if stack.is_rgb:
        return ("red", "green", "blue")
    if len(stack.channels) == grey.channels:
        return tuple(channel.name for channel in stack.channels)
    return ("",) * grey.channels


@contextmanager
def _open_table(output: Path | None, names: Sequence[str]) -> Iterator[Rows]:
    if output is None:
        yield begin_table(sys.stdout, names)
        return
    with open_table_writer(output, names) as write:
        yield write


@dataclass(frozen=True, slots=True)
class _Found:
    """What was measured."""

    planes: int
    rows: int
    numbers: tuple[int, int]  # the lowest and the highest of an object


def _follow(events: Iterator[PlaneMeasured], write: Rows) -> _Found:
    """Write the rows as they come."""
    planes = rows = highest = 0
    lowest = sys.maxsize
    with progress_bar("Measuring") as update:
        for event in events:
            update(event.share, f"plane {event.plane}")
            write(event.rows.columns)
            planes, rows = event.done, rows + len(event.rows)
            lowest = min(lowest, int(event.rows["label"].min(initial=lowest)))
            highest = max(highest, int(event.rows["label"].max(initial=highest)))
    return _Found(planes, rows, (lowest, highest))


def _tell(found: _Found, labels: Path) -> None:
    """Say what may not be as one thinks."""
    if not found.rows:
        say(f"There are no objects in '{labels.name}': the table has its first line only.")
    elif found.numbers in _MASKS:
        say(
            f"All objects in '{labels.name}' have the number {found.numbers[0]}, as in a mask, and "
            "are measured as one; to measure each of them, number them first (in Python: "
            "skimage.measure.label)."
        )
