"""Random fields: smooth noise of a given grain, and mixtures of grains."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from pretraining.synthetic.scene import Float

__all__ = ["log_uniform", "mottle", "smooth"]

_FINEST = 1.5  # pixels; finer grain is white noise with a blur
_OVERSAMPLING = 2.0  # grid points per grain


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number whose logarithm is evenly distributed."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def smooth(rng: np.random.Generator, shape: tuple[int, int], grain: float) -> Float:
    """Return noise of zero mean and about unit variance.

    Parameters
    ----------
    grain
        Correlation length, pixels. Coarse noise is drawn on a coarse grid and interpolated
        cubically, so that its cost does not grow with the grain.
    """
    if grain < _FINEST:
        fine = ndimage.gaussian_filter(rng.standard_normal(shape), grain)
        return fine / max(float(fine.std()), 1e-6)
    step = grain / _OVERSAMPLING
    coarse_shape = [int(np.ceil(side / step)) + 4 for side in shape]
    coarse = ndimage.gaussian_filter(rng.standard_normal(coarse_shape), _OVERSAMPLING / 2)
    coarse /= max(float(coarse.std()), 1e-6)
    y, x = (1.5 + np.arange(side) / step for side in shape)
    rows = ndimage.map_coordinates(
        coarse.astype(np.float32), np.meshgrid(y, x, indexing="ij"), order=3, output=np.float32
    )
    return np.asarray(rows)


def mottle(
    rng: np.random.Generator, shape: tuple[int, int], grains: tuple[float, float], count: int = 3
) -> Float:
    """Return a mixture of `count` grains drawn between two limits, unit variance."""
    total = np.zeros(shape, dtype=np.float32)
    for weight in rng.uniform(0.2, 1, count):
        total += weight * smooth(rng, shape, log_uniform(rng, *grains))
    return total / max(float(total.std()), 1e-6)
