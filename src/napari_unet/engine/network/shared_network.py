"""A model as other programs take it: one network, whose output is as large as its input.

Valid convolutions give less than they see, which programs that cut images into tiles do not expect.
So what the prediction here does around the network is done inside: the image is made smaller or
larger, mirrored by the margin (`engine.prediction.overlap_tile`), and the answer brought back.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_unet.engine.network.model import Model
from napari_unet.engine.network.unet import answers, margin, stride, valid_output_size

_LIMIT = 2.0  # as of `engine.stack.normalization`


class SharedNetwork(nn.Module):
    """Grey values to probabilities, on the same pixels.

    Parameters
    ----------
    model
        Its network, weights, and how it sees the image.

    Notes
    -----
    An image may have any sides that are at least `smallest`. Those of tiles must be multiples of
    `step`: what lies `halo` pixels away from such a tile's rim, or further, is as in the whole
    image, if tiles begin at multiples of `step`, too.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        levels = model.network.levels
        self.network = model.build(torch.device("cpu"))
        self._reduction, self._enlargement = model.reduction or 1, model.enlargement
        self._stride, self._margin = stride(levels), margin(levels)
        self._more = valid_output_size(self._stride, levels) - self._stride
        self.eval()

    @property
    def step(self) -> int:
        """What the sides of a tile are multiples of, pixels."""
        return self._reduction * max(1, self._stride // self._enlargement)

    @property
    def halo(self) -> int:
        """Context of a pixel, pixels; a multiple of `step`.

        Interpolation looks one pixel further than the tile, into the next 2^(levels - 1).
        """
        scaled = self._reduction != self._enlargement
        context = self._margin + (self._stride if scaled else 0)
        return self.step * math.ceil(context * self._reduction / self._enlargement / self.step)

    @property
    def smallest(self) -> int:
        """Least side of an image, pixels: it must be possible to mirror the margin."""
        seen = self._margin + self._more + self._stride
        return self.step * math.ceil(seen * self._reduction / self._enlargement / self.step)

    @property
    def channels(self) -> int:
        """Channels of the image."""
        return self.network.config.in_channels

    def forward(self, image: Tensor) -> Tensor:
        """Return probabilities, and the shape field if there is one, (B, K, Y, X).

        Parameters
        ----------
        image
            (B, C, Y, X) grey values, 0 at the darkest usual one and 1 at the brightest; what is
            beyond goes on.
        """
        height, width = image.shape[-2:]
        seen = (2 * self._seen(image) - 1).clamp(-_LIMIT, _LIMIT)
        rows, columns = seen.shape[-2:]
        near, far = self._margin, self._margin + self._more
        bottom, right = far + -rows % self._stride, far + -columns % self._stride
        mirrored = functional.pad(seen, [near, right, near, bottom], mode="reflect")
        found = answers(self.network(mirrored), self.network.config)[..., :rows, :columns]
        return self._brought_back(found)[..., :height, :width]

    def _seen(self, image: Tensor) -> Tensor:
        if self._enlargement > 1:
            wide = functional.pad(image, [1] * 4, mode="reflect")
            large = functional.interpolate(
                wide, scale_factor=float(self._enlargement), mode="bilinear", align_corners=False
            )
            cut = self._enlargement
            return large[..., cut:-cut, cut:-cut]
        if self._reduction == 1:
            return image
        height, width = image.shape[-2:]
        beyond = [0, -width % self._reduction, 0, -height % self._reduction]
        return functional.avg_pool2d(functional.pad(image, beyond, mode="reflect"), self._reduction)

    def _brought_back(self, found: Tensor) -> Tensor:
        if self._enlargement > 1:
            return functional.avg_pool2d(found, self._enlargement)
        if self._reduction == 1:
            return found
        return functional.interpolate(
            found, scale_factor=float(self._reduction), mode="bilinear", align_corners=False
        )
