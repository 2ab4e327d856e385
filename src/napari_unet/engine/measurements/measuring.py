"""All objects of a stack, plane by plane: an iterator of tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from napari_unet.engine.errors import LabelsError
from napari_unet.engine.events import Stop, never
from napari_unet.engine.measurements.grey_values import GreyValues, grey_values
from napari_unet.engine.measurements.object_runs import ObjectRuns
from napari_unet.engine.measurements.object_sums import ObjectSums
from napari_unet.engine.measurements.object_table import Measures, ObjectTable, OnPlane
from napari_unet.engine.measurements.outlines import convex_areas, perimeters
from napari_unet.engine.measurements.volume_medians import VolumeMedians
from napari_unet.engine.stack.planes import Planes
from napari_unet.engine.stack.run_labels import LabelCollector, RunLabels
from napari_unet.engine.stack.tiles import bands

_LARGEST = int(np.iinfo(np.int32).max)
_ADDING = 0.5  # about the share of the work on a volume that is not for medians


@dataclass(frozen=True, slots=True, eq=False)
class PlaneMeasured:
    """One more plane was looked at."""

    plane: int
    rows: ObjectTable  # that are final now; of volumes those that end with this plane
    done: int  # planes, of volumes those of whole ones
    total: int
    share: float  # of the work that is done


def measure(
    labels: Planes,
    measures: Measures,
    *,
    image: Planes | None = None,
    planes: Sequence[int] | None = None,
    background: int = 0,
    stop: Stop = never,
) -> Iterator[PlaneMeasured]:
    """Measure all objects; one plane, and what is added up of a volume, is held at a time.

    Parameters
    ----------
    labels
        0 is no object.
    measures
        What is measured; its grid and channels are those of `labels` and `image`.
    image
        Grey values on the same planes; None: only sizes and shapes are measured.
    planes
        Numbers of the planes that are measured; None: all.
    background
        A number that is no object either.
    stop
        Asked after each plane; the volume that is not finished then is left out.

    Raises
    ------
    LabelsError
        While measuring, if a number is negative or needs more than 31 bits.
    ValueError
        If the planes of labels, image and grid differ.
    """
    shape = measures.grid.shape
    if (labels.count, labels.shape) != (prod(shape[:-2]), shape[-2:]):
        raise ValueError(f"labels of {labels.count} planes {labels.shape} on a grid of {shape}")
    if image is not None and (image.count, image.shape) != (labels.count, labels.shape):
        raise ValueError(f"image of {image.count} planes {image.shape} on a grid of {shape}")
    planes = range(labels.count) if planes is None else planes
    source = _Source(labels, measures, image, background)
    events = _volumes(source, planes) if measures.volumes else _planes(source, planes)
    for event in events:
        yield event
        if stop():
            return


@dataclass(frozen=True, slots=True)
class _Source:
    """What is measured, and how."""

    labels: Planes
    measures: Measures
    image: Planes | None
    background: int

    def runs(self, plane: int) -> ObjectRuns:
        return ObjectRuns.of(_read_plane(self.labels, plane), self.background)

    def grey(self, runs: ObjectRuns, plane: int) -> GreyValues:
        if self.image is None:
            return GreyValues.empty(len(runs.labels), 0)
        return grey_values(runs, self.image, plane)


def _planes(source: _Source, planes: Sequence[int]) -> Iterator[PlaneMeasured]:
    for done, plane in enumerate(planes, start=1):
        runs = source.runs(plane)
        grey = source.grey(runs, plane)
        outline = perimeters(runs), convex_areas(runs).astype(np.float64)
        rows = source.measures.table(
            ObjectSums.of(runs, grey, 0), plane, grey.median, OnPlane(*outline)
        )
        yield PlaneMeasured(plane, rows, done, len(planes), done / len(planes))


def _volumes(source: _Source, planes: Sequence[int]) -> Iterator[PlaneMeasured]:
    """Add up the planes of each volume, then look for the medians of its objects."""
    total, done = len(planes), 0  # planes of whole volumes
    nothing = source.measures.table(ObjectSums.nothing(len(source.measures.channels)), 0)
    for numbers in _by_volume(source.measures, planes):
        size = len(numbers)
        sums = ObjectSums.nothing(len(source.measures.channels))
        median, adding = None, 1.0 if source.image is None else _ADDING
        for count, (z, plane) in enumerate(numbers, start=1):
            runs = source.runs(plane)
            sums = sums.joined(ObjectSums.of(runs, source.grey(runs, plane), z))
            share = (done + adding * size * count / (size + 1)) / total
            yield PlaneMeasured(plane, nothing, done, total, share)
        if source.image is not None:
            of_volume = [plane for _z, plane in numbers]
            search = VolumeMedians(sums, source.image, of_volume, source.runs)
            for plane, found in search.find():
                share = (done + size * (adding + (1 - adding) * found)) / total
                yield PlaneMeasured(plane, nothing, done, total, share)
            median = search.medians()
        done += size
        rows = source.measures.table(sums, plane, median)
        yield PlaneMeasured(plane, rows, done, total, done / total)


def _by_volume(measures: Measures, planes: Sequence[int]) -> list[list[tuple[int, int]]]:
    """Return (z, plane) of the planes of each volume."""
    shape, axis = measures.grid.shape[:-2], measures.leading.index("Z")
    found: dict[tuple[int, ...], list[tuple[int, int]]] = {}
    for number in planes:
        at = [int(i) for i in np.unravel_index(number, shape)]
        z = at.pop(axis)
        found.setdefault(tuple(at), []).append((z, number))
    return list(found.values())


def _read_plane(labels: Planes, plane: int) -> RunLabels:
    """Return a plane, once its labels have proved to be numbers of objects."""
    collector = LabelCollector(labels.shape)
    for rows in bands(labels.shape):
        band = labels.read(plane, rows, slice(0, labels.shape[1]))[0]
        if int(band.min()) < 0 or int(band.max()) > _LARGEST:
            raise LabelsError(
                f"Plane {plane} of the labels holds numbers below 0 or above {_LARGEST}; number "
                "the objects anew (in Python: skimage.segmentation.relabel_sequential)."
            )
        collector.add(band)
    return collector.labels()
