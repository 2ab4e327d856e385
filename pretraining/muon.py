"""Muon: momentum whose steps change every direction of a weight matrix alike.

Jordan et al. (2024), "Muon: an optimizer for hidden layers in neural networks". torch has it for
matrices only and in bfloat16, which takes 16 times as long on a CPU that cannot compute in it.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

__all__ = ["Muon"]

_QUINTIC = 3.4445, -4.7750, 2.0315  # Newton-Schulz coefficients of the source
_ITERATIONS = 5
_MOMENTUM = 0.95


class Muon(Optimizer):
    """Optimises the weights of convolutions, taken as matrices of outputs by all the rest.

    Parameters
    ----------
    weights
        At least two-dimensional; not of the first or the last layer.
    lr
        Learning rate: about the spectral norm of one step.
    """

    def __init__(self, weights: Iterable[nn.Parameter], lr: float) -> None:
        super().__init__(weights, {"lr": lr})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Do one update."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    weight.add_(self._direction(weight), alpha=-group["lr"])

    def _direction(self, weight: nn.Parameter) -> Tensor:
        state = self.state[weight]
        momentum = state.setdefault("momentum", torch.zeros_like(weight))
        momentum.mul_(_MOMENTUM).add_(weight.grad)
        ahead = momentum.mul(_MOMENTUM).add_(weight.grad)  # Nesterov
        return _orthogonal(ahead.flatten(1)).reshape(weight.shape)


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
