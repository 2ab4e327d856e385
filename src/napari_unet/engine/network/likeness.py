"""Whether a network computes the same as one of another program, told by what that one computed."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch

from napari_unet.engine.errors import ImageError
from napari_unet.engine.network.model import Model
from napari_unet.engine.network.unet import answers, margin, stride, valid_output_size

Image = npt.NDArray[np.float32]
"""(C, Y, X)"""


def difference_from(model: Model, image: Image, expected: Image) -> float:
    """Return the largest difference from an expected answer.

    Parameters
    ----------
    model
        Its network is tried.
    image
        What the network is to see, (C, Y, X).
    expected
        Probabilities (K, Y, X), or those of the last class alone; less high and wide than the image
        if the other network pads nothing.

    Raises
    ------
    ImageError
        If the image is too small.

    Notes
    -----
    Pixels count where the network sees nothing beyond the image; there a network that pads its
    convolutions with zeros computes the same as ours, if both pool the same pixels. Two places to
    begin are tried: the one where that is so, and the image's corner.
    """
    levels, network = model.network.levels, model.build(torch.device("cpu"))
    rim = margin(levels)
    beyond = [(a - b) // 2 for a, b in zip(image.shape[1:], expected.shape[1:], strict=True)]
    least = math.inf
    for start in {0, _start_on_grid(levels)}:
        sides = [_side(length - start, levels) for length in image.shape[1:]]
        y, x = (slice(start, start + side + 2 * rim) for side in sides)
        with torch.inference_mode():
            outputs = network(torch.from_numpy(image[:, y, x].copy())[None])
            found = answers(outputs, model.network)[0].numpy()[-len(expected) :]
        top, left = (start + rim - cut for cut in beyond)
        there = expected[:, max(0, top) : top + sides[0], max(0, left) : left + sides[1]]
        if there.shape == found.shape:
            least = min(least, float(np.abs(there - found).max()))
    return least


def _side(length: int, levels: int) -> int:
    """Return the side of the answer to an image's side, pixels."""
    step, wanted = stride(levels), length - 2 * margin(levels)
    side = valid_output_size(wanted - step + 1, levels)
    if side > wanted:
        raise ImageError(f"the test image is too small for a margin of {margin(levels)} px")
    return side


def _start_on_grid(levels: int) -> int:
    """Return where valid convolutions begin to pool the same pixels as padded ones do from 0."""
    for start in range(stride(levels)):
        places = [start + 2]
        for _ in range(levels - 2):
            places.append(places[-1] // 2 + 2)
        if levels == 1 or all(place % 2 == 0 for place in places):
            return start
    return 0
