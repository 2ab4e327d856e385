"""Objects that still touch are cut where they narrow.

A separation border that the network draws with a gap of a few pixels leaves two cells joined by
a narrow bridge. The bridge shows in the distance to the background: it is low between two peaks.

Most objects are small and have no bridge: so many are looked at together, and only those with two
peaks that may have a bridge between them are looked at closer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.morphology import local_maxima, reconstruction
from skimage.segmentation import watershed

from napari_unet.engine.renumber import renumber

__all__ = ["cut_necks"]

_SMOOTHING = 1.0  # standard deviation, pixels: a ragged outline has no necks
_SMALLEST_PEAK = 1.0  # pixels to the background
_AROUND = 3  # pixels of background around an object: smoothing does not reach over twice of it
_SHEET = 1 << 16  # pixels; fits into a cache
_EIGHT_CONNECTED = np.ones((3, 3), dtype=bool)

Labels = npt.NDArray[np.int32]
Distance = npt.NDArray[np.float64]
Points = npt.NDArray[np.intp]
Box = tuple[slice, slice]


def cut_necks(
    labels: Labels, boxes: Mapping[int, Box], count: int, neck: float, *, smallest: int = 0
) -> int:
    """Cut objects, in place, where they narrow to less than a share of their width.

    Parameters
    ----------
    labels
        (Y, X), one number per object; 0 = background.
    boxes
        The objects to cut, by number, and where in `labels` each of them is.
    count
        The largest number in use.
    neck
        Two parts become two objects if the bridge between them is narrower than this share of
        the narrower part, 0 (never) to 1. A share, so that it suits objects of any size.
    smallest
        Pixels that a part must have to be an object; a smaller one is a protrusion and stays.

    Returns
    -------
    int
        The largest number afterwards. One part keeps the number, the others go on from
        `count`, in the order of `boxes`.

    Notes
    -----
    The parts are the regional maxima of the Euclidean distance to the background that rise above
    the highest pass to a higher one by the factor 1/neck (grey reconstruction, Vincent 1993);
    watershed on the distance draws the cuts. Each object is handled as if it were alone.
    """
    if neck == 0:
        return count
    found: dict[int, Labels] = {}
    for sheet in _sheets(labels, boxes):
        found.update(sheet.parts(neck, smallest))
    for number, box in boxes.items():
        if number in found:
            parts = found[number]
            others = parts > 1
            labels[box][others] = parts[others] - 2 + count + 1
            count += int(parts.max()) - 1
    return count


def _sheets(labels: Labels, boxes: Mapping[int, Box]) -> Iterator[_Sheet]:
    """Yield the objects on sheets of about the same size; those of like width share one."""
    sheet: list[int] = []
    height = 0
    for number in sorted(boxes, key=lambda number: boxes[number][1].stop - boxes[number][1].start):
        y, x = boxes[number]
        rows, columns = y.stop - y.start + 2 * _AROUND, x.stop - x.start + 2 * _AROUND
        if sheet and (height + rows) * columns > _SHEET:
            yield _Sheet.of(labels, sheet, boxes)
            sheet, height = [], 0
        sheet.append(number)
        height += rows
    if sheet:
        yield _Sheet.of(labels, sheet, boxes)


@dataclass(frozen=True, slots=True, eq=False)
class _Sheet:
    """Objects one below the other, too far apart to tell of each other."""

    numbers: Sequence[int]
    boxes: Sequence[Box]  # of the objects on the sheet, without background around
    distance: Distance  # (Y, X), pixels to the background, smoothed

    @classmethod
    def of(cls, labels: Labels, numbers: Sequence[int], boxes: Mapping[int, Box]) -> _Sheet:
        """Lay out some objects."""
        crops = [labels[boxes[number]] == number for number in numbers]
        width = max(crop.shape[1] for crop in crops) + 2 * _AROUND
        places = []
        bottom = 0
        for crop in crops:
            top = bottom + _AROUND
            places.append(
                (slice(top, top + crop.shape[0]), slice(_AROUND, _AROUND + crop.shape[1]))
            )
            bottom = top + crop.shape[0] + _AROUND
        inside = np.zeros((bottom, width), dtype=bool)
        for crop, place in zip(crops, places, strict=True):
            inside[place] = crop
        distance = ndimage.gaussian_filter(ndimage.distance_transform_edt(inside), _SMOOTHING)
        distance *= inside
        return cls(numbers, places, distance)

    def parts(self, neck: float, smallest: int) -> dict[int, Labels]:
        """Return the parts, numbered from 1, of each object that has several."""
        doubtful = self._doubtful(neck)
        if not doubtful:
            return {}
        distance = np.zeros_like(self.distance)
        for index in doubtful:
            distance[self.boxes[index]] = self.distance[self.boxes[index]]
        parts = _flood(distance, _seeds(distance, neck), smallest)
        found = {}
        for index in doubtful:
            own = parts[self.boxes[index]]
            last = int(own.max())
            first = int(own[own > 0].min(initial=last))
            if last > first:
                found[self.numbers[index]] = np.where(own > 0, own - (first - 1), 0)
        return found

    def _doubtful(self, neck: float) -> list[int]:
        """Return which of the objects may have several parts, by their place on the sheet."""
        peaks = self._peaks()
        tops = [box[0].start for box in self.boxes]
        until = np.searchsorted(peaks[:, 0], [*tops[1:], len(self.distance)]).tolist()
        return [
            index
            for index, (first, last) in enumerate(zip([0, *until], until, strict=False))
            if last - first > 1 and not _is_whole(self.distance, peaks[first:last], neck)
        ]

    def _peaks(self) -> Points:
        """Return (n, 2) pixels from top to bottom, at least one of each regional maximum."""
        highest = self.distance == ndimage.maximum_filter(self.distance, size=3)
        return np.argwhere(highest & (self.distance > _SMALLEST_PEAK))


def _is_whole(distance: Distance, peaks: Points, neck: float) -> bool:
    """Return whether a straight line joins each peak of an object to the highest, without a pass.

    There may be none even so, on a way that is not straight.
    """
    heights = distance[peaks[:, 0], peaks[:, 1]]
    highest = peaks[heights.argmax()]
    return all(
        _lowest_between(distance, peak, highest) >= neck * height
        for peak, height in zip(peaks, heights, strict=True)
    )


def _lowest_between(distance: Distance, start: Points, end: Points) -> float:
    """Return the smallest distance on the straight, 8-connected line between two pixels."""
    length = int(np.abs(end - start).max()) + 1
    y, x = np.linspace(start, end, length).round().astype(np.intp).T
    return float(distance[y, x].min())


def _seeds(distance: Distance, neck: float) -> Labels:
    """Return a numbered seed in each part, from top to bottom."""
    # Peaks that are joined by a pass of at least `neck` times their height become one plateau.
    plateaus = local_maxima(reconstruction(neck * distance, distance), footprint=_EIGHT_CONNECTED)
    seeds = np.empty(distance.shape, np.int32)
    ndimage.label(plateaus, _EIGHT_CONNECTED, output=seeds)
    heights = np.zeros(int(seeds.max()) + 1)
    np.maximum.at(heights, seeds[plateaus], distance[plateaus])
    return renumber(heights > _SMALLEST_PEAK)[seeds]


def _flood(distance: Distance, seeds: Labels, smallest: int) -> Labels:
    """Return the part of each pixel; protrusions below `smallest` go to a neighbour."""
    mask = distance > 0
    parts: Labels = watershed(-distance, seeds, mask=mask)
    large = np.bincount(parts.ravel()) >= smallest
    if not large[1:].all():
        parts = watershed(-distance, renumber(large)[seeds], mask=mask)
    return parts
