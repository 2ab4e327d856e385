"""Other ways to link planes, to compare with the one that is built."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from napari_unet.engine.objects import count_overlaps

__all__ = ["Links", "Rule", "link_by_rule"]

Labels = npt.NDArray[np.int32]
Links = dict[int, npt.NDArray[np.int64]]
"""Plane → number of each of its objects; index 0 is the background."""

_FARTHER = 0.8  # of the IoU with the plane beyond the next
_INSIDE = 0.5  # share of a part that lies in the whole, where an object splits
_PART = 0.2  # share of the whole that a part covers


@dataclass(frozen=True, slots=True)
class Rule:
    """Which objects of two planes may be one, and which pairs are served first."""

    smallest_iou: float = 0.1
    smallest_cover: float = 0.5  # of the smaller object; above 1: never
    bridge: bool = True  # also look at the plane beyond the next
    by_cover: bool = False  # the largest cover first instead of the largest IoU
    optimal: bool = False  # the largest sum instead of the largest first
    split_is_new: bool = False  # where an object splits or merges, all parts get new numbers


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """Objects of two planes that overlap."""

    own: npt.NDArray[Any]
    other: npt.NDArray[Any]
    iou: npt.NDArray[np.float64]
    of_own: npt.NDArray[np.float64]  # share of the own object's pixels
    of_other: npt.NDArray[np.float64]

    @classmethod
    def of(cls, labels: Labels, other: Labels) -> _Pairs:
        overlaps = count_overlaps(labels, other, (labels > 0) | (other > 0))
        both = overlaps.is_object()
        mine, theirs = overlaps.prediction[both], overlaps.truth[both]
        shared = overlaps.pixels[both]
        return cls(
            overlaps.prediction_ids[mine],
            overlaps.truth_ids[theirs],
            overlaps.iou[both],
            shared / overlaps.prediction_sizes[mine],
            shared / overlaps.truth_sizes[theirs],
        )

    def weights(self, rule: Rule) -> npt.NDArray[np.float64]:
        """Return how good each pair is by a rule; 0: it is none."""
        cover = np.maximum(self.of_own, self.of_other)
        same = (self.iou >= rule.smallest_iou) | (cover >= rule.smallest_cover)
        if rule.split_is_new:
            parts = (self.of_own >= _INSIDE) & (self.of_other >= _PART)
            wholes = (self.of_other >= _INSIDE) & (self.of_own >= _PART)
            same &= ~(parts & _repeated(self.other, parts))
            same &= ~(wholes & _repeated(self.own, wholes))
        return np.where(same, cover if rule.by_cover else self.iou, 0.0)


def link_by_rule(
    planes: Sequence[Labels],
    order: Sequence[int],
    rule: Rule,
    pairs: dict[tuple[int, int], _Pairs],
) -> Links:
    """Return the number of each object.

    Parameters
    ----------
    planes
        Label images (Y, X), each numbered from 1.
    order
        In which the planes come.
    rule
        How they are linked.
    pairs
        What overlaps on two planes, as far as it is known; more is added.
    """
    numbers: Links = {}
    first_new = 1
    for plane in order:
        candidates: dict[tuple[int, int], float] = {}
        for away in (1, 2) if rule.bridge else (1,):
            for beside in (plane - away, plane + away):
                if beside not in numbers:
                    continue
                if (plane, beside) not in pairs:
                    pairs[plane, beside] = _Pairs.of(planes[plane], planes[beside])
                found = pairs[plane, beside]
                weights = found.weights(rule) * _FARTHER ** (away - 1)
                theirs = numbers[beside][found.other]
                for own, number, weight in zip(found.own, theirs, weights, strict=True):
                    key = int(own), int(number)
                    candidates[key] = max(candidates.get(key, 0.0), float(weight))
        chosen = _optimal(candidates) if rule.optimal else _largest_first(candidates)
        count = int(planes[plane].max())
        given = np.zeros(count + 1, dtype=np.int64)
        for own, number in chosen.items():
            given[own] = number
        new = np.flatnonzero(given[1:] == 0) + 1
        given[new] = np.arange(first_new, first_new + len(new))
        first_new += len(new)
        numbers[plane] = given
    return numbers


def _repeated(ids: npt.NDArray[Any], among: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return whose id occurs twice or more among some pairs."""
    if not len(ids):
        return among
    repeated: npt.NDArray[np.bool_] = np.bincount(ids, among)[ids] > 1
    return repeated


def _largest_first(candidates: dict[tuple[int, int], float]) -> dict[int, int]:
    chosen: dict[int, int] = {}
    taken: set[int] = set()
    for (own, number), weight in sorted(candidates.items(), key=lambda item: -item[1]):
        if weight > 0 and own not in chosen and number not in taken:
            chosen[own] = number
            taken.add(number)
    return chosen


def _optimal(candidates: dict[tuple[int, int], float]) -> dict[int, int]:
    """Return the one-to-one pairs of the largest sum (Hungarian method)."""
    if not candidates:
        return {}
    own, row = np.unique([own for own, _ in candidates], return_inverse=True)
    numbers, column = np.unique([number for _, number in candidates], return_inverse=True)
    weights = np.zeros((len(own), len(numbers)))
    weights[row, column] = list(candidates.values())
    pairs = zip(*linear_sum_assignment(-weights), strict=True)
    return {int(own[a]): int(numbers[b]) for a, b in pairs if weights[a, b] > 0}
