"""Which weights of a run are kept."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

__all__ = ["Best", "Keeper"]

# A few held-out blocks tell no smaller differences apart; of equally good weights the later ones
# are kept, which the falling learning rate has settled.
_NOISE = 0.02  # of IoU
_LOSS_NOISE = 1.05  # times the lowest loss


@dataclass(frozen=True, slots=True)
class Best:
    """Weights and how well they did."""

    step: int
    weights: Mapping[str, Tensor]
    loss: float | None = None  # None: never validated
    iou: float | None = None


class Keeper:
    """Keeps the best weights, and counts how long they have stayed the best.

    The best have the lowest weighted loss or the highest IoU on the held-out pixels, within the
    noise of either. IoU alone knows no borders: weights that let touching cells grow together can
    have the higher one. The loss alone punishes being sure.
    """

    def __init__(self, start: Best) -> None:
        self.best = start
        self.misses = 0  # validations since the best one
        self.is_outdated = False  # the best weights were validated on other pixels than today's
        self._lowest_loss = math.inf  # of all validations on today's pixels
        self._highest_iou = 0.0

    def offer(self, candidate: Best) -> bool:
        """Keep the candidate if it is the best; return whether it is."""
        assert candidate.loss is not None
        assert candidate.iou is not None
        self._lowest_loss = min(self._lowest_loss, candidate.loss)
        self._highest_iou = max(self._highest_iou, candidate.iou)
        is_best = (
            candidate.loss <= self._lowest_loss * _LOSS_NOISE
            or candidate.iou >= self._highest_iou - _NOISE
        )
        if is_best:
            self.best = candidate
        self.misses = 0 if is_best else self.misses + 1
        return is_best

    def outdate(self, weights: Mapping[str, Tensor]) -> None:
        """Forget the scores: the held-out pixels have changed.

        Parameters
        ----------
        weights
            Those of the best, with an output for each class of today.
        """
        self.best = Best(self.best.step, weights)
        self.is_outdated = True
        self.misses = 0

    def update(self, loss: float, iou: float) -> None:
        """Take the best weights' scores on today's pixels."""
        self.best = Best(self.best.step, self.best.weights, loss, iou)
        self._lowest_loss, self._highest_iou = loss, iou
        self.is_outdated = False
