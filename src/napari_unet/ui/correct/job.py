"""The job that looks for places to paint, and its progress in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from napari_unet.config import ObjectsConfig, Unpainted
from napari_unet.engine.events import Place, PlaceLookedAt, Stop, Suggested
from napari_unet.engine.stack import Planes
from napari_unet.ui.progress import Progress
from napari_unet.ui.worker import Job

if TYPE_CHECKING:
    from napari_unet.engine.network import DeviceChoice, Model


def suggest_places(
    model: Model,
    planes: Planes,
    labels: Planes | None,
    *,
    device: DeviceChoice,
    focus: tuple[int, int, int],
    count: int,
    unpainted: Unpainted,
    objects: ObjectsConfig,
) -> Job:
    """Look for unsure places; the events are those of `napari_unet.engine.prediction.suggest`."""

    def run(stop: Stop) -> Iterator[object]:
        from napari_unet.engine.prediction import suggest  # noqa: PLC0415

        yield from suggest(
            model,
            planes,
            labels,
            device=device,
            focus=focus,
            count=count,
            unpainted=unpainted,
            objects=objects,
            stop=stop,
        )

    return run


def describe_search(event: PlaceLookedAt | Suggested) -> Progress:
    """Return how far the search is."""
    if isinstance(event, Suggested):
        return Progress("Looked for unsure places.", 1)
    done, total = event.done, event.total
    return Progress(f"Looking for unsure places: tile {done:,} of {total:,}", done / total)


def describe_place(place: Place) -> str:
    """Return where it is, of what the network is unsure there, and what to paint."""
    if place.one_or_two:
        return (
            f"Plane {place.plane}: one object or two? It is nearly undecided inside the frame. "
            "Paint two with two numbers, up to where they touch; one with a stroke through both."
        )
    return (
        f"Plane {place.plane}: the network is least sure here "
        f"(uncertainty {place.uncertainty:.2f}). Paint what it should be."
    )
