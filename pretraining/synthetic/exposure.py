"""What an electron microscope makes of a section: dirt, folds, light, blur, noise, contrast."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from pretraining.synthetic.neurites import Map, spline_noise
from pretraining.synthetic.noise import log_uniform

__all__ = ["expose", "soft_edge"]


def soft_edge(inside: Map, softness: float) -> Map:
    """Return the cover (0 to 1) of a thing from the signed distance to its edge, inside > 0."""
    return np.asarray(0.5 + 0.5 * np.tanh(inside / (2 * softness)), dtype=np.float32)


def expose(rng: np.random.Generator, density: Map) -> Map:
    """Return what the microscope records: dirt and folds, light, blur, noise and contrast."""
    shape = (density.shape[0], density.shape[1])
    density = density + _accidents(rng, shape)
    image = ndimage.gaussian_filter(1 - density, log_uniform(rng, 0.35, 1.8))
    light = spline_noise(rng, shape, max(shape) * rng.uniform(0.4, 1))
    image = image * (1 + rng.uniform(0, 0.15) * light) + rng.uniform(0, 0.08) * light
    image += log_uniform(rng, 0.01, 0.13) * spline_noise(rng, shape, 1)
    image += log_uniform(rng, 0.005, 0.08) * spline_noise(rng, shape, rng.uniform(1.2, 3.5))
    image = np.clip(image, 0, None) ** log_uniform(rng, 0.7, 1.5)
    if rng.random() < 0.08:
        image = 1 - image  # back-scattered electrons: stain is bright
    recorded = rng.uniform(0, 0.3) + rng.uniform(0.4, 1) * image
    return np.asarray(recorded, dtype=np.float32)


def _accidents(rng: np.random.Generator, shape: tuple[int, int]) -> Map:
    """Return the density of folds and dirt, none in most sections."""
    extra = np.zeros(shape, np.float32)
    if rng.random() < 0.06:  # a fold: a dark band across the section
        y, x = np.indices(shape)
        angle, middle = rng.uniform(0, np.pi), rng.uniform(0.2, 0.8, 2) * shape
        away = (y - middle[0]) * np.cos(angle) + (x - middle[1]) * np.sin(angle)
        away = away + 15 * spline_noise(rng, shape, 80)
        extra += rng.uniform(0.2, 0.5) * soft_edge(rng.uniform(2, 12) - np.abs(away), 2)
    if rng.random() < 0.12:  # dirt
        specks = spline_noise(rng, shape, rng.uniform(6, 25)) - rng.uniform(2.4, 3)
        extra += rng.uniform(0.3, 0.9) * soft_edge(specks, 0.08)
    return np.asarray(extra, dtype=np.float32)
