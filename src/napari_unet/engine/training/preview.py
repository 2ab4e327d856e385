"""What the user looks at, segmented between training steps with the network as it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count

import numpy as np
import numpy.typing as npt

from napari_unet.config import ObjectsConfig, Task
from napari_unet.engine.events import View
from napari_unet.engine.objects.decoder import as_bytes, cut_objects, foreground_of
from napari_unet.engine.objects.label_overlaps import count_overlaps
from napari_unet.engine.objects.linking import find_partners
from napari_unet.engine.paint.smallest import smallest_object
from napari_unet.engine.stack.tiles import Tile, round_up
from napari_unet.engine.training.preview_canvas import PreviewCanvas, copy_overlap

_TILE = 256  # pixels; a tile should cost less than a training step
_SMALLEST_TILE = 64  # pixels, on a slow device
_SHARE = 0.05  # of the time that previews may take when nothing has changed
_SHARE_MOVED = 0.065  # to show a view for the first time; the difference is saved up for it
_SAVED = 1.0  # seconds of unused time that are kept, so that a late view does not stall training
_LONGEST = 0.1  # seconds that a tile may cost; smaller ones have more context to compute
_ROUND = 0.15  # seconds of work between two previews of a view: about 3 s pass meanwhile
_FIRST_SIDE = 512  # pixels of the first preview at most, before the speed is known

Labels = npt.NDArray[np.int32]

Predict = Callable[[int, Tile], npt.NDArray[np.float32]]
"""Gives the probabilities (K, y, x) of a tile of a plane, with the weights as they are now."""


class Previewer:
    """Segments what is visible of a plane, a tile at a time, within a share of the time.

    Parameters
    ----------
    predict
        The network that is being trained.
    shape
        Gives (Y, X) of a plane, pixels; None: there is no plane of this number.
    stride
        Of the network, pixels.
    reduction
        Side of the blocks that the network sees, pixels: so many times larger tiles cost the same.
    task, values
        What the probabilities mean.
    outline
        Gives from which value of the shape field, which comes after them, pixels belong to objects
        (see `outline_level`); None: there is no field.
    objects
        Gives how foreground is cut into objects, which may change while training goes on.

    Notes
    -----
    The first preview is computed at once and counts for nothing. After it, previews take at most
    6.5 % of the time since the start, so that training slows down by less than 10 %, with the
    drawing. A view that costs more than there is time for in a few seconds comes from the middle
    outwards: each preview has a new middle and more of the rest, and then what is oldest of the
    rest. So its tiles come from weights that are some steps apart.
    """

    def __init__(
        self,
        predict: Predict,
        *,
        shape: Callable[[int], tuple[int, int] | None],
        stride: int,
        reduction: int = 1,
        task: Task,
        values: tuple[int, ...],
        outline: Callable[[], float] | None = None,
        objects: Callable[[], ObjectsConfig],
    ) -> None:
        self._predict = predict
        self._shape = shape
        self._stride = stride
        self._reduction = reduction
        self._objects = objects if task is Task.OBJECTS else None
        self._values = np.array(values, dtype=np.int32)
        self._outline = outline
        self._budget = _Budget()
        self._canvas: PreviewCanvas | None = None  # of what was wanted last
        self._round: list[Tile] = []  # to be computed for the next preview, the next one last
        self._shown: tuple[View, Labels] | None = None  # the last preview
        self._cut: ObjectsConfig | None = None  # how its objects were cut
        self._given_up: View | None = None  # it cannot be previewed

    def change_values(self, values: tuple[int, ...]) -> None:
        """Go on with other label values of the channels; what has come of the view is dropped."""
        self._values = np.array(values, dtype=np.int32)
        self._canvas, self._round = None, []

    def give_up(self, wanted: View | None) -> None:
        """Leave this view alone until something else was wanted, or `try_again` is called."""
        self._round, self._given_up = [], wanted

    def try_again(self) -> None:
        """Preview also what was given up: it may succeed now."""
        self._given_up = None

    def advance(self, wanted: View | None, elapsed: float) -> tuple[View, Labels] | None:
        """Compute a tile, if there is time for it; return the next preview when it is there.

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
        canvas = None if wanted is None or wanted == self._given_up else self._canvas_of(wanted)
        if canvas is None:
            self._round = []
            return None
        if self._is_cut_otherwise(canvas):
            return self._finish(canvas)
        if not self._round:
            pixels, side = self._budget.affordable_pixels, self._tile_side()
            self._round = canvas.next_round(side, pixels)[::-1]
        return self._finish(canvas) if self._compute(canvas, elapsed) else None

    def _canvas_of(self, wanted: View) -> PreviewCanvas | None:
        """Return what has come of this view, perhaps when another was wanted."""
        if self._canvas is None or self._canvas.wanted != wanted:
            shape = self._shape(wanted.plane)
            canvas = None if shape is None else PreviewCanvas.of(wanted, shape)
            if canvas is None:
                return None
            canvas.take_over(self._canvas)
            self._canvas, self._round = canvas, []
        return self._canvas

    def _tile_side(self) -> int:
        """Return the side of a tile that is not too slow, pixels."""
        side = _TILE
        while side > _SMALLEST_TILE and self._budget.cost((side * self._reduction) ** 2) > _LONGEST:
            side //= 2
        return self._reduction * round_up(side, self._stride)

    def _compute(self, canvas: PreviewCanvas, elapsed: float) -> bool:
        """Compute the tiles that there is time for; return whether all of the round are done."""
        is_new = not canvas.is_complete
        while self._round and self._budget.allows(self._round[-1], elapsed, is_new=is_new):
            tile = self._round[-1]
            with self._budget.spend(tile):
                values = self._decode(self._predict(canvas.view.plane, tile))
                canvas.put(tile, values, elapsed)
            self._round.pop()  # only now: a tile that memory was too short for is tried again
            if not self._budget.is_free:
                break  # a training step in between
        return not self._round

    def _decode(self, probabilities: npt.NDArray[np.float32]) -> Labels:
        if self._objects is not None:
            threshold = self._objects().threshold
            if self._outline is None:
                return foreground_of(probabilities[1:2], threshold, 0).astype(np.int32)
            foreground = foreground_of(probabilities[1:3], threshold, self._outline())
            return np.where(foreground, 1 + as_bytes(probabilities[-1]).astype(np.int32), 0)
        classes: Labels = self._values[probabilities.argmax(axis=0)]
        return classes

    def _is_cut_otherwise(self, canvas: PreviewCanvas) -> bool:
        """Return whether objects are shown that are to be cut in another way now."""
        is_shown = self._shown is not None and self._shown[0] == canvas.view
        return is_shown and self._objects is not None and self._objects() != self._cut

    def _finish(self, canvas: PreviewCanvas) -> tuple[View, Labels]:
        with self._budget.spend():
            values = canvas.pixels.copy()  # goes on to change
            if self._objects is not None:
                self._cut = self._objects()
                config = _on_canvas(self._cut, canvas.view.step)
                field = (np.maximum(values, 1) - 1).astype(np.uint8) if self._outline else None
                values, _ = cut_objects(values > 0, config, field)
                values = self._with_old_numbers(canvas.view, values)
        self._budget.close_preview()
        self._shown = (canvas.view, values)
        return self._shown

    def _with_old_numbers(self, view: View, labels: Labels) -> Labels:
        """Give objects the numbers that they had in the last preview of the same plane."""
        if self._shown is None or self._shown[0].plane != view.plane:
            return labels
        previous = np.zeros_like(labels)
        copy_overlap(self._shown[1], self._shown[0], previous, view)
        return keep_numbers(labels, previous)


