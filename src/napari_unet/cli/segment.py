"""Segment a stack with a trained model, plane by plane into a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from napari_unet.batch.cluster.connection import connected
from napari_unet.batch.cluster.workers import Workers
from napari_unet.batch.events import FileSegmented, Note, PartsDone, Stopped
from napari_unet.batch.measuring import check_table, measure_result
from napari_unet.batch.plane_selection import PlaneSelection
from napari_unet.batch.segmenter import Segmenter, check_segmentation
from napari_unet.cli.console import Interruption, progress_bar, say
from napari_unet.cli.measure import tell_measured
from napari_unet.cli.settings import SegmentWishes
from napari_unet.config import OutputKind
from napari_unet.engine.counts import count
from napari_unet.engine.errors import SettingsError
from napari_unet.engine.events import MemoryShort, SegmentEvent, SegmentStarted, TileDone
from napari_unet.engine.network import pick_device
from napari_unet.engine.prediction import SegmentationPlan
from napari_unet.io.checkpoints import load_model
from napari_unet.io.library import find_model
from napari_unet.io.stack import AS_IT_IS, View

_GO_ON = "To go on, run the same command again."


def segment_stack(
    image: Path, *, output: Path, stop: Interruption, **wishes: Any
) -> dict[str, Any]:
    """Segment as `Segmenter.segment` does, and return the figures.

    Parameters
    ----------
    wishes
        As of `load_segmenter`.

    Raises
    ------
    UnetPaintError
        Whatever is wrong with the input, the device or the output; the text says what to do.
    """
    check_segmentation(output, image)
    segmenter = load_segmenter(**wishes)
    figures = _tell(segmenter.segment(segmenter.open(image), output, stop))
    if not figures:
        stop.exit_if_requested()
    return figures


def segment_measured(
    image: Path, output: Path, table: Path | None, stop: Interruption, **wishes: Any
) -> dict[str, Any]:
    """Segment as `segment_stack` does, and measure the objects into a table, if there is to be one.

    A segmentation that was stopped is measured as far as it went, if anything is written.

    Raises
    ------
    UnetPaintError
        As `segment_stack` and `measure_stack`.
    """
    if table is not None:
        check_table(table, (image, output), wishes["kind"])
    figures = segment_stack(image, output=output, stop=stop, **wishes)
    if table is not None:
        labels = Path(figures["output"])
        found = tell_measured(
            measure_result(labels, image, table, wishes["selection"], wishes["view"])
        )
        figures |= {"table": found["output"], "rows": found["rows"]}
    return figures


def load_segmenter(
    *,
    model: str,
    selection: PlaneSelection | None,
    wishes: SegmentWishes,
    kind: OutputKind,
    device: str,
    view: View = AS_IT_IS,
    anew: bool = False,
    others: Workers | None = None,
) -> Segmenter:
    """Load the model, for what was typed.

    Raises
    ------
    UnetPaintError
        If there is no such model or device, or objects are to be linked and there are none.
    """
    choice = pick_device(device if others is None else "auto")
    path = find_model(model)
    loaded = load_model(path)
    segmenter = Segmenter(
        plan=SegmentationPlan(
            loaded, wishes.objects(loaded.network), wishes.tiling(loaded.network), kind
        ),
        name=path.stem,
        path=path,
        device=choice,
        selection=selection,
        view=view,
        anew=anew,
        others=others,
    )
    if wishes.links and not segmenter.plan.is_numbered:
        raise SettingsError(
            "Only numbered objects can be linked from plane to plane; leave out --link, or "
            "take a model of objects and the output kind 'labels'."
        )
    return segmenter


@contextmanager
def open_workers(wish: str | None, device: str) -> Iterator[Workers | None]:
    """Reach or start a cluster, and say where it shows what it does; None: none is wanted.

    Raises
    ------
    SettingsError
        As `connected`.
    """
    if wish is None:
        yield None
        return
    with connected(wish) as pool:
        say(f"The cluster shows what it does at {pool.dashboard}")
        if not pool.workers:
            say("No worker has joined it yet; waiting for the first.")
        yield Workers(pool, device)


def _tell(events: Iterator[Note | SegmentEvent | PartsDone | FileSegmented]) -> dict[str, Any]:
    """Show a segmentation as it goes on; return its figures, none if nothing was finished."""
    figures: dict[str, Any] = {}
    with progress_bar("Segmenting") as update:
        for event in events:
            match event:
                case Stopped():
                    say(f"{event.text} {_GO_ON}")
                case Note():
                    say(event.text)
                case SegmentStarted():
                    where = f"Segmenting {count(len(event.planes), 'plane')} on {event.device}"
                    say("\n".join(filter(None, [where, event.note])))
                case TileDone():
                    update(event.done / event.total, f"plane {event.plane}")
                case PartsDone():
                    update(event.done / event.total, event.state)
                case MemoryShort():
                    say(f"{event}.")
                case FileSegmented():
                    figures = dict(event.figures)
    return figures
