"""What is done to objects once they are numbered, in a window that moves down the plane."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from napari_unet.config import ObjectsConfig
from napari_unet.engine.objects.necks import cut_necks
from napari_unet.engine.paint.separation import give_back, reach_of_giving
from napari_unet.engine.stack.parallel_map import side_by_side
from napari_unet.engine.stack.run_labels import LabelCollector, RunLabels
from napari_unet.engine.stack.tiles import Tile, bands

_WINDOW = 1 << 24  # pixels of a step of the window
_BAND = 1 << 20  # pixels that the border is given back in at once: they fit into a cache

Labels = npt.NDArray[np.int32]


def finish_objects(
    labels: RunLabels,
    count: int,
    config: ObjectsConfig,
    *,
    smallest: int,
    missing: Sequence[Tile] = (),
) -> tuple[RunLabels, int]:
    """Cut necks and give the separation border back.

    Parameters
    ----------
    labels, count
        The objects, numbered in reading order from 1.
    config
        Neck, and the separation border.
    smallest
        Pixels that a part must have to be an object.
    missing
        Tiles that are 0 in the result.

    Returns
    -------
    labels, count
        Parts that were cut off have numbers above the old count.

    Notes
    -----
    Objects taller than a step of the window, 2^24 pixels divided by the width of the plane, are
    not cut.
    """
    return _Window(labels, count, config, smallest, missing).run()


class _Window:
    """Some rows of a plane, moving down.

    The window is two steps high; an object no taller than a step is whole in one of its places.
    Rows leave it when no object that begins in the next step can change them any more.
    """

    def __init__(
        self,
        labels: RunLabels,
        count: int,
        config: ObjectsConfig,
        smallest: int,
        missing: Sequence[Tile],
    ) -> None:
        self._labels = labels
        self._count = count
        self._config = config
        self._smallest = smallest
        self._missing = missing
        self._reach = reach_of_giving(config.gap)
        self._step = max(2 * self._reach, _WINDOW // labels.shape[1])
        self._boxes = labels.boxes(count)
        self._cut_until = 0  # objects up to this number
        self._collector = LabelCollector(labels.shape)
        self._first = 0  # row of the plane at which the window begins
        self._window: Labels = labels.rows(slice(0, 0))
        self._done = 0  # rows

    def run(self) -> tuple[RunLabels, int]:
        """Return the plane and the number of its objects."""
        height = self._labels.shape[0]
        for top in range(0, height, self._step):
            self._move(min(top + 2 * self._step, height))
            self._cut_necks(top + self._step)
            last = top + self._step >= height
            self._finish_rows(height if last else top + self._step - self._reach)
        return self._collector.labels(), self._count

    def _move(self, stop: int) -> None:
        """Let the window reach down to a row, and drop the rows that are not needed any more."""
        begin = max(0, self._done - self._reach)
        kept = self._window[begin - self._first :]
        below = self._labels.rows(slice(self._first + len(self._window), stop))
        self._window = np.concatenate([kept, below])
        self._first = begin

    def _cut_necks(self, stop: int) -> None:
        """Cut the objects that begin above a row; their numbers rise with their first row."""
        found = len(self._boxes) - 1
        until = int(np.searchsorted(self._boxes[1:, 0], stop)) if found else 0
        boxes = {
            number: (slice(top - self._first, bottom - self._first), slice(left, right))
            for number, (top, bottom, left, right) in enumerate(
                self._boxes[self._cut_until + 1 : until + 1].tolist(), start=self._cut_until + 1
            )
            if bottom - top <= self._step
        }
        self._count = cut_necks(
            self._window, boxes, self._count, self._config.neck, smallest=self._smallest
        )
        self._cut_until = until

    def _finish_rows(self, stop: int) -> None:
        """Give the border back in the rows down to `stop`, and let them go."""
        left = bands((stop - self._done, self._labels.shape[1]), _BAND)
        wanted = [slice(self._done + band.start, self._done + band.stop) for band in left]
        for rows in side_by_side(self._finished, wanted):
            self._collector.add(rows)
        self._done = stop

    def _finished(self, band: slice) -> Labels:
        """Return some rows of the plane, with the border given back and the missing tiles 0."""
        top = max(0, band.start - self._reach)
        around = slice(top - self._first, band.stop + self._reach - self._first)
        rows = self._window[around].copy()
        if self._config.gap > 0 and self._count > 1:
            give_back(rows, self._config.gap)
        rows = rows[band.start - top : band.stop - top]
        _clear(rows, self._missing, band)
        return rows


def without(labels: RunLabels, tiles: Sequence[Tile]) -> RunLabels:
    """Return the labels with these tiles 0."""
    if not tiles:
        return labels
    collector = LabelCollector(labels.shape)
    for band in bands(labels.shape):
        rows = labels.rows(band)
        _clear(rows, tiles, band)
        collector.add(rows)
    return collector.labels()


def _clear(rows: Labels, tiles: Sequence[Tile], band: slice) -> None:
    """Set to 0 what lies in some tiles, in the rows of a band of the plane, in place."""
    for tile in tiles:
        y = slice(max(0, tile.y.start - band.start), max(0, tile.y.stop - band.start))
        rows[y, tile.x.as_slice] = 0
