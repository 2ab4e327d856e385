"""Compare a segmentation with its truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from napari_unet.batch.plane_selection import PlaneSelection
from napari_unet.config import Task, Unpainted
from napari_unet.engine.scores import Comparison, evaluate_classes, evaluate_objects
from napari_unet.io.images import open_image
from napari_unet.io.pairing import LabelPlanes, open_labels_for


def compare(
    prediction: Path,
    truth: Path,
    *,
    task: Task,
    unpainted: Unpainted,
    selection: PlaneSelection | None,
) -> dict[str, Any]:
    """Return the scores over all planes that have a truth.

    Raises
    ------
    UnetPaintError
        If a file cannot be read, the shapes differ, or no plane is left to compare.
    """
    stack = open_image(prediction).channels_as_planes()  # labels have no channels
    predicted = open_labels_for(stack, prediction)
    numbers = None if selection is None else selection.numbers(predicted.count)
    true = open_labels_for(stack, truth, numbers)
    pairs = _pairs(predicted, true, true.present, task, unpainted)
    scores = evaluate_objects(pairs) if task is Task.OBJECTS else evaluate_classes(pairs)
    return scores.as_dict()


def _pairs(
    predicted: LabelPlanes,
    true: LabelPlanes,
    numbers: Sequence[int],
    task: Task,
    unpainted: Unpainted,
) -> Iterator[Comparison]:
    """Yield plane after plane."""
    everything = tuple(slice(0, length) for length in true.shape)
    for number in numbers:
        prediction = predicted.read(number, *everything)[0]
        truth = true.read(number, *everything)[0]
        yield Comparison.read(prediction, truth, task, unpainted)
