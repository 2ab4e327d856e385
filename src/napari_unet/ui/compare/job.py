"""A result held against its truth, plane by plane, in the background."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_unet.config import Task, Unpainted
from napari_unet.engine.counts import count
from napari_unet.engine.errors import LabelsError
from napari_unet.engine.events import Stop
from napari_unet.engine.stack import ArrayPlanes
from napari_unet.ui.progress import Progress
from napari_unet.ui.worker import Job

if TYPE_CHECKING:
    from napari_unet.engine.scores import ClassScores, Comparison, ObjectScores


KINDS = {
    Task.OBJECTS: {1: "false positive", 2: "miss", 3: "split", 4: "merge"},
    Task.CLASSES: {1: "wrong class"},
}
"""What the numbers of the layer of mistakes mean; see `napari_unet.engine.scores.mistakes`."""

_NO_TRUTH = (
    "There is no truth on what was compared; paint or open some there, or compare all planes."
)
_NOT_SEGMENTED = (
    "What was compared is not segmented to its end; segment it first, or compare all planes."
)
_RIGHT = 0  # of the kinds of mistakes: none


@dataclass(frozen=True, slots=True)
class ComparePlane:
    """One more plane was looked at."""

    position: tuple[int, ...]  # along the leading axes
    done: int
    total: int
    judged: bool  # False: there is no truth on it, or no result


@dataclass(frozen=True, slots=True)
class CompareDone:
    """The comparison ended; the last event."""

    scores: ObjectScores | ClassScores
    task: Task
    mistakes: Mapping[int, int]  # objects of each kind, or pixels of a wrong class
    complete: bool  # False: stopped, the planes so far count
    found: int = 0  # true objects that are neither missed, split nor merged
    unfinished: int = 0  # planes that were left out, as their segmentation is not finished


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of a table of scores."""

    name: str
    value: float | int  # nan: nothing to measure
    meaning: str = ""  # tooltip

    @property
    def text(self) -> str:
        """The value as it is shown and copied; whole numbers stay whole."""
        if isinstance(self.value, int):
            return str(self.value)
        return "–" if math.isnan(self.value) else f"{self.value:.3f}"


def compare(
    result: ArrayPlanes,
    truth: ArrayPlanes,
    mistakes: Any,
    *,
    task: Task,
    unpainted: Unpainted,
    planes: Sequence[int],
    unfinished: Collection[int] = (),
) -> Job:
    """Score a result and mark what is wrong; planes without truth or result are left out.

    Parameters
    ----------
    result, truth
        Label images of one shape, 0 = background in the result.
    mistakes
        Array of the stack's shape to write the mistakes into, plane by plane.
    task, unpainted
        How both, and how the zeros of the truth, are read.
    planes
        Numbers of the planes, in the order in which they are looked at.
    unfinished
        Planes of the result that were not segmented to their end.
    """

    def run(stop: Stop) -> Iterator[ComparePlane | CompareDone]:
        from napari_unet.engine.scores import ClassSums, ObjectSums  # noqa: PLC0415

        sums = ObjectSums() if task is Task.OBJECTS else ClassSums()
        counts: Counter[int] = Counter(dict.fromkeys((_RIGHT, *KINDS[task]), 0))
        judged = done = left_out = 0
        for done, number in enumerate(planes, start=1):
            plane = _read(result, truth, number, task, unpainted)
            if plane is not None and number in unfinished:
                plane, left_out = None, left_out + 1
            position = result.position(number)
            if plane is not None:
                sums.add(plane)
                mistakes[position], of_plane = _mark(plane, task)
                counts.update(of_plane)
                judged += 1
            yield ComparePlane(position, done, len(planes), plane is not None)
            if stop():
                break
        if not judged:
            raise LabelsError(_NOT_SEGMENTED if left_out else _NO_TRUTH)
        found = counts.pop(_RIGHT)
        complete = done == len(planes)
        yield CompareDone(sums.scores(), task, dict(counts), complete, found, left_out)

    return run


def _read(
    result: ArrayPlanes, truth: ArrayPlanes, number: int, task: Task, unpainted: Unpainted
) -> Comparison | None:
    """Return a plane, None if it has no truth."""
    from napari_unet.engine.scores import Comparison  # noqa: PLC0415

    whole = slice(0, truth.shape[0]), slice(0, truth.shape[1])
    true = truth.read(number, *whole)[0]
    if not true.any():
        return None
    return Comparison.read(result.read(number, *whole)[0], true, task, unpainted)


