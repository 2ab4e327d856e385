"""How the network itself has found the objects that people have painted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from napari_unet.engine.events import Judged
from napari_unet.engine.objects.label_overlaps import count_run_overlaps
from napari_unet.engine.paint.label_scheme import PAINTED_BACKGROUND
from napari_unet.engine.scores.mistakes import Mistake, Pairs
from napari_unet.engine.stack.run_labels import RunLabels

_ALL = 0.9  # of an object's pixels: it is painted whole
_RIGHT = 0.5  # IoU
_OFTEN = 0.1  # of the objects: fewer may be cells that were cut in two by chance


@dataclass(frozen=True, slots=True)
class PaintedObject:
    """An object that people have painted, and how it was found."""

    number: int  # in the paint
    whole: bool  # painted whole, or nothing was found around it
    verdict: Mistake  # RIGHT also if nothing is known, as of a scribble that is alone in its object
    y: slice  # where it is painted, pixels
    x: slice

    @property
    def is_wrong(self) -> bool:
        """Whether it is plainly not found."""
        return self.whole and self.verdict is not Mistake.RIGHT

    @property
    def is_clumped(self) -> bool:
        """Whether another painted object lies in the same object that was found."""
        return self.verdict is Mistake.MERGE


def judge_each(found: RunLabels, settled: RunLabels, painted: RunLabels) -> list[PaintedObject]:
    """Return how each painted object was found.

    Parameters
    ----------
    found, painted
        As for `objects.paint_over`: 0 = unpainted, 1 = background, 2, 3, … = objects.
    settled
        What it has returned. Where paint is nine tenths of an object or more, it is whole: of a
        scribble nobody knows how large its object is, unless nothing was found around it.

    Notes
    -----
    Split and merged are those of `disagreement`; two scribbles in one object are merged as well.
    An object painted whole is right if it was found with an IoU of 0.5, and is neither.
    """
    numbers = np.unique(painted.values)
    numbers = numbers[numbers > PAINTED_BACKGROUND]
    if not len(numbers):
        return []
    places = np.searchsorted(numbers, painted.values)
    is_object = painted.values > PAINTED_BACKGROUND
    paint = replace(painted, values=np.where(is_object, places + 1, 0).astype(np.int32))
    after = count_run_overlaps(settled, paint)
    sizes = after.prediction_sizes[after.prediction]
    mostly = after.is_object() & (after.pixels >= _ALL * sizes)
    whole = np.isin(np.arange(len(numbers)) + 1, after.truth_ids[after.truth[mostly]])
    verdicts = _verdicts(found, paint, whole)
    boxes = paint.boxes(len(numbers))[1:].tolist()
    return [
        PaintedObject(number, is_whole, Mistake(verdict), slice(top, bottom), slice(left, right))
        for number, is_whole, verdict, (top, bottom, left, right) in zip(
            numbers.tolist(), whole.tolist(), verdicts.tolist(), boxes, strict=True
        )
    ]


def judge(found: RunLabels, settled: RunLabels, painted: RunLabels) -> Judged:
    """Return how many of the objects that are painted whole were found; see `judge_each`."""
    return sum_up(judge_each(found, settled, painted))


def sum_up(objects: Sequence[PaintedObject]) -> Judged:
    """Return how many objects were found, and where the others are."""
    painted = sum(one.whole for one in objects)
    wrong = [one for one in objects if one.is_wrong]
    return Judged(
        painted - len(wrong),
        painted,
        tuple((one.y, one.x) for one in wrong),
        split=sum(one.verdict is Mistake.SPLIT for one in wrong),
        merged=sum(one.verdict is Mistake.MERGE for one in wrong),
    )


def often_touch(labels: npt.NDArray[np.int32]) -> bool:
    """Return whether a tenth of the objects or more, and at least two, touch another one.

    Parameters
    ----------
    labels
        (Y, X), 0 = background.
    """
    touching: set[int] = set()
    for one, other in ((labels[:-1], labels[1:]), (labels[:, :-1], labels[:, 1:])):
        beside = (one != other) & (one > 0) & (other > 0)
        touching.update(one[beside].tolist(), other[beside].tolist())
    objects = len(np.unique(labels[labels > 0]))
    return len(touching) >= max(2, _OFTEN * objects)


def _verdicts(
    found: RunLabels, paint: RunLabels, whole: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Return the verdict on each painted object, (n,) values of `Mistake`.

    Parameters
    ----------
    paint
        The objects as 1 to n.
    whole
        (n,)
    """
    overlaps = count_run_overlaps(found, paint)
    pairs = Pairs.of(overlaps, _RIGHT)
    matched, _ = pairs.matched()
    split, _ = pairs.split()
    _, merged = pairs.merged()
    verdicts = np.full(len(whole), Mistake.RIGHT, dtype=np.int64)
    known = overlaps.truth_ids > 0
    place = overlaps.truth_ids[known].astype(np.intp) - 1
    verdicts[place[~matched[known] & whole[place]]] = Mistake.MISS
    verdicts[place[split[known] & whole[place]]] = Mistake.SPLIT
    verdicts[place[merged[known]]] = Mistake.MERGE
    return verdicts
