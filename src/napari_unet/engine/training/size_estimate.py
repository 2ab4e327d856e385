"""How large objects are that nobody has outlined: as the network sees them best.

A pretrained network tells objects from their surroundings best when they are as large as those it
has learned from. So the painted part of a plane is looked at through several reductions. Of those
with which paint in objects and on the background comes out most differently, the one is taken with
which the objects are about as large as is usual.
"""

from __future__ import annotations

import hashlib
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet.config import ObjectsConfig
from napari_unet.engine.events import Stop, never
from napari_unet.engine.network.device import DeviceChoice
from napari_unet.engine.network.model import Model
from napari_unet.engine.network.record import ObjectSizes
from napari_unet.engine.objects.decoder import as_bytes, cut_objects, foreground_of
from napari_unet.engine.paint.label_scheme import IGNORED, OBJECT, OBJECT_VALUES, LabelScheme
from napari_unet.engine.paint.object_size import OBJECT_DIAMETER
from napari_unet.engine.paint.outline import outline_of
from napari_unet.engine.paint.painted_box import PaintedBox, painted_boxes
from napari_unet.engine.paint.training_set import TrainingSet
from napari_unet.engine.prediction.predictor import Predictor
from napari_unet.engine.stack.planes import ArrayPlanes, Planes
from napari_unet.engine.stack.tiles import Span, Tile
from napari_unet.engine.training.size_memory import SizeMemory

TRIED = (1, 2, 3, 4, 6)
"""Reductions through which the network looks."""

_SIDE = 768  # pixels of the plane that are looked at, at most
_AROUND = 64  # pixels beyond the paint
_PLANES = 8  # painted planes of which the most painted one is looked at
_SMALLEST_VIEW = 96  # pixels of the network's image at least
_AS_GOOD = 0.1  # less of the difference than the best has, and the size decides
_OF_MEDIAN = 0.25  # of the median area: the smallest object

Answer = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SizeEstimate:
    """How large objects seem to be."""

    reduction: int  # side of the blocks over which the image should be averaged, pixels
    diameter: float | None  # of a circle of the median object's area, pixels; None: none is found


def sizes_around(diameter: float) -> ObjectSizes:
    """Return the areas of objects that are about so many pixels wide, as of painted ones."""
    area = max(1.0, math.pi / 4 * diameter**2)
    return ObjectSizes(max(1, round(_OF_MEDIAN * area)), area)


def estimate_size(
    model: Model,
    pairs: TrainingSet,
    scheme: LabelScheme,
    device: DeviceChoice,
    *,
    known: float | None,
    reductions: Sequence[int] = TRIED,
    memory: SizeMemory | None = None,
    stop: Stop = never,
) -> SizeEstimate:
    """Return how large objects are, and how large the network should see them.

    Parameters
    ----------
    model
        Pretrained, with a shape field.
    pairs
        Images of equally large pixels, and labels: scribbles in objects and on the background.
    scheme
        How the labels are read.
    device
        Where to compute.
    known
        Diameter of the objects, pixels; None: it is looked for.
    reductions
        Those that are tried, the smallest first; those at which the image would be too small are
        left out.
    memory
        Knows the last answer, and is told this one; None: nothing is remembered.
    stop
        Asked before each look but the first, which takes least; the looks so far then count.

    Returns
    -------
    SizeEstimate
        Of the smallest reduction if objects are painted on no plane.

    Raises
    ------
    ImageError, EngineError
        As `segment`.
    """
    boxes = painted_boxes(pairs.labels, _PLANES)
    box = max(boxes, key=lambda box: np.count_nonzero(scheme.objects(box.labels)), default=None)
    if box is None or not scheme.objects(box.labels).any():
        return SizeEstimate(reductions[0], None)
    pair, plane = pairs.pair(box.number)
    image, painted = _window(pair.planes, plane, box, scheme)
    memory = memory or SizeMemory()
    asked = _digest(image, painted), known, tuple(reductions)
    remembered = memory.recall(model, asked)
    if remembered is not None:
        return remembered
    looks, is_whole = _look_through(model, image, painted, reductions, device=device, stop=stop)
    found = _choose(looks, known)
    if is_whole:
        memory.keep(model, asked, found)
    return found


