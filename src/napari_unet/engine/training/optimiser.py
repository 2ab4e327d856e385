"""What updates the weights, and what it remembers of each."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from napari_unet.config import Optimiser, TrainConfig

SLOTS = ("step", "exp_avg", "exp_avg_sq", "momentum_buffer")
"""What an optimiser can remember of a weight: a number, and arrays of the weight's shape."""


def make_optimiser(network: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Return the optimiser that the settings name."""
    weights, rate, decay = network.parameters(), config.learning_rate, config.weight_decay
    if config.optimiser is Optimiser.SGD:
        return torch.optim.SGD(weights, lr=rate, momentum=config.momentum, weight_decay=decay)
    betas = (config.momentum, 0.999)
    # One kernel for all that is done to a weight: the other two ways go over the memory many times.
    return torch.optim.AdamW(weights, lr=rate, betas=betas, weight_decay=decay, fused=True)


def forget_half_made(optimiser: torch.optim.Optimizer) -> None:
    """Drop what Adam had begun to remember of a weight when memory ran out.

    It makes all that it remembers at the first step, and takes what is there for whole.
    """
    states = optimiser.state
    for weight in [w for w, s in states.items() if "step" in s and "exp_avg_sq" not in s]:
        del states[weight]


def read_memory(network: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return copies of what the optimiser remembers, on the CPU, as "slot/name of the weight"."""
    return {
        f"{slot}/{name}": value.detach().to("cpu", copy=True)
        for name, weight in network.named_parameters()
        for slot, value in optimiser.state.get(weight, {}).items()
        if isinstance(value, Tensor)  # SGD without momentum remembers None
    }


def give_memory(
    network: nn.Module, optimiser: torch.optim.Optimizer, memory: Mapping[str, Tensor]
) -> None:
    """Let the optimiser remember what `read_memory` has returned."""
    for name, weight in network.named_parameters():
        found = {slot: memory[f"{slot}/{name}"] for slot in SLOTS if f"{slot}/{name}" in memory}
        if found:
            optimiser.state[weight] = {slot: _like(weight, value) for slot, value in found.items()}


def _like(weight: Tensor, value: Tensor) -> Tensor:
    """Return a value on the weight's device; an array also in its order in memory."""
    if value.shape != weight.shape:
        return value.to(weight.device, copy=True)
    return torch.empty_like(weight.detach()).copy_(value)
