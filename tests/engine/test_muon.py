"""Muon's steps have the same length in every direction, whatever the gradient's lengths are."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from napari_unet.config import NetworkConfig
from napari_unet.engine.muon import Muon
from napari_unet.engine.unet import UNet, initialise


class Convolutions(nn.Module):
    """A first convolution, a hidden weight of any shape, and a head."""

    def __init__(self, hidden: Tensor) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 2, 3)
        self.middle = nn.ParameterList([nn.Parameter(hidden)])
        self.head = nn.Conv2d(2, 2, 1)

    @property
    def hidden(self) -> nn.Parameter:
        weight: nn.Parameter = self.middle[0]
        return weight


@pytest.mark.parametrize("shape", [(8, 6, 3, 3), (12, 2, 2, 2)])  # wide and tall as a matrix
def test_the_lengths_of_a_step_are_about_those_of_adam(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    network = Convolutions(torch.zeros(shape))
    lengths = torch.logspace(-1, 1, shape[0]).reshape(-1, 1, 1, 1)
    network.hidden.grad = gradient = torch.randn(shape) * lengths

    Muon(network, lr=0.1).step()

    step = network.hidden.detach()
    found = torch.linalg.svdvals(step.flatten(1)) / (0.1 * 0.2 * max(step.flatten(1).shape) ** 0.5)
    assert found.min() > 0.5
    assert found.max() < 1.3
    assert (step * gradient).sum() < 0


def test_it_finds_the_minimum_of_a_badly_scaled_problem() -> None:
    torch.manual_seed(0)
    target = torch.randn(4, 3, 3, 3)
    scale = torch.logspace(-2, 0, 4).reshape(-1, 1, 1, 1)
    network = Convolutions(torch.zeros(4, 3, 3, 3))
    optimiser = Muon(network, lr=0.1)

    for step in range(300):
        for group in optimiser.param_groups:
            group["lr"] = 0.1 * (1 - step / 300)
        optimiser.zero_grad()
        loss = (scale * (network.hidden - target) ** 2).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    assert (network.hidden - target).abs().max() < 0.1


def test_first_convolution_head_and_biases_are_left_to_adam() -> None:
    network = UNet(NetworkConfig(base_channels=4, levels=3))
    adam, muon = Muon(network, lr=0.1).param_groups
    names = {id(weight): name for name, weight in network.named_parameters()}

    left = {names[id(weight)] for weight in adam["params"]}
    hidden = {names[id(weight)] for weight in muon["params"]}

    assert {name for name in left if name.endswith("weight")} == {
        "down.0.0.weight",
        "head.weight",
    }
    assert all(name.endswith("weight") for name in hidden)
    assert left | hidden == set(names.values())


def test_a_run_goes_on_from_its_state() -> None:
    def advance(network: UNet, optimiser: Muon, steps: range) -> None:
        for step in steps:
            image = torch.randn(1, 1, 44, 44, generator=torch.Generator().manual_seed(step))
            network(image).square().mean().backward()
            optimiser.step()
            optimiser.zero_grad()

    def start() -> tuple[UNet, Muon]:
        network = UNet(NetworkConfig(base_channels=4, levels=3))
        initialise(network, torch.Generator().manual_seed(0))
        return network, Muon(network, lr=0.01, momentum=0.8, weight_decay=0.1)

    whole, optimiser = start()
    advance(whole, optimiser, range(3))
    weights, state = deepcopy(whole.state_dict()), deepcopy(optimiser.state_dict())
    resumed, other = start()
    resumed.load_state_dict(weights)
    other.load_state_dict(state)

    advance(whole, optimiser, range(3, 6))
    advance(resumed, other, range(3, 6))

    for one, two in zip(whole.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=0)
