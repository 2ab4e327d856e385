"""How a network has found the painted objects, before paint overrides what it says.

Only what lies around them is predicted, so that it takes a second or two after training.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_unet.config import ObjectsConfig, OutputKind, Task, preset_of
from napari_unet.engine.events import Reviewed, Stop, never
from napari_unet.engine.network.device import DeviceChoice, engine_errors
from napari_unet.engine.network.model import Model
from napari_unet.engine.network.unet import stride
from napari_unet.engine.objects.paint_over import paint_over
from napari_unet.engine.paint.label_scheme import IGNORED, OBJECT_VALUES, LabelScheme
from napari_unet.engine.paint.painted_box import PaintedBox, painted_boxes
from napari_unet.engine.paint.shape_bounds import tell_of_objects
from napari_unet.engine.paint.smallest import smallest_object
from napari_unet.engine.paint.training_set import TrainingSet
from napari_unet.engine.prediction.backend import Backend
from napari_unet.engine.prediction.decode import objects_on_plane, plane_decoder, settler
from napari_unet.engine.prediction.predictor import Predictor
from napari_unet.engine.scores.painted_objects import (
    PaintedObject,
    judge_each,
    often_touch,
    sum_up,
)
from napari_unet.engine.stack.run_labels import RunLabels
from napari_unet.engine.stack.tiles import Span, Tile, cut_plane

_PLANES = 16  # painted planes that are looked at
_PIXELS = 1 << 22  # that the network sees in all: some seconds on a CPU
_GRID = 512  # pixels: objects whose middles are in one square are looked at together
_AROUND = 32, 128  # pixels around an object at least and at most; else as many as it is wide

Labels = npt.NDArray[np.int32]


def review(
    model: Model,
    pairs: TrainingSet,
    scheme: LabelScheme,
    *,
    device: DeviceChoice,
    objects: ObjectsConfig | None = None,
    stop: Stop = never,
) -> Reviewed | None:
    """Return how the network has found the painted objects.

    Parameters
    ----------
    model
        Just trained on these labels.
    pairs
        Images and labels. Up to 16 painted planes, spread over the images, are looked at, and of
        very many objects some.
    scheme
        How the labels are read.
    device
        Where to compute.
    objects
        How foreground is cut into objects; None: as is usual for the network.
    stop
        Asked after each tile; True ends the work, and what was looked at until then counts.

    Returns
    -------
    Reviewed or None
        None: classes, or no painted object was looked at.

    Raises
    ------
    ImageError, LabelsError, EngineError
        As `segment`.
    """
    if scheme.task is not Task.OBJECTS or model.task is not Task.OBJECTS or stop():
        return None
    objects = objects or preset_of(model.network).objects
    looked: list[tuple[int, PaintedObject]] = []
    touching = False
    left: float = _PIXELS
    with _Predictors(model, pairs, device) as predictors:
        for window in _windows(pairs, scheme):
            predictor, plane = predictors.of(window.plane)
            left -= window.painted.size / predictor.seen.factor**2
            if left < 0 and looked:
                break
            on_plane = objects_on_plane(model, objects, predictor.seen)
            found = _find(predictor, plane, window, on_plane, stop)
            if found is None:
                break
            looked += [(window.plane, one) for one in _judge(window, found, on_plane)]
            touching |= often_touch(np.asarray(found))
    if not looked:
        return None
    sums = sum_up([one for _, one in looked])
    wrong = [(plane, one.y, one.x) for plane, one in looked if one.is_wrong]
    tells = tell_of_objects(model.record.whole_objects)
    return Reviewed(
        right=sums.right,
        painted=sums.painted,
        split=sums.split,
        merged=sums.merged,
        missed=tuple(wrong),
        touching=touching or any(one.is_clumped for _, one in looked),
        tells=tells,
    )


class _Predictors:
    """The network on the device, for whichever image of a set; one network serves all."""

    def __init__(self, model: Model, pairs: TrainingSet, device: DeviceChoice) -> None:
        self._model = model
        self._pairs = pairs
        self._device = device
        self._made: dict[int, Predictor] = {}  # by the image
        self._backend: Backend | None = None

    def __enter__(self) -> Self:
        if len(self._pairs.pairs) > 1:
            self._backend = Backend.fitting(self._model, self._device)
        return self

    def __exit__(self, *_: object) -> None:
        for predictor in self._made.values():
            predictor.release()

    def of(self, number: int) -> tuple[Predictor, int]:
        """Return what predicts the image of a plane, and the plane's number there."""
        image, plane = self._pairs.place(number)
        if image not in self._made:
            planes = self._pairs.images[image]
            self._made[image] = Predictor(self._model, planes, self._device, backend=self._backend)
        return self._made[image], plane


