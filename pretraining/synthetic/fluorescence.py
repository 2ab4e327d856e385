"""Fluorescence: nuclei, whole cells, stained membranes, bacteria; and stained tissue sections."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from pretraining.synthetic import anatomy, clutter, shapes
from pretraining.synthetic.camera import record
from pretraining.synthetic.noise import log_uniform, mottle, smooth
from pretraining.synthetic.scene import (
    CYTOPLASM,
    MEMBRANE,
    NUCLEUS,
    OUTSIDE,
    Float,
    Scene,
    kinds_of_cells,
)
from pretraining.synthetic.shapes import Labels

__all__ = ["bacteria", "cells", "membranes", "nuclei", "stained_tissue"]


def nuclei(rng: np.random.Generator, shape: tuple[int, int]) -> Scene:
    """Draw bright nuclei of uneven stain, some touching, some dim, over haze and debris."""
    diameter = log_uniform(rng, 9, 70)
    labels = _nuclei_labels(rng, shape, diameter)
    bright = _per_thing(rng, labels, spread=rng.uniform(0.05, 0.7))
    ideal = bright * _soft(labels, rng.uniform(0.5, 2.5)) * _texture(rng, shape, diameter)
    if rng.random() < 0.4:  # nucleoli
        spots = anatomy.inner_parts(rng, labels, (0.1, 0.3), share=0.8)
        ideal = ideal * (1 - rng.uniform(0.2, 0.7) * spots)
    ideal = ideal + _haze(rng, ideal, diameter) + _clutter(rng, labels, diameter)
    kinds = np.where(labels > 0, NUCLEUS, OUTSIDE).astype(np.uint8)
    return Scene(record(rng, ideal, blur=(0.4, 0.5 + 0.04 * diameter)), labels, kinds)


def cells(rng: np.random.Generator, shape: tuple[int, int]) -> Scene:
    """Draw cells with a stain in the cytoplasm; the nucleus dark, bright, or not to be seen."""
    diameter = log_uniform(rng, 14, 100)
    labels = _cell_labels(rng, shape, diameter)
    inner = anatomy.inner_parts(rng, labels, (0.3, 0.55))
    depth = anatomy.depth(labels)
    profile = np.minimum(depth / (diameter * rng.uniform(0.05, 0.35)), 1) ** rng.uniform(0.3, 1)
    bright = _per_thing(rng, labels, spread=rng.uniform(0.05, 0.5))
    ideal = bright * (0.3 + 0.7 * profile) * (labels > 0) * _texture(rng, shape, diameter, 0.4)
    ideal = ideal * (
        1 + rng.choice([-0.7, -0.4, 0, 0.5, 1.0]) * ndimage.gaussian_filter(inner * 1.0, 1)
    )
    if rng.random() < 0.5:
        ideal = ideal * (1 - rng.uniform(0.1, 0.6) * anatomy.rim(labels, rng.uniform(1, 3)))
    ideal = ideal + _haze(rng, ideal, diameter) + _clutter(rng, labels, diameter)
    return Scene(
        record(rng, ideal, blur=(0.4, 0.5 + 0.04 * diameter)), labels, kinds_of_cells(labels, inner)
    )


def membranes(rng: np.random.Generator, shape: tuple[int, int]) -> Scene:
    """Draw a confocal section of tissue with stained membranes or walls."""
    diameter = log_uniform(rng, 12, 110)
    labels = shapes.tissue(rng, shape, diameter, spread=rng.uniform(0.1, 0.6))
    if rng.random() < 0.4:
        labels = anatomy.thin_out(rng, labels, rng.uniform(0.05, 0.4))
    width = rng.uniform(1.5, max(2.0, min(7.0, 0.14 * diameter)))
    wall = anatomy.rim(labels, width)
    along = 1 + rng.uniform(0, 0.6) * smooth(rng, shape, diameter * rng.uniform(0.2, 0.8))
    ideal = ndimage.gaussian_filter(wall * along.clip(0.05, None), rng.uniform(0.3, 1.2))
    inside = (labels > 0) * rng.uniform(0, 0.35) * _texture(rng, shape, diameter, 0.7)
    inner = anatomy.inner_parts(rng, labels, (0.25, 0.5), share=rng.uniform(0, 1))
    ideal = ideal + inside + rng.choice([0, 0, 0.4, -0.1]) * inner
    ideal = ideal + _haze(rng, ideal, diameter) + _clutter(rng, labels, diameter)
    if rng.random() < 0.15:
        ideal = -ideal
    interior = np.where(wall, 0, labels).astype(np.int32)
    kinds = kinds_of_cells(interior, inner)
    kinds[wall] = MEMBRANE
    return Scene(record(rng, ideal, blur=(0.4, 0.5 + 0.04 * diameter)), interior, kinds)


def bacteria(rng: np.random.Generator, shape: tuple[int, int]) -> Scene:
    """Draw rods or cocci: bright inside, at the membrane, or dark in phase contrast with a halo."""
    width = log_uniform(rng, 5, 22)
    length = width * rng.uniform(1.3, 6)
    labels = shapes.rods(rng, shape, width, length, density=rng.uniform(0.05, 0.8))
    bright = _per_thing(rng, labels, spread=rng.uniform(0.02, 0.4))
    body = _soft(labels, rng.uniform(0.4, 1.2))
    look = rng.random()
    if look < 0.45:
        ideal: Float = bright * body * _texture(rng, shape, width, 0.3)
    elif look < 0.6:
        ideal = bright * ndimage.gaussian_filter(
            anatomy.rim(labels, rng.uniform(1, 2.5)) * 1.0, 0.6
        )
        ideal = ideal + 0.3 * body
    else:
        halo = ndimage.gaussian_filter(body, width * rng.uniform(0.4, 1.2))
        ideal = rng.uniform(0.5, 1.2) * halo - bright * body
        ideal = ideal + 0.05 * mottle(rng, shape, (2, 40))
    ideal = ideal + _clutter(rng, labels, width)
    kinds = np.where(labels > 0, CYTOPLASM, OUTSIDE).astype(np.uint8)
    return Scene(record(rng, ideal, blur=(0.3, 0.12 * width + 0.4)), labels, kinds)


def stained_tissue(rng: np.random.Generator, shape: tuple[int, int]) -> Scene:
    """Draw dark nuclei in a busy section, as in histology turned to grey."""
    diameter = log_uniform(rng, 9, 50)
    labels = _nuclei_labels(rng, shape, diameter)
    dark = _per_thing(rng, labels, spread=0.25) * rng.uniform(0.25, 0.6)
    ground = 0.8 + rng.uniform(0.02, 0.12) * mottle(rng, shape, (2, 6 * diameter), 4)
    if rng.random() < 0.4:  # a smear instead of a section: flat, thin cells, folded here and there
        ground = 0.9 + 0.02 * mottle(rng, shape, (2, 60)) - _flat_cells(rng, shape, diameter)
    stroma = smooth(rng, shape, 4 * diameter) > rng.uniform(0, 1)
    ground = ground - 0.15 * rng.random() * ndimage.gaussian_filter(stroma * 1.0, 3)
    ground = ground - rng.uniform(0.05, 0.3) * _clutter(rng, labels, diameter)
    if rng.random() < 0.4:
        cell = ndimage.gaussian_filter((labels > 0) * 1.0, 0.5 * diameter)
        ground = ground - 0.15 * cell
    body = _soft(labels, rng.uniform(0.5, 1.5)) * _texture(rng, shape, diameter, 0.5)
    ideal = ground - dark * body
    if rng.random() < 0.5:
        ideal = ideal - rng.uniform(0, 0.25) * anatomy.rim(labels, 2) * (labels > 0)
    kinds = np.where(labels > 0, NUCLEUS, OUTSIDE).astype(np.uint8)
    return Scene(record(rng, ideal, blur=(0.4, 0.5 + 0.04 * diameter)), labels, kinds)


def _flat_cells(rng: np.random.Generator, shape: tuple[int, int], diameter: float) -> Float:
    """Return how much light thin cells take that lie over one another, with folds and grains."""
    taken: Float = np.zeros(shape)
    for _ in range(rng.integers(1, 4)):
        cells = shapes.blobs(
            rng,
            shape,
            diameter * rng.uniform(3, 8),
            density=rng.uniform(0.1, 0.6),
            apart=0.7,
            lobes=rng.uniform(0.05, 0.3),
            elongation=2.0,
            spread=0.3,
        )
        sheet = _per_thing(rng, cells, spread=0.3) * (cells > 0)
        sheet = sheet * (1 + rng.uniform(0, 0.3) * mottle(rng, shape, (2, 2 * diameter)))
        edge = rng.uniform(0, 0.3) * ndimage.gaussian_filter(anatomy.rim(cells, 1.5) * 1.0, 0.7)
        fold = smooth(rng, shape, 2 * diameter) > rng.uniform(1.2, 2.5)
        taken = taken + rng.uniform(0.05, 0.3) * (sheet * (1 + 0.8 * fold) + edge)
    grains = smooth(rng, shape, rng.uniform(1, 2.5)) > rng.uniform(2.2, 3.2)
    return taken + rng.uniform(0.1, 0.3) * ndimage.gaussian_filter(grains * 1.0, 0.6)


def _nuclei_labels(rng: np.random.Generator, shape: tuple[int, int], diameter: float) -> Labels:
    return shapes.blobs(
        rng,
        shape,
        diameter,
        density=log_uniform(rng, 0.05, 0.9),
        apart=rng.uniform(0.75, 1.1),
        lobes=rng.uniform(0.0, 0.15),
        elongation=rng.uniform(1.05, 2.2),
        spread=rng.uniform(0.05, 0.4),
    )


def _cell_labels(rng: np.random.Generator, shape: tuple[int, int], diameter: float) -> Labels:
    if rng.random() < 0.3:
        full = shapes.tissue(rng, shape, diameter, spread=rng.uniform(0.1, 0.4))
        return anatomy.thin_out(rng, full, rng.uniform(0, 0.6))
    return shapes.blobs(
        rng,
        shape,
        diameter,
        density=log_uniform(rng, 0.1, 1.2),
        apart=rng.uniform(0.6, 1.0),
        lobes=min(1.0, diameter / 40) * rng.uniform(0.05, 0.4),
        elongation=rng.uniform(1.05, 2.5),
        spread=rng.uniform(0.1, 0.4),
    )


def _per_thing(rng: np.random.Generator, labels: Labels, *, spread: float) -> Float:
    """Return each thing's own brightness at its pixels."""
    values = np.exp(rng.normal(0, spread, int(labels.max()) + 1))
    return np.asarray(values[labels])


