"""Where painting helps most: the places that the network is least sure of."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, zip_longest

import numpy as np
import numpy.typing as npt
from scipy.special import entr

from napari_unet.config import ObjectsConfig, Task, Unpainted, preset_of
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
from napari_unet.engine.objects.decoder import as_bytes, foreground_of
from napari_unet.engine.objects.uncut import UncutPlane
from napari_unet.engine.paint.outline import outline_of
from napari_unet.engine.paint.training_set import require_labels_of
from napari_unet.engine.prediction.decode import Probabilities, objects_on_plane
from napari_unet.engine.prediction.doubtful_cuts import doubtful_cuts
from napari_unet.engine.prediction.predictor import Predictor
from napari_unet.engine.prediction.regions import Region, choose_regions
from napari_unet.engine.stack.planes import Planes
from napari_unet.engine.stack.tiles import Tile

_WINDOW = 96  # side of a place, pixels: a few cells, and what fits on the screen at full size
_SMALLEST_WINDOW = 16  # pixels; on small planes a place is a quarter of the shorter side
_BESIDE = 8  # pixels around a cut that must not be painted, so that it is suggested

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
    objects: ObjectsConfig | None = None,
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
    objects
        How foreground is cut into objects; None: as is usual for the network.
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

    A network with a shape field can be sure of the pixels and unsure whether they are one object
    or two: where a hill and the pass beside it are nearly so that it is decided otherwise (see
    `doubtful_cuts`). Such places, around the line of that cut and unpainted there, take turns with
    the others.

    At most 12 planes are looked at, and about 2^22 pixels: of larger planes, squares of 256 px
    that are spread over them, the same ones each time. A network can be sure and wrong; such
    places are not found.
    """
    if labels is not None:
        require_labels_of(planes, labels)
    predictor = Predictor(model, planes, device)
    regions = choose_regions(planes, 0 if focus is None else focus[0])
    side = predictor.tile_side  # on a GPU it asks for the free memory: once
    tiles = [region.tiles(side, stride(model.network.levels)) for region in regions]
    total, done = sum(map(len, tiles)), 0
    best: list[Place] = []  # by uncertainty
    cuts: list[Place] = []  # by doubt whether they are one object
    config, outline = None, outline_of(model)
    if model.network.shape_field:
        wanted = objects or preset_of(model.network).objects
        config = objects_on_plane(model, wanted, predictor.seen)
    stopped = False
    try:
        for region, parts in zip(regions, tiles, strict=True):
            painted = _painted(labels, region, unpainted)
            looked_at = _LookedAt(region, model.task, painted, config, outline)
            for tile in parts:
                with engine_errors(device):
                    looked_at.add(tile, predictor.predict(region.plane, tile))
                done += 1
                yield PlaceLookedAt(done, total)
                stopped = stop()
                if stopped:
                    break
            window = _window(planes.shape)
            best += looked_at.places(window, count)
            best = sorted(best, key=lambda place: -place.uncertainty)[:count]
            cuts += looked_at.doubtful_places(window, count)
            cuts = sorted(cuts, key=lambda place: -place.one_or_two)[:count]
            if stopped:
                break
        yield Suggested(_in_turns(cuts, best)[:count])
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


class _LookedAt:
    """What is known of a region, as far as its tiles have come."""

    def __init__(
        self,
        region: Region,
        task: Task,
        painted: npt.NDArray[np.bool_],
        objects: ObjectsConfig | None,
        outline: float,
    ) -> None:
        self._region = region
        self._task = task
        self._values = np.zeros(region.shape, np.float32)
        self._excluded = painted
        self._unseen = np.ones(region.shape, dtype=bool)
        self._objects = objects  # None: there is no shape field
        self._outline = outline
        self._foreground = np.zeros(region.shape, dtype=bool)
        self._field = np.zeros(region.shape, np.uint8)

    def add(self, tile: Tile, probabilities: Probabilities) -> None:
        """Take the answers for a tile of the plane, (K, y, x)."""
        area = self._region.area
        inside = (
            slice(tile.y.start - area.y.start, tile.y.stop - area.y.start),
            slice(tile.x.start - area.x.start, tile.x.stop - area.x.start),
        )
        likely = probabilities[:1] if self._task is Task.OBJECTS else probabilities
        self._values[inside] = uncertainty(likely)
        self._unseen[inside] = False
        if self._objects is not None:
            threshold = self._objects.threshold
            self._foreground[inside] = foreground_of(probabilities, threshold, self._outline)
            self._field[inside] = as_bytes(probabilities[1])

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

    def doubtful_places(self, window: tuple[int, int], count: int) -> list[Place]:
        """Return windows around what may be one object or two, and is not painted; none overlap."""
        if self._objects is None:
            return []
        rows = self._field.__getitem__
        uncut = UncutPlane.of([self._foreground], self._region.shape, self._objects, rows)
        taken = self._excluded | self._unseen
        found: list[Place] = []
        for cut in doubtful_cuts(uncut):
            y, x = (
                _around(side, size, length)
                for side, size, length in zip(
                    (cut.y, cut.x), window, self._region.shape, strict=True
                )
            )
            if taken[_grown(cut.y), _grown(cut.x)].any():
                continue
            taken[y, x] = True
            place = self._place(y.start, x.start, window, float(self._values[y, x].mean()))
            found.append(replace(place, one_or_two=cut.doubt))
            if len(found) == count:
                break
        return found

    def _place(self, y: int, x: int, window: tuple[int, int], score: float) -> Place:
        top, left = y + self._region.area.y.start, x + self._region.area.x.start
        return Place(
            self._region.plane,
            slice(top, top + window[0]),
            slice(left, left + window[1]),
            min(max(score, 0.0), 1.0),  # sums are rounded
        )


def _in_turns(one: list[Place], other: list[Place]) -> tuple[Place, ...]:
    """Return the places of both lists in turns; of two that overlap the first."""
    found: list[Place] = []
    for place in chain.from_iterable(zip_longest(one, other)):
        if place is not None and not any(_overlap(place, before) for before in found):
            found.append(place)
    return tuple(found)


def _overlap(one: Place, other: Place) -> bool:
    return one.plane == other.plane and all(
        mine.start < theirs.stop and theirs.start < mine.stop
        for mine, theirs in ((one.y, other.y), (one.x, other.x))
    )


def _around(side: slice, size: int, length: int) -> slice:
    """Return a window around the middle of a side, inside the axis."""
    start = min(max((side.start + side.stop - size) // 2, 0), length - size)
    return slice(start, start + size)


def _grown(side: slice) -> slice:
    return slice(max(0, side.start - _BESIDE), side.stop + _BESIDE)


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


def _painted(labels: Planes | None, region: Region, unpainted: Unpainted) -> npt.NDArray[np.bool_]:
    """Return where a region is painted, (y, x)."""
    if labels is None:
        return np.zeros(region.shape, dtype=bool)
    if unpainted is Unpainted.BACKGROUND:
        whole = labels.read(region.plane, slice(0, labels.shape[0]), slice(0, labels.shape[1]))
        return np.full(region.shape, whole.any())
    area = region.area
    return np.asarray(labels.read(region.plane, area.y.as_slice, area.x.as_slice)[0] != 0)
