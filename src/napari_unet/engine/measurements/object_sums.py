"""What is added up over the planes of an object: pixels, centre, spread in space and grey value."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from napari_unet.engine.measurements.grey_values import GreyValues
from napari_unet.engine.measurements.object_runs import Indices, ObjectRuns

Floats = npt.NDArray[np.float64]

_NOTHING = {"low": np.inf, "high": -np.inf, "highest": -np.inf}  # of no pixel; else 0


@dataclass(frozen=True, slots=True, eq=False)
class ObjectSums:
    """Of each object, in pixels; D axes of space (Z, Y, X), C channels."""

    labels: Indices  # (k,) ascending
    pixels: Floats  # (k,)
    centre: Floats  # (k, D)
    spread: Floats  # (k, D, D): sums of products of the differences from the centre
    low: Floats  # (k, D) first index along each axis
    high: Floats  # (k, D) index after the last
    grey: Floats  # (k, C) mean
    grey_spread: Floats  # (k, C): sums of squares of the differences from it
    highest: Floats  # (k, C) grey value

    @classmethod
    def of(cls, runs: ObjectRuns, grey: GreyValues, z: int) -> ObjectSums:
        """Return the sums of the objects on one plane, the z-th of its volume."""
        low, high = runs.boxes()
        pixels = runs.pixels
        # Whole numbers from the corner of each box: exact.
        y, start = runs.y - low[runs.who, 0], runs.start - low[runs.who, 1]
        n, stop = runs.lengths, runs.stop - low[runs.who, 1]
        x = (start + stop - 1) * n // 2
        xx = _squares_below(stop) - _squares_below(start)
        first = np.stack([runs.sums(y * n), runs.sums(x)], axis=-1)
        second = np.stack([runs.sums(v) for v in (y * y * n, y * x, y * x, xx)], axis=-1)
        inside = first / pixels[:, np.newaxis]
        products = first[:, :, np.newaxis] * inside[:, np.newaxis, :]
        spread = np.zeros((len(pixels), 3, 3))
        spread[:, 1:, 1:] = second.reshape(-1, 2, 2) - products
        planes = np.full(len(pixels), z)
        return cls(
            labels=runs.labels,
            pixels=pixels.astype(np.float64),
            centre=np.column_stack([planes, inside + low]),
            spread=spread,
            low=np.column_stack([planes, low]).astype(np.float64),
            high=np.column_stack([planes + 1, high]).astype(np.float64),
            grey=grey.mean,
            grey_spread=grey.spread,
            highest=grey.highest,
        )

    @classmethod
    def nothing(cls, channels: int) -> ObjectSums:
        """Return the sums of no object."""
        at, grey = np.zeros((0, 3)), np.zeros((0, channels))
        none = np.zeros(0)
        return cls(none.astype(np.int64), none, at, np.zeros((0, 3, 3)), at, at, grey, grey, grey)

    def joined(self, other: ObjectSums) -> ObjectSums:
        """Return the sums over both; objects of one label are one.

        Chan, Golub and LeVeque 1983, Algorithms for computing the sample variance: nothing is lost
        where the spread is small beside the mean.
        """
        with np.errstate(invalid="ignore"):  # infinite grey values
            return self._joined(other)

    def _joined(self, other: ObjectSums) -> ObjectSums:
        labels = np.union1d(self.labels, other.labels)
        one, two = (part.over(labels) for part in (self, other))
        pixels = one.pixels + two.pixels
        share = (two.pixels / pixels)[:, np.newaxis]
        between = one.pixels * two.pixels / pixels
        apart, brighter = two.centre - one.centre, two.grey - one.grey
        product = apart[:, :, np.newaxis] * apart[:, np.newaxis, :]
        more = between[:, np.newaxis, np.newaxis] * product
        brightness = between[:, np.newaxis] * brighter * brighter
        return ObjectSums(
            labels=labels,
            pixels=pixels,
            centre=one.centre + share * apart,
            spread=one.spread + two.spread + more,
            low=np.minimum(one.low, two.low),
            high=np.maximum(one.high, two.high),
            grey=one.grey + share * brighter,
            grey_spread=one.grey_spread + two.grey_spread + brightness,
            highest=np.maximum(one.highest, two.highest),
        )

    def over(self, labels: Indices) -> ObjectSums:
        """Return the sums with these objects, its own among them; the others have no pixels."""
        place = np.searchsorted(labels, self.labels)
        wide = {}
        for name in (field.name for field in fields(self) if field.name != "labels"):
            values = getattr(self, name)
            wide[name] = np.full((len(labels), *values.shape[1:]), _NOTHING.get(name, 0.0))
            wide[name][place] = values
        return ObjectSums(labels=labels, **wide)


def _squares_below(n: Indices) -> Indices:
    """Return 0² + 1² + … + (n - 1)²."""
    return (n - 1) * n * (2 * n - 1) // 6