def _look_through(
    model: Model,
    image: Answer,
    painted: npt.NDArray[np.uint8],
    reductions: Sequence[int],
    *,
    device: DeviceChoice,
    stop: Stop,
) -> tuple[list[_Look], bool]:
    """Return what is seen, the smallest reduction first, and whether all were looked through."""
    stack = ArrayPlanes(image[np.newaxis])
    looks: list[_Look] = []
    for factor in reversed(reductions):  # the quickest first
        if factor > reductions[0] and _SMALLEST_VIEW * factor > min(image.shape):
            continue
        if looks and stop():
            return looks, False
        reduced = replace(model, reduction=factor, enlargement=1)
        looks.insert(0, _look(reduced, stack, device, painted))
    return looks, True


def _choose(looks: list[_Look], known: float | None) -> SizeEstimate:
    best = max(look.apart for look in looks)
    good = [look for look in looks if look.apart >= best - _AS_GOOD]
    found = [look.diameter for look in good if look.diameter is not None]
    diameter = known or (statistics.median_low(found) if found else None)
    if diameter is None:
        return SizeEstimate(good[0].reduction, None)
    wanted = diameter / OBJECT_DIAMETER
    nearest = min(good, key=lambda look: abs(math.log(look.reduction / wanted)))
    return SizeEstimate(nearest.reduction, diameter)


def _window(
    planes: Planes, plane: int, box: PaintedBox, scheme: LabelScheme
) -> tuple[Answer, npt.NDArray[np.uint8]]:
    """Return the image, the mean of its channels, and the classes around the middle of the paint.

    Both are (y, x).
    """
    painted = np.full(planes.shape, IGNORED, dtype=np.uint8)
    painted[box.y, box.x] = scheme.classes(box.labels, OBJECT_VALUES, gap=0)
    middle = np.median(np.argwhere(painted == OBJECT), axis=0).astype(int)
    y, x = (
        _side(place, paint, length)
        for place, paint, length in zip(middle, (box.y, box.x), planes.shape, strict=True)
    )
    image = planes.read(plane, y, x).astype(np.float32).mean(axis=0)
    return image, painted[y, x]


def _side(middle: int, paint: slice, length: int) -> slice:
    """Return the pixels around the paint, and of those at most some around its middle."""
    first = max(0, paint.start - _AROUND, middle - _SIDE // 2)
    return slice(first, min(length, paint.stop + _AROUND, first + _SIDE))


@dataclass(frozen=True, slots=True)
class _Look:
    """What the network sees at a reduction."""

    reduction: int
    apart: float  # mean foreground in painted objects, less that on painted background
    diameter: float | None  # the median of the objects found under the paint, pixels of the plane


def _look(
    model: Model, stack: ArrayPlanes, device: DeviceChoice, painted: npt.NDArray[np.uint8]
) -> _Look:
    height, width = painted.shape
    predictor = Predictor(model, stack, device)
    try:
        answers = predictor.predict(0, Tile(Span(0, height), Span(0, width)))
    finally:
        predictor.release()
    inside, outside = painted == OBJECT, painted == OBJECT_VALUES[0]
    apart = _mean(answers[0][inside]) - _mean(answers[0][outside])
    config = ObjectsConfig()
    foreground = foreground_of(answers, config.threshold, outline_of(model))
    labels, count = cut_objects(foreground, config, as_bytes(answers[1]))
    found = np.unique(labels[inside & (labels > 0)])
    factor = model.reduction or 1
    if not len(found):
        return _Look(factor, apart, None)
    areas = np.bincount(labels.ravel(), minlength=count + 1)[found]
    return _Look(factor, apart, 2 * math.sqrt(float(np.median(areas)) / math.pi))


def _digest(*arrays: npt.NDArray[Any]) -> bytes:
    digest = hashlib.blake2b()
    for array in arrays:
        digest.update(str(array.shape).encode() + np.ascontiguousarray(array).tobytes())
    return digest.digest()


def _mean(values: Answer) -> float:
    return float(values.mean()) if len(values) else 0.0
