"""Transmitted light: differential interference contrast, phase contrast, brightfield."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pretraining.synthetic import anatomy, clutter, shapes
from pretraining.synthetic.camera import record
from pretraining.synthetic.noise import log_uniform, mottle, smooth
from pretraining.synthetic.scene import Float, Scene, kinds_of_cells
from pretraining.synthetic.shapes import Labels

__all__ = ["brightfield", "interference", "phase_contrast"]

_SPREAD_OUT = 0.5  # share of the phase contrast scenes with thin cells


def interference(rng: np.random.Generator, shape: tuple[int, int]) -> Scene:
    """Draw DIC: the slope of the optical path along one direction, as if lit aslant."""
    diameter = log_uniform(rng, 16, 110)
    labels = _adherent(rng, shape, diameter)
    height, inner = _optical_path(rng, labels, diameter)
    angle = rng.uniform(0, 2 * np.pi)
    height = ndimage.gaussian_filter(height, rng.uniform(0.5, 1.5))
    slope = np.sin(angle) * ndimage.sobel(height, 0) + np.cos(angle) * ndimage.sobel(height, 1)
    slope = slope / max(float(slope.std()), 1e-6)
    if rng.random() < 0.5:
        slope = np.tanh(slope / rng.uniform(1.5, 3))
    slope = slope + rng.uniform(0, 0.3) * height / max(float(height.std()), 1e-6)
    if rng.random() < 0.5:
        slope = rng.uniform(0.1, 0.6) * slope + _flat_relief(rng, labels, diameter)
    ground = rng.uniform(0, 0.2) * mottle(rng, shape, (1.5, 30))
    return Scene(
        record(rng, slope + ground, blur=(0.4, 0.4 + 0.03 * diameter)),
        labels,
        kinds_of_cells(labels, inner),
    )


def _flat_relief(rng: np.random.Generator, labels: Labels, diameter: float) -> Float:
    """Return cells as grey as the ground: outlines, grains dark and bright, and hairs around."""
    shape = (labels.shape[0], labels.shape[1])
    edge = ndimage.gaussian_filter(
        anatomy.rim(labels, rng.uniform(1, 3)) * 1.0, rng.uniform(0.5, 1.2)
    )
    uneven = 1 + 0.5 * smooth(rng, shape, 0.3 * diameter)
    relief = rng.choice([-1, -1, 0, 1]) * rng.uniform(0.3, 1.5) * edge * uneven
    grains = ndimage.gaussian_laplace(_granules(rng, labels, diameter), rng.uniform(0.7, 1.5))
    relief = relief + rng.uniform(0.1, 1) * grains / max(float(grains.std()), 1e-6) * 0.5
    texture = mottle(rng, shape, (1, max(2.0, 0.08 * diameter)), 2)
    relief = relief + rng.uniform(0.05, 0.4) * texture * (labels > 0)
    outside = ndimage.distance_transform_edt(labels == 0)
    near = np.exp(-outside / (diameter * rng.uniform(0.03, 0.15))) * (labels == 0)
    hairs = abs(smooth(rng, shape, rng.uniform(1.5, 4))) < 0.15
    return np.asarray(relief + rng.choice([0, 0.5, -0.5]) * near * hairs)


def phase_contrast(rng: np.random.Generator, shape: tuple[int, int]) -> Scene:
    """Draw phase contrast: darker (or brighter) cells with a halo around and shade-off inside."""
    if rng.random() < _SPREAD_OUT:
        return _spread_cells(rng, shape)
    diameter = log_uniform(rng, 14, 120)
    labels = _adherent(rng, shape, diameter)
    path, inner = _optical_path(rng, labels, diameter)
    path = path / max(float(path.max()), 1e-6)
    halo = ndimage.gaussian_filter(path, diameter * rng.uniform(0.08, 0.4))
    ideal = rng.uniform(0.4, 1.1) * halo - path * rng.choice([1, 1, 1, -0.8])
    ideal = ideal + rng.uniform(0, 0.08) * _granules(rng, labels, diameter)
    edge = ndimage.gaussian_filter(anatomy.rim(labels, 1.5) * 1.0, rng.uniform(0.5, 1.2))
    ideal = ideal + rng.choice([-0.25, 0, 0.15, 0.4]) * edge
    if rng.random() < 0.3:  # rounded cells, about to divide, shine
        shining = anatomy.thin_out(rng, labels, 0.85)
        ideal = ideal + rng.uniform(0.3, 1.2) * ndimage.gaussian_filter((shining > 0) * 1.0, 2)
    ideal = ideal + rng.uniform(0, 0.06) * mottle(rng, shape, (1.5, 80))
    ideal = ideal + _dirt(rng, labels, diameter)
    return Scene(
        record(rng, ideal, blur=(0.4, 0.4 + 0.03 * diameter)), labels, kinds_of_cells(labels, inner)
    )


def _spread_cells(rng: np.random.Generator, shape: tuple[int, int]) -> Scene:
    """Draw cells that crawl: a thin sheet as grey as the ground, a dark seam, a thick body.

    The body alone has a halo, brightest where it comes near the edge; rounded, it shines.
    """
    diameter = log_uniform(rng, 24, 130)
    labels = shapes.blobs(
        rng,
        shape,
        diameter,
        density=log_uniform(rng, 0.06, 0.7),
        apart=rng.uniform(0.7, 1.3),
        lobes=rng.uniform(0.05, 0.4),
        elongation=rng.uniform(1.2, 3.0),
        spread=rng.uniform(0.2, 0.5),
    )
    labels = shapes.with_processes(rng, labels, diameter, share=rng.uniform(0, 0.5))
    inside = labels > 0
    body = anatomy.inner_parts(rng, labels, (0.35, 0.75), share=0.95, deep=rng.uniform(0.2, 0.7))
    thick = ndimage.gaussian_filter(body * 1.0, rng.uniform(0.02, 0.08) * diameter)
    own = np.exp(rng.normal(0, 0.3, int(labels.max()) + 1))[labels]
    sheet = -rng.uniform(-0.05, 0.25) * own * inside
    seam = np.exp(-anatomy.depth(labels) / rng.uniform(1, 4)) * inside
    ruffled = 1 / (1 + np.exp(rng.normal(0, 1) - 3 * smooth(rng, shape, 0.15 * diameter + 2)))
    halo = ndimage.gaussian_filter(thick, diameter * rng.uniform(0.04, 0.15))
    halo = halo * np.where(inside, rng.uniform(0, 0.4), 1)
    ideal = sheet - rng.uniform(0.2, 1) * ruffled * seam - rng.uniform(0.1, 0.7) * thick * inside
    ideal = ideal + rng.uniform(0.5, 4) * ndimage.gaussian_filter(halo, 1)
    ideal = ideal - rng.uniform(0, 0.15) * _granules(rng, labels, diameter)
    if rng.random() < 0.7:
        ideal = ideal + _rounded(rng, labels, body)
    ideal = ideal + rng.uniform(0, 0.04) * mottle(rng, shape, (1.5, 80))
    ideal = ideal + _dirt(rng, labels, diameter)
    return Scene(record(rng, ideal, blur=(0.4, 1.5)), labels, kinds_of_cells(labels, body))


def _rounded(rng: np.random.Generator, labels: Labels, body: npt.NDArray[np.bool_]) -> Float:
    """Return the light of bodies that have rounded up: bright, with a dark line around."""
    shining = body & (anatomy.thin_out(rng, labels, rng.uniform(0.3, 0.95)) > 0)
    edge = ndimage.gaussian_filter((anatomy.rim(shining.astype(np.int32), 2)) * 1.0, 0.8)
    core = ndimage.gaussian_filter(shining * 1.0, rng.uniform(1, 3))
    if rng.random() < 0.5:  # the light comes from near the edge
        shape = (labels.shape[0], labels.shape[1])
        deep = ndimage.gaussian_filter(core, 4) ** 2
        core = core - rng.uniform(0.5, 1.2) * deep * (1 + 0.3 * mottle(rng, shape, (1.5, 6)))
    return np.asarray(rng.uniform(0.8, 2.2) * core - rng.uniform(0, 0.8) * edge)


def _dirt(rng: np.random.Generator, labels: Labels, diameter: float) -> Float:
    """Return what floats over or lies on the dish."""
    shape = (labels.shape[0], labels.shape[1])
    threads = rng.uniform(-0.2, 0.5) * clutter.fibres(rng, shape)
    dust = rng.uniform(0.02, 0.25) * clutter.rings(rng, shape)
    bright = rng.choice([-0.6, 0.6, 1.2]) * clutter.specks(rng, shape, min(diameter, 40))
    lumps = rng.uniform(0.1, 0.6) * clutter.lumps(rng, shape, diameter)
    return np.asarray(threads + dust + bright + lumps)


def brightfield(rng: np.random.Generator, shape: tuple[int, int]) -> Scene:
    """Draw brightfield, a little out of focus: outlines as dark and bright rings, faint bodies."""
    diameter = log_uniform(rng, 12, 90)
    labels = _adherent(rng, shape, diameter)
    path, inner = _optical_path(rng, labels, diameter)
    focus = rng.uniform(0.8, max(1.0, 0.06 * diameter))
    rings = ndimage.gaussian_laplace(ndimage.gaussian_filter(path, 0.7), focus)
    rings = rings / max(float(rings.std()), 1e-6) * rng.choice([-1, 1])
    ideal = 0.3 * np.tanh(rings / 3) - rng.uniform(0, 0.4) * path / max(float(path.max()), 1e-6)
    ideal = ideal + rng.uniform(0, 0.1) * _granules(rng, labels, diameter)
    ideal = ideal + rng.uniform(0, 0.05) * mottle(rng, shape, (1.5, 60))
    ideal = ideal + _dirt(rng, labels, diameter)
    return Scene(
        record(rng, ideal, blur=(0.4, 0.4 + 0.03 * diameter)), labels, kinds_of_cells(labels, inner)
    )


def _adherent(rng: np.random.Generator, shape: tuple[int, int], diameter: float) -> Labels:
    """Return cells on a dish: confluent, in islands, spread with processes, or round."""
    look = rng.random()
    if look < 0.35:
        full = shapes.tissue(rng, shape, diameter, spread=rng.uniform(0.1, 0.4))
        return anatomy.thin_out(rng, full, rng.uniform(0, 0.5))
    spread_out = look < 0.7
    return shapes.blobs(
        rng,
        shape,
        diameter,
        density=log_uniform(rng, 0.15, 1.3),
        apart=rng.uniform(0.6, 1.0),
        lobes=min(1.0, diameter / 40) * rng.uniform(*((0.2, 0.5) if spread_out else (0, 0.1))),
        elongation=rng.uniform(1.1, 3.0 if spread_out else 1.4),
        spread=rng.uniform(0.05, 0.4),
    )


def _optical_path(
    rng: np.random.Generator, labels: Labels, diameter: float
) -> tuple[Float, npt.NDArray[np.bool_]]:
    """Return how much the cells delay the light, and where their nuclei are."""
    shape = (labels.shape[0], labels.shape[1])
    depth = anatomy.depth(labels) / (diameter / 2)
    reach = rng.uniform(0.1, 1.0)
    dome = np.minimum(depth / reach, 1) ** rng.uniform(0.4, 1.2)
    own = np.exp(rng.normal(0, rng.uniform(0, 0.4), int(labels.max()) + 1))[labels]
    inner = anatomy.inner_parts(rng, labels, (0.25, 0.55), share=rng.uniform(0.3, 1))
    path = own * dome * (labels > 0)
    path = path + rng.uniform(-0.15, 0.4) * ndimage.gaussian_filter(
        inner * 1.0, 0.04 * diameter + 0.5
    )
    path = path + rng.uniform(0, 0.25) * _granules(rng, labels, diameter)
    coarse = mottle(rng, shape, (max(1.5, 0.05 * diameter), max(3.0, 0.4 * diameter)), 2)
    return path + rng.uniform(0, 0.15) * coarse * (labels > 0), inner


def _granules(rng: np.random.Generator, labels: Labels, diameter: float) -> Float:
    """Return grains inside the cells: dense near the nucleus in some, everywhere in others."""
    shape = (labels.shape[0], labels.shape[1])
    grain = rng.uniform(0.8, max(1.2, 0.05 * diameter))
    field = smooth(rng, shape, grain)
    field = np.where(field > rng.uniform(-0.5, 1.5), field, 0)
    patches = smooth(rng, shape, max(4.0, 0.5 * diameter)) > rng.uniform(-1.5, 0.5)
    return np.asarray(field * (labels > 0) * ndimage.gaussian_filter(patches * 1.0, 2))
