"""A segmented stack against its truth, plane by plane."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_unet.config import Task, Unpainted
from napari_unet.engine.objects.label_overlaps import LabelImage, count_overlaps
from napari_unet.engine.paint.label_scheme import LabelScheme
from napari_unet.engine.scores.metrics import (
    IOU_THRESHOLDS,
    Detections,
    PairCounts,
    class_pixels,
    match,
    seg_scores,
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One plane to be evaluated."""

    prediction: LabelImage  # (Y, X)
    truth: LabelImage  # (Y, X)
    valid: npt.NDArray[np.bool_] | None = None  # True where the truth is known

    @classmethod
    def read(
        cls, prediction: LabelImage, truth: LabelImage, task: Task, unpainted: Unpainted
    ) -> Comparison:
        """Return the plane with its labels read as they are meant.

        Parameters
        ----------
        prediction
            (Y, X), 0 = background.
        truth
            (Y, X).
        task, unpainted
            How both, and how the zeros of the truth, are read.

        Notes
        -----
        Of a truth whose zeros are unlabelled only the labelled pixels count, and 1 is background
        if it holds objects. The objects of a mask, in which all have the number 1 or 255, are its
        4-connected pieces.
        """
        valid = truth > 0 if unpainted is Unpainted.IGNORED else None
        if task is Task.OBJECTS:
            prediction = _cut_mask(prediction)
            background = LabelScheme(task, unpainted).background
            truth = _cut_mask(truth) if not background else np.where(truth == background, 0, truth)
        return cls(prediction, truth, valid)


@dataclass(frozen=True, slots=True)
class ObjectScores:
    """How well objects were found; nan where there is nothing to measure.

    Objects of different planes are different objects. `seg` is the mean over all reference
    objects, the detections are added up before they are divided, and so are the pixels.
    """

    planes: int
    reference_objects: int
    predicted_objects: int
    seg: float  # Cell Tracking Challenge
    average_precision: float  # TP / (TP + FP + FN) at an IoU of 0.5
    mean_average_precision: float  # over the IoU thresholds 0.5, 0.55, …, 0.95
    precision: float  # at an IoU of 0.5
    recall: float  # at an IoU of 0.5
    foreground_iou: float  # of the masks
    pixel_error: float  # of the masks
    rand_error: float  # over the foreground of the truth

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; nan becomes None."""
        return _plain(asdict(self))


@dataclass(frozen=True, slots=True)
class ClassScores:
    """How well pixels were classified; nan where there is nothing to measure."""

    planes: int
    pixels: int  # with known truth
    iou: Mapping[int, float]  # per class, from pixels added up over the planes
    mean_iou: float  # over the classes
    pixel_error: float

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; nan becomes None."""
        return _plain(asdict(self))


def evaluate_objects(planes: Iterable[Comparison]) -> ObjectScores:
    """Compare label images of objects; only one plane is held at a time.

    Raises
    ------
    LabelsError
        If the two images of a plane have different shapes, or hold no label numbers.
    """
    sums = ObjectSums()
    for plane in planes:
        sums.add(plane)
    return sums.scores()


def evaluate_classes(planes: Iterable[Comparison]) -> ClassScores:
    """Compare class images; only one plane is held at a time.

    Raises
    ------
    LabelsError
        If the two images of a plane have different shapes, or hold no label numbers.
    """
    sums = ClassSums()
    for plane in planes:
        sums.add(plane)
    return sums.scores()


class ObjectSums:
    """What `evaluate_objects` adds up, plane by plane."""

    def __init__(self) -> None:
        self._planes = 0
        self._seg: list[float] = []  # of each reference object
        self._found = dict.fromkeys(IOU_THRESHOLDS, Detections())
        self._pairs = PairCounts()
        self._masks = ClassSums()

    def add(self, plane: Comparison) -> None:
        """Add a plane.

        Raises
        ------
        LabelsError
            If its two images have different shapes, or hold no label numbers.
        """
        overlaps = count_overlaps(plane.prediction, plane.truth, plane.valid)
        self._seg.extend(seg_scores(overlaps).tolist())
        self._found = {at: sum_ + match(overlaps, at) for at, sum_ in self._found.items()}
        self._pairs += PairCounts.of(overlaps)
        self._masks.add(Comparison(plane.prediction > 0, plane.truth > 0, plane.valid))
        self._planes += 1

    def scores(self) -> ObjectScores:
        """Return the scores of all planes so far."""
        at_half = self._found[0.5]
        precisions = [total.average_precision for total in self._found.values()]
        masks = self._masks.scores()
        return ObjectScores(
            planes=self._planes,
            reference_objects=at_half.true_positives + at_half.false_negatives,
            predicted_objects=at_half.true_positives + at_half.false_positives,
            seg=sum(self._seg) / len(self._seg) if self._seg else math.nan,
            average_precision=at_half.average_precision,
            mean_average_precision=sum(precisions) / len(precisions),
            precision=at_half.precision,
            recall=at_half.recall,
            foreground_iou=masks.iou.get(1, math.nan),
            pixel_error=masks.pixel_error,
            rand_error=self._pairs.rand_error,
        )


class ClassSums:
    """What `evaluate_classes` adds up, plane by plane."""

    def __init__(self) -> None:
        self._planes = 0
        self._pixels = 0
        self._both: Counter[int] = Counter()
        self._either: Counter[int] = Counter()

    def add(self, plane: Comparison) -> None:
        """Add a plane.

        Raises
        ------
        LabelsError
            If its two images have different shapes, or hold no label numbers.
        """
        overlaps = count_overlaps(plane.prediction, plane.truth, plane.valid)
        both, either = class_pixels(overlaps)
        self._both.update(both)
        self._either.update(either)
        self._pixels += int(overlaps.pixels.sum())
        self._planes += 1

    def scores(self) -> ClassScores:
        """Return the scores of all planes so far."""
        iou = {value: self._both[value] / n for value, n in sorted(self._either.items()) if n}
        return ClassScores(
            planes=self._planes,
            pixels=self._pixels,
            iou=iou,
            mean_iou=sum(iou.values()) / len(iou) if iou else math.nan,
            pixel_error=1 - self._both.total() / self._pixels if self._pixels else math.nan,
        )


def _plain(scores: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _plain(value)
        if isinstance(value, dict)
        else None
        if isinstance(value, float) and math.isnan(value)
        else value
        for name, value in scores.items()
    }


def _cut_mask(labels: LabelImage) -> LabelImage:
    """Return a mask with a number for each of its pieces; what is no mask is returned as it is."""
    if np.unique(labels[labels != 0]).tolist() not in ([1], [255]):
        return labels
    pieces: npt.NDArray[np.int32] = np.empty(labels.shape, np.int32)
    ndimage.label(labels, output=pieces)
    return pieces
