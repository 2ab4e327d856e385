"""Objects that still touch are cut where they narrow.

A separation border that the network draws with a gap of a few pixels leaves two cells joined by
a narrow bridge. The bridge shows in the distance to the background: it is low between two peaks.

Most objects are small and have no bridge: so many are looked at together, and only those with two
peaks that may have a bridge between them are looked at closer, one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.morphology import local_maxima, reconstruction
from skimage.segmentation import watershed

from napari_unet.engine.stack.parallel_map import side_by_side
from napari_unet.engine.stack.renumber import renumber

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

    def parts_of(together: Sequence[int]) -> dict[int, Labels]:
        return _Sheet.of(labels, together, boxes).parts(neck, smallest)

    found: dict[int, Labels] = {}
    for of_sheet in side_by_side(parts_of, _groups(boxes)):
        found.update(of_sheet)
    for number, box in boxes.items():
        if number in found:
            parts = found[number]
            others = parts > 1
            labels[box][others] = parts[others] - 2 + count + 1
            count += int(parts.max()) - 1
    return count


def _groups(boxes: Mapping[int, Box]) -> Iterator[list[int]]:
    """Yield the objects of each sheet; sheets are of like size, and objects on it of like width."""
    group: list[int] = []
    height = 0
    for number in sorted(boxes, key=lambda number: boxes[number][1].stop - boxes[number][1].start):
        y, x = boxes[number]
        rows, columns = y.stop - y.start + 2 * _AROUND, x.stop - x.start + 2 * _AROUND
        if group and (height + rows) * columns > _SHEET:
            yield group
            group, height = [], 0
        group.append(number)
        height += rows
    if group:
        yield group


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
        found = {}
        for index in self._doubtful(neck):
            distance = self.distance[self.boxes[index]]
            parts = _flood(distance, _seeds(distance, neck), smallest)
            if parts.max() > 1:
                found[self.numbers[index]] = parts
        return found

    def _doubtful(self, neck: float) -> list[int]:
        """Return which of the objects may have several parts, by their place on the sheet.

        None has where a straight line joins each of its peaks to its highest one without a pass.
        """
        peaks = self._peaks()
        heights = self.distance[*peaks.T]
        tops = [box[0].start for box in self.boxes]
        owners = np.searchsorted(tops, peaks[:, 0], "right") - 1
        highest = np.zeros((len(self.boxes), 2), dtype=np.intp)
        rising = np.argsort(heights)
        highest[owners[rising]] = peaks[rising]  # the last one stays
        lowest = _lowest_between(self.distance, peaks, highest[owners])
        found: list[int] = np.unique(owners[lowest < neck * heights]).tolist()
        return found

    def _peaks(self) -> Points:
        """Return (n, 2) pixels from top to bottom, at least one of each regional maximum."""
        highest = self.distance == ndimage.maximum_filter(self.distance, size=3)
        return np.argwhere(highest & (self.distance > _SMALLEST_PEAK))


def _lowest_between(distance: Distance, starts: Points, ends: Points) -> Distance:
    """Return the smallest distance on each straight, 8-connected line between two pixels, (n,)."""
    lengths = np.abs(ends - starts).max(axis=1, initial=0) + 1
    firsts = np.cumsum(lengths) - lengths
    line = np.repeat(np.arange(len(lengths)), lengths)
    share = (np.arange(len(line)) - firsts[line]) / np.maximum(lengths - 1, 1)[line]
    points = starts[line] + share[:, np.newaxis] * (ends - starts)[line]
    values = distance[*points.round().astype(np.intp).T]
    return np.minimum.reduceat(values, firsts) if len(firsts) else values


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
