"""Which weights are kept: never those that are not finite, nor those with a much higher loss."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from napari_unet.engine.training.best_weights import Best, BestWeights
from tests.engine.tiny import tiny_model

MODEL = tiny_model()
NAN, INFINITE = math.nan, math.inf


def kept(*scores: tuple[float, float]) -> list[int]:
    """Return the steps that were kept, of validations with this loss and IoU from step 0 on."""
    best_weights = BestWeights(Best(0, MODEL))
    offered = [Best(step, MODEL, loss, iou) for step, (loss, iou) in enumerate(scores)]
    found = [best.step for best in offered if best_weights.offer(best)]
    assert best_weights.best.step == (found[-1] if found else 0)
    return found


def test_the_lowest_loss_or_the_highest_iou_within_their_noise_is_the_best() -> None:
    assert kept((0.5, 0.7), (0.4, 0.7), (0.41, 0.6), (0.5, 0.9), (0.5, 0.89), (0.5, 0.8)) == [
        *(0, 1, 2),  # by the loss
        *(3, 4),  # by the IoU
    ]


def test_a_much_higher_loss_is_not_kept_for_its_iou() -> None:
    assert kept((0.2, 0.8), (1.0, 0.95), (0.41, 0.95)) == [0]


def test_an_iou_that_came_with_a_much_higher_loss_sets_no_mark() -> None:
    assert kept((0.2, 0.8), (1.0, 0.95), (0.3, 0.8)) == [0, 2]


@pytest.mark.parametrize("loss", [NAN, INFINITE])
def test_a_loss_that_is_not_finite_is_never_kept(loss: float) -> None:
    assert kept((0.2, 0.8), (loss, 0.99), (0.2, 0.8)) == [0, 2]
    assert kept((loss, 0.99), (0.5, 0.1)) == [1]


@pytest.mark.parametrize("value", [NAN, INFINITE])
def test_weights_that_are_not_finite_are_never_kept(value: float) -> None:
    weights = {**MODEL.weights, "head.bias": torch.tensor([0.0, value])}
    broken = replace(MODEL, weights=weights)
    best_weights = BestWeights(Best(0, MODEL, 0.5, 0.5))

    assert not best_weights.offer(Best(1, broken, 0.1, 0.9))
    assert not best_weights.take(Best(2, broken))
    assert best_weights.best.model is MODEL
    assert best_weights.take(Best(3, MODEL))


def test_old_weights_whose_loss_is_not_finite_on_new_pixels_are_replaced() -> None:
    best_weights = BestWeights(Best(0, MODEL))
    best_weights.outdate(MODEL)
    best_weights.update(NAN, 0.9)

    assert best_weights.offer(Best(7, MODEL, 0.5, 0.1))
