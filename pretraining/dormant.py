"""Channels that never fire are given new weights.

Without normalisation layers, one large step early in a training can leave a ReLU below zero for
every image. Its gradient is zero from then on, so it never comes back; and where all channels of a
layer are gone, everything beneath it is cut off from the output, unnoticed, since the skip
connections go on. What to do about it is known from reinforcement learning: Sokar et al., *The
Dormant Neuron Phenomenon in Deep Reinforcement Learning*, ICML 2023, arXiv 2302.12902, algorithm 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from napari_unet.engine.network import UNet

__all__ = ["Dormant", "find_dormant", "recycle"]

_ASLEEP = 0.01  # a channel is dormant below this share of its layer's mean activation
_OUT, _IN = 0, 1  # dimensions of a convolution's weights; of an up-convolution's the reverse

Readers = list[tuple[Tensor, int]]
"""Weights that read the channels of a layer, and which of their dimensions counts them."""


@dataclass(frozen=True, slots=True)
class Dormant:
    """The channels of a convolution that do not fire, and what reads them."""

    convolution: nn.Conv2d
    channels: Tensor  # (n,) indices
    readers: Readers


@torch.no_grad()
def find_dormant(network: UNet, heads: Sequence[nn.Conv2d], images: Tensor) -> list[Dormant]:
    """Return the dormant channels of all convolutions that a ReLU follows.

    Parameters
    ----------
    network
        With ReLU after each 3x3 convolution.
    heads
        All 1x1 convolutions on its features, its own included.
    images
        (B, C, Y, X), as different as those that the network is made for.
    """
    activations: dict[nn.Module, Tensor] = {}

    def note(convolution: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        activations[convolution] = output.clamp(min=0).mean(dim=(0, 2, 3))

    layers = list(_layers(network, heads))
    hooks = [layer.register_forward_hook(note) for layer, _ in layers]
    network.features(images)
    for hook in hooks:
        hook.remove()
    found = []
    for layer, readers in layers:
        mean = activations[layer]
        channels = (mean <= _ASLEEP * mean.mean()).nonzero()[:, 0]
        if len(channels):
            found.append(Dormant(layer, channels, readers))
    return found


@torch.no_grad()
def recycle(
    dormant: Sequence[Dormant], averages: Mapping[Tensor, Tensor], generator: torch.Generator
) -> None:
    """Give dormant channels fresh weights that nobody reads yet, so that the output stays.

    The paper's initial weights come in and zeros go out, in the moving averages too. An optimiser
    that adapts to past gradients must begin anew: to it, those of dormant channels were zero, so
    that its first steps would be many times too long.
    """

    def put(weight: Tensor, dimension: int, channels: Tensor, values: Tensor) -> None:
        shape = list(weight.shape)
        shape[dimension] = len(channels)
        for tensor in (weight, averages.get(weight)):
            if tensor is not None:
                tensor.index_copy_(dimension, channels, values.expand(shape).contiguous())

    for part in dormant:
        weight, bias = part.convolution.weight, part.convolution.bias
        assert bias is not None
        fresh = torch.randn((len(part.channels), *weight.shape[1:]), generator=generator)
        put(weight, _OUT, part.channels, math.sqrt(2 / weight[0].numel()) * fresh)
        put(bias, _OUT, part.channels, torch.zeros(()))
    for part in dormant:  # at last: what reads them may be dormant, too
        for weight, dimension in part.readers:
            put(weight, dimension, part.channels, torch.zeros(()))


def _layers(network: UNet, heads: Sequence[nn.Conv2d]) -> Iterator[tuple[nn.Conv2d, Readers]]:
    """Yield each convolution before a ReLU, with what reads it."""
    ups = [up.weight for up in network.up if isinstance(up, nn.ConvTranspose2d)]
    downs, merges = (
        [_convolutions(block) for block in path] for path in (network.down, network.merge)
    )
    for level, (first, second) in enumerate(downs):
        yield first, [(second.weight, _IN)]
        if level + 1 == len(downs):
            yield second, [(ups[0], _OUT)]
        else:  # the skip connection comes first in what is merged
            deeper, merged = downs[level + 1][0], merges[-1 - level][0]
            yield second, [(deeper.weight, _IN), (merged.weight, _IN)]
    for number, (first, second) in enumerate(merges, start=1):
        yield first, [(second.weight, _IN)]
        if number == len(merges):
            yield second, [(head.weight, _IN) for head in heads]
        else:
            yield second, [(ups[number], _OUT)]


def _convolutions(block: nn.Module) -> list[nn.Conv2d]:
    return [layer for layer in block.children() if isinstance(layer, nn.Conv2d)]
