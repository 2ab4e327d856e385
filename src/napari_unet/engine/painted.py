"""Painted planes: normalised image, classes and weights around what is painted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet.config import Task, TrainConfig
from napari_unet.engine.errors import ImageError, LabelsError
from napari_unet.engine.normalize import Normalization
from napari_unet.engine.planes import Planes
from napari_unet.engine.targets import IGNORED, LabelScheme, border_weights, class_weights

__all__ = ["PaintedPlane", "PaintedStack", "read_painted"]

_BAND = 1 << 22  # pixels looked at in one go when searching a plane for paint
_MAX_LABEL = 2**31 - 1


@dataclass(frozen=True, slots=True)
class PaintedPlane:
    """The painted part of one plane, with enough context around it for every patch."""

    number: int
    origin: tuple[int, int]  # of the arrays below, in the plane, pixels (Y, X)
    image: npt.NDArray[np.float32]  # (C, y, x), normalised
    classes: npt.NDArray[np.uint8]  # (y, x), IGNORED where unlabelled
    weights: npt.NDArray[np.float32]  # (y, x), w(x) of eq. 2


@dataclass(frozen=True, slots=True)
class PaintedStack:
    """All that training needs to know about the image and its labels."""

    planes: tuple[PaintedPlane, ...]
    values: tuple[int, ...]  # label value of each output channel

    @property
    def labelled_pixels(self) -> int:
        """Number of pixels that carry loss."""
        return sum(int((plane.classes != IGNORED).sum()) for plane in self.planes)


@dataclass(frozen=True, slots=True)
class _Patch:
    """The labels inside the bounding box of what is painted on one plane."""

    number: int
    box: tuple[slice, slice]
    labels: npt.NDArray[np.int32]


def read_painted(
    planes: Planes,
    labels: Planes,
    scheme: LabelScheme,
    normalization: Normalization,
    config: TrainConfig,
    *,
    context: int,
    known: tuple[int, ...] = (),
) -> PaintedStack:
    """Read the painted planes, with the image cut to the paint and its context.

    Parameters
    ----------
    planes, labels
        Image and labels: the same number of planes of the same shape.
    scheme
        Task, and what 0 means. Planes without any paint are left out, whatever 0 means.
    context
        Pixels kept on each side of the painted bounding box.
    known
        Label values of the model to go on from; they keep a class each, painted or not.

    Raises
    ------
    LabelsError
        If the labels do not fit the image, or nothing can be learned from them; see also
        `LabelScheme.values`.
    """
    if (labels.count, *labels.shape) != (planes.count, *planes.shape):
        raise LabelsError(
            f"The labels have {labels.count} planes of {_size(labels)} px, but the image has "
            f"{planes.count} of {_size(planes)} px; use a labels layer made for this image."
        )
    painted = list(_painted_boxes(labels))
    found = frozenset(int(n) for patch in painted for n in np.unique(patch.labels))
    found |= _zero_around(painted, planes.shape)
    values = tuple(sorted({*known, *scheme.values(found)}))
    stack = tuple(
        _prepare(
            patch,
            _image_around(planes, patch, normalization, context),
            scheme=scheme,
            values=values,
            config=config,
        )
        for patch in painted
    )
    if config.balance:
        _balance(stack, len(values))
    return PaintedStack(stack, values)


def _size(planes: Planes) -> str:
    return f"{planes.shape[0]}×{planes.shape[1]}"


def _painted_boxes(labels: Planes) -> Iterator[_Patch]:
    """Yield the bounding box of what is painted on each painted plane, with its labels."""
    height, width = labels.shape
    rows_at_once = max(1, _BAND // width)
    for number in range(labels.count):
        rows = np.zeros(height, dtype=bool)
        columns = np.zeros(width, dtype=bool)
        for top in range(0, height, rows_at_once):
            band = labels.read(number, slice(top, min(top + rows_at_once, height)), slice(0, width))
            is_painted = band[0] != 0
            rows[top : top + rows_at_once] = is_painted.any(axis=1)
            columns |= is_painted.any(axis=0)
        if rows.any():
            box = (_extent(rows), _extent(columns))
            yield _Patch(number, box, _checked(labels.read(number, *box)[0], number))


def _extent(occupied: npt.NDArray[np.bool_]) -> slice:
    positions = np.flatnonzero(occupied)
    return slice(int(positions[0]), int(positions[-1]) + 1)


def _checked(labels: npt.NDArray[Any], plane: int) -> npt.NDArray[np.int32]:
    """Return the labels as int32, or say why they are no labels."""
    if labels.dtype.kind == "f" and not np.array_equal(labels, np.trunc(labels)):
        raise LabelsError(
            f"The labels of plane {plane} are not whole numbers; choose a labels layer, not an "
            "image."
        )
    if labels.min() < 0:
        raise LabelsError(
            f"Plane {plane} holds the negative label {int(labels.min())}; use 0 for unpainted and "
            "positive numbers for the rest."
        )
    if labels.max() > _MAX_LABEL:
        raise LabelsError(
            f"Plane {plane} holds the label {int(labels.max())}, but numbers may go up to "
            f"{_MAX_LABEL}; relabel the objects from 1 on."
        )
    return labels.astype(np.int32)


def _zero_around(painted: list[_Patch], shape: tuple[int, int]) -> frozenset[int]:
    """Return {0} if a painted plane has pixels outside its bounding box, which are 0."""
    return frozenset({0} if any(patch.labels.shape != shape for patch in painted) else set())


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """The normalised image around a painted bounding box."""

    y: slice  # in the plane
    x: slice
    image: npt.NDArray[np.float32]  # (C, y, x)


def _image_around(
    planes: Planes, patch: _Patch, normalization: Normalization, context: int
) -> _Surroundings:
    y, x = (
        slice(max(0, side.start - context), min(length, side.stop + context))
        for side, length in zip(patch.box, planes.shape, strict=True)
    )
    try:
        return _Surroundings(y, x, normalization.apply(planes.read(patch.number, y, x)))
    except ImageError as error:
        raise ImageError(f"Plane {patch.number}: {error}") from error


def _prepare(
    patch: _Patch,
    around: _Surroundings,
    *,
    scheme: LabelScheme,
    values: tuple[int, ...],
    config: TrainConfig,
) -> PaintedPlane:
    labels = np.zeros(around.image.shape[1:], dtype=np.int32)
    inside = tuple(
        slice(side.start - outer.start, side.stop - outer.start)
        for side, outer in zip(patch.box, (around.y, around.x), strict=True)
    )
    labels[inside] = patch.labels
    classes = scheme.classes(labels, values, gap=config.gap)
    weights = np.ones(labels.shape, dtype=np.float32)
    if scheme.task is Task.OBJECTS and config.w0 > 0:
        objects = scheme.objects(labels)
        objects[classes != 1] = 0  # the separation border belongs to the background
        weights += border_weights(objects, w0=config.w0, sigma=config.sigma)
    origin = (around.y.start, around.x.start)
    return PaintedPlane(patch.number, origin, around.image, classes, weights)


def _balance(planes: tuple[PaintedPlane, ...], classes: int) -> None:
    """Put the class weights w_c of eq. 2 in place of the ones."""
    counts = np.zeros(classes, dtype=np.int64)
    for plane in planes:
        counts += np.bincount(plane.classes.ravel(), minlength=IGNORED + 1)[:classes]
    offsets = np.zeros(IGNORED + 1, dtype=np.float32)
    offsets[:classes] = class_weights(counts) - 1
    for plane in planes:
        plane.weights[...] += offsets[plane.classes]
