"""A simulated person who paints, seeded: strokes, whole objects, and dabs on mistakes.

An *action* is one stroke of the brush, one object filled, or one dab that corrects a mistake.
Labels follow the scheme of a painted layer whose 0 is unlabelled: in task *objects* 1 is background
and object n of the truth is n + 1; in task *classes* the truth holds the class numbers, from 1 up.
Nothing is painted where the truth is undecided (negative).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.measure import label

from napari_unet.config import Task
from napari_unet.engine.paint import PAINTED_BACKGROUND
from napari_unet.io.strokes import paint_strokes

__all__ = [
    "Corrections",
    "correct",
    "paint_classes",
    "paint_objects",
    "paint_plane",
    "scribble_objects",
]

Labels = npt.NDArray[np.int32]
"""(Y, X)"""

_LENGTH = 30  # pixels that a stroke runs at most
_BRUSH = 1.5  # radius of a stroke, pixels
_DAB = 4.0  # radius of a dab, pixels
_RIM = 1.0  # a filled object keeps this far from its outline, pixels
_SEEN = 2.0  # radius from which a person sees a mistake, pixels
_GROUP = 3  # objects that `paint_strokes` paints together, with one stroke around them
_WINDING = 2  # long strokes through the background that it adds


def paint_plane(truth: npt.NDArray[Any], task: Task, *, actions: int, seed: int) -> Labels:
    """Paint one plane (Y, X) as a person who has not seen any result yet."""
    if task is Task.OBJECTS:
        return paint_objects(truth, actions=actions, seed=seed)
    return paint_classes(truth, per_class=actions // len(np.unique(truth)), seed=seed)


def paint_objects(truth: npt.NDArray[Any], *, actions: int, seed: int) -> Labels:
    """Fill some objects, go around them with the background's brush, and stroke the background.

    Parameters
    ----------
    truth
        (Y, X) true objects, 0 = background.
    actions
        At least 5; about 3 of 5 fill an object, if there are so many.
    """
    wanted = (actions - _WINDING - 1) * _GROUP // (_GROUP + 1)
    painted = paint_strokes(truth[np.newaxis], [0], cells=wanted, seed=seed)[0]
    labels = np.where(painted == PAINTED_BACKGROUND, PAINTED_BACKGROUND, 0).astype(np.int32)
    numbers = np.unique(painted[painted > PAINTED_BACKGROUND])
    for number in numbers:
        mine = painted == number
        labels[mine] = PAINTED_BACKGROUND + np.bincount(truth[mine & (truth > 0)]).argmax()
    used = len(numbers) + -(-len(numbers) // _GROUP) + _WINDING
    strokes = _strokes(np.random.default_rng(seed), truth == 0, max(0, actions - used))
    labels[strokes & (labels == 0)] = PAINTED_BACKGROUND
    labels[truth < 0] = 0
    return labels


def scribble_objects(truth: npt.NDArray[Any], *, strokes: int, seed: int) -> Labels:
    """Paint short strokes inside objects, and as many on the background; outline nothing.

    Parameters
    ----------
    truth
        (Y, X) true objects, 0 = background.
    strokes
        Inside objects, each in one drawn at random, with its number; and on the background.
    """
    rng = np.random.default_rng(seed)
    labels = np.zeros(truth.shape, dtype=np.int32)
    labels[_strokes(rng, truth == 0, strokes)] = PAINTED_BACKGROUND
    for number in rng.choice(np.unique(truth[truth > 0]), strokes):
        labels[_strokes(rng, truth == number, 1)] = PAINTED_BACKGROUND + number
    return labels


def paint_classes(truth: npt.NDArray[Any], *, per_class: int, seed: int) -> Labels:
    """Paint short strokes inside the regions of each class.

    Parameters
    ----------
    truth
        (Y, X) class numbers from 1 up.
    per_class
        Strokes of each class.

    Returns
    -------
    (Y, X)
        0 = unpainted; elsewhere the class, as a person keeps inside the region.
    """
    rng = np.random.default_rng(seed)
    painted = np.zeros(truth.shape, dtype=np.int32)
    for value in np.unique(truth):
        painted[_strokes(rng, truth == value, per_class)] = value
    return painted


@dataclass(frozen=True, slots=True)
class Corrections:
    """What is painted after a person has looked at a result."""

    labels: tuple[Labels, ...]  # of each plane: the earlier paint and the corrections
    actions: int  # that were needed: fewer than allowed if nothing else is seen to be wrong


@dataclass(frozen=True, slots=True)
class _Mistake:
    pixels: int
    plane: int
    at: tuple[int, int]  # where it is dabbed on, pixels (Y, X)
    whole: bool = False  # the object is not there as such, and is filled


def correct(
    painted: Sequence[Labels],
    truths: Sequence[npt.NDArray[Any]],
    predictions: Sequence[npt.NDArray[Any]],
    task: Task,
    *,
    actions: int,
) -> Corrections:
    """Correct the mistakes of a result, the largest first.

    Parameters
    ----------
    painted, truths, predictions
        (Y, X) of each plane. Predictions are objects, 0 = background, or classes.
    actions
        An object that no predicted one overlaps with an IoU above 0.5 is filled; any other region
        that is wrong gets a dab with the right label at its deepest point.

    Notes
    -----
    Regions into which no disc of 2 px radius fits are overlooked.
    """
    mistakes = sorted(
        (
            mistake
            for plane, (truth, prediction) in enumerate(zip(truths, predictions, strict=True))
            for mistake in _find_mistakes(plane, truth, prediction, task)
        ),
        key=lambda mistake: (-mistake.pixels, mistake.plane, mistake.at),
    )
    labels = tuple(plane.copy() for plane in painted)
    for mistake in mistakes[:actions]:
        truth = truths[mistake.plane]
        value = int(truth[mistake.at])
        area = truth == value
        if mistake.whole:
            reached = ndimage.distance_transform_edt(area) > _RIM
        else:
            reached = area & _disc(truth.shape, mistake.at, _DAB)
        labels[mistake.plane][reached] = value + (task is Task.OBJECTS)
    return Corrections(labels, min(actions, len(mistakes)))


def _find_mistakes(
    plane: int, truth: npt.NDArray[Any], prediction: npt.NDArray[Any], task: Task
) -> list[_Mistake]:
    """Return what a person sees to be wrong on a plane."""
    found = []
    wrong = truth != prediction
    if task is Task.OBJECTS:
        wrong = (truth > 0) != (prediction > 0)
        for number in _lost_objects(truth, prediction):
            mine = truth == number
            wrong &= ~mine
            inside = ndimage.distance_transform_edt(mine)
            if inside.max() >= _SEEN:
                found.append(_Mistake(int(mine.sum()), plane, _deepest(inside), whole=True))
    regions = label(np.where(wrong, truth.astype(np.int32) + 1, 0), connectivity=1)
    for number, window in enumerate(ndimage.find_objects(regions), start=1):
        mine = np.pad(regions[window] == number, 1)
        inside = ndimage.distance_transform_edt(mine)[1:-1, 1:-1]
        if inside.max() >= _SEEN:
            y, x = _deepest(inside)
            at = y + window[0].start, x + window[1].start
            found.append(_Mistake(int(mine.sum()), plane, at))
    return found


def _lost_objects(truth: npt.NDArray[Any], prediction: npt.NDArray[Any]) -> list[int]:
    """Return the true objects that no predicted one overlaps with an IoU above 0.5."""
    sizes = np.bincount(prediction.ravel())
    lost = []
    for number in np.unique(truth[truth > 0]):
        shared = np.bincount(prediction[truth == number], minlength=len(sizes))
        area = int(shared.sum())
        shared[0] = 0  # background is no object
        best = int(shared.argmax())
        if 2 * shared[best] <= area + sizes[best] - shared[best]:
            lost.append(int(number))
    return lost


def _strokes(
    rng: np.random.Generator, region: npt.NDArray[np.bool_], count: int
) -> npt.NDArray[np.bool_]:
    """Return short strokes inside a region."""
    inside = ndimage.distance_transform_edt(region)
    starts = np.argwhere((inside >= min(_BRUSH, inside.max())) & region)
    painted = np.zeros(region.shape, dtype=bool)
    for start in starts[rng.choice(len(starts), min(count, len(starts)), replace=False)]:
        path = _stroke(rng, inside, start)
        painted |= (ndimage.distance_transform_edt(~path) <= _BRUSH) & region
    return painted


def _stroke(
    rng: np.random.Generator, inside: npt.NDArray[np.float64], start: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Walk from a point, mostly straight on, anywhere inside the region."""
    path = np.zeros(inside.shape, dtype=bool)
    position = start.astype(float)
    heading = rng.uniform(0, 2 * np.pi)
    for _ in range(_LENGTH):
        path[tuple(position.astype(int))] = True
        turns = heading + rng.normal(0, 0.4, 8)
        ahead = position + np.stack([np.sin(turns), np.cos(turns)], axis=1)
        ahead = ahead.clip(0, np.array(inside.shape) - 1)
        free = np.flatnonzero(inside[tuple(ahead.astype(int).T)] > 0)
        if not len(free):
            break
        position, heading = ahead[free[0]], turns[free[0]]
    return path


def _deepest(inside: npt.NDArray[Any]) -> tuple[int, int]:
    y, x = np.unravel_index(int(inside.argmax()), inside.shape)
    return int(y), int(x)


def _disc(shape: tuple[int, ...], centre: tuple[int, int], radius: float) -> npt.NDArray[np.bool_]:
    y, x = np.ogrid[: shape[0], : shape[1]]
    disc: npt.NDArray[np.bool_] = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2
    return disc
