"""What lies on a slide or a dish beside what is to be segmented, and must not be taken for it."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from pretraining.synthetic.noise import log_uniform, smooth
from pretraining.synthetic.paths import path
from pretraining.synthetic.scene import Float

__all__ = ["fibres", "lumps", "rings", "specks"]

_Shape = tuple[int, int]


def specks(rng: np.random.Generator, shape: _Shape, diameter: float) -> Float:
    """Return specks and smears, small beside things of this diameter; none in half the scenes."""
    if rng.random() < 0.5:
        return np.zeros(shape)
    seeds = np.zeros(shape)
    count = rng.integers(1, 30)
    seeds[rng.integers(0, shape[0], count), rng.integers(0, shape[1], count)] = rng.uniform(
        0.2, 1.5, count
    )
    size = rng.uniform(0.6, max(0.8, 0.08 * diameter))
    return np.asarray(ndimage.gaussian_filter(seeds, size) * (2 * np.pi * size**2))


def fibres(
    rng: np.random.Generator, shape: _Shape, *, share: float = 0.3, widest: float = 3.0
) -> Float:
    """Return a few threads and scratches, 0 to about 1; none but in a share of the scenes.

    Parameters
    ----------
    widest
        Largest standard deviation across a thread, pixels.
    """
    drawn = np.zeros(shape)
    if rng.random() > share:
        return drawn
    for _ in range(rng.integers(1, 5)):
        start, length = rng.uniform(0, 1, 2) * shape, log_uniform(rng, 20, 500)
        line = np.zeros(shape)
        rows, columns = path(rng, start, length, bend=rng.uniform(0.01, 0.08), shape=shape)
        line[rows, columns] = 1
        width = log_uniform(rng, 0.7, widest)
        line = ndimage.gaussian_filter(line, width) * width * np.sqrt(2 * np.pi)
        drawn = np.maximum(drawn, rng.uniform(0.3, 1) * line)
    return drawn


def rings(rng: np.random.Generator, shape: _Shape, share: float = 0.4) -> Float:
    """Return the diffraction rings of dust far out of focus, -1 to 1; none in most scenes."""
    drawn = np.zeros(shape)
    if rng.random() > share:
        return drawn
    for _ in range(rng.integers(1, 8)):
        radius, period = log_uniform(rng, 5, 35), log_uniform(rng, 4, 16)
        middle = rng.uniform(0, 1, 2) * shape
        y, x = np.ogrid[: shape[0], : shape[1]]
        away = np.hypot(y - middle[0], x - middle[1])
        wave = np.cos(2 * np.pi * away / period + rng.uniform(0, 2 * np.pi))
        drawn = drawn + rng.uniform(0.1, 0.5) * wave * np.exp(-((away / radius) ** 2))
    return np.asarray(drawn)


def lumps(rng: np.random.Generator, shape: _Shape, diameter: float, share: float = 0.4) -> Float:
    """Return dead cells and dirt far out of focus, -1 to 1; none but in a share of the scenes.

    As large as the things of this diameter, but without a sharp line anywhere.
    """
    drawn = np.zeros(shape)
    if rng.random() > share:
        return drawn
    y, x = np.ogrid[: shape[0], : shape[1]]
    uneven = smooth(rng, shape, 0.3 * diameter + 2)
    for _ in range(rng.integers(1, 8)):
        middle, radius = rng.uniform(0, 1, 2) * shape, diameter * log_uniform(rng, 0.1, 0.6)
        away = np.hypot(y - middle[0], x - middle[1]) + 0.3 * radius * uneven
        soft = radius * rng.uniform(0.15, 0.5)
        lump = 1 / (1 + np.exp(np.clip((away - radius) / soft, -30, 30)))
        drawn = drawn + rng.choice([-1, 1]) * rng.uniform(0.2, 1) * lump * (1 + 0.3 * uneven)
    return np.asarray(drawn)
