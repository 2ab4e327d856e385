"""Standard measures of how well a segmentation agrees with its truth.

Prediction and truth are label images of any integer type, 2D or 3D, 0 = background. `valid`
marks the pixels where the truth is known; the others are left out of both images. A measure of
nothing (no object to find, no valid pixel) is nan.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import csgraph

from napari_unet.engine.errors import SettingsError
from napari_unet.engine.objects.label_overlaps import LabelImage, Overlaps, count_overlaps

IOU_THRESHOLDS = tuple(percent / 100 for percent in range(50, 100, 5))
"""0.5, 0.55, …, 0.95: what the mean average precision is taken over."""

Valid = npt.NDArray[np.bool_] | None


def class_iou(
    prediction: LabelImage, truth: LabelImage, *, valid: Valid = None
) -> dict[int, float]:
    """Return the intersection over union (Jaccard index) of each class.

    Classes, 0 among them, that are in neither image are left out.
    """
    shared, either = class_pixels(count_overlaps(prediction, truth, valid))
    return {value: shared[value] / either[value] for value in sorted(either)}


def mean_iou(prediction: LabelImage, truth: LabelImage, *, valid: Valid = None) -> float:
    """Return the mean of `class_iou`; nan without any valid pixel."""
    values = class_iou(prediction, truth, valid=valid).values()
    return sum(values) / len(values) if values else math.nan


def pixel_error(prediction: LabelImage, truth: LabelImage, *, valid: Valid = None) -> float:
    """Return the share of pixels whose label is wrong; nan without any valid pixel.

    For classes or masks. The tables of the ISBI 2012 challenge have 1 - F-score instead, see
    `threshold_scan`.
    """
    overlaps = count_overlaps(prediction, truth, valid)
    both, _ = class_pixels(overlaps)
    pixels = int(overlaps.pixels.sum())
    return _ratio(pixels - both.total(), pixels)


def seg_score(prediction: LabelImage, truth: LabelImage, *, valid: Valid = None) -> float:
    """Return the SEG measure of the Cell Tracking Challenge; nan without reference objects.

    The mean over the reference objects of their Jaccard index with the predicted object that
    covers more than half of them, or 0 if there is none (Maška et al. 2014, Bioinformatics
    30:1609). Predicted objects that no reference object asks for do not count.
    """
    scores = seg_scores(count_overlaps(prediction, truth, valid))
    return float(scores.mean()) if scores.size else math.nan


@dataclass(frozen=True, slots=True)
class Detections:
    """Objects found, wrongly found, and missed."""

    true_positives: int = 0
    false_positives: int = 0
    false_negatives: int = 0

    def __add__(self, other: Detections) -> Detections:
        return Detections(
            self.true_positives + other.true_positives,
            self.false_positives + other.false_positives,
            self.false_negatives + other.false_negatives,
        )

    @property
    def precision(self) -> float:
        """Share of the predicted objects that are right."""
        return _ratio(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """Share of the reference objects that are found."""
        return _ratio(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def average_precision(self) -> float:
        """TP / (TP + FP + FN)."""
        return _ratio(
            self.true_positives,
            self.true_positives + self.false_positives + self.false_negatives,
        )


def detections(
    prediction: LabelImage, truth: LabelImage, threshold: float = 0.5, *, valid: Valid = None
) -> Detections:
    """Match predicted with reference objects that overlap with an IoU of `threshold` or more.

    Each object is matched at most once, and as many as possible are.
    """
    return match(count_overlaps(prediction, truth, valid), threshold)


def average_precision(
    prediction: LabelImage, truth: LabelImage, threshold: float = 0.5, *, valid: Valid = None
) -> float:
    """Return TP / (TP + FP + FN), matching at an IoU of `threshold` or more.

    As in the 2018 Data Science Bowl (Caicedo et al. 2019, Nature Methods 16:1247) and StarDist
    (Schmidt et al. 2018); nan if neither image holds an object.
    """
    return detections(prediction, truth, threshold, valid=valid).average_precision


def mean_average_precision(
    prediction: LabelImage, truth: LabelImage, *, valid: Valid = None
) -> float:
    """Return the mean of `average_precision` over the IoU thresholds 0.5, 0.55, …, 0.95."""
    overlaps = count_overlaps(prediction, truth, valid)
    found = [match(overlaps, threshold).average_precision for threshold in IOU_THRESHOLDS]
    return sum(found) / len(found)


def rand_error(prediction: LabelImage, truth: LabelImage, *, valid: Valid = None) -> float:
    """Return the adapted Rand error, 1 - F-score of the pairs of pixels that belong together.

    Over the foreground of the truth; the prediction's 0 counts as one more object. (In the ISBI
    2012 challenge each of its pixels is an object: `boundary_metrics.rand_score`.) nan without
    reference objects.
    """
    return PairCounts.of(count_overlaps(prediction, truth, valid)).rand_error


@dataclass(frozen=True, slots=True)
class PairCounts:
    """Ordered pairs of pixels that belong together; of several planes, they add up."""

    both: int = 0  # in prediction and truth
    prediction: int = 0
    truth: int = 0
    pixels: int = 0  # of reference objects

    @staticmethod
    def of(overlaps: Overlaps) -> PairCounts:
        """Count the pairs over the foreground of the truth."""
        rows, columns, pixels = _over_foreground(overlaps)
        return PairCounts(
            _pairs(pixels),
            _pairs(np.bincount(columns, pixels)),
            _pairs(np.bincount(rows, pixels)),
            int(pixels.sum()),
        )

    def __add__(self, other: PairCounts) -> PairCounts:
        return PairCounts(
            self.both + other.both,
            self.prediction + other.prediction,
            self.truth + other.truth,
            self.pixels + other.pixels,
        )

    @property
    def rand_error(self) -> float:
        """1 - F-score; 0 if there are pixels but no pair, nan without pixels."""
        if not self.pixels:
            return math.nan
        pairs = self.prediction + self.truth
        return 1 - 2 * self.both / pairs if pairs else 0.0


def seg_scores(overlaps: Overlaps) -> npt.NDArray[np.float64]:
    """Return the Jaccard index of each reference object with what covers most of it, or 0."""
    majority = 2 * overlaps.pixels > overlaps.truth_sizes[overlaps.truth]
    chosen = majority & overlaps.is_object()
    scores = np.zeros(len(overlaps.truth_ids))
    scores[overlaps.truth[chosen]] = overlaps.iou[chosen]
    return scores[np.not_equal(overlaps.truth_ids, 0)]


def match(overlaps: Overlaps, threshold: float) -> Detections:
    """Match as many objects as possible, one to one, at an IoU of `threshold` or more."""
    if not 0 < threshold <= 1:
        raise SettingsError(f"The IoU threshold must be in (0, 1], got {threshold}.")
    alike = overlaps.is_object() & (overlaps.iou >= threshold)
    graph = sparse.csr_array(
        (np.ones(int(alike.sum())), (overlaps.truth[alike], overlaps.prediction[alike])),
        shape=(len(overlaps.truth_ids), len(overlaps.prediction_ids)),
    )
    found = int((csgraph.maximum_bipartite_matching(graph) >= 0).sum())
    predicted = int((overlaps.prediction_ids != 0).sum())
    wanted = int((overlaps.truth_ids != 0).sum())
    return Detections(found, predicted - found, wanted - found)


def class_pixels(overlaps: Overlaps) -> tuple[Counter[int], Counter[int]]:
    """Return, for each class, the pixels in both images and in either."""
    both: Counter[int] = Counter()
    either: Counter[int] = Counter()
    truth, prediction = overlaps.truth_ids.tolist(), overlaps.prediction_ids.tolist()
    pairs = zip(overlaps.truth, overlaps.prediction, overlaps.pixels.tolist(), strict=True)
    for row, column, pixels in pairs:
        true, predicted = int(truth[row]), int(prediction[column])
        both[true] += pixels * (true == predicted)
        either[true] += pixels
        either[predicted] += pixels * (true != predicted)
    return both, either


def _over_foreground(
    overlaps: Overlaps,
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.int64]]:
    inside = overlaps.is_foreground()
    return overlaps.truth[inside], overlaps.prediction[inside], overlaps.pixels[inside]


def _pairs(sizes: npt.NDArray[Any]) -> int:
    """Return the ordered pairs of pixels within groups of these sizes."""
    return int(sizes @ sizes - sizes.sum())


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
