"""Where a segmentation and its truth disagree, pixel by pixel, and in what way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from napari_unet.engine.objects.label_overlaps import (
    LabelImage,
    Overlaps,
    count_overlaps,
    require_comparable,
)

_MOSTLY = 0.5  # share of an object that lies in another one
_PART = 0.1  # smallest share of an object that counts as a part of it

Mask = npt.NDArray[np.uint8]
Chosen = npt.NDArray[np.bool_]


class Mistake(IntEnum):
    """What is wrong at a pixel; where two are, the higher one is shown."""

    RIGHT = 0
    FALSE_POSITIVE = 1
    MISS = 2
    SPLIT = 3
    MERGE = 4


@dataclass(frozen=True, slots=True, eq=False)
class Disagreement:
    """Mistakes of a segmentation of objects."""

    image: Mask  # the shape of the input; values of `Mistake`
    counts: Mapping[Mistake, int]  # objects of each kind


def disagreement(
    prediction: LabelImage,
    truth: LabelImage,
    *,
    threshold: float = 0.5,
    valid: npt.NDArray[np.bool_] | None = None,
) -> Disagreement:
    """Find the objects that are wrong, and say how.

    Parameters
    ----------
    prediction, truth
        Label images of one shape, 0 = background.
    threshold
        IoU from which a predicted and a reference object are the same, above 0 to 1.
    valid
        True where the truth is known; other pixels are left out of both images, and are
        `RIGHT` in the result.

    Returns
    -------
    Disagreement
        - `SPLIT`: reference objects in which two or more predicted ones lie by at least half of
          themselves, each covering at least 10 % of it. All its pixels are marked.
        - `MERGE`: predicted objects that cover at least half of each of two or more reference
          objects. All its pixels are marked.
        - `MISS`: reference objects without a predicted one of an IoU of `threshold` or more,
          that are neither split nor among the merged.
        - `FALSE_POSITIVE`: predicted objects without a reference one of that IoU, that are
          neither a part of a split object nor a merger.
        - `RIGHT`: reference objects that are matched and neither split nor among the merged.

        An object can be split and merged with another one at a time; it counts as both.

    Raises
    ------
    LabelsError
        If the shapes differ, or the values are no label numbers.

    Notes
    -----
    Objects that were found but are too large or too small for the threshold are both a miss and
    a false positive, as in precision and recall (`metrics.detections`): where the two overlap,
    the miss is shown.
    """
    overlaps = count_overlaps(prediction, truth, valid)
    pairs = Pairs.of(overlaps, threshold)
    is_object = overlaps.truth_ids != 0
    is_split, is_part = pairs.split()
    is_merger, is_merged = pairs.merged()
    is_matched, is_match = pairs.matched()
    wrong = is_split | is_merged
    missed = is_object & ~is_matched & ~wrong
    false = (overlaps.prediction_ids != 0) & ~is_match & ~is_part & ~is_merger
    image = np.zeros(truth.shape, np.uint8)
    counts = {Mistake.RIGHT: int((is_object & is_matched & ~wrong).sum())}
    for kind, labels, ids, chosen in (
        (Mistake.FALSE_POSITIVE, prediction, overlaps.prediction_ids, false),
        (Mistake.MISS, truth, overlaps.truth_ids, missed),
        (Mistake.SPLIT, truth, overlaps.truth_ids, is_split),
        (Mistake.MERGE, prediction, overlaps.prediction_ids, is_merger),
    ):
        counts[kind] = int(chosen.sum())
        if counts[kind]:
            image[np.isin(labels, ids[chosen])] = kind
    if valid is not None:
        image[~valid] = Mistake.RIGHT
    return Disagreement(image, counts)


def class_disagreement(
    prediction: LabelImage, truth: LabelImage, valid: npt.NDArray[np.bool_] | None = None
) -> Mask:
    """Return 1 where the class is wrong and 0 elsewhere, uint8 of the shape of the input.

    Parameters
    ----------
    prediction, truth
        Class images of one shape.
    valid
        True where the truth is known; elsewhere nothing is wrong.

    Raises
    ------
    LabelsError
        If the shapes differ, or the values are no label numbers.
    """
    require_comparable(prediction, truth, valid)
    wrong = np.not_equal(prediction, truth)
    return np.asarray(wrong if valid is None else wrong & valid, np.uint8)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Objects that share pixels, one of the prediction and one of the truth each.

    The methods are about all labels of the overlaps, background among them, in their order.
    """

    prediction: npt.NDArray[np.intp]  # (k,) index of the predicted object
    truth: npt.NDArray[np.intp]  # (k,) index of the reference object
    match: Chosen  # (k,) the IoU reaches the threshold
    of_prediction: npt.NDArray[np.float64]  # (k,) share of the predicted object in the other
    of_truth: npt.NDArray[np.float64]  # (k,)
    predictions: int  # number of labels, background among them
    truths: int

    @classmethod
    def of(cls, overlaps: Overlaps, threshold: float) -> Pairs:
        """Return the pairs of objects; from this IoU on they are the same."""
        both = overlaps.is_object()
        prediction, truth = overlaps.prediction[both], overlaps.truth[both]
        pixels = overlaps.pixels[both]
        return cls(
            prediction,
            truth,
            overlaps.iou[both] >= threshold,
            pixels / overlaps.prediction_sizes[prediction],
            pixels / overlaps.truth_sizes[truth],
            len(overlaps.prediction_ids),
            len(overlaps.truth_ids),
        )

    def matched(self) -> tuple[Chosen, Chosen]:
        """Return which reference and which predicted objects have a match."""
        return self._truths(self.match) > 0, self._predictions(self.match) > 0

    def split(self) -> tuple[Chosen, Chosen]:
        """Return which reference objects are split, and which predicted ones are their parts."""
        part = (self.of_prediction >= _MOSTLY) & (self.of_truth >= _PART)
        is_split = self._truths(part) >= 2
        return is_split, self._predictions(part & is_split[self.truth]) > 0

    def merged(self) -> tuple[Chosen, Chosen]:
        """Return which predicted objects merge others, and which reference ones are merged."""
        covered = self.of_truth >= _MOSTLY
        is_merger = self._predictions(covered) >= 2
        return is_merger, self._truths(covered & is_merger[self.prediction]) > 0

    def _truths(self, chosen: Chosen) -> npt.NDArray[np.intp]:
        """Return how many of the chosen pairs each reference object is in."""
        return np.bincount(self.truth[chosen], minlength=self.truths)

    def _predictions(self, chosen: Chosen) -> npt.NDArray[np.intp]:
        """Return how many of the chosen pairs each predicted object is in."""
        return np.bincount(self.prediction[chosen], minlength=self.predictions)
