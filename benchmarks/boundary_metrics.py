"""Scores of the ISBI 2012 challenge for two segmentations of a section.

Arganda-Carreras et al. 2015, *Crowdsourcing the creation of image segmentation algorithms for
connectomics*, Frontiers in Neuroanatomy 9:142. How well a proposal groups the pixels of the true
cells; pixels on the membranes of the truth do not count.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.segmentation import watershed

from napari_unet.engine.objects import LabelImage, count_overlaps, require_comparable

__all__ = ["Agreement", "Partitions", "information_score", "rand_score", "thin_borders"]

Mask = npt.NDArray[np.bool_]


def thin_borders(cells: Mask) -> LabelImage:
    """Return the cells, grown until membranes are one pixel wide.

    Parameters
    ----------
    cells
        (Y, X), True in cells.

    Returns
    -------
    (Y, X)
        A number for each cell, 0 on the lines between them. A section without any cell is one
        cell: it has no line.

    Notes
    -----
    A watershed of the flat membranes from the cells, 4-connected, with lines kept: the width of
    the membranes in a proposal does not count, only whether they are closed. The truth is left
    as it is.
    """
    labels, count = ndimage.label(cells)
    if not count:
        return np.ones(cells.shape, dtype=np.int32)
    grown: LabelImage = watershed(~cells, labels, connectivity=1, watershed_line=True)
    return grown


def rand_score(proposal: LabelImage, truth: LabelImage) -> float:
    """Return the Rand F-score of two label images over the foreground of the truth.

    The harmonic mean of two probabilities: that two pixels of one proposed object are of one true
    object (merge score), and vice versa (split score). A pixel with itself is a pair. Each pixel
    of the proposal's 0 is an object of its own. nan without foreground.

    Notes
    -----
    V^Rand at α = 0.5, Arganda-Carreras et al. 2015: 2 Σ p_ij² / (Σ s_i² + Σ t_j²).

    Raises
    ------
    LabelsError
        If the shapes differ, or the values are not whole numbers from 0.
    """
    return Partitions.of(proposal, truth).pairs.f_score


def information_score(proposal: LabelImage, truth: LabelImage) -> float:
    """Return the mutual information of two label images over the foreground of the truth.

    Divided by the mean of their entropies: 0 to 1. Each pixel of the proposal's 0 is an object of
    its own. 1 if both have one object only, nan without foreground.

    Notes
    -----
    V^Info at α = 0.5, Arganda-Carreras et al. 2015: 2 I(S; T) / (H(S) + H(T)).

    Raises
    ------
    LabelsError
        If the shapes differ, or the values are not whole numbers from 0.
    """
    return Partitions.of(proposal, truth).information_score


@dataclass(frozen=True, slots=True)
class Agreement:
    """What an F-score is made of; of several sections, it adds up."""

    both: int = 0
    proposal: int = 0
    truth: int = 0

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(
            self.both + other.both, self.proposal + other.proposal, self.truth + other.truth
        )

    @property
    def f_score(self) -> float:
        """The harmonic mean of precision and recall; nan of nothing."""
        whole = self.proposal + self.truth
        return 2 * self.both / whole if whole else math.nan


@dataclass(frozen=True, slots=True)
class Partitions:
    """Pixels of the objects of both segmentations, over the foreground of the truth."""

    both: npt.NDArray[np.int64]  # of each pair of objects that overlap
    proposal: npt.NDArray[np.int64]  # of each proposed object
    truth: npt.NDArray[np.int64]  # of each true object
    alone: int  # that are in no proposed object: objects of one pixel

    @staticmethod
    def of(proposal: LabelImage, truth: LabelImage) -> Partitions:
        """Compare two label images."""
        require_comparable(proposal, truth)
        overlaps = count_overlaps(proposal, truth, truth > 0)
        objects = overlaps.is_object()
        sizes = overlaps.prediction_sizes[overlaps.prediction_ids > 0]
        both, truth_sizes = overlaps.pixels[objects], overlaps.truth_sizes
        return Partitions(both, sizes, truth_sizes, int(truth_sizes.sum() - sizes.sum()))

    @property
    def pairs(self) -> Agreement:
        """Ordered pairs of pixels of one object, each pixel with itself among them."""
        both, proposal, truth = (int(n @ n) for n in (self.both, self.proposal, self.truth))
        return Agreement(both + self.alone, proposal + self.alone, truth)

    @property
    def information_score(self) -> float:
        """2 I(S; T) / (H(S) + H(T)), where I(S; T) = H(S) + H(T) - H(S, T)."""
        pixels = int(self.truth.sum())
        if not pixels:
            return math.nan
        alone = self.alone * math.log(pixels)
        both = _entropy(self.both, pixels) + alone
        apart = _entropy(self.proposal, pixels) + alone + _entropy(self.truth, pixels)
        return 2 * (apart - both) / apart if apart else 1.0


def _entropy(sizes: npt.NDArray[np.int64], pixels: int) -> float:
    """Return the entropy of a partition, nats, times the number of pixels."""
    return float(sizes @ np.log(pixels / sizes))
