"""Muon: momentum whose steps change every direction of a layer's weights alike.

Jordan et al. (2024), "Muon: an optimizer for hidden layers in neural networks". torch has it for
matrices only and in bfloat16, which takes many times as long on a CPU that cannot compute in it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

__all__ = ["Muon"]

_QUINTIC = 3.4445, -4.7750, 2.0315  # Newton-Schulz coefficients of the source
_ITERATIONS = 5
_RMS = 0.2  # of an element of AdamW's step at the same learning rate (Liu et al. 2025)


class Muon(torch.optim.AdamW):
    """Muon for the convolutions between the first and the heads (1x1), AdamW for all other weights.

    Parameters
    ----------
    network
        Convolutions; each weight of the hidden ones is taken as a matrix, its first axis by all
        the others.
    lr
        Learning rate of AdamW. The steps of the hidden weights are as large as AdamW's would be:
        scaled by 0.2·√max(rows, columns) (Liu et al. 2025, "Muon is scalable for LLM training").
    momentum
        Of Muon; AdamW's first decay.
    weight_decay
        Decoupled, of all weights.
    """

    def __init__(
        self, network: nn.Module, lr: float, *, momentum: float = 0.9, weight_decay: float = 0.0
    ) -> None:
        hidden = _hidden(network)
        chosen = {id(weight) for weight in hidden}
        others = [weight for weight in network.parameters() if id(weight) not in chosen]
        super().__init__(
            [{"params": others, "muon": False}, {"params": hidden, "muon": True}],
            lr=lr,
            betas=(momentum, 0.999),
            weight_decay=weight_decay,
        )

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Do one update; the gradients of the hidden weights are used up."""
        for group in self.param_groups:
            for weight in group["params"] if group["muon"] else ():
                if weight.grad is not None:
                    direction = self._direction(weight, weight.grad, group["betas"][0])
                    size = group["lr"] * _RMS * math.sqrt(max(weight.flatten(1).shape))
                    weight.mul_(1 - group["lr"] * group["weight_decay"])
                    weight.add_(direction, alpha=-size)
                    weight.grad = None  # nothing is left of it for AdamW
        super().step(closure)

    def _direction(self, weight: nn.Parameter, gradient: Tensor, momentum: float) -> Tensor:
        state = self.state[weight]
        if not state:
            state["step"] = torch.zeros(())  # as AdamW counts
            state["momentum"] = torch.zeros_like(weight)
        state["step"] += 1
        average: Tensor = state["momentum"].lerp_(gradient, 1 - momentum)
        ahead = gradient.lerp(average, momentum)  # Nesterov
        return _orthogonal(ahead.flatten(1)).reshape(weight.shape)


def _hidden(network: nn.Module) -> list[nn.Parameter]:
    """Return the weights of all convolutions but the first, which sees the image, and the heads."""
    return [
        weight
        for weight in network.parameters()
        if weight.ndim > 2 and weight.shape[2:].numel() > 1
    ][1:]


def _orthogonal(matrix: Tensor) -> Tensor:
    """Return about the nearest matrix whose singular values are all one (0.7 to 1.2)."""
    tall = matrix.shape[0] > matrix.shape[1]
    x: Tensor = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    a, b, c = _QUINTIC
    for _ in range(_ITERATIONS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x
