"""Label images of things that live under microscopes, drawn by competition.

Every thing has a distance function in units of its own size: below 1 is inside. A pixel belongs
to the thing that is nearest in these units, so that neighbours which touch share a line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pretraining.synthetic.noise import smooth
from pretraining.synthetic.paths import path
from pretraining.synthetic.scene import Float

__all__ = [
    "Labels",
    "blobs",
    "rods",
    "tissue",
    "with_processes",
]

Labels = npt.NDArray[np.int32]

_Box = tuple[slice, slice]
_HARMONICS = np.arange(2, 6)
_SLIVER = 0.15  # of the median area: smaller parts are dropped


def blobs(
    rng: np.random.Generator,
    shape: tuple[int, int],
    diameter: float,
    *,
    density: float,
    apart: float,
    lobes: float,
    elongation: float,
    spread: float,
) -> Labels:
    """Return lobed, more or less elongated things, alone or in clumps.

    Parameters
    ----------
    diameter
        Typical, pixels.
    density
        Share of the area that they would cover if none overlapped.
    apart
        Least distance of two centres, in sums of radii: below 1 they press on each other.
    lobes
        Relative depth of their bulges.
    elongation
        Largest ratio of length to width.
    spread
        Relative standard deviation of their sizes.
    """
    count = max(2, round(density * (shape[0] + diameter) * (shape[1] + diameter) / diameter**2))
    radius = diameter / 2 * np.exp(rng.normal(0, spread, count)).clip(0.4, 2.5)
    centres = _place(rng, radius, shape, apart)
    warp = _warp(rng, shape, diameter)
    things = (
        _blob(rng, centre, size, lobes, rng.uniform(1, elongation), warp)
        for centre, size in zip(centres, radius, strict=False)
    )
    return _tidy(_compete(things, shape))


def tissue(
    rng: np.random.Generator, shape: tuple[int, int], diameter: float, *, spread: float
) -> Labels:
    """Return cells that fill the plane: a weighted, warped Voronoi diagram."""
    count = max(4, round(1.3 * (shape[0] + 2 * diameter) * (shape[1] + 2 * diameter) / diameter**2))
    radius = diameter / 2 * np.exp(rng.normal(0, spread, count)).clip(0.5, 2)
    centres = _place(rng, radius, shape, apart=0.9, border=diameter)
    warp = _warp(rng, shape, diameter)
    things = (
        _blob(rng, centre, 3 * size, 0.05, rng.uniform(1, 1.5), warp)
        for centre, size in zip(centres, radius, strict=False)
    )
    return _tidy(_compete(things, shape))


def rods(
    rng: np.random.Generator,
    shape: tuple[int, int],
    width: float,
    length: float,
    *,
    density: float,
) -> Labels:
    """Return capsules, straight or bent, many of them end to end or side by side.

    Parameters
    ----------
    width, length
        Typical, pixels.
    density
        Share of the area that they would cover if none overlapped.
    """
    count = max(2, round(density * shape[0] * shape[1] / (width * length)))
    things: list[tuple[_Box, Float]] = []
    middles: list[tuple[Float, float]] = []
    for _ in range(count):
        if middles and rng.random() < 0.7:  # beside another one
            middle, angle = middles[rng.integers(len(middles))]
            side = rng.random() < 0.6
            step = (1.05 * width if side else 1.08 * length) * rng.choice([-1, 1])
            direction = angle + np.pi / 2 * side
            middle = middle + step * np.array([np.sin(direction), np.cos(direction)])
            angle = angle + rng.normal(0, 0.15)
        else:
            middle = rng.uniform(0, 1, 2) * shape
            angle = rng.uniform(0, np.pi)
        if any(np.linalg.norm(middle - other) < 0.85 * width for other, _ in middles):
            continue
        middles.append((middle, angle))
        long = max(1.3 * width, length * np.exp(rng.normal(0, 0.25)))
        wide = width * np.exp(rng.normal(0, 0.08))
        things += _rod(middle, angle, long, wide, rng.normal(0, 0.25), shape)
    return _tidy(_compete(things, shape))


def with_processes(
    rng: np.random.Generator, labels: Labels, diameter: float, share: float
) -> Labels:
    """Return the labels with thin arms that grow from a share of the things over free ground."""
    shape = (labels.shape[0], labels.shape[1])
    grown = labels.copy()
    for number, box in enumerate(_boxes(labels), start=1):
        if box is None or rng.random() > share:
            continue
        own = np.argwhere(labels[box] == number)
        start = own[rng.integers(len(own))] + [side.start for side in box]
        length = diameter * rng.uniform(0.5, 1.3)
        arm = np.zeros(shape, dtype=bool)
        arm[path(rng, start, length, bend=0.05, shape=shape)] = True
        if arm.any():
            near = ndimage.distance_transform_edt(~arm) <= rng.uniform(1, 0.04 * diameter + 2)
            grown[near & (labels == 0)] = number
    return _tidy(grown)


def _place(
    rng: np.random.Generator,
    radius: Float,
    shape: tuple[int, int],
    apart: float,
    border: float = 0.0,
) -> Float:
    """Return centres that keep their distance; there may be fewer than radii."""
    placed = np.empty((0, 2))
    clumping = rng.random() * 0.8
    kept: list[float] = []
    for size in radius:
        tries = rng.uniform(-border, np.array(shape) + border, (24, 2))
        if len(placed) and rng.random() < clumping:
            beside = rng.integers(len(placed), size=24)
            reach = apart * (size + np.array(kept)[beside]) * rng.uniform(1, 1.1, 24)
            angle = rng.uniform(0, 2 * np.pi, 24)
            tries = placed[beside] + reach[:, None] * np.stack([np.sin(angle), np.cos(angle)], 1)
        if len(placed):
            gaps = np.linalg.norm(tries[:, None] - placed, axis=2) / (size + np.array(kept))
            room = gaps.min(axis=1)
            in_sight = (tries > -border - size).all(1) & (
                tries < np.array(shape) + border + size
            ).all(1)
            free = np.flatnonzero((room >= apart) & in_sight)
            if not free.size:
                continue
            tries = tries[free]
        placed = np.concatenate([placed, tries[:1]])
        kept.append(float(size))
    radius[: len(kept)] = kept
    return placed


def _warp(rng: np.random.Generator, shape: tuple[int, int], diameter: float) -> Float:
    """Return displacements (2, Y, X) that make outlines irregular."""
    strength = diameter * rng.uniform(0, 0.12)
    fine = diameter * rng.uniform(0, 0.03)
    return np.stack(
        [
            strength * smooth(rng, shape, 0.5 * diameter)
            + fine * smooth(rng, shape, max(2.0, 0.12 * diameter))
            for _ in range(2)
        ]
    )


def _blob(
    rng: np.random.Generator,
    centre: Float,
    radius: float,
    lobes: float,
    elongation: float,
    warp: Float,
) -> tuple[_Box, Float]:
    shape = warp.shape[1:]
    reach = 1.6 * radius * np.sqrt(elongation)
    first = np.clip(centre - reach, 0, shape).astype(int)
    last = np.clip(centre + reach + 1, 0, shape).astype(int)
    box = slice(first[0], last[0]), slice(first[1], last[1])
    y, x = np.ogrid[box]
    dy, dx = y - centre[0] + warp[0][box], x - centre[1] + warp[1][box]
    turn = rng.uniform(0, np.pi)
    along = (np.cos(turn) * dy + np.sin(turn) * dx) / np.sqrt(elongation)
    across = (np.cos(turn) * dx - np.sin(turn) * dy) * np.sqrt(elongation)
    outline = np.ones(np.broadcast(dy, dx).shape)
    if lobes > 0:
        angle = np.arctan2(along, across)
        for harmonic in _HARMONICS:
            bulge, phase = rng.normal(0, lobes / np.sqrt(harmonic)), rng.uniform(0, 2 * np.pi)
            outline += bulge * np.cos(harmonic * angle + phase)
    return box, np.hypot(along, across) / (radius * np.clip(outline, 0.4, 1.7))


def _rod(
    middle: Float, angle: float, length: float, width: float, bend: float, shape: tuple[int, int]
) -> Iterator[tuple[_Box, Float]]:
    first = np.clip(middle - length, 0, shape).astype(int)
    last = np.clip(middle + length + 1, 0, shape).astype(int)
    if (last <= first).any():
        return
    box = slice(first[0], last[0]), slice(first[1], last[1])
    y, x = np.ogrid[box]
    along = np.sin(angle) * (y - middle[0]) + np.cos(angle) * (x - middle[1])
    across = np.cos(angle) * (y - middle[0]) - np.sin(angle) * (x - middle[1])
    across = across + bend * (along / length) ** 2 * length
    beyond = np.maximum(abs(along) - (length - width) / 2, 0)
    yield box, np.hypot(beyond, across) / (width / 2)


def _compete(things: Iterable[tuple[_Box, Float]], shape: tuple[int, int]) -> Labels:
    labels = np.zeros(shape, dtype=np.int32)
    nearest = np.ones(shape)
    for number, (box, distance) in enumerate(things, start=1):
        nearer = distance < nearest[box]
        labels[box][nearer] = number
        nearest[box][nearer] = distance[nearer]
    return labels


def _boxes(labels: Labels) -> Sequence[tuple[slice, ...] | None]:
    return ndimage.find_objects(labels)


def _tidy(labels: Labels) -> Labels:
    """Keep the largest part of each thing, drop slivers, and number them from 1."""
    areas = np.bincount(labels.ravel())[1:]
    smallest = _SLIVER * float(np.median(areas[areas > 0])) if areas.any() else 0
    tidy = np.zeros_like(labels)
    count = 0
    for number, box in enumerate(_boxes(labels), start=1):
        if box is None:
            continue
        parts, found = ndimage.label(labels[box] == number)
        sizes = np.bincount(parts.ravel(), minlength=found + 1)[1:]
        touches_edge = any(
            side.start == 0 or side.stop == full
            for side, full in zip(box, labels.shape, strict=True)
        )
        if sizes.max() < (5 if touches_edge else max(smallest, 5)):
            continue
        count += 1
        tidy[box][parts == sizes.argmax() + 1] = count
    return tidy
