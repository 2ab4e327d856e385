"""The separation border: background put between touching objects, and given back afterwards."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import groupby

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int32]

_FAR = np.iinfo(np.int32).max


def separate(objects: Labels, gap: int = 1) -> Labels:
    """Introduce a thin background gap between touching objects.

    Parameters
    ----------
    objects
        (Y, X), one number per object, 0 = background.
    gap
        Pixels of an object with another object within this chessboard distance become
        background, so the gap is 2·gap wide. Objects with background between them that is
        wider than `gap` stay as they are.

    Notes
    -----
    Section 3 of the paper: the separation border is computed with morphological operations
    (here: a grey dilation and a grey erosion over the objects).
    """
    if gap == 0 or not objects.any():
        return objects
    lowest, highest = _extremes(objects, gap)
    return np.where((objects > 0) & (lowest != highest), 0, objects)


def give_back(labels: Labels, gap: int) -> None:
    """Assign the separation border to the nearer of the objects beside it, in place.

    Parameters
    ----------
    labels
        (Y, X), one number per object, 0 = background.
    gap
        As it was for `separate`, pixels.

    Notes
    -----
    Where the nearest object changes from one pixel to its neighbour, two objects face each other.
    If they are at most √2·(2·gap + 1) pixels apart there, as across a diagonal border that
    `separate` makes, the open discs around both pixels that reach the objects are border; each
    pixel of it goes to its nearest object, or of several to the one with the highest number.
    Distances are Euclidean.
    """
    across = _across(gap)
    reach = int(across)
    around = np.pad(labels, reach)  # so that no disc leaves it
    lowest, highest = _extremes(labels, reach)
    y, x = np.nonzero((labels == 0) & (lowest < highest))
    del lowest, highest
    candidates = (y + reach) * around.shape[1] + x + reach
    grown, distances = _grow(around, candidates, across)
    facing = _facing(around, grown, distances, across)
    border = np.zeros(around.size, dtype=bool)
    for radius in np.unique(distances[facing]):
        centres = grown[facing & (distances == radius)]
        border[centres] = True
        for distance, steps in _rings(radius, around.shape[1]):
            for step in steps if distance < radius else ():
                border[centres + step] = True
    given = (border.reshape(around.shape) & (around > 0))[reach:-reach, reach:-reach]
    labels[given] = around[reach:-reach, reach:-reach][given]


def reach_of_giving(gap: int) -> int:
    """Return how far from a pixel labels are looked at to give it back, pixels."""
    return 2 * math.ceil(_across(gap)) + 1


def _across(gap: int) -> float:
    """Return how wide the border between two objects may be, pixels."""
    return math.sqrt(2) * (2 * gap + 1)


def _grow(
    labels: Labels, candidates: npt.NDArray[np.int64], radius: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Give candidates the number of the nearest object within a radius, in place.

    Parameters
    ----------
    labels
        (Y, X), with a rim of background as wide as the radius.
    candidates
        (N,): flat indices of background.

    Returns
    -------
    grown, distances
        (M,): the candidates that got a number, and how far away their object is, pixels.
    """
    objects = labels.ravel()
    places, numbers, distances = [], [], []
    for distance, steps in _rings(radius, labels.shape[1]):
        highest = np.max([objects[candidates + step] for step in steps], axis=0)
        found = highest > 0
        places.append(candidates[found])
        numbers.append(highest[found])
        distances.append(np.full(len(places[-1]), distance))
        candidates = candidates[~found]
    grown = np.concatenate(places)
    objects[grown] = np.concatenate(numbers)
    return grown, np.concatenate(distances)


def _facing(
    labels: Labels,
    grown: npt.NDArray[np.int64],
    distances: npt.NDArray[np.float64],
    across: float,
) -> npt.NDArray[np.bool_]:
    """Return which of the grown pixels (M,) have a neighbour that faces another object."""
    numbers, width = labels.ravel(), labels.shape[1]
    away = np.zeros(numbers.size, dtype=np.float32)
    away[grown] = distances
    facing = np.zeros(len(grown), dtype=bool)
    for step in (-width, -1, 1, width):
        beside = numbers[grown + step]
        near = distances + away[grown + step] + 1 <= across
        facing |= near & (beside > 0) & (beside != numbers[grown])
    return facing


def _rings(radius: float, width: int) -> Iterator[tuple[float, list[int]]]:
    """Yield the distances up to a radius, and for each the flat steps in rows of a width."""
    reach = int(radius)
    steps = sorted(
        (float(np.hypot(y, x)), y * width + x)
        for y in range(-reach, reach + 1)
        for x in range(-reach, reach + 1)
        if 0 < np.hypot(y, x) <= radius
    )
    for distance, ring in groupby(steps, key=lambda step: step[0]):
        yield distance, [step for _, step in ring]


def _extremes(objects: Labels, reach: int) -> tuple[Labels, Labels]:
    """Return the lowest and the highest object number within a chessboard distance.

    Without an object there, the lowest is the largest number that there is, the highest 0.
    """
    around = np.pad(objects, reach)
    lowest = _extreme(np.minimum, np.where(around == 0, _FAR, around), 2 * reach + 1)
    return lowest, _extreme(np.maximum, around, 2 * reach + 1)


def _extreme(of_two: np.ufunc, values: Labels, size: int) -> Labels:
    """Return the extreme of each `size` x `size` pixels, (Y - size + 1, X - size + 1).

    That of twice as many neighbours is that of two of them, along each axis.
    """
    for axis in (0, 1):
        values = np.moveaxis(values, axis, 0)
        reached = 1
        while reached < size:
            step = min(reached, size - reached)
            values = of_two(values[:-step], values[step:])
            reached += step
        values = np.moveaxis(values, 0, axis)
    return values