def _mark(plane: Comparison, task: Task) -> tuple[Any, dict[int, int]]:
    """Return the mistakes as an image, and how many there are of each kind; 0: right objects."""
    from napari_unet.engine.scores import class_disagreement, disagreement  # noqa: PLC0415

    if task is Task.CLASSES:
        wrong = class_disagreement(plane.prediction, plane.truth, plane.valid)
        return wrong, {1: int(wrong.sum())}
    found = disagreement(plane.prediction, plane.truth, valid=plane.valid)
    return found.image, {int(kind): number for kind, number in found.counts.items()}


def tell_plane(event: ComparePlane) -> Progress:
    """Return how far the comparison is."""
    return Progress(f"Compared plane {event.done:,} of {event.total:,}", event.done / event.total)


def tell_end(event: CompareDone) -> str:
    """Return how many planes were compared, and how many were left out."""
    planes = count(event.scores.planes, "plane")
    line = f"Compared {planes}." if event.complete else f"Stopped; {planes} compared so far."
    if event.unfinished:
        line += f" Left out, as not segmented to the end: {count(event.unfinished, 'plane')}."
    return line


def tell_mistakes(mistakes: Mapping[int, int], task: Task) -> dict[int, str]:
    """Return how many there are of each kind, in words: {1: "3 false positives", …}."""
    if task is Task.CLASSES:
        return {
            kind: f"{count(pixels, 'pixel')} of a wrong class" for kind, pixels in mistakes.items()
        }
    return {kind: count(number, KINDS[task][kind]) for kind, number in mistakes.items()}


def figures(event: CompareDone) -> list[Figure]:
    """Return counts and scores as the rows of a table."""
    from napari_unet.engine.scores import ObjectScores  # noqa: PLC0415

    scores = event.scores
    if isinstance(scores, ObjectScores):
        return [*_counts(event, scores), *_of_objects(scores)]
    return _of_classes(scores)


def _counts(event: CompareDone, scores: ObjectScores) -> list[Figure]:
    false, missed, split, merged = (event.mistakes[kind] for kind in KINDS[Task.OBJECTS])
    return [
        Figure("True objects", scores.reference_objects, "Objects in the truth."),
        Figure("Objects in the result", scores.predicted_objects, "Right or wrong."),
        Figure(
            "Found",
            event.found,
            "True objects that the result has, too: the two share at least half of the area that "
            "they cover together (IoU 0.5), and nothing is split or merged.",
        ),
        Figure("Missed", missed, "True objects that the result lacks, or has far from right."),
        Figure("Split", split, "True objects that are two or more in the result."),
        Figure(
            "Merged",
            merged,
            "Objects in the result that are two or more in the truth; those count neither as found "
            "nor as missed.",
        ),
        Figure("False positives", false, "Objects in the result where the truth has none such."),
    ]


def _of_objects(scores: ObjectScores) -> list[Figure]:
    return [
        Figure(
            "IoU",
            scores.foreground_iou,
            "Of all objects together against the background: the area that result and truth share, "
            "as a share of what they cover together. 1 is best, here and below.",
        ),
        Figure(
            "SEG",
            scores.seg,
            "Mean IoU of the true objects with what was found of them, 0 for those that are not "
            "covered by more than half; the measure of the Cell Tracking Challenge.",
        ),
        Figure(
            "AP at 0.5",
            scores.average_precision,
            "Average precision: found objects as a share of found, missed and false ones; found "
            "are those with an IoU of 0.5 or more.",
        ),
        Figure(
            "AP, 0.5–0.95",
            scores.mean_average_precision,
            "Its mean over the IoUs 0.5, 0.55, …, 0.95: outlines count, too.",
        ),
        Figure(
            "Precision at 0.5",
            scores.precision,
            "Share of the objects in the result that are true ones, with an IoU of 0.5 or more.",
        ),
        Figure(
            "Recall at 0.5",
            scores.recall,
            "Share of the true objects that are in the result, with an IoU of 0.5 or more.",
        ),
        Figure("Planes", scores.planes, "Planes that have a truth."),
    ]


def _of_classes(scores: ClassScores) -> list[Figure]:
    per_class = [
        Figure(f"IoU of class {value}" if value else "IoU of background", iou, "Over all planes.")
        for value, iou in scores.iou.items()
    ]
    return [
        Figure("Mean IoU", scores.mean_iou, "Mean over the classes."),
        *per_class,
        Figure("Pixel error", scores.pixel_error, "Share of the pixels of a wrong class."),
        Figure("Pixels", scores.pixels, "Pixels whose truth is known."),
        Figure("Planes", scores.planes, "Planes that have a truth."),
    ]
