"""Objects measured plane by plane in the background, and the table that is saved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_unet.engine.counts import count
from napari_unet.engine.events import Stop
from napari_unet.engine.stack import Planes
from napari_unet.ui.measure.features import features
from napari_unet.ui.progress import Progress
from napari_unet.ui.worker import Job

if TYPE_CHECKING:
    from napari_unet.engine.measurements import Measures, ObjectTable
    from napari_unet.engine.paint import LabelScheme


@dataclass(frozen=True, slots=True)
class MeasurePlane:
    """One more plane was measured."""

    plane: int
    share: float  # of the work that is done


@dataclass(frozen=True, slots=True, eq=False)
class MeasureDone:
    """The last event: what was measured, to its end or until it was stopped."""

    table: ObjectTable
    features: Mapping[str, Any]  # a row per label, for napari
    planes: int
    total: int  # planes that were asked for
    background: int  # a number that was no object; 0: all were


@dataclass(frozen=True, slots=True)
class Saved:
    """The table is in a file."""

    path: Path


def measure_objects(
    labels: Planes,
    measures: Measures,
    *,
    image: Planes | None,
    scheme: LabelScheme | None,
    remember: Callable[[], object],
) -> Job:
    """Measure all objects.

    Parameters
    ----------
    labels, measures, image
        As of `napari_unet.engine.measurements.measure`.
    scheme
        How painted labels are read: their background is no object, unless they are plainly a label
        image that was opened; None: they were not painted.
    remember
        Called before the first plane is read: what changes from then on is not in the table.
    """

    def run(stop: Stop) -> Iterator[MeasurePlane | MeasureDone]:
        from napari_unet.engine.measurements import ObjectTable, measure  # noqa: PLC0415
        from napari_unet.engine.paint import looks_like_label_image  # noqa: PLC0415

        remember()
        background = (scheme and scheme.background) or 0
        if scheme is not None and looks_like_label_image([labels], scheme):
            background = 0
        parts, done, total = [], 0, 0
        events = measure(labels, measures, image=image, background=background, stop=stop)
        for event in events:
            parts.append(event.rows)
            done, total = event.done, event.total
            yield MeasurePlane(event.plane, event.share)
        table = ObjectTable.joined(parts)
        yield MeasureDone(table, features(table), done, total, background)

    return run


def save_table(path: Path, table: ObjectTable) -> Job:
    """Write a table as CSV."""

    def run(_stop: Stop) -> Iterator[Saved]:
        from napari_unet.io.tables import open_table_writer  # noqa: PLC0415

        with open_table_writer(path, list(table.columns)) as write:
            write(table.columns)
        yield Saved(path)

    return run


def tell_plane(event: MeasurePlane) -> Progress:
    """Return how far the measurement is."""
    return Progress(f"Measured plane {event.plane:,}", event.share)


def tell_end(event: MeasureDone) -> str:
    """Return how much was measured."""
    found = f"{count(len(event.table), 'row')} from {count(event.planes, 'plane')}"
    if event.planes < event.total:
        return f"Stopped: {found} of {event.total:,}."
    return f"Measured {found}."
