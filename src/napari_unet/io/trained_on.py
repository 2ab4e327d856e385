"""What a model was trained on, told in its own record."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_unet.config import Unpainted
from napari_unet.engine.errors import UnetPaintError
from napari_unet.engine.events import LabelsTaken, TrainDone, TrainEvent, TrainStarted
from napari_unet.engine.stack import Planes
from napari_unet.io.hashes import join_hashes, model_hash, paint_hash, plane_hash
from napari_unet.io.provenance import Source

if TYPE_CHECKING:
    from napari_unet.engine.network import Model, TrainedOn

_MOST_PIXELS = 1 << 28  # that are hashed when training ends: a second
_MOST_TRAININGS = 10  # that a model remembers


@dataclass(frozen=True, slots=True)
class Lesson:
    """An image and its labels, as people know them."""

    image: Source
    labels: Source
    unpainted: Unpainted


def telling_lesson(
    events: Iterable[TrainEvent],
    planes: Planes,
    labels: Planes,
    lesson: Lesson,
    start: Model | None,
) -> Generator[TrainEvent, None, None]:
    """Yield the events of a training; the model that it ends with says what it learned from.

    Parameters
    ----------
    planes, labels
        What is trained on; the painted planes are read once more at the end, up to 2^28 pixels.
    start
        The model that it goes on from; None: from scratch.
    """
    painted: tuple[int, ...] = ()
    for event in events:
        match event:
            case TrainStarted() | LabelsTaken():
                painted = event.planes
                yield event
            case TrainDone():
                this = _trained_on(planes, labels, painted, lesson)
                yield replace(event, model=_remembering(event.model, this, start))
            case _:
                yield event


def _trained_on(
    planes: Planes, labels: Planes, painted: tuple[int, ...], lesson: Lesson
) -> TrainedOn:
    from napari_unet.engine.network import TrainedOn  # noqa: PLC0415  # loads torch

    height, width = planes.shape
    hashed = painted[: max(1, _MOST_PIXELS // (height * width * planes.channels))]
    try:
        seen = join_hashes(planes, {n: plane_hash(planes, n) for n in hashed})
        paint = {n: found for n in hashed if (found := paint_hash(labels, n)) is not None}
        strokes = join_hashes(planes, paint)
    except UnetPaintError:  # the image is gone, which is no reason to lose a model
        seen, strokes, hashed = "", "", ()
    return TrainedOn(
        image=lesson.image.name,
        labels=lesson.labels.name,
        shape=lesson.image.shape,
        axes=lesson.image.axes,
        unpainted=lesson.unpainted.value,
        planes=painted,
        image_hash=seen,
        labels_hash=strokes,
        hashed=len(hashed),
    )


def _remembering(model: Model, this: TrainedOn, start: Model | None) -> Model:
    """Return the model with a record of this training, and of those before it."""
    before: tuple[TrainedOn, ...] = ()
    if start is not None:
        before, this = start.record.trained_on, replace(this, start_hash=model_hash(start))
    known = (*before, this)[-_MOST_TRAININGS:]
    return replace(model, record=replace(model.record, trained_on=known))
