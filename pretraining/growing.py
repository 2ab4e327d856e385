"""A larger network that begins with what a smaller one knows: the same output, more channels.

After Chen, Goodfellow, Shlens, *Net2Net: Accelerating Learning via Knowledge Transfer*, ICLR 2016,
arXiv 1511.05641. New channels are copies of old ones, whose readers share their weights among the
copies (section 2.2); a new bottom level is passed by, by convolutions that are the identity (2.3).
Little noise on the copies lets them become different.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from napari_unet.config import NetworkConfig
from napari_unet.engine.network import Model, UNet, initialise

_NOISE = 0.02  # standard deviation of a copy's change, in those of its layer's weights


@dataclass(frozen=True, slots=True)
class _Copies:
    """Which channel of a smaller layer each channel of a larger one begins as.

    Parameters
    ----------
    sources
        (n,) indices of old channels.
    """

    sources: Tensor
    shares: Tensor = field(init=False)  # of an old weight, for a reader of each new channel

    def __post_init__(self) -> None:
        counts = torch.bincount(self.sources)
        object.__setattr__(self, "shares", 1 / counts[self.sources])

    @classmethod
    def of(cls, before: int, after: int) -> _Copies:
        """Copy the old channels in turn until there are enough."""
        return cls(torch.arange(after) % before)

    def __add__(self, other: _Copies) -> _Copies:
        """Return the channels of two layers, one after the other."""
        behind = int(self.sources.max()) + 1
        return _Copies(torch.cat([self.sources, other.sources + behind]))


@torch.no_grad()
def grow(model: Model, network: NetworkConfig, generator: torch.Generator) -> UNet:
    """Return a larger U-Net with the outputs of a model's network.

    Parameters
    ----------
    model
        A trained network.
    network
        The larger one: as many or more channels and levels; it gives the same outputs, a shape
        field included, and needs a wider margin if it has more levels.
    generator
        Of the noise, and of what a new level begins with.

    Raises
    ------
    ValueError
        If the network is smaller, or has other inputs or outputs.
    """
    _check(model.network, network)
    small, large = UNet(model.network), UNet(network)
    small.load_state_dict(dict(model.weights))
    initialise(large, generator)
    new_levels = network.levels - model.network.levels
    wide = _Copies.of(model.network.base_channels, network.base_channels)
    widths = [_times(wide, model.network.base_channels, 2**n) for n in range(model.network.levels)]
    before = _Copies.of(model.network.in_channels, network.in_channels)
    for level, copies in enumerate(widths):
        _copy_block(small.down[level], large.down[level], before, copies, generator)
        before = copies
    for index in range(new_levels):
        _pass_by(large, index)
    for level in reversed(range(len(widths) - 1)):
        index = len(widths) - 2 - level
        copies = widths[level]
        _copy(small.up[index], large.up[index + new_levels], before, copies, generator)
        merge = small.merge[index], large.merge[index + new_levels]
        _copy_block(*merge, copies + copies, copies, generator)
        before = copies
    _copy(small.head, large.head, before, _Copies.of(*[network.outputs] * 2), generator)
    return large


def _check(before: NetworkConfig, after: NetworkConfig) -> None:
    same = before.in_channels == after.in_channels and before.outputs == after.outputs
    larger = before.base_channels <= after.base_channels and before.levels <= after.levels
    if not (same and larger):
        raise ValueError(f"{before} cannot grow into {after}")


def _times(copies: _Copies, width: int, factor: int) -> _Copies:
    """Return the copies of a level that has `factor` times as many channels."""
    return _Copies.of(width * factor, len(copies.sources) * factor)


def _copy_block(
    small: nn.Module,
    large: nn.Module,
    inputs: _Copies,
    outputs: _Copies,
    generator: torch.Generator,
) -> None:
    """Copy the two 3x3 convolutions of a block."""
    for layer, read in ((0, inputs), (2, outputs)):
        _copy(
            small.get_submodule(str(layer)),
            large.get_submodule(str(layer)),
            read,
            outputs,
            generator,
        )


def _copy(
    small: nn.Module,
    large: nn.Module,
    inputs: _Copies,
    outputs: _Copies,
    generator: torch.Generator,
) -> None:
    """Copy the weights of a convolution (out, in, Y, X), or of an up-convolution (in, out, Y, X).

    Copied channels begin to differ a little from each other.
    """
    assert isinstance(small, nn.Conv2d | nn.ConvTranspose2d)
    assert isinstance(large, nn.Conv2d | nn.ConvTranspose2d)
    assert small.bias is not None
    assert large.bias is not None
    turned = isinstance(small, nn.ConvTranspose2d)
    before = small.weight.transpose(0, 1) if turned else small.weight
    weights = before[outputs.sources][:, inputs.sources]
    noise = torch.randn(weights.shape, generator=generator) * (_NOISE * weights.std())
    weights = weights + noise * (outputs.shares < 1)[:, None, None, None]
    weights = weights * inputs.shares[:, None, None]
    large.weight.copy_(weights.transpose(0, 1) if turned else weights)
    large.bias.copy_(small.bias[outputs.sources])


def _pass_by(network: UNet, index: int) -> None:
    """Let the block above a new level give on what its skip connection brings.

    What comes from beneath begins at zero; the identity is exact, as nothing there is below zero.
    """
    merge, up = network.merge[index], network.up[index]
    assert isinstance(up, nn.ConvTranspose2d)
    for layer in (0, 2):
        convolution = merge.get_submodule(str(layer))
        assert isinstance(convolution, nn.Conv2d)
        convolution.weight.zero_()
        convolution.weight[:, : up.out_channels, 1, 1] = torch.eye(up.out_channels)
