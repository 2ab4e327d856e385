"""The weighted cross-entropy, against cases computed by hand."""

from __future__ import annotations

import math

import pytest
import torch

from napari_unet.engine.paint.label_scheme import IGNORED
from napari_unet.engine.training.loss import weighted_cross_entropy


def test_loss_of_a_case_computed_by_hand() -> None:
    logits = torch.tensor([[[[0.0, math.log(3)]], [[0.0, 0.0]]]])  # p(class 0) = 1/2, 3/4
    classes = torch.tensor([[[0, 1]]])
    weights = torch.tensor([[[1.0, 5.0]]])

    loss = weighted_cross_entropy(logits, classes, weights)

    assert float(loss) == pytest.approx((math.log(2) + 5 * math.log(4)) / 2)


def test_a_perfect_answer_costs_nothing_however_little_is_labelled() -> None:
    classes = torch.full((1, 10, 10), IGNORED)
    classes[0, 3, 3] = 1
    logits = torch.zeros(1, 2, 10, 10)
    logits[:, 1, 3, 3] = 50

    assert float(weighted_cross_entropy(logits, classes, torch.ones(1, 10, 10))) < 1e-6


@pytest.mark.parametrize("labelled", [1, 7, 100])
def test_an_undecided_answer_costs_ln_2_however_much_is_labelled(labelled: int) -> None:
    classes = torch.full((1, 100), IGNORED)
    classes[0, :labelled] = 0

    loss = weighted_cross_entropy(
        torch.zeros(1, 2, 10, 10), classes.reshape(1, 10, 10), torch.ones(1, 10, 10)
    )

    assert float(loss) == pytest.approx(math.log(2), rel=1e-5)


def test_unlabelled_pixels_have_no_gradient() -> None:
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    classes = torch.full((1, 4, 4), IGNORED)
    classes[0, 0, 0] = 2

    weighted_cross_entropy(logits, classes, torch.ones(1, 4, 4)).backward()  # type: ignore[no-untyped-call]

    assert logits.grad is not None
    assert logits.grad[0, :, 0, 0].count_nonzero() == 3
    assert logits.grad.count_nonzero() == 3


def test_nothing_labelled_costs_nothing() -> None:
    classes = torch.full((1, 2, 2), IGNORED)

    assert float(weighted_cross_entropy(torch.zeros(1, 2, 2, 2), classes, torch.ones(1, 2, 2))) == 0
