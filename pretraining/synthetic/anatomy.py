"""Where the parts of drawn things are: outline, depth, nucleus."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pretraining.synthetic.scene import Float
from pretraining.synthetic.shapes import Labels

__all__ = ["depth", "inner_parts", "outlines", "rim", "thin_out"]


def thin_out(rng: np.random.Generator, labels: Labels, share: float) -> Labels:
    """Return the labels without a random share of the things."""
    numbers = np.unique(labels)
    gone = numbers[(rng.random(len(numbers)) < share) & (numbers > 0)]
    return np.where(np.isin(labels, gone), 0, labels).astype(np.int32)


def inner_parts(
    rng: np.random.Generator,
    labels: Labels,
    size: tuple[float, float],
    share: float = 1.0,
    deep: float = 0.7,
) -> npt.NDArray[np.bool_]:
    """Return where a round part (a nucleus) of each thing lies, somewhere near its middle.

    Parameters
    ----------
    size
        Least and largest diameter, in those of the thing.
    share
        Of the things that have one.
    deep
        How far from the outline its centre lies at least, in the depth of the thing.
    """
    inside = np.zeros(labels.shape, dtype=bool)
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None or rng.random() > share:
            continue
        thing = labels[box] == number
        inside_by = ndimage.distance_transform_edt(np.pad(thing, 1))[1:-1, 1:-1]
        middles = np.argwhere(inside_by >= deep * inside_by.max())
        centre = middles[rng.integers(len(middles))]
        radius = np.sqrt(thing.sum() / np.pi) * rng.uniform(*size)
        y, x = np.indices(thing.shape, dtype=np.float32)
        angle, stretch = rng.uniform(0, np.pi), rng.uniform(1, 1.4)
        along = np.cos(angle) * (y - centre[0]) + np.sin(angle) * (x - centre[1])
        across = np.cos(angle) * (x - centre[1]) - np.sin(angle) * (y - centre[0])
        inside[box] |= (np.hypot(along / stretch, across * stretch) < radius) & (inside_by > 1)
    return inside


def rim(labels: Labels, width: float) -> npt.NDArray[np.bool_]:
    """Return the pixels within a distance of the outline of any thing, on both sides."""
    return np.asarray(ndimage.distance_transform_edt(~outlines(labels)) <= width / 2)


def depth(labels: Labels) -> Float:
    """Return the distance to the outline of the own thing, pixels; 0 outside."""
    return np.asarray(ndimage.distance_transform_edt((labels > 0) & ~outlines(labels)))


def outlines(labels: Labels) -> npt.NDArray[np.bool_]:
    """Return the pixels that have another label beside them."""
    return np.asarray(ndimage.maximum_filter(labels, 3) != ndimage.minimum_filter(labels, 3))
