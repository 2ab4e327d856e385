"""The ISBI 2012 challenge: a map of membranes, measured at ten thresholds.

Arganda-Carreras et al. 2015, *Crowdsourcing the creation of image segmentation algorithms for
connectomics*, Frontiers in Neuroanatomy 9:142. A proposal is a map of the probability of *cell*
(1 - membrane), a truth a mask of the cells; their objects are the 4-connected components.

Sections are images of their own. The challenge thresholds the map at 0.0, 0.1, … and takes, for
each measure, the threshold at which the whole stack is best.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from benchmarks.boundary_metrics import Agreement, Partitions, thin_borders
from benchmarks.warping import classify_errors, warp
from napari_unet.engine.errors import ImageError, SettingsError
from napari_unet.engine.objects import require_comparable

__all__ = [
    "THRESHOLDS",
    "Best",
    "BoundaryScores",
    "Section",
    "best_scores",
    "scan_thresholds",
]

THRESHOLDS = tuple(tenth / 10 for tenth in range(10))
"""0.0, 0.1, …, 0.9: a pixel is in a cell if its probability is above."""

_HIGHER_IS_BETTER = ("v_rand", "v_info")

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Section:
    """A proposal, its truth, and where the truth may be warped (the challenge: everywhere)."""

    probability: npt.NDArray[np.floating]  # (Y, X) of cell, 0 to 1
    truth: Mask  # (Y, X), True in cells
    allowed: Mask | None = None  # (Y, X), see `warping.near_borders`


@dataclass(frozen=True, slots=True)
class BoundaryScores:
    """A stack at one threshold; nan where there is nothing to measure.

    The two scores are means over the sections; the counts of the errors are added up over the
    sections before they are divided. Both as in the challenge.
    """

    threshold: float
    v_rand: float  # after thinning, 1 is best: the challenge ranks by it
    v_info: float  # after thinning, 1 is best
    rand_error: float  # 1 - F-score of pairs, without thinning: ranked by in 2012
    splits_and_mergers: float  # share of pixels: the "warping error" of the challenge's tables
    warping_error: float  # share of pixels with any error of topology (Jain et al. 2010)
    pixel_error: float  # 1 - F-score of the pixels in cells


@dataclass(frozen=True, slots=True)
class Best:
    """The best value of a measure, and the threshold at which it is reached."""

    value: float
    threshold: float


def scan_thresholds(
    sections: Iterable[Section], thresholds: Sequence[float] = THRESHOLDS
) -> list[BoundaryScores]:
    """Measure a stack at each threshold; only one section is held at a time.

    Raises
    ------
    ImageError
        If a map is no plane, or a probability is outside 0 to 1.
    LabelsError
        If a map and its truth have different shapes.
    SettingsError
        If a threshold is outside 0 to 1, or there is none.
    """
    if not thresholds or not all(0 <= at <= 1 for at in thresholds):
        raise SettingsError(
            f"The thresholds must be probabilities from 0 to 1, got {tuple(thresholds)}."
        )
    counts: list[list[_SectionCounts]] = [[] for _ in thresholds]
    for section in sections:
        _check(section)
        for at, of_threshold in zip(thresholds, counts, strict=True):
            of_threshold.append(_count(section, at))
    return [_scores(at, each) for at, each in zip(thresholds, counts, strict=True)]


def best_scores(scan: Sequence[BoundaryScores]) -> dict[str, Best]:
    """Return the best value of each measure over the thresholds.

    The highest of `v_rand` and `v_info`, the lowest of the errors; of equal ones the lowest
    threshold. A measure that is nan at every threshold stays nan.
    """
    found = {}
    for field in fields(BoundaryScores)[1:]:
        sign = -1 if field.name in _HIGHER_IS_BETTER else 1
        values = [(getattr(scores, field.name), scores.threshold) for scores in scan]
        known = [pair for pair in values if not math.isnan(pair[0])] or values
        found[field.name] = Best(*min(known, key=lambda pair: (sign * pair[0], pair[1])))
    return found


@dataclass(frozen=True, slots=True)
class _SectionCounts:
    """What one section adds at one threshold."""

    v_rand: float
    v_info: float
    pairs: Agreement
    in_cells: Agreement  # pixels
    splits_and_mergers: int  # pixels
    unexplained: int  # pixels
    pixels: int


def _count(section: Section, threshold: float) -> _SectionCounts:
    probability, truth = section.probability, section.truth
    cells = probability > threshold
    objects, _ = ndimage.label(truth)
    thinned = Partitions.of(thin_borders(cells), objects)
    labels, _ = ndimage.label(cells)
    certainty = np.abs(probability - threshold)
    warped = warp(truth, cells, certainty=certainty, allowed=section.allowed)
    errors = classify_errors(warped, cells)
    return _SectionCounts(
        v_rand=thinned.pairs.f_score,
        v_info=thinned.information_score,
        pairs=Partitions.of(labels, objects).pairs,
        in_cells=Agreement(int((cells & truth).sum()), int(cells.sum()), int(truth.sum())),
        splits_and_mergers=errors.splits + errors.mergers,
        unexplained=errors.splits + errors.mergers + errors.others,
        pixels=truth.size,
    )


def _scores(threshold: float, counts: Sequence[_SectionCounts]) -> BoundaryScores:
    pixels = sum(each.pixels for each in counts)
    return BoundaryScores(
        threshold=threshold,
        v_rand=_mean([each.v_rand for each in counts]),
        v_info=_mean([each.v_info for each in counts]),
        rand_error=1 - sum((each.pairs for each in counts), Agreement()).f_score,
        splits_and_mergers=_share(sum(each.splits_and_mergers for each in counts), pixels),
        warping_error=_share(sum(each.unexplained for each in counts), pixels),
        pixel_error=1 - sum((each.in_cells for each in counts), Agreement()).f_score,
    )


def _check(section: Section) -> None:
    probability, truth = section.probability, section.truth
    if probability.ndim != 2:
        raise ImageError(
            f"A section is a plane (Y, X), but this map has the shape {probability.shape}; pass "
            "the sections of a stack one by one."
        )
    require_comparable(probability > 0, truth, section.allowed)
    if not np.all((probability >= 0) & (probability <= 1)):  # nan too
        raise ImageError(
            "A map of the probability of cell must hold values from 0 to 1, but this one holds "
            f"{np.min(probability)} to {np.max(probability)}; divide 8-bit maps by 255."
        )


def _mean(values: Sequence[float]) -> float:
    """Return the mean of those that are known; nan if none is."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