def _soft(labels: Labels, width: float) -> Float:
    """Return 1 deep inside the things, falling to 0 at their outlines."""
    return np.asarray(np.minimum(anatomy.depth(labels) / width, 1) * 0.5 + 0.5 * (labels > 0))


def _texture(
    rng: np.random.Generator, shape: tuple[int, int], diameter: float, most: float = 0.35
) -> Float:
    grains = (max(0.8, 0.04 * diameter), max(2.0, 0.5 * diameter))
    return np.asarray(np.clip(1 + rng.uniform(0, most) * mottle(rng, shape, grains, 2), 0.05, None))


def _haze(rng: np.random.Generator, ideal: Float, diameter: float) -> Float:
    """Return light from out of focus."""
    if rng.random() < 0.4:
        return np.zeros_like(ideal)
    haze = rng.uniform(0, 0.6) * ndimage.gaussian_filter(ideal, diameter * rng.uniform(0.2, 1.0))
    shape = (ideal.shape[0], ideal.shape[1])
    return haze + rng.uniform(0, 0.15) * smooth(rng, shape, 3 * diameter).clip(0, None)


def _clutter(rng: np.random.Generator, labels: Labels, diameter: float) -> Float:
    """Return specks, smears and threads that are no thing to segment."""
    shape = (labels.shape[0], labels.shape[1])
    threads = rng.uniform(0.2, 1.5) * clutter.fibres(rng, shape, share=0.25, widest=25)
    return clutter.specks(rng, shape, diameter) + threads
