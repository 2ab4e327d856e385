"""Grey values of each object of a plane: mean, median, maximum and spread, in one pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet.engine.measurements.object_runs import Indices, ObjectRuns
from napari_unet.engine.measurements.ordered_bits import from_bits, to_bits
from napari_unet.engine.stack.planes import Planes
from napari_unet.engine.stack.tiles import bands

Floats = npt.NDArray[np.float64]

_PACKED = 4  # bytes of a value that is sorted together with the number of its object


@dataclass(frozen=True, slots=True, eq=False)
class GreyValues:
    """Of each object and channel, (k, C)."""

    mean: Floats
    median: Floats
    highest: Floats
    spread: Floats  # sum of the squared differences from the mean

    @classmethod
    def empty(cls, objects: int, channels: int) -> GreyValues:
        """Return room for so many."""
        return cls(*(np.full((objects, channels), np.nan) for _ in range(4)))


def grey_values(runs: ObjectRuns, image: Planes, plane: int) -> GreyValues:
    """Measure all objects of a plane in all channels.

    Bands of rows are read once; what is held of them are the pixels of objects that go on below.
    """
    found = GreyValues.empty(len(runs.labels), image.channels)
    _, high = runs.boxes()
    held_who = np.zeros(0, np.int64)
    held: npt.NDArray[Any] = np.zeros((image.channels, 0), image.dtype)
    for rows in bands(runs.plane.shape):
        band = image.read(plane, rows, slice(0, runs.plane.shape[1]))
        of_runs, at = runs.rows(rows)
        who = np.repeat(runs.who[of_runs], runs.lengths[of_runs])
        who = np.concatenate([held_who, who])
        values = np.concatenate([held, band.reshape(len(band), -1)[:, at]], axis=1)
        is_whole = high[who, 0] <= rows.stop
        if is_whole.all():
            held_who, held = who[:0], values[:, :0]
        else:
            held_who, held = who[~is_whole], values[:, ~is_whole]
            who, values = who[is_whole], values[:, is_whole]
        for channel, of_channel in enumerate(values):
            _measure(who, of_channel, channel, found)
    return found


def _measure(who: Indices, values: npt.NDArray[Any], channel: int, found: GreyValues) -> None:
    """Measure the objects, all of whose pixels these are, in one channel."""
    if not len(who):
        return
    who, values = _sorted(who, values)
    begins = np.flatnonzero(np.diff(who, prepend=-1))
    counts = np.diff(begins, append=len(who))
    owner = who[begins]
    numbers = values.astype(np.float64)
    middle = begins + counts // 2
    other = begins + (counts - 1) // 2
    with np.errstate(invalid="ignore", over="ignore"):  # infinite, or no number at all
        mean = np.add.reduceat(numbers, begins) / counts
        found.mean[owner, channel] = mean
        found.highest[owner, channel] = np.where(np.isnan(mean), mean, numbers[begins + counts - 1])
        median = numbers[other] / 2 + numbers[middle] / 2
        found.median[owner, channel] = np.where(np.isnan(mean), mean, median)
        numbers -= np.repeat(mean, counts)
        found.spread[owner, channel] = np.add.reduceat(numbers * numbers, begins)


def _sorted(who: Indices, values: npt.NDArray[Any]) -> tuple[Indices, npt.NDArray[Any]]:
    """Return the pixels in the order of their objects, and of their values in each."""
    if values.dtype.itemsize > _PACKED:
        order = np.lexsort((values, who))
        return who[order], values[order]
    bits = to_bits(values).astype(np.uint64)
    keys = np.sort(who.astype(np.uint64) << np.uint64(32) | bits)
    ordered = keys.astype(np.uint32).astype(f"u{values.dtype.itemsize}")
    return (keys >> np.uint64(32)).astype(np.int64), from_bits(ordered, values.dtype)
