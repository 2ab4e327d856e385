"""The numbers behind a plot: growing series, cut down to the screen; round ticks; scales."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_Points = npt.NDArray[np.float64]


class Series:
    """Points (x, y) in the order of x, perhaps smoothed.

    Parameters
    ----------
    memory
        Share of the smoothed value so far in the next one (exponential moving average, corrected
        for its start as in Kingma and Ba 2015, Adam, section 3); 0: not smoothed.
    """

    def __init__(self, memory: float = 0.0) -> None:
        self._memory = memory
        self._average = 0.0
        self._x, self._y = array("d"), array("d")

    def __len__(self) -> int:
        return len(self._x)

    @property
    def last(self) -> tuple[float, float]:
        """The newest point; there must be one."""
        return self._x[-1], self._y[-1]

    @property
    def highest(self) -> float:
        """The largest y, 0 if there is no point."""
        return max(self._y, default=0.0)

    def add(self, x: float, y: float) -> None:
        """Add a point to the right."""
        self._average = self._memory * self._average + (1 - self._memory) * y
        weight = 1 - self._memory ** (len(self._x) + 1)
        self._x.append(x)
        self._y.append(self._average / weight)

    def clear(self) -> None:
        """Forget all points."""
        self._average = 0.0
        del self._x[:], self._y[:]

    def at(self, x: float) -> float | None:
        """Return the y of the point nearest to x, None if there is no point."""
        if not self._x:
            return None
        xs = np.asarray(self._x)
        right = int(np.clip(np.searchsorted(xs, x), 1, max(1, len(xs) - 1)))
        nearest = right if right < len(xs) and xs[right] - x < x - xs[right - 1] else right - 1
        return self._y[nearest]

    def thinned(self, most: int) -> _Points:
        """Return at most `most` points (n, 2): the means over equal stretches of x."""
        points = np.column_stack([np.array(self._x), np.array(self._y)])
        if len(points) <= most:
            return points
        start, end = points[0, 0], points[-1, 0]
        stretch = ((points[:, 0] - start) / max(end - start, 1e-9) * most).astype(int)
        first = np.flatnonzero(np.diff(np.minimum(stretch, most - 1), prepend=-1))
        lengths = np.diff(first, append=len(points))
        means: _Points = np.add.reduceat(points, first) / lengths[:, np.newaxis]
        return means


@dataclass(frozen=True, slots=True)
class Scale:
    """Puts the values from 0 to `limit` between two places on the screen."""

    limit: float  # > 0
    start: float  # place of 0, pixels
    end: float  # place of the limit, pixels

    def place(self, value: float) -> float:
        """Return where a value lies, pixels."""
        return self.start + (self.end - self.start) * value / self.limit

    def value(self, place: float) -> float:
        """Return which value lies there."""
        return self.limit * (place - self.start) / (self.end - self.start)


def round_limit(value: float, intervals: int = 2) -> float:
    """Return the end of an axis that holds `value`: that many steps of 1, 2 or 5 times 10ⁿ.

    An axis for nothing but 0 ends at 1.
    """
    if value <= 0:
        return 1.0
    step = max(value, 1e-6) / intervals
    decade = 10.0 ** math.floor(math.log10(step))
    # Without the margin 3 × 0.1 would not be enough for 0.3.
    factor = next(f for f in (1, 2, 5, 10) if f * decade >= step * (1 - 1e-9))
    return intervals * factor * decade


def ticks(limit: float, intervals: int = 2) -> list[float]:
    """Return the ends of the intervals of an axis from 0 to `limit`."""
    return [limit * number / intervals for number in range(intervals + 1)]
