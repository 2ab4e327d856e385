"""How two label images overlap: a sparse contingency table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from napari_unet.engine.errors import LabelsError
from napari_unet.engine.stack.run_labels import RunLabels
from napari_unet.engine.stack.tiles import bands

_LARGEST_COUNTED = 4  # times the number of pixels; larger labels are sorted

Counts = npt.NDArray[np.int64]
LabelImage = npt.NDArray[Any]
"""Whole numbers of any integer type, 2D or 3D."""


@dataclass(frozen=True, slots=True)
class Overlaps:
    """Every pair of labels that share pixels; label 0 is one of them."""

    truth_ids: LabelImage  # (n,) labels in ascending order
    prediction_ids: LabelImage  # (m,)
    truth: npt.NDArray[np.intp]  # (k,) index into `truth_ids` of each pair
    prediction: npt.NDArray[np.intp]  # (k,) index into `prediction_ids`
    pixels: Counts  # (k,) that the pair shares

    @property
    def truth_sizes(self) -> Counts:
        """Pixels of each label of the truth, (n,)."""
        return _sums(self.truth, self.pixels, len(self.truth_ids))

    @property
    def prediction_sizes(self) -> Counts:
        """Pixels of each label of the prediction, (m,)."""
        return _sums(self.prediction, self.pixels, len(self.prediction_ids))

    @property
    def iou(self) -> npt.NDArray[np.float64]:
        """Intersection over union of each pair, (k,)."""
        either = self.truth_sizes[self.truth] + self.prediction_sizes[self.prediction]
        return self.pixels / (either - self.pixels)

    def is_object(self) -> npt.NDArray[np.bool_]:
        """Return which pairs are of two objects, (k,): neither label is 0."""
        return self.is_foreground() & np.not_equal(self.prediction_ids[self.prediction], 0)

    def is_foreground(self) -> npt.NDArray[np.bool_]:
        """Return which pairs lie in an object of the truth, (k,)."""
        return np.not_equal(self.truth_ids[self.truth], 0)


def count_overlaps(
    prediction: LabelImage, truth: LabelImage, valid: npt.NDArray[np.bool_] | None = None
) -> Overlaps:
    """Count the pixels that each label of the prediction shares with each label of the truth.

    Parameters
    ----------
    prediction, truth
        Label images of one shape, of any integer type (bool counts as 0 and 1).
    valid
        True where the truth is known; other pixels are left out of both images.

    Raises
    ------
    LabelsError
        If the shapes differ, or the values are not whole numbers from 0.
    """
    require_comparable(prediction, truth, valid)
    if valid is not None:
        prediction, truth = prediction[valid], truth[valid]
    return _overlaps(prediction.ravel(), truth.ravel(), np.ones(truth.size, dtype=np.int64))


def count_run_overlaps(prediction: RunLabels, truth: RunLabels) -> Overlaps:
    """Count the pixels that labels share, but for those that are 0 in both.

    Parameters
    ----------
    prediction, truth
        Planes of one shape.
    """
    width = truth.shape[1]
    keys, pixels = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for rows in bands(truth.shape):
        first, stop = rows.start * width, rows.stop * width
        (own_lengths, own), (other_lengths, other) = (
            labels.runs(first, stop) for labels in (prediction, truth)
        )
        own_ends, other_ends = np.cumsum(own_lengths), np.cumsum(other_lengths)
        ends = np.union1d(own_ends, other_ends)
        own = own[np.searchsorted(own_ends, ends)].astype(np.int64)
        other = other[np.searchsorted(other_ends, ends)].astype(np.int64)
        pairs, index = np.unique(own << 32 | other, return_inverse=True)
        keys.append(pairs)
        pixels.append(np.bincount(index, weights=np.diff(ends, prepend=0)).astype(np.int64))
    pairs, counts = np.concatenate(keys), np.concatenate(pixels)
    occupied = pairs > 0
    pairs = pairs[occupied]
    return _overlaps(pairs >> 32, pairs & (2**32 - 1), counts[occupied])


def sum_overlaps(parts: Sequence[Overlaps]) -> Overlaps:
    """Return the overlaps on several planes together, of labels that go through them."""
    prediction = np.concatenate([part.prediction_ids[part.prediction] for part in parts])
    truth = np.concatenate([part.truth_ids[part.truth] for part in parts])
    return _overlaps(prediction, truth, np.concatenate([part.pixels for part in parts]))


def _overlaps(prediction: LabelImage, truth: LabelImage, pixels: Counts) -> Overlaps:
    """Add up the pixels of equal pairs, (n,) each."""
    prediction_ids, columns = _unique(prediction)
    truth_ids, rows = _unique(truth)
    table = sparse.coo_array((pixels, (rows, columns)), shape=(len(truth_ids), len(prediction_ids)))
    pairs = table.tocsr().tocoo()  # adds up the pixels of each pair
    row, column = pairs.coords
    return Overlaps(
        truth_ids, prediction_ids, row.astype(np.intp), column.astype(np.intp), pairs.data
    )


def require_comparable(
    prediction: LabelImage, truth: LabelImage, valid: npt.NDArray[np.bool_] | None = None
) -> None:
    """Make sure that two label images can be compared.

    Raises
    ------
    LabelsError
        If the shapes differ, or the values are not whole numbers from 0.
    """
    for name, labels in (("prediction", prediction), ("truth", truth)):
        if labels.dtype.kind not in "uib":
            raise LabelsError(
                f"The {name} holds {labels.dtype.name} values; compare label images, which hold "
                "whole numbers."
            )
        if labels.size and labels.min() < 0:
            raise LabelsError(
                f"The {name} holds the negative label {int(labels.min())}; use 0 for background "
                "and positive numbers for the rest."
            )
    if prediction.shape != truth.shape or (valid is not None and valid.shape != truth.shape):
        shapes = [prediction.shape, truth.shape, *([] if valid is None else [valid.shape])]
        raise LabelsError(
            "Only images of one shape can be compared, but these have "
            f"{' and '.join(str(shape) for shape in shapes)}; check that they belong together."
        )


def _unique(labels: LabelImage) -> tuple[LabelImage, npt.NDArray[np.intp]]:
    """Return the labels in ascending order, and the index of each pixel's among them, (n,).

    What `numpy.unique` gives, without sorting the pixels where the numbers allow it.
    """
    if labels.size == 0 or labels.max() > _LARGEST_COUNTED * labels.size:
        ids, indices = np.unique(labels, return_inverse=True)
        return ids, indices
    numbers = labels.astype(np.intp, copy=False)
    present = np.bincount(numbers) > 0
    indices = np.cumsum(present) - 1
    return np.flatnonzero(present).astype(labels.dtype), indices[numbers]


def _sums(indices: npt.NDArray[np.intp], pixels: Counts, count: int) -> Counts:
    sums = np.zeros(count, dtype=np.int64)
    np.add.at(sums, indices, pixels)
    return sums
