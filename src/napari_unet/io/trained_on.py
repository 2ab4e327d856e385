"""What a model was trained on, told in its own record."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_unet.config import Unpainted
from napari_unet.engine.errors import UnetPaintError
from napari_unet.engine.events import LabelsTaken, TrainDone, TrainEvent, TrainStarted
from napari_unet.engine.paint import Pair, TrainingSet
from napari_unet.io.hashes import join_hashes, model_hash, paint_hash, plane_hash
from napari_unet.io.provenance import Source

if TYPE_CHECKING:
    from napari_unet.engine.network import Model, TrainedOn

_MOST_PIXELS = 1 << 28  # that are hashed when training ends: a second
_MOST_TRAININGS, _MOST_IMAGES = 10, 1000  # that a model remembers


@dataclass(frozen=True, slots=True)
class Lesson:
    """An image and its labels, as people know them."""

    image: Source
    labels: Source
    unpainted: Unpainted


def telling_lessons(
    events: Iterable[TrainEvent],
    pairs: TrainingSet,
    lessons: Sequence[Lesson],
    start: Model | None,
) -> Generator[TrainEvent, None, None]:
    """Yield the events of a training; the model that it ends with says what it learned from.

    Parameters
    ----------
    pairs
        What is trained on; the painted planes are read once more at the end, up to 2^28 pixels.
    lessons
        What is known of each of the images.
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
                told = list(_trained_on(pairs, painted, lessons))
                yield replace(event, model=_remembering(event.model, told, start))
            case _:
                yield event


def _trained_on(
    pairs: TrainingSet, painted: tuple[int, ...], lessons: Sequence[Lesson]
) -> Iterator[TrainedOn]:
    """Yield what is told of each image on which something is painted; of all, if it is unknown."""
    by_image: dict[int, list[int]] = {} if painted else {n: [] for n in range(len(lessons))}
    for number in painted:
        image, plane = pairs.place(number)
        by_image.setdefault(image, []).append(plane)
    pixels = _MOST_PIXELS // max(1, len(by_image))
    for image, planes in by_image.items():
        yield _of_image(pairs.pairs[image], tuple(planes), lessons[image], pixels)


def _of_image(pair: Pair, painted: tuple[int, ...], lesson: Lesson, pixels: int) -> TrainedOn:
    from napari_unet.engine.network import TrainedOn  # noqa: PLC0415  # loads torch

    planes = pair.planes
    height, width = planes.shape
    hashed = painted[: max(1, pixels // (height * width * planes.channels))]
    try:
        seen = join_hashes(planes, {n: plane_hash(planes, n) for n in hashed})
        paint = {n: found for n in hashed if (found := paint_hash(pair.labels, n)) is not None}
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


def _remembering(model: Model, told: Sequence[TrainedOn], start: Model | None) -> Model:
    """Return the model with a record of this training, and of those before it."""
    before: tuple[TrainedOn, ...] = ()
    start_hash = ""
    if start is not None:
        before, start_hash = start.record.trained_on, model_hash(start)
    now = [
        replace(one, start_hash=start_hash, is_further=number > 0)
        for number, one in enumerate(told)
    ]
    begins = [n for n, one in enumerate(before) if not one.is_further]
    kept = before[begins[-(_MOST_TRAININGS - 1)] :] if len(begins) >= _MOST_TRAININGS else before
    return replace(model, record=replace(model.record, trained_on=(*kept, *now)[-_MOST_IMAGES:]))
