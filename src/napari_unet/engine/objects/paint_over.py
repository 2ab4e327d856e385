"""Painted objects override those that were found: whole, and apart from one another.

The numbers of the paint are those of a layer in which 0 is unpainted, 1 background, and 2, 3, …
are objects.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import sparse

from napari_unet.engine.objects.label_overlaps import count_run_overlaps
from napari_unet.engine.objects.painted_shapes import FIRST_PAINTED, settle
from napari_unet.engine.paint.label_scheme import PAINTED_BACKGROUND
from napari_unet.engine.stack.run_labels import LabelCollector, RunLabels
from napari_unet.engine.stack.tiles import bands

_LARGEST = 1 << 22  # pixels of a box in which shapes are looked at
_ELSEWHERE = -1  # pixels of a box that are not its group's

Labels = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
Box = tuple[slice, slice]


def paint_over(
    labels: RunLabels, painted: RunLabels, *, smallest: int = 1
) -> tuple[RunLabels, int]:
    """Return a plane's objects with the paint in the place of what was found there.

    Parameters
    ----------
    labels
        The objects that were found; 0 = background.
    painted
        The paint: 0 = unpainted, 1 = background, 2, 3, … = objects.
    smallest
        Pixels that a piece which the paint cuts off must have to be an object.

    Returns
    -------
    labels, count
        1 to `count` in reading order of their first pixels, whatever the numbers were before.

    Notes
    -----
    - Painted pixels come out as painted: background as 0, and all of one number as one object,
      which has no pixel of another number.
    - Of what was found, an object without paint in it stays as it was.
    - Paint is a *whole* object if it has at least 0.7 of the width that the object found there has
      at the paint. It stays exactly as painted, with the holes in it that were found as object and
      have no other paint. A rim around it of up to 3/7 of its radius goes; what is left of the
      object beyond that is an object of its own, if it has a quarter of the paint's pixels.
    - Any other paint is a *scribble*: what was found around it is part of its object. If one
      object has several numbers in it, it is parted between them, at its necks (a watershed on the
      distance to its outline). If a number lies in several objects, they are one.
    - What the paint cuts off is an object of its own for each 4-connected piece; debris goes.
    - Applied once more, it changes nothing.

    Each group of objects and paint is looked at in its box. One whose box has more than 2^22 pixels
    is not: its paint is taken as whole, and what was found around it stays one object.
    """
    found_ids, found = _compact(labels, np.zeros(1, np.int32))
    paint_ids, paint = _compact(painted, np.arange(FIRST_PAINTED, dtype=np.int32))
    groups = _Groups.of(found, len(found_ids), paint, len(paint_ids))
    patches, count = [], len(found_ids) - 1
    for box, objects, strokes, mine in groups.boxes(found, paint):
        settled = settle(objects, strokes, mine, smallest)
        new = np.where(settled > 0, settled + np.int32(count), 0)
        patches.append(_Patch(box, RunLabels.of(np.where(mine, new, np.int32(_ELSEWHERE)))))
        count += int(settled.max())
    exact = np.where(groups.is_large(groups.of_paint), np.arange(len(paint_ids)) + count, 0)
    collector = LabelCollector(labels.shape)
    for rows in bands(labels.shape):
        band, strokes = found.rows(rows), paint.rows(rows)
        for patch in patches:
            patch.write(band, rows)
        above = exact[strokes]
        np.copyto(band, above.astype(np.int32), where=above > 0)
        band[strokes == PAINTED_BACKGROUND] = 0
        collector.add(band)
    return _in_reading_order(collector.labels())


def _compact(labels: RunLabels, first: Labels) -> tuple[Labels, RunLabels]:
    """Return the numbers in ascending order, `first` among them, and each label's place there."""
    ids = np.union1d(first, labels.values)
    return ids, replace(labels, values=np.searchsorted(ids, labels.values).astype(np.int32))


