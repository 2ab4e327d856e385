"""Connected components of a plane that comes in bands of rows.

Objects are the 4-connected components of the foreground: the separation border between touching
cells may be one pixel wide, and 8-connected components would leak through it diagonally. Holes
are 8-connected components of the background.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage, sparse

from napari_unet.engine.stack.renumber import renumber
from napari_unet.engine.stack.run_labels import LabelCollector, RunLabels
from napari_unet.engine.stack.tiles import bands

Labels = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]

_FOUR_CONNECTED = ndimage.generate_binary_structure(2, 1)
_EIGHT_CONNECTED = ndimage.generate_binary_structure(2, 2)


def find_objects(
    foreground: Iterable[Mask],
    shape: tuple[int, int],
    *,
    fill_holes: bool,
    smallest: int,
    largest_hole: int | None = None,
) -> tuple[RunLabels, int]:
    """Return the objects of a plane, numbered in reading order.

    Parameters
    ----------
    foreground
        The plane in bands of rows (y, X), from the top.
    shape
        Of the plane, pixels (Y, X).
    fill_holes
        Whether background that an object encloses belongs to it; objects inside a hole stay.
    smallest
        Pixels of the smallest object that is kept, with its holes if they are filled.
    largest_hole
        Pixels of the largest hole that is filled; None: however large.

    Returns
    -------
    labels, count
        1 to `count`, 0 = background; the same whatever the bands are.
    """
    pieces, holes = _Pieces(_FOUR_CONNECTED), _Pieces(_EIGHT_CONNECTED)
    rim = _Rim(shape[0])
    around = _Surroundings()
    collector = LabelCollector(shape)
    for band in foreground:
        objects = pieces.label(band)
        if fill_holes:
            background = holes.label(~band)
            rim.see(background)
            around.see(objects, background)
            objects -= background
        collector.add(objects)  # pieces of background are below 0
    object_of, count = pieces.joined()
    sizes = _sums(pieces.sizes(), object_of, count)
    hole_of, hole_count = holes.joined()
    owners = object_of[around.owners(hole_of, hole_count)]
    owners[hole_of[rim.seen()]] = 0
    hole_sizes = _sums(holes.sizes(), hole_of, hole_count)
    if largest_hole is not None:
        owners[hole_sizes > largest_hole] = 0
    owners[0] = 0
    np.add.at(sizes, owners, hole_sizes)
    numbers = renumber(sizes >= smallest)
    # Indexed by what was collected: pieces of objects from 0 on, and of background from the end.
    table = np.concatenate([numbers[object_of], numbers[owners[hole_of[:0:-1]]]])
    return collector.labels().mapped(table), int(numbers.max())


def fill_enclosed(labels: RunLabels, count: int, largest: int | None = None) -> RunLabels:
    """Return the labels with the holes filled that lie in one object.

    Background that several objects enclose together, as a ring of touching cells does, is no hole.

    Parameters
    ----------
    labels, count
        Objects 1 to `count`, 0 = background.
    largest
        Pixels of the largest hole that is filled; None: however large.

    Returns
    -------
    RunLabels
        The same whatever bands the plane is worked through in.
    """
    holes, rim, beside = _Pieces(_EIGHT_CONNECTED), _Rim(labels.shape[0]), _Beside(count)
    collector = LabelCollector(labels.shape)
    for band in bands(labels.shape):
        rows = labels.rows(band)
        background = holes.label(rows == 0)
        rim.see(background)
        beside.see(rows, background)
        collector.add(rows - background)  # pieces of background are below 0
    hole_of, hole_count = holes.joined()
    owners = beside.owners(hole_of, hole_count)
    owners[hole_of[rim.seen()]] = 0
    if largest is not None:
        owners[_sums(holes.sizes(), hole_of, hole_count) > largest] = 0
    owners[0] = 0
    # Indexed by what was collected: objects from 0 on, and pieces of background from the end.
    return collector.labels().mapped(np.concatenate([np.arange(count + 1), owners[hole_of[:0:-1]]]))


class _Pieces:
    """Components of each band, numbered on from band to band, and which of them are one."""

    def __init__(self, structure: npt.NDArray[np.bool_]) -> None:
        self._structure = structure
        self._count = 0
        self._above: Labels | None = None  # last row of the band before
        self._joins: list[npt.NDArray[np.int32]] = []  # (n, 2) numbers of one component
        self._sizes: list[Counts] = [np.zeros(1, np.int64)]  # of number 0

    def label(self, band: Mask) -> Labels:
        """Return the numbers of the pieces of the next band, from 1 on over all bands."""
        labels = np.empty(band.shape, dtype=np.int32)
        count = int(ndimage.label(band, self._structure, output=labels))
        self._sizes.append(np.bincount(labels.ravel(), minlength=count + 1)[1:])
        np.add(labels, np.int32(self._count), out=labels, where=band)
        if self._above is not None:
            self._join(self._above, labels[0])
        self._above = labels[-1].copy()
        self._count += count
        return labels

    def _join(self, above: Labels, below: Labels) -> None:
        diagonal = bool(self._structure[0, 0])
        for shift in (-1, 0, 1) if diagonal else (0,):
            upper = above[max(0, shift) : len(above) + min(0, shift)]
            lower = below[max(0, -shift) : len(below) + min(0, -shift)]
            touching = (upper > 0) & (lower > 0)
            self._joins.append(np.stack([upper[touching], lower[touching]], axis=1))

    def sizes(self) -> Counts:
        """Return the pixels of each piece, index 0 included."""
        return np.concatenate(self._sizes)

    def joined(self) -> tuple[npt.NDArray[np.int32], int]:
        """Return the component of each piece, from 1 in the order of first pixels, and how many."""
        pairs = np.concatenate([np.zeros((0, 2), np.int32), *self._joins])
        every = np.arange(self._count + 1, dtype=np.int32)
        if not len(pairs):
            return every, self._count
        graph = sparse.coo_array(
            (np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(len(every),) * 2
        )
        count, found = sparse.csgraph.connected_components(graph, directed=False)
        # Numbers rise with the first pixel, so the smallest of a component's gives its place.
        first = np.full(count, self._count, dtype=np.int64)
        np.minimum.at(first, found, every)
        place = np.empty(count, dtype=np.int32)
        place[np.argsort(first)] = np.arange(count, dtype=np.int32)
        return place[found], count - 1


@dataclass(slots=True)
class _Rim:
    """Which pieces of background reach the rim of the plane, and so are no holes."""

    height: int
    _rows: int = 0
    _seen: list[Labels] = field(default_factory=list)

    def see(self, background: Labels) -> None:
        """Take the next band."""
        sides = [background[:, 0], background[:, -1]]
        if self._rows == 0:
            sides.append(background[0])
        self._rows += len(background)
        if self._rows == self.height:
            sides.append(background[-1])
        self._seen += [np.unique(side) for side in sides]  # copies: the band is let go

    def seen(self) -> Labels:
        """Return their numbers; 0 may be among them."""
        return np.unique(np.concatenate([np.zeros(1, np.int32), *self._seen]))


class _Surroundings:
    """Which object lies around a hole: the one above its first pixel in reading order.

    Above any pixel in the topmost row of a hole is an object, since background there would belong
    to the hole; and an object inside the hole has some of the hole above it.
    """

    def __init__(self) -> None:
        self._above: Labels | None = None  # last row of the band before
        self._holes: list[Labels] = []
        self._objects: list[Labels] = []

    def see(self, objects: Labels, background: Labels) -> None:
        """Take the next band."""
        if self._above is not None:
            self._note(self._above, background[0])
        self._note(objects[:-1], background[1:])
        self._above = objects[-1].copy()

    def _note(self, above: Labels, below: Labels) -> None:
        edges = (above > 0) & (below > 0)
        holes, first = np.unique(below[edges], return_index=True)
        self._holes.append(holes)
        self._objects.append(above[edges][first])

    def owners(self, hole_of: Labels, count: int) -> npt.NDArray[Any]:
        """Return the piece of an object around each hole, (count + 1,); 0: none is known."""
        owners = np.zeros(count + 1, dtype=np.int32)
        holes = np.concatenate([np.zeros(0, np.int32), *self._holes])
        objects = np.concatenate([np.zeros(0, np.int32), *self._objects])
        owners[hole_of[holes[::-1]]] = objects[::-1]  # the first is written last
        return owners


class _Beside:
    """Which objects lie beside pieces of background: one, or several."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._above: tuple[Labels, Labels] | None = None  # last row of objects and background
        self._touches: list[Counts] = [np.zeros(0, np.int64)]  # piece · (count + 1) + object

    def see(self, objects: Labels, background: Labels) -> None:
        """Take the next band."""
        if self._above is not None:
            above, below = self._above, (objects[0], background[0])
            self._note(above[0], below[1])
            self._note(below[0], above[1])
        for one, other in (
            ((slice(1, None), slice(None)), (slice(None, -1), slice(None))),
            ((slice(None), slice(1, None)), (slice(None), slice(None, -1))),
        ):
            self._note(objects[one], background[other])
            self._note(objects[other], background[one])
        self._above = objects[-1].copy(), background[-1].copy()

    def _note(self, objects: Labels, background: Labels) -> None:
        touching = (objects > 0) & (background > 0)
        pieces = background[touching].astype(np.int64)
        self._touches.append(np.unique(pieces * (self._count + 1) + objects[touching]))

    def owners(self, hole_of: Labels, count: int) -> npt.NDArray[Any]:
        """Return the only object beside each component of background, (count + 1,); or 0."""
        pieces, objects = np.divmod(np.concatenate(self._touches), self._count + 1)
        lowest = np.full(count + 1, self._count + 1, dtype=np.int64)
        highest = np.zeros(count + 1, dtype=np.int64)
        np.minimum.at(lowest, hole_of[pieces], objects)
        np.maximum.at(highest, hole_of[pieces], objects)
        return np.where(lowest == highest, lowest, 0)


def _sums(sizes: Counts, component_of: Labels, count: int) -> Counts:
    total = np.bincount(component_of, weights=sizes, minlength=count + 1)
    return total.astype(np.int64)
