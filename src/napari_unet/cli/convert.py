"""Write labels in the formats of other programs, and show how far it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_unet.batch.converting import LabelsConverted, PlaneConverted, convert_labels
from napari_unet.batch.events import Note
from napari_unet.cli.console import progress_bar, say


def convert_files(labels: Path, outputs: list[Path], **wishes: Any) -> dict[str, Any]:
    """Convert as `batch.converting.convert_labels` does, and return the figures.

    Parameters
    ----------
    wishes
        As of `convert_labels`.

    Returns
    -------
    dict
        Empty if the work was stopped.
    """
    figures: dict[str, Any] = {}
    with progress_bar("Converting") as update:
        for event in convert_labels(labels, outputs, **wishes):
            match event:
                case Note():
                    say(event.text)
                case PlaneConverted():
                    update(event.done / event.total, f"plane {event.done - 1}")
                case LabelsConverted():
                    figures = {"outputs": [str(p) for p in event.outputs], "planes": event.planes}
    if not figures:
        say("Stopped; nothing is written.")
    return figures
