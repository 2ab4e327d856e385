"""A whole plane of labels in little memory: runs of equal pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet.engine.stack.tiles import bands

_RUNS_AT_ONCE = 1 << 17
_BLOCK = 1 << 23  # runs that are collected together, at most
_PIXELS_PER_RUN = 16  # about as few as there are

Labels = npt.NDArray[np.int32]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class RunLabels:
    """The labels of a plane, as runs of equal pixels in reading order.

    A run may go on in the next row. Label images of cells take about a tenth of the memory of
    int32 pixels this way, and what is done to each object (a new number, a count, an overlap) is
    done to runs.
    """

    shape: tuple[int, int]  # pixels (Y, X)
    starts: npt.NDArray[Any]  # (n,) unsigned: flat index of the first pixel of each run
    values: Labels  # (n,)

    @classmethod
    def of(cls, labels: npt.NDArray[Any]) -> RunLabels:
        """Return the labels of a plane (Y, X) of whole numbers below 2^31."""
        collector = LabelCollector((labels.shape[0], labels.shape[1]))
        for rows in bands(collector.shape):
            collector.add(labels[rows])
        return collector.labels()

    def rows(self, wanted: slice) -> Labels:
        """Return some rows of the plane, (y, X) int32."""
        width = self.shape[1]
        first, stop = wanted.start * width, wanted.stop * width
        lengths, values = self.runs(first, stop)
        return np.repeat(values, lengths).reshape(-1, width)

    def runs(self, first: int, stop: int) -> tuple[Indices, Labels]:
        """Return lengths and values of the runs from one flat index up to another."""
        if first >= stop:
            return np.zeros(0, np.int64), np.zeros(0, np.int32)
        begin = int(np.searchsorted(self.starts, first, "right")) - 1
        end = int(np.searchsorted(self.starts, stop, "left"))
        edges = np.append(self.starts[begin:end].astype(np.int64), stop)
        edges[0] = first
        return np.diff(edges), self.values[begin:end]

    def mapped(self, table: npt.NDArray[Any]) -> RunLabels:
        """Return the plane with `table[label]` in place of each label."""
        numbers, collector, before = table.astype(np.int32), LabelCollector(self.shape), -1
        for at in range(0, len(self.values), _RUNS_AT_ONCE):
            part = slice(at, at + _RUNS_AT_ONCE)
            values = numbers[self.values[part]]
            begins = np.flatnonzero(np.diff(values, prepend=before))  # not as the run before
            collector.add_runs(self.starts[part][begins], values[begins])
            before = values[-1]
        return collector.labels()

    def firsts(self, count: int) -> npt.NDArray[np.int64]:
        """Return the first run of each label below `count`; one beyond the last if it has none."""
        found = np.full(count, len(self.values), dtype=np.int64)
        for at in range((len(self.values) - 1) // _RUNS_AT_ONCE, -1, -1):
            part = slice(at * _RUNS_AT_ONCE, (at + 1) * _RUNS_AT_ONCE)
            values = self.values[part][::-1]  # the first is written last
            found[values] = np.arange(part.start, part.start + len(values))[::-1]
        return found

    def boxes(self, count: int) -> npt.NDArray[np.int64]:
        """Return (count + 1, 4): top, bottom, left, right of each label; stops are exclusive.

        Of a label that does not occur, the top is beyond the plane.
        """
        height, width = self.shape
        found = np.tile(np.array([height, 0, width, 0]), (count + 1, 1))
        for at in range(0, len(self.values), _RUNS_AT_ONCE):
            part = slice(at, at + _RUNS_AT_ONCE)
            values = self.values[part]
            stops = np.append(self.starts[part][1:].astype(np.int64), self._stop(part.stop))
            top, left = np.divmod(self.starts[part].astype(np.int64), width)
            bottom, right = np.divmod(stops - 1, width)
            wraps = bottom > top
            left[wraps], right[wraps] = 0, width - 1
            np.minimum.at(found[:, 0], values, top)
            np.maximum.at(found[:, 1], values, bottom + 1)
            np.minimum.at(found[:, 2], values, left)
            np.maximum.at(found[:, 3], values, right + 1)
        return found

    def __array__(
        self,
        dtype: Any = None,
        copy: bool | None = None,  # noqa: FBT001 numpy's
    ) -> npt.NDArray[Any]:
        """Return the whole plane, (Y, X) int32."""
        whole = self.rows(slice(0, self.shape[0]))
        return whole if dtype is None else whole.astype(dtype, copy=False)

    def _stop(self, run: int) -> int:
        """Return the flat index at which the run before this one ends."""
        return int(self.starts[run]) if run < len(self.starts) else self.shape[0] * self.shape[1]


class LabelCollector:
    """Takes the rows of a plane from the top, and keeps their runs.

    Parameters
    ----------
    shape
        Of the plane, pixels (Y, X).
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape
        self._index = np.min_scalar_type(shape[0] * shape[1])
        self._full: list[tuple[npt.NDArray[Any], Labels]] = []  # starts and values
        self._filling = self._block()
        self._count = 0  # of runs in the one that is being filled
        self._pixels = 0

    def _block(self) -> tuple[npt.NDArray[Any], Labels]:
        """Return room for many runs: many small arrays leave gaps between them that stay in use."""
        count = min(_BLOCK, 1 + self.shape[0] * self.shape[1] // _PIXELS_PER_RUN)
        return np.empty(count, self._index), np.empty(count, np.int32)

    def add(self, rows: npt.NDArray[Any]) -> None:
        """Take the next rows, (y, X)."""
        flat = rows.ravel()
        if not flat.size:
            return
        starts = np.append(0, np.flatnonzero(flat[1:] != flat[:-1]) + 1)
        self.add_runs(starts + self._pixels, flat[starts])
        self._pixels += flat.size

    def add_runs(self, starts: npt.NDArray[Any], values: npt.NDArray[Any]) -> None:
        """Take the next runs: flat index of the first pixel, and value of each."""
        while len(starts):
            if self._count == len(self._filling[0]):
                self._full.append(self._filling)
                self._filling, self._count = self._block(), 0
            place = slice(self._count, self._count + len(starts))
            room = len(self._filling[0][place])
            self._filling[0][place], self._filling[1][place] = starts[:room], values[:room]
            self._count += room
            starts, values = starts[room:], values[room:]

    def labels(self) -> RunLabels:
        """Return the plane once all of it was taken; nothing is kept."""
        blocks = [*self._full, tuple(part[: self._count] for part in self._filling)]
        del self._full, self._filling
        values = [values for _, values in blocks]
        starts = np.concatenate([starts for starts, _ in blocks])
        del blocks
        return RunLabels(self.shape, starts, np.concatenate(values))
