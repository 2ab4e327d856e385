"""The U-Net for predictions: the same function of the image, in fewer multiplications.

Nothing lies between an up-convolution U and the convolution W after it but a concatenation, so that
for the upsampled half of the channels both are one linear map: 2x2 pixels of its result come from
2x2 pixels x[p + d] before the upsampling, d in {0, 1}². The pixel r in {0, 1}² of them is

    y[2p + r] = sum over d of F_r[d] x[p + d]
    F_r[d] = sum of W[k] U[a] over the k in {0, 1, 2}² and a in {0, 1}² with r + k = 2d + a

This is a sub-pixel convolution (Shi et al. 2016), with 8 multiplications where the two need 11.
Neither the upsampled features nor the concatenation are ever in memory.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_unet.engine.network.unet import UNet, crop


class FoldedMerge(nn.Module):
    """An up-convolution, the concatenation and the two convolutions after it.

    Parameters
    ----------
    up, merge
        Of a `UNet`, from C to C/2 channels.
    """

    def __init__(self, up: nn.Module, merge: nn.Module) -> None:
        super().__init__()
        assert isinstance(up, nn.ConvTranspose2d)
        assert isinstance(merge, nn.Sequential)
        first, _, self.second, _ = merge
        assert isinstance(first, nn.Conv2d)
        assert first.bias is not None
        assert up.bias is not None
        of_skip, of_x = torch.split(first.weight, up.out_channels, dim=1)
        bias = first.bias + of_x.sum(dim=(2, 3)) @ up.bias
        self.up = _fixed(_folded(up.weight, of_x))  # (4 C/2, C, 2, 2)
        self.skip = _fixed(of_skip)  # (C/2, C/2, 3, 3)
        self.bias = _fixed(bias)  # (C/2,)

    def forward(self, skip: Tensor, x: Tensor) -> Tensor:
        """Return (B, C/2, 2y - 4, 2x - 4) for features (B, C, y, x) and larger skipped ones."""
        height, width = x.shape[-2:]
        total = functional.conv2d(crop(skip, (2 * height, 2 * width)), self.skip, self.bias)
        total += _interleaved(functional.conv2d(x, self.up))
        return torch.relu_(self.second(torch.relu_(total)))


class FoldedUNet(nn.Module):
    """What a `UNet` computes when it predicts, up to rounding.

    Parameters
    ----------
    network
        Shares its other layers with this one, and must not be trained any more.
    """

    @torch.no_grad()
    def __init__(self, network: UNet) -> None:
        super().__init__()
        self.config = network.config
        self.down = network.down
        self.pool = network.pool
        self.merge = nn.ModuleList(
            FoldedMerge(up, merge) for up, merge in zip(network.up, network.merge, strict=True)
        )
        self.head = network.head

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, classes, Y - 2 margin, X - 2 margin) for images (B, C, Y, X)."""
        first, *others = self.down
        x = first(x)
        skips: list[Tensor] = []
        for block in others:
            skips.append(x)
            x = block(self.pool(x))
        for merge in self.merge:
            x = merge(skips.pop(), x)
        logits: Tensor = self.head(x)
        return logits


def _folded(up: Tensor, merge: Tensor) -> Tensor:
    """Return F, (2·2·O, I, 2, 2), for U (I, M, 2, 2) and W (O, M, 3, 3)."""
    inputs, outputs = len(up), len(merge)
    # The product of U[a] and W[k] lies at a - k + 2, which is r + 2 (1 - d).
    products = functional.conv2d(up, merge, padding=2)  # (I, O, 4, 4)
    parts = products.reshape(inputs, outputs, 2, 2, 2, 2).flip(2, 4)  # (I, O, d, r, d', r')
    return parts.permute(3, 5, 1, 0, 2, 4).reshape(4 * outputs, inputs, 2, 2)


def _interleaved(x: Tensor) -> Tensor:
    """Return (B, C, 2Y, 2X) for the four pixels (B, 2·2·C, Y, X) of each 2x2, channels last."""
    batch, channels, height, width = x.shape
    parts = x.movedim(1, -1).reshape(batch, height, width, 2, 2, channels // 4)
    rows = parts.transpose(2, 3)  # (B, Y, 2, X, 2, C)
    return rows.reshape(batch, 2 * height, 2 * width, channels // 4).movedim(-1, 1)


def _fixed(weights: Tensor) -> nn.Parameter:
    return nn.Parameter(weights.contiguous(), requires_grad=False)
