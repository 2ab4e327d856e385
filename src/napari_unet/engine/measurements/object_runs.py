"""The objects of a plane as runs of pixels: stretches of a row that belong to one object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_unet.engine.stack.run_labels import RunLabels

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class ObjectRuns:
    """Runs in reading order, and the objects that they belong to."""

    plane: RunLabels
    labels: Indices  # (k,) of the objects, ascending
    who: Indices  # (n,) index into `labels` of each run
    y: Indices  # (n,)
    start: Indices  # (n,) x of the first pixel
    stop: Indices  # (n,) x after the last pixel

    @classmethod
    def of(cls, plane: RunLabels, background: int = 0) -> ObjectRuns:
        """Return the objects of a plane; 0 and `background` are none."""
        width = plane.shape[1]
        first = plane.starts.astype(np.int64)
        last = np.append(first[1:], plane.shape[0] * width) - 1
        is_object = (plane.values != 0) & (plane.values != background)
        first, last, values = first[is_object], last[is_object], plane.values[is_object]
        labels, who = np.unique(values, return_inverse=True)
        rows = last // width - first // width + 1  # that a run goes through
        run = np.repeat(np.arange(len(first)), rows)
        y = first[run] // width + _counting(rows)
        start = np.maximum(first[run], y * width) - y * width
        stop = np.minimum(last[run], y * width + width - 1) - y * width + 1
        return cls(plane, labels.astype(np.int64), who.astype(np.int64)[run], y, start, stop)

    @property
    def lengths(self) -> Indices:
        """Pixels of each run, (n,)."""
        return self.stop - self.start

    @property
    def pixels(self) -> Indices:
        """Pixels of each object, (k,)."""
        return self.sums(self.lengths)

    def sums(self, values: Indices) -> Indices:
        """Return the sums of a value of the runs over each object, (k,), exactly."""
        found = np.zeros(len(self.labels), np.int64)
        np.add.at(found, self.who, values)
        return found

    def boxes(self) -> tuple[Indices, Indices]:
        """Return the first (y, x) of each object and those after its last, (k, 2) each."""
        low = np.full((2, len(self.labels)), np.iinfo(np.int64).max)
        high = np.zeros((2, len(self.labels)), np.int64)
        for axis, (first, after) in enumerate(((self.y, self.y + 1), (self.start, self.stop))):
            np.minimum.at(low[axis], self.who, first)
            np.maximum.at(high[axis], self.who, after)
        return low.T, high.T

    def rows(self, wanted: slice) -> tuple[slice, Indices]:
        """Return the runs in some rows, and where each of their pixels lies in these rows."""
        runs = slice(*np.searchsorted(self.y, (wanted.start, wanted.stop)).tolist())
        lengths = self.lengths[runs]
        begins = (self.y[runs] - wanted.start) * self.plane.shape[1] + self.start[runs]
        return runs, np.repeat(begins, lengths) + _counting(lengths)


def _counting(lengths: Indices) -> Indices:
    """Return 0, 1, … for each length, one after the other: [2, 3] → [0, 1, 0, 1, 2]."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) - np.repeat(ends - lengths, lengths)