@dataclass(frozen=True, slots=True)
class _Window:
    """What is looked at in one go."""

    plane: int  # number in the set
    y: slice  # in the plane, pixels
    x: slice
    painted: Labels  # (y, x), all paint there: 0 = unpainted, 1 = background, 2, 3, … = objects
    own: frozenset[int]  # the objects that are judged here; others are judged elsewhere

    def tiles(self, side: int, step: int) -> list[tuple[Tile, Tile]]:
        """Return tiles of the window, and the same in the plane."""
        top, left = self.y.start, self.x.start
        return [
            (
                tile,
                Tile(
                    Span(tile.y.start + top, tile.y.stop + top),
                    Span(tile.x.start + left, tile.x.stop + left),
                ),
            )
            for tile in cut_plane((self.painted.shape[0], self.painted.shape[1]), side, step)
        ]


def _windows(pairs: TrainingSet, scheme: LabelScheme) -> Iterator[_Window]:
    """Yield windows around all painted objects, each object in one of them."""
    for box in painted_boxes(pairs.labels, _PLANES):
        shape = box.plane_shape
        painted = _as_paint(box, scheme)
        groups: defaultdict[tuple[int, int], list[tuple[int, slice, slice]]] = defaultdict(list)
        for number, place in enumerate(ndimage.find_objects(painted), start=1):
            if number > 1 and place is not None:
                y, x = (
                    slice(side.start + whole.start, side.stop + whole.start)
                    for side, whole in zip(place, (box.y, box.x), strict=True)
                )
                middle = (y.start + y.stop) // 2 // _GRID, (x.start + x.stop) // 2 // _GRID
                groups[middle].append((number, y, x))
        for group in groups.values():
            y = _around([one[1] for one in group], shape[0])
            x = _around([one[2] for one in group], shape[1])
            inside = _cut_out(painted, box, y, x)
            yield _Window(box.number, y, x, inside, frozenset(one[0] for one in group))


def _as_paint(box: PaintedBox, scheme: LabelScheme) -> Labels:
    """Return the paint in a box: 0 = unpainted, 1 = background, and objects from 2 on."""
    numbers = scheme.objects(box.labels)
    _, places = np.unique(numbers, return_inverse=True)
    first = 2 if numbers.all() else 1
    is_labelled = scheme.classes(box.labels, OBJECT_VALUES, gap=0) != IGNORED
    objects = (places.reshape(numbers.shape) + first).astype(np.int32)
    return np.where(is_labelled, objects, 0)


def _around(sides: list[slice], length: int) -> slice:
    """Return the pixels around some objects along an axis."""
    least, most = _AROUND
    grown = [
        (side.start - margin, side.stop + margin)
        for side in sides
        for margin in [min(max(least, side.stop - side.start), most)]
    ]
    return slice(max(0, min(g[0] for g in grown)), min(length, max(g[1] for g in grown)))


def _cut_out(painted: Labels, box: PaintedBox, y: slice, x: slice) -> Labels:
    """Return the paint of a window of the plane."""
    result = np.zeros((y.stop - y.start, x.stop - x.start), np.int32)
    rows, columns = (
        slice(max(one.start, side.start), min(one.stop, side.stop))
        for one, side in zip((box.y, box.x), (y, x), strict=True)
    )
    inside = painted[_moved(rows, box.y), _moved(columns, box.x)]
    result[_moved(rows, y), _moved(columns, x)] = inside
    return result


def _moved(side: slice, origin: slice) -> slice:
    return slice(side.start - origin.start, side.stop - origin.start)


def _find(
    predictor: Predictor, plane: int, window: _Window, objects: ObjectsConfig, stop: Stop
) -> RunLabels | None:
    """Return the objects that the network finds in a window; None: it was stopped."""
    model, shape = predictor.model, (window.painted.shape[0], window.painted.shape[1])
    decoder = plane_decoder(model, OutputKind.LABELS, objects, shape, offset=0)
    settle = settler(model, OutputKind.LABELS, objects)
    for tile, on_plane in window.tiles(predictor.tile_side, stride(model.network.levels)):
        probabilities = predictor.predict(plane, on_plane)
        with engine_errors(predictor.device):
            decoder.add(tile, settle(probabilities))
        if stop():
            return None
    uncut = decoder.finish()
    return None if uncut is None else uncut.cut().finish()[0]


def _judge(window: _Window, found: RunLabels, objects: ObjectsConfig) -> list[PaintedObject]:
    """Return how the window's own objects were found, where they are in the plane."""
    painted = RunLabels.of(window.painted)
    settled, _ = paint_over(found, painted, smallest=smallest_object(objects))
    top, left = window.y.start, window.x.start
    return [
        replace(
            one,
            y=slice(one.y.start + top, one.y.stop + top),
            x=slice(one.x.start + left, one.x.stop + left),
        )
        for one in judge_each(found, settled, painted)
        if one.number in window.own
    ]
