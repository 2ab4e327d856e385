"""Which weights of a run are kept."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from napari_unet.engine.network.model import Model

# A few held-out blocks tell no smaller differences apart; of equally good weights the later ones
# are kept, which the falling learning rate has settled.
_NOISE = 0.02  # of IoU
_LOSS_NOISE = 1.05  # times the lowest loss
_MOST_LOSS = 2.0  # times the lowest loss: what is worse is not kept for its IoU


@dataclass(frozen=True, slots=True)
class Best:
    """A model as it was after some step, and how well it did."""

    step: int
    model: Model
    loss: float | None = None  # None: never validated
    iou: float | None = None

    @property
    def is_finite(self) -> bool:
        """Whether loss and weights are numbers to go on with, neither NaN nor infinite."""
        return (self.loss is None or math.isfinite(self.loss)) and _are_finite(self.model.weights)


@dataclass(frozen=True, slots=True)
class BestRecord:
    """What is known of the best weights beside the weights."""

    step: int
    loss: float | None
    iou: float | None
    misses: int
    is_outdated: bool
    lowest_loss: float | None  # None: nothing was validated
    highest_iou: float


class BestWeights:
    """Keeps the best weights, and counts how long they have stayed the best.

    The best have the lowest weighted loss or the highest IoU on the held-out pixels, within the
    noise of either, and never more than twice the lowest loss. IoU alone knows no borders: weights
    that let touching cells grow together can have the higher one. The loss alone punishes being
    sure. What is NaN or infinite is never kept.
    """

    def __init__(self, start: Best) -> None:
        self.best = start
        self.misses = 0  # validations since the best one
        self.is_outdated = False  # the best weights were validated on other pixels than today's
        self._lowest_loss = math.inf  # of all validations on today's pixels
        self._highest_iou = 0.0  # of those whose loss is not much higher

    @classmethod
    def recorded(cls, record: BestRecord, model: Model) -> BestWeights:
        """Return the best weights as they were when this was recorded."""
        found = cls(Best(record.step, model, record.loss, record.iou))
        found.misses, found.is_outdated = record.misses, record.is_outdated
        found._lowest_loss = math.inf if record.lowest_loss is None else record.lowest_loss
        found._highest_iou = record.highest_iou
        return found

    def record(self) -> BestRecord:
        """Return what is known of them."""
        lowest = self._lowest_loss if math.isfinite(self._lowest_loss) else None
        best = self.best
        return BestRecord(
            step=best.step,
            loss=best.loss,
            iou=best.iou,
            misses=self.misses,
            is_outdated=self.is_outdated,
            lowest_loss=lowest,
            highest_iou=self._highest_iou,
        )

    def offer(self, candidate: Best) -> bool:
        """Keep the candidate if it is the best; return whether it is."""
        is_best = candidate.is_finite and self._is_best(candidate)
        if is_best:
            self.best = candidate
        self.misses = 0 if is_best else self.misses + 1
        return is_best

    def take(self, last: Best) -> bool:
        """Keep what was not validated if it is finite, since nothing is known that is better."""
        if last.is_finite:
            self.best = last
        return last.is_finite

    def outdate(self, model: Model) -> None:
        """Forget the scores: the held-out pixels have changed.

        Parameters
        ----------
        model
            The best, with an output for each class of today.
        """
        self.best = Best(self.best.step, model)
        self.is_outdated = True
        self.misses = 0

    def update(self, loss: float, iou: float) -> None:
        """Take the best weights' scores on today's pixels."""
        self.best = replace(self.best, loss=loss, iou=iou)
        self._lowest_loss = loss if math.isfinite(loss) else math.inf
        self._highest_iou = iou
        self.is_outdated = False

    def _is_best(self, candidate: Best) -> bool:
        assert candidate.loss is not None
        assert candidate.iou is not None
        self._lowest_loss = min(self._lowest_loss, candidate.loss)
        if candidate.loss > _MOST_LOSS * self._lowest_loss:
            return False
        self._highest_iou = max(self._highest_iou, candidate.iou)
        return (
            candidate.loss <= _LOSS_NOISE * self._lowest_loss
            or candidate.iou >= self._highest_iou - _NOISE
        )


def _are_finite(weights: Mapping[str, Tensor]) -> bool:
    return all(bool(torch.isfinite(weight).all()) for weight in weights.values())