def _on_canvas(config: ObjectsConfig, step: int) -> ObjectsConfig:
    """Return how to cut objects of which one pixel in `step` per side is there."""
    if step == 1:
        return config
    smallest = smallest_object(config) // step**2
    hole = None if config.largest_hole is None else config.largest_hole // step**2
    return replace(config, min_size=smallest, largest_hole=hole, gap=config.gap // step)


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


class _Budget:
    """How much time previews may take, and what a pixel costs."""

    def __init__(self) -> None:
        self.is_free = True  # until the first preview is finished
        self._charged = 0.0  # seconds that count
        self._seconds = 0.0  # measured, for `_pixels`
        self._pixels = 0.0
        self._finishing = 0.0  # seconds that the last preview took when its tiles were there

    @property
    def affordable_pixels(self) -> float:
        """Pixels of a round; to finish its preview takes no longer than to compute them."""
        if not self._pixels:
            return float(_FIRST_SIDE**2)
        return max(_ROUND, self._finishing) / max(self.cost(1), 1e-12)

    def cost(self, pixels: int) -> float:
        """Return the seconds that so many pixels take; 0: not known yet."""
        return self._seconds / self._pixels * pixels if self._pixels else 0.0

    def allows(self, tile: Tile, elapsed: float, *, is_new: bool) -> bool:
        """Return whether there is time for a tile, perhaps of a view that is not shown yet."""
        if self.is_free:
            return True
        self._charged = max(self._charged, _SHARE * elapsed - _SAVED)
        cost = self.cost(tile.y.length * tile.x.length) + self._finishing
        return self._charged + cost <= (_SHARE_MOVED if is_new else _SHARE) * elapsed

    def close_preview(self) -> None:
        """Note that a preview is finished; the speed of the next ones counts for more."""
        self.is_free = False
        self._seconds /= 2
        self._pixels /= 2

    @contextmanager
    def spend(self, tile: Tile | None = None) -> Iterator[None]:
        """Charge the time that the block takes: for a tile, or to finish a preview."""
        begin = time.perf_counter()
        yield
        seconds = time.perf_counter() - begin
        if tile is None:
            self._finishing = seconds
        else:
            self._seconds += seconds
            self._pixels += tile.y.length * tile.x.length
        if not self.is_free:
            self._charged += seconds
