"""Muon's step has the same length in every direction, whatever the gradient's lengths are."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pretraining.muon import Muon


@pytest.mark.parametrize("shape", [(8, 6, 3, 3), (12, 2, 2, 2)])  # wide and tall as a matrix
def test_all_singular_values_of_a_step_are_about_the_rate(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    weight = nn.Parameter(torch.zeros(shape))
    gradient = torch.randn(shape) * torch.logspace(-1, 1, shape[0]).reshape(-1, 1, 1, 1)
    weight.grad = gradient

    Muon([weight], lr=0.1).step()

    lengths = torch.linalg.svdvals(weight.detach().flatten(1))
    assert lengths.min() > 0.1 * 0.5
    assert lengths.max() < 0.1 * 1.3
    assert (weight * gradient).sum() < 0


def test_it_finds_the_minimum_of_a_badly_scaled_problem() -> None:
    torch.manual_seed(0)
    target = torch.randn(4, 3, 3, 3)
    scale = torch.logspace(-2, 0, 4).reshape(-1, 1, 1, 1)
    weight = nn.Parameter(torch.zeros(4, 3, 3, 3))
    optimiser = Muon([weight], lr=0.1)

    for step in range(300):
        optimiser.param_groups[0]["lr"] = 0.1 * (1 - step / 300)
        optimiser.zero_grad()
        (scale * (weight - target) ** 2).sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    assert (weight - target).abs().max() < 0.1
