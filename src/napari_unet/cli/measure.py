"""Measure the objects of a label image, plane by plane into a table."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from napari_unet.batch.events import Note, TableWritten
from napari_unet.batch.measuring import MeasureWishes, measure_file
from napari_unet.batch.plane_selection import PlaneSelection
from napari_unet.cli.console import progress_bar, say
from napari_unet.engine.events import Stop, never
from napari_unet.engine.measurements import PlaneMeasured


def measure_stack(
    labels: Path,
    image: Path | None,
    *,
    output: Path | None,
    selection: PlaneSelection | None = None,
    wishes: MeasureWishes,
    stop: Stop = never,
) -> dict[str, Any]:
    """Measure as `batch.measuring.measure_file` does, and return the figures.

    Parameters
    ----------
    output
        Ends in .csv; None: the table goes to standard output.
    """
    return tell_measured(
        measure_file(
            labels,
            image,
            output=output or sys.stdout,
            selection=selection,
            wishes=wishes,
            stop=stop,
        )
    )


def tell_measured(events: Iterator[Note | PlaneMeasured | TableWritten]) -> dict[str, Any]:
    """Show a measurement as it goes on, and return its figures."""
    figures: dict[str, Any] = {}
    with progress_bar("Measuring") as update:
        for event in events:
            match event:
                case Note():
                    say(event.text)
                case PlaneMeasured():
                    update(event.share, f"plane {event.plane}")
                case TableWritten():
                    figures = dict(event.figures)
    return figures
