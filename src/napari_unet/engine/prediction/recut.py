"""Finished planes cut into objects anew, otherwise than they were, without predicting again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from napari_unet.config import Along
from napari_unet.engine.events import (
    FinishReason,
    PlaneDone,
    Resume,
    SegmentDone,
    Stop,
    Uncut,
    never,
)
from napari_unet.engine.objects.kept_numbers import KeptNumbers
from napari_unet.engine.objects.linking import read_plane
from napari_unet.engine.objects.series_linking import linker_for
from napari_unet.engine.prediction.object_planes import ObjectPlanes
from napari_unet.engine.stack.planes import Planes


def recut(
    uncut: Callable[[int], Uncut],
    order: Sequence[int],
    neck: float,
    *,
    planes: Planes,
    resume: Resume,
    link: Along | None = None,
    painted: Planes | None = None,
    stop: Stop = never,
) -> Iterator[PlaneDone | SegmentDone]:
    """Cut finished planes into more pieces, or fewer.

    Parameters
    ----------
    uncut
        Gives what each plane is cut from, as `PlaneUncut` brought it.
    order
        The planes to do, in the order in which they were segmented.
    neck
        As of `ObjectsConfig`.
    planes
        The stack; only which planes follow one another is asked, for linking.
    resume
        Its labels are those of all planes as they are, and its finished planes stay so.
    link
        Along what objects are linked; None: they are not.
    painted
        As `segment` has it.
    stop
        Asked after each plane; planes that are not done yet stay as they are.

    Yields
    ------
    PlaneDone, SegmentDone
        As of `segment`. The objects are those that predicting again with this `neck` would give;
        each has the number that it had, or its largest part, and what is new has new numbers.

    Raises
    ------
    LabelsError
        If the paint is no labels.
    EngineError
        If there are more than 2^31 - 1 objects.
    """
    started = time.monotonic()
    linker = linker_for(planes, order, resume, link) if link else None
    cutting = ObjectPlanes(painted, linker, resume.largest)
    numbers = KeptNumbers(resume.largest, _in_use(resume) if link else ())
    done: list[int] = []
    reason = FinishReason.COMPLETED
    for plane in order:
        if done and stop():
            reason = FinishReason.STOPPED
            break
        finished = cutting.take(plane, uncut(plane).cut(neck=neck))
        yield from _renumbered(finished, numbers, resume)
        done.append(plane)
    yield from _renumbered(cutting.rest(), numbers, resume)
    yield SegmentDone(reason, tuple(done), time.monotonic() - started)


def _renumbered(
    finished: Sequence[PlaneDone], numbers: KeptNumbers, resume: Resume
) -> Iterator[PlaneDone]:
    """Yield the planes with the numbers that their objects had before."""
    assert resume.labels is not None
    for plane in finished:
        assert plane.labels is not None
        before = read_plane(resume.labels, plane.plane)
        yield replace(plane, labels=numbers.renumber(plane.labels, before))


def _in_use(resume: Resume) -> set[int]:
    """Return the numbers on the planes that stay."""
    assert resume.labels is not None
    kept = (read_plane(resume.labels, plane).values for plane in resume.finished)
    return {number for values in kept for number in np.unique(values).tolist()}
