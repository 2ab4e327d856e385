"""All objects of a stack, plane by plane: an iterator of tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
from napari_unet.engine.stack.planes import Planes
from napari_unet.engine.stack.run_labels import LabelCollector, RunLabels
from napari_unet.engine.stack.tiles import bands

_LARGEST = int(np.iinfo(np.int32).max)


@dataclass(frozen=True, slots=True, eq=False)
class PlaneMeasured:
    """One more plane was measured."""

    plane: int
    rows: ObjectTable  # that are final now; of volumes those that end with this plane
    done: int  # planes
    total: int


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
    done = 0
    for numbers in _volumes(measures, planes):
        sums = nothing = ObjectSums.nothing(len(measures.channels))
        for z, number in numbers:
            runs = ObjectRuns.of(_read_plane(labels, number), background)
            grey = None if image is None else grey_values(runs, image, number)
            sums = sums.joined(ObjectSums.of(runs, grey, z))
            on_plane = None if measures.volumes else _on_plane(runs, grey)
            rows = sums if number == numbers[-1][1] else nothing
            done += 1
            yield PlaneMeasured(number, measures.table(rows, number, on_plane), done, len(planes))
            if stop():
                return


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


def _on_plane(runs: ObjectRuns, grey: GreyValues | None) -> OnPlane:
    median = np.zeros((len(runs.labels), 0)) if grey is None else grey.median
    return OnPlane(perimeters(runs), convex_areas(runs).astype(np.float64), median)


def _volumes(measures: Measures, planes: Sequence[int]) -> Iterable[list[tuple[int, int]]]:
    """Return (z, plane) of the planes of each volume; each plane by itself if none are wanted."""
    if not measures.volumes:
        return ([(0, number)] for number in planes)
    shape, axis = measures.grid.shape[:-2], measures.leading.index("Z")
    found: dict[tuple[int, ...], list[tuple[int, int]]] = {}
    for number in planes:
        at = [int(i) for i in np.unravel_index(number, shape)]
        z = at.pop(axis)
        found.setdefault(tuple(at), []).append((z, number))
    return found.values()
