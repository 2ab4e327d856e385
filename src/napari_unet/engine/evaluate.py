"""A segmented stack against its truth, plane by plane."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet.engine.metrics import (
    IOU_THRESHOLDS,
    Detections,
    PairCounts,
    class_pixels,
    match,
    seg_scores,
)
from napari_unet.engine.overlaps import LabelImage, count_overlaps

__all__ = ["ClassScores", "Comparison", "ObjectScores", "evaluate_classes", "evaluate_objects"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One plane to be evaluated."""

    prediction: LabelImage  # (Y, X)
    truth: LabelImage  # (Y, X)
    valid: npt.NDArray[np.bool_] | None = None  # True where the truth is known


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
    count = 0
    scores: list[float] = []
    found = dict.fromkeys(IOU_THRESHOLDS, Detections())
    pairs = PairCounts()
    masks = _ClassSums()
    for plane in planes:
        overlaps = count_overlaps(plane.prediction, plane.truth, plane.valid)
        scores.extend(seg_scores(overlaps).tolist())
        found = {at: sum_ + match(overlaps, at) for at, sum_ in found.items()}
        pairs += PairCounts.of(overlaps)
        masks.add(Comparison(plane.prediction > 0, plane.truth > 0, plane.valid))
        count += 1
    at_half = found[0.5]
    precisions = [total.average_precision for total in found.values()]
    return ObjectScores(
        planes=count,
        reference_objects=at_half.true_positives + at_half.false_negatives,
        predicted_objects=at_half.true_positives + at_half.false_positives,
        seg=sum(scores) / len(scores) if scores else math.nan,
        average_precision=at_half.average_precision,
        mean_average_precision=sum(precisions) / len(precisions),
        precision=at_half.precision,
        recall=at_half.recall,
        foreground_iou=masks.iou().get(1, math.nan),
        pixel_error=masks.pixel_error,
        rand_error=pairs.rand_error,
    )


def evaluate_classes(planes: Iterable[Comparison]) -> ClassScores:
    """Compare class images; only one plane is held at a time.

    Raises
    ------
    LabelsError
        If the two images of a plane have different shapes, or hold no label numbers.
    """
    count = 0
    sums = _ClassSums()
    for plane in planes:
        sums.add(plane)
        count += 1
    iou = sums.iou()
    return ClassScores(
        planes=count,
        pixels=sums.pixels,
        iou=iou,
        mean_iou=sum(iou.values()) / len(iou) if iou else math.nan,
        pixel_error=sums.pixel_error,
    )


class _ClassSums:
    """Pixels per class, added up over planes."""

    def __init__(self) -> None:
        self._both: Counter[int] = Counter()
        self._either: Counter[int] = Counter()
        self.pixels = 0

    def add(self, plane: Comparison) -> None:
        overlaps = count_overlaps(plane.prediction, plane.truth, plane.valid)
        both, either = class_pixels(overlaps)
        self._both.update(both)
        self._either.update(either)
        self.pixels += int(overlaps.pixels.sum())

    def iou(self) -> dict[int, float]:
        return {value: self._both[value] / n for value, n in sorted(self._either.items()) if n}

    @property
    def pixel_error(self) -> float:
        return 1 - self._both.total() / self.pixels if self.pixels else math.nan


def _plain(scores: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _plain(value)
        if isinstance(value, dict)
        else None
        if isinstance(value, float) and math.isnan(value)
        else value
        for name, value in scores.items()
    }
