"""Medians over all planes of a volume, in memory that does not grow with their pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet.engine.measurements.object_runs import Indices, ObjectRuns
from napari_unet.engine.measurements.object_sums import Floats, ObjectSums
from napari_unet.engine.measurements.ordered_bits import from_bits, to_bits
from napari_unet.engine.stack.planes import Planes
from napari_unet.engine.stack.tiles import bands

_MANY = 1 << 13  # objects; of each, 4 kB are held per channel, and of more than these 256 bytes

ReadRuns = Callable[[int], ObjectRuns]
"""Returns the objects of a plane."""


class VolumeMedians:
    """Finds the medians digit by digit: each time all planes are read, one more digit is known.

    Parameters
    ----------
    sums
        Of the volume's objects, (k,).
    image, planes
        Grey values, and the numbers of the volume's planes.
    read_runs
        Gives the objects of a plane again.
    """

    def __init__(
        self, sums: ObjectSums, image: Planes, planes: Sequence[int], read_runs: ReadRuns
    ) -> None:
        self._labels = sums.labels
        self._image = image
        self._planes = planes
        self._read_runs = read_runs
        counts = sums.pixels.astype(np.int64)
        # The two in the middle, which are one if their number is odd.
        ranks = np.stack([(counts - 1) // 2, counts // 2])
        self._ranks = np.repeat(ranks[np.newaxis], image.channels, axis=0)  # (C, 2, k)
        self._known = np.zeros(self._ranks.shape, np.uint64)  # digits, from the highest on

    def find(self) -> Iterator[tuple[int, float]]:
        """Look for them; yields each plane, and the share of the work that is done."""
        bits, digit = 8 * self._image.dtype.itemsize, 8 if len(self._labels) <= _MANY else 4
        total = bits // digit * len(self._planes)
        for turn, shift in enumerate(range(bits - digit, -1, -digit)):
            counts = np.zeros((*self._known.shape, 1 << digit), np.int64)
            for done, plane in enumerate(self._planes, turn * len(self._planes) + 1):
                self._count(plane, shift, counts)
                yield plane, done / total
            self._take_digit(counts, digit)

    def medians(self) -> Floats:
        """Return what was found, (k, C)."""
        dtype = self._image.dtype
        bits = self._known.astype(f"u{dtype.itemsize}")
        low, high = from_bits(bits, dtype).astype(np.float64).swapaxes(0, 1)
        with np.errstate(invalid="ignore"):
            found: Floats = (low / 2 + high / 2).T
        return found

    def _count(self, plane: int, shift: int, counts: Indices) -> None:
        """Count the next digit of all pixels that have the digits that are known."""
        runs = self._read_runs(plane)
        place = np.searchsorted(self._labels, runs.labels)
        size = counts.shape[-1]
        for rows in bands(runs.plane.shape):
            of_runs, at = runs.rows(rows)
            who = place[np.repeat(runs.who[of_runs], runs.lengths[of_runs])]
            band = self._image.read(plane, rows, slice(0, runs.plane.shape[1]))
            values = to_bits(band.reshape(len(band), -1)[:, at]).astype(np.uint64)
            for channel, middle in np.ndindex(counts.shape[:2]):
                digits = _shifted(values[channel], shift)
                known = self._known[channel, middle, who]
                mine = _shifted(digits, size.bit_length() - 1) == known
                index = who[mine] * size + (digits[mine] & np.uint64(size - 1)).astype(np.int64)
                found = np.bincount(index, minlength=len(self._labels) * size)
                counts[channel, middle] += found.reshape(-1, size)

    def _take_digit(self, counts: Indices, digit: int) -> None:
        """Add the digit in which the wanted rank lies."""
        up_to = counts.cumsum(axis=-1)
        found = (up_to <= self._ranks[..., np.newaxis]).sum(axis=-1)
        before = np.take_along_axis(up_to - counts, found[..., np.newaxis], axis=-1)[..., 0]
        self._ranks = self._ranks - before
        self._known = (self._known << np.uint64(digit)) | found.astype(np.uint64)


def _shifted(values: npt.NDArray[Any], bits: int) -> npt.NDArray[Any]:
    return values >> np.uint64(bits)
