"""Where the neurites of a section lie: profiles that fill the plane, and how far apart they are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import KDTree
from scipy.spatial.distance import cdist

from pretraining.synthetic.noise import log_uniform

__all__ = ["Map", "Profiles", "distance_to_border", "profiles", "spline_noise"]

Map = npt.NDArray[np.float32]  # (Y, X)
Profiles = npt.NDArray[np.int32]  # (Y, X), numbers from 0
_Points = npt.NDArray[np.floating]  # (N, 2)

_MOST_SEEDS = 2500
_WIDEST = 150.0  # pixels
_SPLINE_VARIANCE = 151 / 315  # integral of the squared cubic B-spline
_FOLDED_MEAN = float(np.sqrt(2 / np.pi))  # mean of |z|, z standard normal


def spline_noise(rng: np.random.Generator, shape: tuple[int, int], grain: float) -> Map:
    """Return noise of zero mean and unit variance: cubic B-splines with random weights.

    Parameters
    ----------
    grain
        Distance of the splines' knots, pixels; white noise below 1. Two matrix products make it,
        so that it costs about as much as adding it to an image.
    """
    step = max(grain, 1.0)
    rows, columns = (_splines(side, step, float(rng.random())) for side in shape)
    weights = rng.standard_normal((rows.shape[1], columns.shape[1]), dtype=np.float32)
    noise = rows @ weights @ columns.T  # (Y, X)
    return np.asarray(noise / _SPLINE_VARIANCE, dtype=np.float32)


def _splines(length: int, step: float, phase: float) -> Map:
    """Return the value (length, knots) of each cubic B-spline at each pixel."""
    at = np.arange(length) / step + phase
    away = np.abs(at[:, None] - np.arange(-1, int(at[-1]) + 3))
    value = np.clip(2 - away, 0, None) ** 3 - 4 * np.clip(1 - away, 0, None) ** 3
    return np.asarray(value / 6, dtype=np.float32)


def profiles(rng: np.random.Generator, shape: tuple[int, int], diameter: float) -> Profiles:
    """Cut the plane into profiles of strongly mixed sizes with curved, partly hollow outlines.

    A power diagram (weighted Voronoi) in warped and stretched coordinates; some neighbours are
    merged.

    Parameters
    ----------
    diameter
        Median of the discs from which the profiles grow, pixels.
    """
    points = _warped_grid(rng, shape, diameter)  # (Y * X, 2)
    seeds, radii = _pack(rng, points.min(axis=0), points.max(axis=0), diameter)
    # Lifting a seed by sqrt(R² - r²) turns the nearest seed into the least |p - s|² - r².
    lift = np.sqrt(radii.max() ** 2 - radii**2)
    _, nearest = KDTree(np.column_stack([seeds, lift])).query(
        np.column_stack([points, np.zeros(len(points))])
    )
    cells = np.asarray(nearest, dtype=np.int32).reshape(shape)
    return _merge(rng, cells, share=rng.uniform(0, 0.35))


def _warped_grid(rng: np.random.Generator, shape: tuple[int, int], diameter: float) -> _Points:
    """Return where each pixel lies in the tissue: warped by smooth noise, stretched one way."""
    y, x = (side.astype(np.float32) for side in np.indices(shape))
    for grain, strength in ((3.0, 0.35), (1.2, 0.2), (0.5, 0.12)):
        reach = strength * rng.uniform(0.2, 1) * grain * diameter
        y = y + reach * spline_noise(rng, shape, grain * diameter)
        x = x + reach * spline_noise(rng, shape, grain * diameter)
    angle, stretch = rng.uniform(0, np.pi), log_uniform(rng, 1, 2.2) ** 0.5
    along = (np.cos(angle) * x + np.sin(angle) * y) / stretch
    across = (np.cos(angle) * y - np.sin(angle) * x) * stretch
    return np.column_stack([along.ravel(), across.ravel()])


def _pack(
    rng: np.random.Generator, low: _Points, high: _Points, diameter: float
) -> tuple[_Points, _Points]:
    """Return centres (N, 2) and radii (N,) of discs that hardly overlap, the largest set first."""
    low, high = low - diameter, high + diameter
    spread = rng.uniform(0.3, 0.85)
    count = int(np.prod(high - low) / diameter**2 * rng.uniform(1.2, 2.5)) + 3
    count = min(count, _MOST_SEEDS)
    radii = diameter / 2 * np.exp(rng.normal(0, spread, count))
    radii = np.sort(radii.clip(5, _WIDEST / 2))[::-1]
    if rng.random() < 0.2:
        radii[0] = rng.uniform(80, 130)  # the body of a cell
    centres = rng.uniform(low, high, (count, 2))
    clash = cdist(centres, centres) < rng.uniform(0.75, 0.95) * np.add.outer(radii, radii)
    kept = np.ones(count, dtype=bool)
    for disc in range(count):
        if kept[disc]:
            kept[disc + 1 :] &= ~clash[disc, disc + 1 :]
    return centres[kept], radii[kept]


def _merge(rng: np.random.Generator, cells: Profiles, share: float) -> Profiles:
    """Give this share of the profiles the number of a neighbour, long borders first of all."""
    left, right = cells[:, :-1].ravel(), cells[:, 1:].ravel()
    borders = np.flatnonzero(left != right)
    if not len(borders):
        return cells
    number = np.arange(int(cells.max()) + 1, dtype=np.int32)
    chosen = rng.choice(borders, round(share * len(np.unique(cells))))
    number[left[chosen]] = right[chosen]
    return np.asarray(number[cells])


def distance_to_border(cells: Profiles, rounding: float) -> Map:
    """Return the distance of each pixel to the line between two profiles, pixels.

    Parameters
    ----------
    rounding
        Standard deviation of a Gaussian, pixels, that rounds the corners where several profiles
        meet: distances shrink there, and stay what they were along straight lines.
    """
    border = np.zeros(cells.shape, dtype=bool)
    across, along = cells[1:] != cells[:-1], cells[:, 1:] != cells[:, :-1]
    border[1:] |= across
    border[:-1] |= across
    border[:, 1:] |= along
    border[:, :-1] |= along
    if not border.any():
        return np.full(cells.shape, max(cells.shape), dtype=np.float32)
    exact = ndimage.distance_transform_edt(~border).astype(np.float32) + np.float32(0.5)
    blurred = ndimage.gaussian_filter(exact, rounding)
    return np.sqrt(np.clip(blurred**2 - (_FOLDED_MEAN * rounding) ** 2, 0, None))