def _in_reading_order(labels: RunLabels) -> tuple[RunLabels, int]:
    ids, first, which = np.unique(labels.values, return_index=True, return_inverse=True)
    order = np.argsort(np.where(ids > 0, first, -1))
    numbers = np.empty(len(ids), np.int32)
    numbers[order] = np.arange(len(ids)) + (0 if ids[0] == 0 else 1)
    return replace(labels, values=numbers[which]), int(numbers.max())


@dataclass(frozen=True, slots=True)
class _Patch:
    """New labels of a group in its box."""

    box: Box
    values: RunLabels  # of the box

    def write(self, band: Labels, rows: slice) -> None:
        """Write what lies in a band of the plane."""
        y, x = self.box
        start, stop = max(y.start, rows.start), min(y.stop, rows.stop)
        if start >= stop:
            return
        values = self.values.rows(slice(start - y.start, stop - y.start))
        view = band[start - rows.start : stop - rows.start, x]
        np.copyto(view, values, where=values != _ELSEWHERE)


@dataclass(frozen=True, slots=True)
class _Groups:
    """Which objects and which paint must be looked at together; 0: no group."""

    of_found: Labels  # group of each found object
    of_paint: Labels  # group of each painted number
    extents: npt.NDArray[np.int64]  # (groups + 1, 4): top, bottom, left, right

    @staticmethod
    def of(found: RunLabels, objects: int, paint: RunLabels, numbers: int) -> _Groups:
        """Return the groups: found objects with paint in them, and all that share a number."""
        pairs = count_run_overlaps(found, paint)
        objs = pairs.prediction_ids[pairs.prediction].astype(np.intp)
        paints = pairs.truth_ids[pairs.truth].astype(np.intp)
        shared = (objs > 0) & (paints >= FIRST_PAINTED)
        edges = objs[shared], paints[shared] + objects
        size = objects + numbers
        graph = sparse.coo_array((np.ones(len(edges[0]), np.int8), edges), shape=(size, size))
        _, piece = sparse.csgraph.connected_components(graph, directed=False)
        wanted = np.zeros(size, bool)
        wanted[objs[(objs > 0) & (paints > 0)]] = True
        wanted[paints[paints >= FIRST_PAINTED] + objects] = True
        group = np.zeros(size, np.int32)
        group[wanted] = np.unique(piece[wanted], return_inverse=True)[1] + 1
        of_found, of_paint = group[:objects], group[objects:]
        count = int(group.max())
        one, other = (
            runs.mapped(table).boxes(count)
            for runs, table in ((found, of_found), (paint, of_paint))
        )
        first, last = np.minimum(one, other), np.maximum(one, other)
        extents = np.where(np.array([True, False, True, False]), first, last)
        return _Groups(of_found, of_paint, extents)

    def is_large(self, groups: Labels) -> Mask:
        """Return which of these groups are too large to be looked at."""
        top, bottom, left, right = self.extents.T
        large = (bottom - top) * (right - left) > _LARGEST
        large[0] = False
        return np.asarray(large[groups])

    def boxes(
        self, found: RunLabels, paint: RunLabels
    ) -> Iterator[tuple[Box, Labels, Labels, Mask]]:
        """Yield each group's box; its objects there, all paint there, and the group's pixels."""
        numbers = np.arange(1, len(self.extents), dtype=np.int32)
        for group in numbers[~self.is_large(numbers)]:
            top, bottom, left, right = self.extents[group].tolist()
            y, x = slice(top, bottom), slice(left, right)
            objects, strokes = _cut_out(found, y, x), _cut_out(paint, y, x)
            mine = self.of_found[objects] == group
            painted = self.of_paint[strokes] == group
            objects[~mine] = 0
            yield (y, x), objects, strokes, mine | painted


def _cut_out(labels: RunLabels, y: slice, x: slice) -> Labels:
    """Return a box of a plane, (y, x); no more than a band of whole rows is held beside it."""
    shape = y.stop - y.start, labels.shape[1]
    return np.concatenate([labels.rows(rows)[:, x] for rows in bands(shape, first=y.start)])
