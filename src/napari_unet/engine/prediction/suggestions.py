"""Where painting helps most: the places that the network is least sure of."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import entr

from napari_unet.config import Task, Unpainted
from napari_unet.engine.events import (
    Place,
    PlaceLookedAt,
    Stop,
    Suggested,
    SuggestEvent,
    never,
)
from napari_unet.engine.network.device import DeviceChoice, engine_errors
from napari_unet.engine.network.model import Model
from napari_unet.engine.network.unet import stride
from napari_unet.engine.paint.painted_planes import require_labels_of
from napari_unet.engine.prediction.decode import Probabilities
from napari_unet.engine.prediction.predictor import Predictor
from napari_unet.engine.stack.planes import Planes
from napari_unet.engine.stack.tiles import Span, Tile, cut_plane, round_up

_WINDOW = 96  # side of a place, pixels: a few cells, and what fits on the screen at full size
_SMALLEST_WINDOW = 16  # pixels; on small planes a place is a quarter of the shorter side
_PLANES = 12  # looked at
_NEAREST = 4  # of them beside the focus; the others are spread evenly over the stack
_PIXELS = 1 << 22  # looked at in all: some seconds on a CPU
_REGION = 256  # side of what is looked at on planes that are too large to look at wholly, pixels

Field = npt.NDArray[np.float32]
"""(y, x)"""


def suggest(
    model: Model,
    planes: Planes,
    labels: Planes | None,
    *,
    device: DeviceChoice,
    focus: tuple[int, int, int] | None,
    count: int = 1,
    unpainted: Unpainted = Unpainted.IGNORED,
    stop: Stop = never,
) -> Iterator[SuggestEvent]:
    """Look for the places where a model is least sure and nothing is painted yet.

    Parameters
    ----------
    model
        A trained model.
    planes, labels
        Image and painted labels: the same number of planes of the same shape. Without labels
        nothing is painted.
    device
        Where to compute.
    focus
        (plane, y, x) that the viewer looks at; planes near to it are looked at first.
    count
        Number of places wanted; they do not overlap.
    unpainted
        What label 0 means: with `Unpainted.BACKGROUND` a plane with any paint is painted wholly.
    stop
        Asked after each tile; True ends the search with the best places so far.

    Yields
    ------
    SuggestEvent
        `PlaceLookedAt` per tile, and `Suggested` at last.

    Raises
    ------
    ImageError
        If the image does not fit the model, is constant, or holds NaN or infinite values.
    LabelsError
        If the labels do not fit the image.
    EngineError
        If the device fails, for example for want of memory.

    Notes
    -----
    A place is the window with the largest mean of `uncertainty` of those without any painted
    pixel: uncertainty sampling (Lewis and Gale 1994, SIGIR '94, p. 3), over windows. Windows lie
    wholly inside the image and each pixel is predicted with its full context, so that the border
    of the image is no more likely than its middle.

    At most 12 planes are looked at, and about 2^22 pixels: of larger planes, squares of 256 px
    that are spread over them, the same ones each time. A network can be sure and wrong; such
    places are not found.
    """
    if labels is not None:
        require_labels_of(planes, labels)
    predictor = Predictor(model, planes, device)
    regions = _regions(planes, 0 if focus is None else focus[0])
    side = predictor.tile_side  # on a GPU it asks for the free memory: once
    tiles = [_cut(region, side, stride(model.network.levels)) for region in regions]
    total, done = sum(map(len, tiles)), 0
    best: list[Place] = []
    wanted = 1 if model.task is Task.OBJECTS else None  # of objects the foreground alone
    stopped = False
    try:
        for region, parts in zip(regions, tiles, strict=True):
            looked_at = _LookedAt(region, _painted(labels, region, unpainted))
            for tile in parts:
                with engine_errors(device):
                    looked_at.add(tile, predictor.predict(region.plane, tile)[:wanted])
                done += 1
                yield PlaceLookedAt(done, total)
                stopped = stop()
                if stopped:
                    break
            best += looked_at.places(_window(planes.shape), count)
            best = sorted(best, key=lambda place: -place.uncertainty)[:count]
            if stopped:
                break
        yield Suggested(tuple(best))
    finally:
        predictor.release()


def uncertainty(probabilities: Probabilities) -> Field:
    """Return the entropy of each pixel's softmax, divided by that of an even one: 0 to 1.

    Parameters
    ----------
    probabilities
        (K, y, x); a single channel is the foreground of a softmax of two.
    """
    if len(probabilities) == 1:
        rest = np.maximum(1 - probabilities, 0)
        probabilities = np.concatenate([probabilities, rest])
    entropy = entr(probabilities).sum(axis=0) / math.log(len(probabilities))
    return np.asarray(entropy, np.float32)


@dataclass(frozen=True, slots=True)
class _Region:
    """What is looked at in one piece."""

    plane: int
    area: Tile

    @property
    def shape(self) -> tuple[int, int]:
        return self.area.y.length, self.area.x.length


class _LookedAt:
    """The uncertainty of a region, as far as its tiles have come."""

    def __init__(self, region: _Region, painted: npt.NDArray[np.bool_]) -> None:
        self._region = region
        self._values = np.zeros(region.shape, np.float32)
        self._excluded = painted
        self._unseen = np.ones(region.shape, dtype=bool)

    def add(self, tile: Tile, probabilities: Probabilities) -> None:
        """Take the probabilities of a tile of the plane, (K, y, x)."""
        area = self._region.area
        inside = (
            slice(tile.y.start - area.y.start, tile.y.stop - area.y.start),
            slice(tile.x.start - area.x.start, tile.x.stop - area.x.start),
        )
        self._values[inside] = uncertainty(probabilities)
        self._unseen[inside] = False

    def places(self, window: tuple[int, int], count: int) -> list[Place]:
        """Return the least sure windows that hold nothing painted or unseen, and do not overlap."""
        height, width = window
        scores = _window_sums(self._values, window) / (height * width)
        scores[_window_sums(self._excluded | self._unseen, window) > 0] = -np.inf
        found: list[Place] = []
        while len(found) < count:
            y, x = (int(i) for i in np.unravel_index(scores.argmax(), scores.shape))
            if scores[y, x] == -np.inf:
                break
            found.append(self._place(y, x, window, float(scores[y, x])))
            rows = slice(max(0, y - height + 1), y + height)
            scores[rows, max(0, x - width + 1) : x + width] = -np.inf
        return found

    def _place(self, y: int, x: int, window: tuple[int, int], score: float) -> Place:
        top, left = y + self._region.area.y.start, x + self._region.area.x.start
        return Place(
            self._region.plane,
            slice(top, top + window[0]),
            slice(left, left + window[1]),
            min(max(score, 0.0), 1.0),  # sums are rounded
        )


def _window_sums(
    values: npt.NDArray[np.float32] | npt.NDArray[np.bool_], window: tuple[int, int]
) -> npt.NDArray[np.float64]:
    """Return the sum over each window that lies wholly inside, at its first pixel."""
    height, width = window
    until = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    until[1:, 1:] = values.cumsum(axis=0, dtype=np.float64).cumsum(axis=1)
    rows = until[height:] - until[:-height]
    sums: npt.NDArray[np.float64] = rows[:, width:] - rows[:, :-width]
    return sums


def _window(shape: tuple[int, int]) -> tuple[int, int]:
    """Return height and width of a place on a plane of this shape, pixels."""
    side = min(_WINDOW, max(_SMALLEST_WINDOW, min(shape) // 4))
    return min(side, shape[0]), min(side, shape[1])


def _regions(planes: Planes, focus: int) -> list[_Region]:
    """Return what to look at, the planes nearest to the focus first."""
    every = sorted(range(planes.count), key=lambda plane: abs(plane - focus))
    chosen = set(every)
    if planes.count > _PLANES:
        spread = np.linspace(0, planes.count - 1, _PLANES - _NEAREST).round()
        chosen = {*every[:_NEAREST], *spread.astype(int).tolist()}
    pixels = _PIXELS // len(chosen)
    numbers = [plane for plane in every if plane in chosen]
    return [_Region(n, area) for n in numbers for area in _areas(planes.shape, pixels, seed=n)]


def _areas(shape: tuple[int, int], pixels: int, seed: int) -> list[Tile]:
    """Return the whole plane, or rectangles spread over it that hold about so many pixels.

    The plane is divided into equal cells, and a rectangle is drawn in each of them.
    """
    if math.prod(shape) <= pixels:
        return [Tile(Span(0, shape[0]), Span(0, shape[1]))]
    height, width = min(_REGION, shape[0]), min(_REGION, shape[1])
    wanted = max(1, pixels // (height * width))
    rows = min(wanted, shape[0] // height, max(1, round(math.sqrt(wanted * shape[0] / shape[1]))))
    columns = min(wanted // rows, shape[1] // width)
    rng = np.random.default_rng(seed)
    return [
        Tile(
            _draw_span(rng, shape[0], rows, row, height),
            _draw_span(rng, shape[1], columns, column, width),
        )
        for row, column in np.ndindex(rows, columns)
    ]


def _draw_span(rng: np.random.Generator, length: int, cells: int, cell: int, size: int) -> Span:
    """Return a span of `size` pixels somewhere in one of the equal cells of an axis."""
    first, last = length * cell // cells, length * (cell + 1) // cells - size
    start = int(rng.integers(first, last, endpoint=True))
    return Span(start, start + size)


def _cut(region: _Region, side: int, step: int) -> list[Tile]:
    """Cut a region into tiles."""
    top, left = region.area.y.start, region.area.x.start
    return [
        Tile(
            Span(tile.y.start + top, tile.y.stop + top),
            Span(tile.x.start + left, tile.x.stop + left),
        )
        for tile in cut_plane(region.shape, round_up(min(side, max(region.shape)), step), step)
    ]


def _painted(labels: Planes | None, region: _Region, unpainted: Unpainted) -> npt.NDArray[np.bool_]:
    """Return where a region is painted, (y, x)."""
    if labels is None:
        return np.zeros(region.shape, dtype=bool)
    if unpainted is Unpainted.BACKGROUND:
        whole = labels.read(region.plane, slice(0, labels.shape[0]), slice(0, labels.shape[1]))
        return np.full(region.shape, whole.any())
    area = region.area
    return np.asarray(labels.read(region.plane, area.y.as_slice, area.x.as_slice)[0] != 0)
