"""Painted planes: normalised image, classes and weights around what is painted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from napari_unet.config import MAX_CLASSES, Task, TrainConfig
from napari_unet.engine.errors import LabelsError, UnetPaintError
from napari_unet.engine.events import PaintedPixels
from napari_unet.engine.paint.border_weight import border_weights
from napari_unet.engine.paint.label_scheme import IGNORED, OBJECT, LabelScheme, class_weights
from napari_unet.engine.paint.painted_box import PaintedBox
from napari_unet.engine.paint.shape_bounds import ShapeBounds, shape_bounds, whole_objects
from napari_unet.engine.paint.training_set import TrainingSet
from napari_unet.engine.stack.planes import Planes


@dataclass(frozen=True, slots=True)
class PaintedPlane:
    """The painted part of one plane, with enough context around it for every patch."""

    number: int
    origin: tuple[int, int]  # of the arrays below, in the plane, pixels (Y, X)
    image: npt.NDArray[np.float32]  # (C, y, x), normalised
    painted: npt.NDArray[np.uint8]  # (y, x), class as painted, IGNORED where unlabelled
    classes: npt.NDArray[np.uint8]  # (y, x), the same with the separation border
    weights: npt.NDArray[np.float32]  # (y, x), w(x) of eq. 2
    bounds: ShapeBounds | None = None  # of the shape field, if the network has one
    whole: int | None = None  # objects that are painted whole; None: classes


@dataclass(frozen=True, slots=True)
class PaintedStack:
    """All that training needs to know about the images and their labels."""

    planes: tuple[PaintedPlane, ...]
    values: tuple[int, ...]  # label value of each output channel

    @property
    def labelled_pixels(self) -> int:
        """Number of pixels that carry loss."""
        return sum(int((plane.classes != IGNORED).sum()) for plane in self.planes)

    @property
    def whole_objects(self) -> int | None:
        """Number of objects that are painted whole, not scribbled in; None: classes."""
        found = [plane.whole for plane in self.planes if plane.whole is not None]
        return sum(found) if found else None

    @property
    def numbers(self) -> tuple[int, ...]:
        """Numbers of the painted planes."""
        return tuple(plane.number for plane in self.planes)

    @property
    def pixels(self) -> tuple[PaintedPixels, ...]:
        """What is painted, without the image."""
        return tuple(
            PaintedPixels(plane.number, plane.origin, plane.painted) for plane in self.planes
        )


@dataclass(frozen=True, slots=True)
class _Prepared:
    plane: PaintedPlane  # whose weights are not balanced yet
    found: frozenset[int]


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """The normalised image around a painted bounding box."""

    y: slice  # in the plane
    x: slice
    image: npt.NDArray[np.float32]  # (C, y, x)


@dataclass(frozen=True, slots=True)
class _Looked:
    """What was read of one plane."""

    number: int
    patch: PaintedBox | None = None  # None: nothing is painted
    around: _Surroundings | None = None


class PaintedReader:
    """Reads painted planes and remembers them, so that only changed ones are read again.

    Parameters
    ----------
    pairs
        Images, in normalised grey values, and their labels, which may be painted on while they are
        read: each plane's are copied once, and all else follows from the copy.
    scheme
        Task, and what 0 means. Planes without any paint are left out, whatever 0 means.
    context
        Pixels kept on each side of the painted bounding box.
    known
        Label values of the model to go on from; they keep a class each, painted or not.
    shape_field
        Whether the network has one: then nothing is taken off the objects for a separation border.
    """

    def __init__(
        self,
        pairs: TrainingSet,
        scheme: LabelScheme,
        config: TrainConfig,
        *,
        context: int,
        known: tuple[int, ...] = (),
        shape_field: bool = False,
    ) -> None:
        self._pairs = pairs
        self._scheme = scheme
        self._config = config
        self._context = context
        self._values = known
        self._shape_field = shape_field
        self._prepared: Mapping[int, _Prepared] = {}

    def read(self, numbers: Iterable[int]) -> PaintedStack:
        """Read these planes, and return them with all that were read before.

        A class that was painted once keeps its output channel, also if it is erased.

        Raises
        ------
        LabelsError
            If nothing can be learned from the labels as they are now; see also
            `LabelScheme.values`. What was read before stays, and `read` may be tried again.
        ImageError, FileError
            If the image holds NaN or infinite values there, or cannot be read; the same holds.
        """
        return self._take([self._look(number) for number in numbers])

    def read_what_can_be(
        self, numbers: Iterable[int]
    ) -> tuple[PaintedStack, Mapping[int, UnetPaintError]]:
        """Read these planes but for those that cannot be read, which stay as they were.

        Returns
        -------
        stack
            With all that were read before.
        failures
            Why a plane could not be read, by its number.

        Raises
        ------
        LabelsError
            As `read`, if nothing can be learned from all labels together.
        """
        looked: list[_Looked] = []
        failures: dict[int, UnetPaintError] = {}
        for number in numbers:
            try:
                looked.append(self._look(number))
            except UnetPaintError as error:
                failures[number] = error
        return self._take(looked), failures

    def _look(self, number: int) -> _Looked:
        """Read what is needed of a plane."""
        patch = self._pairs.box(number)
        if patch is None:
            return _Looked(number)
        pair, plane = self._pairs.pair(number)
        return _Looked(number, patch, _image_around(pair.planes, plane, patch, self._context))

    def _take(self, looked: Sequence[_Looked]) -> PaintedStack:
        """Put the planes in the place of what they were."""
        numbers = {one.number for one in looked}
        kept = {n: plane for n, plane in self._prepared.items() if n not in numbers}
        found = frozenset[int]().union(
            *(one.patch.found for one in looked if one.patch is not None),
            *(plane.found for plane in kept.values()),
        )
        values = tuple(sorted({*self._values, *self._scheme.values(found)}))
        if len(values) > MAX_CLASSES:
            raise LabelsError(
                f"With what the model has learned there are {len(values)} classes, but at most "
                f"{MAX_CLASSES} can be; paint fewer classes, or train from scratch."
            )
        prepared = {n: _recoded(plane, self._values, values) for n, plane in kept.items()}
        for one in looked:
            if one.patch is not None and one.around is not None:
                plane = self._prepare(one.patch, one.around, values)
                prepared[one.number] = _Prepared(plane, one.patch.found)
        planes = tuple(plane.plane for _, plane in sorted(prepared.items()))
        if self._config.balance.weighs(self._scheme.task):
            planes = _balanced(planes, len(values), self._config.most_weight)
        self._prepared, self._values = dict(sorted(prepared.items())), values
        return PaintedStack(planes, values)

    def _prepare(
        self, patch: PaintedBox, around: _Surroundings, values: tuple[int, ...]
    ) -> PaintedPlane:
        labels = np.zeros(around.image.shape[1:], dtype=np.int32)
        inside = tuple(
            slice(side.start - outer.start, side.stop - outer.start)
            for side, outer in zip((patch.y, patch.x), (around.y, around.x), strict=True)
        )
        labels[inside] = patch.labels
        scheme, config = self._scheme, self._config
        painted = scheme.classes(labels, values, gap=0)
        classes, weights = painted, np.ones(labels.shape, dtype=np.float32)
        bounds = whole = None
        if self._shape_field:
            bounds = shape_bounds(scheme.objects(labels), painted == 0)
            whole = bounds.whole
        elif scheme.task is Task.OBJECTS:
            objects = scheme.objects(labels)
            whole = int(whole_objects(objects, painted == 0).sum())
            classes = scheme.classes(labels, values, gap=config.gap)
            if config.w0 > 0:
                objects[classes != OBJECT] = 0  # the separation border belongs to the background
                weights += border_weights(objects, w0=config.w0, sigma=config.sigma)
        origin = (around.y.start, around.x.start)
        return PaintedPlane(
            patch.number, origin, around.image, painted, classes, weights, bounds, whole
        )


def recode(
    classes: npt.NDArray[np.uint8], before: tuple[int, ...], after: tuple[int, ...]
) -> npt.NDArray[np.uint8]:
    """Return the classes by their channel in `after` instead of `before`, or `IGNORED`.

    Parameters
    ----------
    classes
        Output channels or `IGNORED`, of any shape.
    before, after
        Label value of each output channel.
    """
    table = np.full(IGNORED + 1, IGNORED, dtype=np.uint8)
    for channel, value in enumerate(before):
        if value in after:
            table[channel] = after.index(value)
    return table[classes]


def _recoded(one: _Prepared, before: tuple[int, ...], after: tuple[int, ...]) -> _Prepared:
    if before == after:
        return one
    painted, classes = (
        recode(array, before, after) for array in (one.plane.painted, one.plane.classes)
    )
    return replace(one, plane=replace(one.plane, painted=painted, classes=classes))


def _image_around(planes: Planes, plane: int, patch: PaintedBox, context: int) -> _Surroundings:
    y, x = (
        slice(max(0, side.start - context), min(length, side.stop + context))
        for side, length in zip((patch.y, patch.x), planes.shape, strict=True)
    )
    return _Surroundings(y, x, planes.read(plane, y, x))


def _balanced(
    planes: tuple[PaintedPlane, ...], classes: int, most: float
) -> tuple[PaintedPlane, ...]:
    """Return the planes with the class weights w_c of eq. 2 in place of the ones."""
    counts = np.zeros(classes, dtype=np.int64)
    for plane in planes:
        counts += np.bincount(plane.classes.ravel(), minlength=IGNORED + 1)[:classes]
    offsets = np.zeros(IGNORED + 1, dtype=np.float32)
    offsets[:classes] = class_weights(counts, limit=most) - 1
    return tuple(replace(plane, weights=plane.weights + offsets[plane.classes]) for plane in planes)
