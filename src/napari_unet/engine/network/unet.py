"""The U-Net of Ronneberger, Fischer and Brox (2015) and its size arithmetic.

Every convolution is *valid* (unpadded), so that each output pixel is computed from real (or
mirrored) context only and tiles can be put together without a seam (arXiv 1505.04597, fig. 1
and 2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from napari_unet.config import NetworkConfig

_CONVOLUTION_LOSS = 4  # pixels that two valid 3x3 convolutions take off a side length


def stride(levels: int) -> int:
    """Return the pixels by which an input may move for the output to move with it exactly."""
    return int(2 ** (levels - 1))


def output_size(size: int, levels: int) -> int:
    """Return the output side length for an input side length.

    Raises
    ------
    ValueError
        If a level would be empty or a 2x2 pooling would see an odd size.
    """
    sizes = [size]
    for _ in range(levels - 1):
        kept = sizes[-1] - _CONVOLUTION_LOSS
        if kept < 2 or kept % 2:
            raise ValueError(f"an input of {size} px leaves {kept} px before a 2x2 pooling")
        sizes.append(kept // 2)
    result = sizes[-1] - _CONVOLUTION_LOSS
    for _ in range(levels - 1):
        result = 2 * result - _CONVOLUTION_LOSS
    if result < 1:
        raise ValueError(f"an input of {size} px leaves no output")
    return result


def margin(levels: int) -> int:
    """Return the context per side in pixels: 92 for the five levels of the paper.

    Notes
    -----
    Two 3x3 convolutions take 2 px off each side, twice per level of side 1/2^l and once at the
    bottom: 4·(1 + 2 + … + 2^(levels-2)) + 2·2^(levels-1) = 6·stride - 4.
    """
    return 6 * stride(levels) - _CONVOLUTION_LOSS


def valid_output_size(size: int, levels: int) -> int:
    """Return the smallest output side length >= `size` that the network can give.

    Notes
    -----
    A bottom block of b output pixels gives b·stride - 4·(stride - 1) in the end, so valid lengths
    differ by the stride, and the smallest positive one is 4 (1 or 2 where the stride is): with
    five levels 4, 20, …, 388, …
    """
    step = stride(levels)
    first = min(step, _CONVOLUTION_LOSS)
    return first + step * max(0, math.ceil((size - first) / step))


def _double_convolution(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size=3),
        nn.ReLU(inplace=True),
        nn.Conv2d(out_channels, out_channels, kernel_size=3),
        nn.ReLU(inplace=True),
    )


def crop(features: Tensor, size: Sequence[int]) -> Tensor:
    """Cut the centre of the features (…, Y, X) to a height and width."""
    height, width = size
    top, left = (features.shape[-2] - height) // 2, (features.shape[-1] - width) // 2
    return features[..., top : top + height, left : left + width]


class UNet(nn.Module):
    """Contracting path, expanding path and 1x1 head; valid convolutions throughout.

    Parameters
    ----------
    config
        Channels, classes, levels and dropout. ``NETWORKS["2015"]`` is the network of the paper:
        23 convolutional layers, 31,030,658 parameters, 572x572 in, 388x388 out.

    Notes
    -----
    Dropout acts on the last two blocks of the contracting path, in training only.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.base_channels * 2**level for level in range(config.levels)]
        self.down = nn.ModuleList(
            _double_convolution(i, o)
            for i, o in zip([config.in_channels, *widths], widths, strict=False)
        )
        self.pool = nn.MaxPool2d(kernel_size=2, stride=2)
        self.dropout = nn.Dropout(config.dropout)
        upward = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(i, o, kernel_size=2, stride=2) for i, o in upward
        )
        self.merge = nn.ModuleList(_double_convolution(i, o) for i, o in upward)
        self.head = nn.Conv2d(widths[0], config.outputs, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return outputs (B, K, Y - 2 margin, X - 2 margin) for images (B, C, Y, X).

        K logits, one per class, and after them the shape field of a network that has one.
        """
        outputs: Tensor = self.head(self.features(x))
        return outputs

    def features(self, x: Tensor) -> Tensor:
        """Return what the head sees, (B, base channels, Y - 2 margin, X - 2 margin)."""
        bottom = len(self.down) - 1
        skips: list[Tensor] = []
        for level, block in enumerate(self.down):
            x = block(x)  # (B, C 2^level, Y', X')
            if level >= bottom - 1:
                x = self.dropout(x)
            if level < bottom:
                skips.append(x)
                x = self.pool(x)  # (B, C 2^level, Y'/2, X'/2)
        for up, merge in zip(self.up, self.merge, strict=True):
            x = up(x)  # (B, C/2, 2Y', 2X')
            x = torch.cat([crop(skips.pop(), x.shape[-2:]), x], dim=1)  # (B, C, 2Y', 2X')
            x = merge(x)  # (B, C/2, 2Y' - 4, 2X' - 4)
        return x


def answers(outputs: Tensor, config: NetworkConfig) -> Tensor:
    """Return softmax probabilities, and the shape field from 0 to 1, of outputs (B, K, y, x)."""
    probabilities = outputs[:, : config.classes].softmax(dim=1)
    if not config.shape_field:
        return probabilities
    return torch.cat([probabilities, outputs[:, config.classes :].clamp(0, 1)], dim=1)


def initialise(network: nn.Module, generator: torch.Generator) -> None:
    """Draw the initial weights: Gaussian, standard deviation sqrt(2/N), biases zero.

    N is the number of incoming nodes of one neuron (He et al. 2015; section 3 of the paper):
    3·3·64 = 576 for a 3x3 convolution on 64 channels, and the input channels alone for a 2x2
    up-convolution of stride 2, where each output pixel sees one input pixel.
    """
    for module in network.modules():
        if isinstance(module, nn.ConvTranspose2d):
            incoming = module.in_channels
        elif isinstance(module, nn.Conv2d):
            incoming = module.in_channels * math.prod(module.kernel_size)
        else:
            continue
        nn.init.normal_(module.weight, std=math.sqrt(2 / incoming), generator=generator)
        assert module.bias is not None
        nn.init.zeros_(module.bias)
