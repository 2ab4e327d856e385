"""From an ideal picture to a recorded one: blur, uneven light, noise, a finite range."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pretraining.synthetic.noise import log_uniform, smooth
from pretraining.synthetic.scene import Float

__all__ = ["record"]


def record(
    rng: np.random.Generator, ideal: Float, *, blur: tuple[float, float] = (0.4, 2.0)
) -> npt.NDArray[np.float32]:
    """Return the picture as a camera records it.

    Parameters
    ----------
    ideal
        (Y, X), about 0 to 1.
    blur
        Least and largest standard deviation of the point spread function, pixels.
    """
    shape = (ideal.shape[0], ideal.shape[1])
    image: Float = ndimage.gaussian_filter(ideal.astype(np.float32), log_uniform(rng, *blur))
    span = max(float(np.percentile(image, 99) - np.percentile(image, 1)), 1e-3)
    if rng.random() < 0.6:
        shading = smooth(rng, shape, max(shape) * rng.uniform(0.4, 1.2))
        if rng.random() < 0.5:
            image = image * (1 + rng.uniform(0, 0.25) * shading.clip(-2, 2))
        else:
            image = image + span * rng.uniform(0, 0.2) * shading
    image = image + span * _noise(rng, image, shape)
    if rng.random() < 0.15:
        image = np.clip(image, None, np.percentile(image, rng.uniform(90, 99.5)))
    if rng.random() < 0.2:
        levels = rng.integers(12, 64)
        image = np.round(image / span * levels) * span / levels
    return image.astype(np.float32)


def _noise(rng: np.random.Generator, image: Float, shape: tuple[int, int]) -> Float:
    """Return white, signal-dependent and correlated noise, relative to the picture's span."""
    strength = log_uniform(rng, 0.004, 0.12)
    noise = strength * rng.standard_normal(shape)
    if rng.random() < 0.5:  # photons
        low, high = np.percentile(image, (1, 99))
        light = ((image - low) / max(high - low, 1e-3)).clip(0.02, 1.5)
        noise = noise * np.sqrt(light) * 1.5
    if rng.random() < 0.4:
        noise = noise + log_uniform(rng, 0.01, 0.08) * smooth(rng, shape, rng.uniform(0.6, 3))
    return np.asarray(noise)
