"""A whole plane of labels in little memory: runs of equal pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet.engine.stack.tiles import bands

_RUNS_AT_ONCE = 1 << 17

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
        return RunLabels(self.shape, self.starts, table.astype(np.int32)[self.values])

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
        self._starts: list[npt.NDArray[Any]] = []
        self._values: list[Labels] = []
        self._pixels = 0

    def add(self, rows: npt.NDArray[Any]) -> None:
        """Take the next rows, (y, X)."""
        flat = rows.ravel()
        if not flat.size:
            return
        starts = np.append(0, np.flatnonzero(flat[1:] != flat[:-1]) + 1)
        self._values.append(flat[starts].astype(np.int32))
        self._starts.append((starts + self._pixels).astype(self._index))
        self._pixels += flat.size

    def labels(self) -> RunLabels:
        """Return the plane; every row was taken."""
        assert self._pixels == self.shape[0] * self.shape[1], "rows are missing"
        return RunLabels(self.shape, np.concatenate(self._starts), np.concatenate(self._values))
