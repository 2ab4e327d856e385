"""What workers do: small pieces of the work on an image, each of which may be done again.

What is done already is not done twice: it lies in the shared folder.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy.typing as npt
import psutil  # type: ignore[import-untyped]  # napari brings it

from napari_unet.batch.cluster.finished import Finished
from napari_unet.batch.cluster.orders import (
    Desk,
    Order,
    Place,
    desk_for,
    require_visible,
    segmenter_for,
)
from napari_unet.batch.events import Note
from napari_unet.batch.filling import result_layout
from napari_unet.batch.one_file import OneFile, Room
from napari_unet.config import OutputKind
from napari_unet.engine.events import Resume, never
from napari_unet.engine.prediction import KeptLabels, number_planes
from napari_unet.engine.stack import Tile
from napari_unet.io.batch_summary import FileOutcome
from napari_unet.io.input_files import InputFile
from napari_unet.io.kept_record import KeptRecord
from napari_unet.io.shared_work import Agreed, PlaneReport
from napari_unet.io.write_zarr import PlaneZarr


@dataclass(frozen=True, slots=True)
class Report:
    """What a worker tells of a task."""

    value: Any
    seconds: float  # that it took
    memory: int  # bytes that the process has taken at most


@dataclass(frozen=True, slots=True)
class Survey:
    """What a first look at an image has found; all others work by it."""

    agreed: Agreed
    device: str
    computes: str
    note: str


def do(task: Any, order: Order, *arguments: Any) -> Report:
    """Do a task, and tell what it took."""
    began = time.monotonic()
    value = task(order, *arguments)
    return Report(value, time.monotonic() - began, peak_memory())


def peak_memory() -> int:
    """Return the most memory that this process has taken, bytes."""
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource  # noqa: PLC0415  # Windows has none

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def survey(order: Order, place: Place) -> Survey:
    """Look at an image: how it is seen, into what tiles it is cut, and what decides the result."""
    desk = desk_for(order, place)
    parts, device = desk.parts(), desk.segmenter.device
    record = KeptRecord(
        name=desk.image.stack.name,
        model_name=order.name,
        # Workers of one kind may have other numbers of threads.
        basis=replace(desk.wanted.basis, device=device.device),
        planes=desk.wanted.planes.count,
        order=tuple(desk.wanted.numbers),
        side=parts.side,
        output=str(place.output),
        shape=desk.wanted.planes.shape,
    )
    agreed = Agreed(record, parts.normalization)
    return Survey(agreed, str(device), parts.computes, parts.note)


def predict(order: Order, place: Place, plane: int, first: int, stop: int) -> None:
    """Settle some tiles of a plane, unless its objects are there already."""
    desk = desk_for(order, place)
    if desk.work.report(plane) is None:
        for number in range(first, stop):
            _settle(desk, plane, number)


def segment_planes(order: Order, place: Place, planes: Sequence[int]) -> list[PlaneReport]:
    """Settle all tiles of some planes, and decode these."""
    return [_finish(desk_for(order, place), plane) for plane in planes]


def decode(order: Order, place: Place, plane: int) -> list[PlaneReport]:
    """Decode a plane whose tiles are settled; one that was lost is settled again."""
    return [_finish(desk_for(order, place), plane)]


def _finish(desk: Desk, plane: int) -> PlaneReport:
    """Do what is left to do of a plane."""
    work, parts = desk.work, desk.agreed_parts
    if not parts.plan.is_numbered:
        for number in range(len(parts.tiles)):
            _settle(desk, plane, number)
        return PlaneReport(plane, 0, desk.wanted.hashes[plane])
    report = work.report(plane)
    if report is None:
        numbers = {tile: number for number, tile in enumerate(parts.tiles)}

        def settled(tile: Tile) -> npt.NDArray[Any]:
            values = work.tile(plane, numbers[tile])
            if values is not None and parts.is_settled(tile, values):
                return values
            return parts.settle(plane, tile)

        report = work.keep_plane(parts.decode(plane, settled), desk.wanted.hashes[plane])
    work.drop_tiles(plane)
    return report


def _settle(desk: Desk, plane: int, number: int) -> None:
    """Settle a tile, unless it is there."""
    parts = desk.agreed_parts
    tile = parts.tiles[number]
    values = desk.work.tile(plane, number)
    if values is None or not parts.is_settled(tile, values):
        desk.work.keep_tile(plane, number, parts.settle(plane, tile))


def number(
    order: Order, place: Place, planes: Sequence[int], before: int, largest: int
) -> list[tuple[int, int]]:
    """Link planes to each other and to those before them; return each with its new objects.

    Parameters
    ----------
    planes
        They come next, in their order.
    before
        How many planes of the whole order are numbered already.
    largest
        Object number in use.
    """
    desk = desk_for(order, place)
    work, wanted = desk.work, desk.wanted
    earlier = frozenset(wanted.numbers[:before])
    resume = Resume(earlier, largest, KeptLabels(work.numbered, earlier, None, wanted.planes))
    found = []
    decoded = map(work.plane, planes)
    for done in number_planes(decoded, wanted.planes, planes, wanted.plan.objects, resume):
        work.keep_numbers(done)
        found.append((done.plane, done.objects))
    return found


def write(order: Order, place: Place, path: Path, plane: int, above: int | None) -> None:
    """Write a finished plane into the zarr of the result, which exists.

    Parameters
    ----------
    above
        As of `Finished.rows`.
    """
    desk = desk_for(order, place)
    plan, stack = desk.wanted.plan, desk.image.stack
    layout = result_layout(stack, plan)
    is_labels = plan.kind is not OutputKind.PROBABILITIES
    writer = PlaneZarr(path, layout, name="", is_labels=is_labels, plane=plane)
    finished = Finished.of(plan, desk.work, stack.planes().shape)
    for rows in finished.rows(plane, above):
        writer.write(rows)


def segment_file(
    order: Order,
    file: InputFile,
    begun: FileOutcome,
    tables: bool,  # noqa: FBT001
    objects: int | None,
) -> list[Note | FileOutcome]:
    """Segment one file of many, unless it is done; return what is told of it, its outcome last.

    Parameters
    ----------
    objects
        Its number of objects, if it was done before.
    """
    require_visible(file.path)
    before = {} if objects is None else {begun.output: objects}
    one = OneFile(file, begun, segmenter_for(order), never, tables, before, Room())
    return [told for told in one.events() if isinstance(told, Note | FileOutcome)]
