"""What the user looks at, segmented between training steps with the network as it is."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

import numpy as np
import numpy.typing as npt

from napari_unet.config import ObjectsConfig, Task
from napari_unet.engine.events import View
from napari_unet.engine.objects.decoder import as_bytes, cut_objects
from napari_unet.engine.objects.label_overlaps import count_overlaps
from napari_unet.engine.objects.linking import find_partners
from napari_unet.engine.stack.tiles import Span, Tile, round_up

_TILE = 256  # pixels; a tile should cost less than a training step
_SHARE = 0.05  # of the time that previews may take when nothing has changed
_SHARE_MOVED = 0.065  # to show a view for the first time; the difference is saved up for it
_SAVED = 1.0  # seconds of unused time that are kept, so that a late view does not stall training
_LONGEST = 1.0  # seconds that a preview may cost; larger views are cut
_FIRST_SIDE = 512  # pixels of a view at most, before the speed is known
_SIDE_STEP = 128  # pixels, of a view that is cut: it should not change its size all the time

Labels = npt.NDArray[np.int32]

Predict = Callable[[int, Tile], npt.NDArray[np.float32]]
"""Gives the probabilities (K, y, x) of a tile of a plane, with the weights as they are now."""


class Previewer:
    """Segments the visible part of a plane, a tile at a time, within a share of the time.

    Parameters
    ----------
    predict
        The network that is being trained.
    shape
        (planes, Y, X) of the stack, pixels.
    stride
        Of the network, pixels.
    reduction
        Side of the blocks that the network sees, pixels: so many times larger tiles cost the same.
    task, values
        What the probabilities mean.
    has_field
        Whether the shape field comes after them.
    objects
        Gives how foreground is cut into objects, which may change with what is painted.

    Notes
    -----
    The first preview is computed at once and counts for nothing. After it, previews take at most
    6.5 % of the time since the start, so that training slows down by less than 10 %, with the
    drawing. The tiles of a preview may come from weights that are a few steps apart.
    """

    def __init__(
        self,
        predict: Predict,
        *,
        shape: tuple[int, int, int],
        stride: int,
        reduction: int = 1,
        task: Task,
        values: tuple[int, ...],
        has_field: bool = False,
        objects: Callable[[], ObjectsConfig],
    ) -> None:
        self._predict = predict
        self._shape = shape
        self._side = reduction * round_up(_TILE, stride)
        self._objects = objects if task is Task.OBJECTS else None
        self._values = np.array(values, dtype=np.int32)
        self._has_field = has_field
        self._budget = _Budget()
        self._begun: _Canvas | None = None
        self._shown: tuple[View, Labels] | None = None  # the last preview
        self._wanted: View | None = None  # what it was made for
        self._given_up: View | None = None  # it cannot be previewed

    def change_values(self, values: tuple[int, ...]) -> None:
        """Go on with other label values of the channels; a preview that was begun is dropped."""
        self._values = np.array(values, dtype=np.int32)
        self._begun = None

    def give_up(self, wanted: View | None) -> None:
        """Leave this view alone until something else was wanted, or `try_again` is called."""
        self._begun, self._given_up = None, wanted

    def try_again(self) -> None:
        """Preview also what was given up: it may succeed now."""
        self._given_up = None

    def advance(self, wanted: View | None, elapsed: float) -> tuple[View, Labels] | None:
        """Compute a tile, if there is time for it; return the preview when it is finished.

        Parameters
        ----------
        wanted
            What is visible; None if nothing is. A view of a plane or region that does not exist is
            not previewed.
        elapsed
            Seconds since training began.

        Notes
        -----
        Whatever fails is raised, and tried again the next time unless `give_up` is called.
        """
        if wanted != self._given_up:
            self._given_up = None
        if wanted is None or wanted == self._given_up:
            self._begun = None
            return None
        if self._begun is None or self._begun.wanted != wanted:
            self._begun = self._begin(wanted)
        if self._begun is None or not self._compute(self._begun, elapsed):
            return None
        return self._finish(self._begun)

    def _begin(self, wanted: View) -> _Canvas | None:
        planes, height, width = self._shape
        y, x = _clip(wanted.y, height), _clip(wanted.x, width)
        if not (0 <= wanted.plane < planes and y.length > 0 and x.length > 0):
            return None
        area = _middle(Tile(y, x), self._budget.affordable_pixels)
        return _Canvas(wanted, area, self._side)

    def _compute(self, canvas: _Canvas, elapsed: float) -> bool:
        """Compute the tiles that there is time for; return whether all are done."""
        moved = canvas.wanted != self._wanted
        while canvas.tiles and self._budget.allows(canvas.tiles[-1], elapsed, moved=moved):
            tile = canvas.tiles[-1]
            with self._budget.spend(tile):
                canvas.put(tile, self._decode(self._predict(canvas.wanted.plane, tile)))
            canvas.tiles.pop()  # only now: a tile that memory was too short for is tried again
            if not self._budget.is_free:
                break  # a training step in between
        return not canvas.tiles

    def _decode(self, probabilities: npt.NDArray[np.float32]) -> Labels:
        if self._objects is not None:
            foreground: npt.NDArray[np.bool_] = probabilities[1] >= self._objects().threshold
            if self._has_field:
                return np.where(foreground, 1 + as_bytes(probabilities[-1]).astype(np.int32), 0)
            return foreground.astype(np.int32)
        classes: Labels = self._values[probabilities.argmax(axis=0)]
        return classes

    def _finish(self, canvas: _Canvas) -> tuple[View, Labels]:
        with self._budget.spend():
            values = canvas.pixels
            if self._objects is not None:
                field = (np.maximum(values, 1) - 1).astype(np.uint8) if self._has_field else None
                values, _ = cut_objects(values > 0, self._objects(), field)
                values = self._with_old_numbers(canvas.view, values)
        self._budget.close_preview()
        self._begun, self._wanted, self._shown = None, canvas.wanted, (canvas.view, values)
        return self._shown

    def _with_old_numbers(self, view: View, labels: Labels) -> Labels:
        """Give objects the numbers that they had in the last preview of the same plane."""
        if self._shown is None or self._shown[0].plane != view.plane:
            return labels
        before, old = self._shown
        previous = np.zeros_like(labels)
        y, x = _overlap(view.y, before.y), _overlap(view.x, before.x)
        previous[_moved(y, view.y), _moved(x, view.x)] = old[
            _moved(y, before.y), _moved(x, before.x)
        ]
        return keep_numbers(labels, previous)


def keep_numbers(labels: Labels, previous: Labels) -> Labels:
    """Return the labels with the numbers that the objects had before.

    As from plane to plane (see `linking.find_partners`); objects without a partner get the
    smallest numbers that are left.

    Parameters
    ----------
    labels, previous
        Label images of one shape, 0 = background.
    """
    overlaps = count_overlaps(labels, previous, (labels > 0) | (previous > 0))
    partners = find_partners([(overlaps, 1.0)])
    taken = set(partners.values())
    left = (number for number in count(1) if number not in taken)
    sizes = np.bincount(labels.ravel(), minlength=1)
    table = np.zeros(len(sizes), dtype=np.int32)
    for number in (np.flatnonzero(sizes[1:]) + 1).tolist():
        table[number] = partners[number] if number in partners else next(left)
    return table[labels]


class _Canvas:
    """A preview that is being made."""

    def __init__(self, wanted: View, area: Tile, side: int) -> None:
        self.wanted = wanted
        self.view = View(wanted.plane, area.y.as_slice, area.x.as_slice)
        self.pixels: Labels = np.zeros((area.y.length, area.x.length), dtype=np.int32)
        self.tiles = [  # the last one is next
            Tile(y, x) for y in _cut(area.y, side)[::-1] for x in _cut(area.x, side)[::-1]
        ]

    def put(self, tile: Tile, values: Labels) -> None:
        """Take the values of a tile."""
        y, x = _moved(tile.y.as_slice, self.view.y), _moved(tile.x.as_slice, self.view.x)
        self.pixels[y, x] = values


class _Budget:
    """How much time previews may take, and what a pixel costs."""

    def __init__(self) -> None:
        self.is_free = True  # until the first preview is finished
        self._charged = 0.0  # seconds that count
        self._seconds = 0.0  # measured, for `_pixels`
        self._pixels = 0.0

    @property
    def affordable_pixels(self) -> float:
        """Pixels of a preview that costs as much as it may."""
        if not self._pixels:
            return float(_FIRST_SIDE**2)
        return _LONGEST * self._pixels / max(self._seconds, 1e-9)

    def allows(self, tile: Tile, elapsed: float, *, moved: bool) -> bool:
        """Return whether there is time for a tile."""
        if self.is_free:
            return True
        self._charged = max(self._charged, _SHARE * elapsed - _SAVED)
        cost = self._seconds / self._pixels * tile.y.length * tile.x.length
        return self._charged + cost <= (_SHARE_MOVED if moved else _SHARE) * elapsed

    def close_preview(self) -> None:
        """Note that a preview is finished; the speed of the next ones counts for more."""
        self.is_free = False
        self._seconds /= 2
        self._pixels /= 2

    @contextmanager
    def spend(self, tile: Tile | None = None) -> Iterator[None]:
        """Charge the time that the block takes; with a tile, for its pixels."""
        begin = time.perf_counter()
        yield
        seconds = time.perf_counter() - begin
        self._seconds += seconds
        self._pixels += tile.y.length * tile.x.length if tile is not None else 0
        if not self.is_free:
            self._charged += seconds


def _clip(side: slice, length: int) -> Span:
    return Span(max(0, int(side.start)), min(length, int(side.stop)))


def _middle(area: Tile, pixels: float) -> Tile:
    """Return the middle of a rectangle, of at most so many pixels."""
    share = math.sqrt(pixels / (area.y.length * area.x.length))
    return area if share >= 1 else Tile(_centred(area.y, share), _centred(area.x, share))


def _centred(span: Span, share: float) -> Span:
    wanted = int(span.length * share)
    length = max(wanted // _SIDE_STEP * _SIDE_STEP, min(wanted, _SIDE_STEP), 1)
    start = span.start + (span.length - length) // 2
    return Span(start, start + length)


def _cut(span: Span, side: int) -> list[Span]:
    """Cut a span at multiples of a side: tiles that start there are computed without waste."""
    starts = range(span.start // side * side, span.stop, side)
    return [Span(max(start, span.start), min(start + side, span.stop)) for start in starts]


def _overlap(one: slice, other: slice) -> slice:
    start = max(one.start, other.start)
    return slice(start, max(start, min(one.stop, other.stop)))


def _moved(side: slice, origin: slice) -> slice:
    """Return the slice in an array that begins where `origin` does."""
    return slice(side.start - origin.start, side.stop - origin.start)
