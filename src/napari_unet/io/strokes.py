"""Paint on a sample as a person would: a few whole cells, and the brush through the background."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.graph import route_through_array

from napari_unet.engine.paint import PAINTED_BACKGROUND

_Float = npt.NDArray[np.float64]
_Bool = npt.NDArray[np.bool_]
_Int32 = npt.NDArray[np.int32]

_GROUP = 3  # touching cells that are painted together
_TREMBLE = 0.9, 4.0  # how far the hand is off (standard deviation), over which length; pixels
_BRUSH = 2.0  # radius, pixels
_ALONG = 3.5  # distance from the painted cells at which the brush goes around them, pixels
_WINDING = 2  # long strokes through the background of a plane


def paint_strokes(
    truth: npt.NDArray[Any], planes: Sequence[int] | None = None, *, cells: int = 5, seed: int = 0
) -> _Int32:
    """Paint some cells and some background, as a person would with napari's brush.

    Parameters
    ----------
    truth
        True label image (planes, Y, X), 0 = background, negative = not to be painted on.
    planes
        Planes to paint on; default: three, spread over the stack.
    cells
        Cells to paint per plane, in groups of up to three that touch each other.
    seed
        The same seed paints the same strokes.

    Returns
    -------
    numpy.ndarray
        (planes, Y, X) with 0 = unpainted, 1 = background, and a number of its own from 2 up
        for each painted cell. Outlines are off by about a pixel.
    """
    if planes is None:
        planes = np.unique(np.linspace(0, len(truth) - 1, 5).astype(int)[1:-1]).tolist()
    rng = np.random.default_rng(seed)
    strokes = np.zeros(truth.shape, dtype=np.int32)
    number = PAINTED_BACKGROUND + 1
    for plane in planes:
        chosen = _choose(rng, truth[plane], cells)
        filled = _fill(rng, truth[plane], chosen, first=number)
        background = _background(rng, truth[plane], filled > 0)
        strokes[plane] = np.where(filled > 0, filled, PAINTED_BACKGROUND * background)
        number += len(chosen)
    return strokes


def _choose(rng: np.random.Generator, truth: npt.NDArray[Any], cells: int) -> list[int]:
    """Return the cells to paint: groups of cells that touch, none of them a mere fragment."""
    areas = np.bincount(truth[truth > 0])
    whole = np.flatnonzero(areas > 0.5 * np.median(areas[areas > 0]))
    touching = _touching(truth)
    chosen: list[int] = []
    for first in rng.permutation(whole):
        group = [int(first)]
        for cell in group:  # grows while it is walked through: first its neighbours, then theirs
            beside = [other for other in touching if other[0] == cell]
            group += [b for _, b in beside if b in whole and b not in group]
        chosen += [cell for cell in group[:_GROUP] if cell not in chosen]
        if len(chosen) >= cells:
            break
    return chosen[:cells]


def _touching(truth: npt.NDArray[Any]) -> list[tuple[int, int]]:
    """Return the pairs of cells that share an edge, both ways round."""
    pairs = np.concatenate(
        [
            np.stack([truth[1:].ravel(), truth[:-1].ravel()], axis=1),
            np.stack([truth[:, 1:].ravel(), truth[:, :-1].ravel()], axis=1),
        ]
    )
    pairs = pairs[(pairs[:, 0] != pairs[:, 1]) & (pairs > 0).all(axis=1)]
    both = np.unique(np.concatenate([pairs, pairs[:, ::-1]]), axis=0)
    return [(int(a), int(b)) for a, b in both]


def _fill(
    rng: np.random.Generator, truth: npt.NDArray[Any], chosen: list[int], *, first: int
) -> _Int32:
    """Fill each chosen cell with a round brush and an unsteady hand."""
    filled = np.zeros(truth.shape, dtype=np.int32)
    for number, cell in enumerate(chosen, start=first):
        inside = truth == cell
        depth = ndimage.distance_transform_edt(inside) - ndimage.distance_transform_edt(~inside)
        aimed = depth + _tremble(rng, truth.shape) > 0.5
        filled[_brush(_erode(aimed, _BRUSH), _BRUSH)] = number
    return filled


def _background(rng: np.random.Generator, truth: npt.NDArray[Any], filled: _Bool) -> _Bool:
    """Return strokes around the filled cells and winding through the free background."""
    clearance = ndimage.distance_transform_edt(truth == 0) + _tremble(rng, truth.shape)
    along = ndimage.distance_transform_edt(~filled) + _tremble(rng, truth.shape)
    around = (abs(along - _ALONG) < 0.7) & (clearance > _BRUSH)
    lifted = _tremble(rng, truth.shape, reach=12.0) > 0.6  # here the brush leaves the canvas
    strokes = _brush(around & ~lifted, _BRUSH)
    for _ in range(_WINDING):
        strokes |= _brush(_winding_path(rng, clearance), _BRUSH)
    return strokes


def _winding_path(rng: np.random.Generator, clearance: _Float) -> _Bool:
    """Return a path between two far points of the background that keeps away from cells."""
    free, _ = ndimage.label(clearance > _BRUSH + 1)
    sizes = np.bincount(free.ravel())
    sizes[0] = 0
    path = np.zeros(clearance.shape, dtype=bool)
    if not sizes.any():
        return path
    points = np.argwhere(free == sizes.argmax())
    start = points[rng.integers(len(points))]
    distance = np.linalg.norm(points - start, axis=1)
    end = points[np.argmin(abs(distance - min(clearance.shape) / 4))]
    ups_and_downs = 1 + np.exp(_tremble(rng, clearance.shape))  # nobody draws the shortest way
    cost = np.where(clearance > _BRUSH + 1, ups_and_downs, 1e4)
    indices, _ = route_through_array(cost, start, end)
    path[tuple(np.transpose(indices))] = True
    return path


def _tremble(
    rng: np.random.Generator, shape: tuple[int, ...], reach: float | None = None
) -> _Float:
    """Return smooth noise (Y, X): by how many pixels the hand is off here."""
    deviation, length = _TREMBLE
    noise = ndimage.gaussian_filter(rng.normal(size=shape), reach or length)
    off: _Float = noise * (deviation / noise.std())
    return off


def _brush(centres: _Bool, radius: float) -> _Bool:
    """Return everything within a radius of the centres."""
    if not centres.any():
        return centres
    painted: _Bool = ndimage.distance_transform_edt(~centres) <= radius
    return painted


def _erode(area: _Bool, radius: float) -> _Bool:
    kept: _Bool = ndimage.distance_transform_edt(area) > radius
    return kept
