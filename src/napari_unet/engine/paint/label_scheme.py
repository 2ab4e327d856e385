"""Painted labels → classes, ignored pixels, separation border and class weights.

The label scheme, in one place. Two tasks: *objects* (one number per object; the network learns
background and object) and *classes* (one number per kind of region; one softmax channel each).
Two readings of 0: *ignored* (unlabelled, carries no loss; objects: 1 = background, 2, 3, … one
number per object; classes: 1, 2, 3, …) and *background* (the usual label image).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet.config import MAX_CLASSES, Task, Unpainted
from napari_unet.engine.errors import LabelsError
from napari_unet.engine.paint.separation import separate

IGNORED = 255
"""Class of a pixel that carries no loss."""

OBJECT = 1
"""Class of an object's pixel in the task *objects*; 0 is the background's."""

OBJECT_VALUES = (0, OBJECT)
"""Label value of each output channel in the task *objects*."""

PAINTED_BACKGROUND = 1
"""Label of background in a painted layer of objects, where 0 is unlabelled; objects follow it."""


@dataclass(frozen=True, slots=True)
class LabelScheme:
    """How the numbers in a label layer are read."""

    task: Task
    unpainted: Unpainted

    @property
    def background(self) -> int | None:
        """Label of the background; None: classes, none of which is the background."""
        if self.unpainted is Unpainted.BACKGROUND:
            return 0
        return PAINTED_BACKGROUND if self.task is Task.OBJECTS else None

    @property
    def first(self) -> int:
        """The lowest label that an object, or a class other than the background, can have."""
        return 1 if self.background is None else self.background + 1

    def values(self, found: frozenset[int]) -> tuple[int, ...]:
        """Return the label value of each output channel for the labels found in all planes.

        Parameters
        ----------
        found
            Every number that occurs on the painted planes.

        Raises
        ------
        LabelsError
            If the network would have nothing to tell apart: nothing painted, one class only, no
            background, or no object; or if there are more than 255 classes.
        """
        painted = found - {0}
        if not painted:
            raise LabelsError(
                "Nothing is painted yet; paint background and at least one "
                f"{'object' if self.task is Task.OBJECTS else 'other class'}, then train."
            )
        if self.task is Task.OBJECTS:
            self._check_objects(found)
            return OBJECT_VALUES
        values = tuple(sorted(found if self.unpainted is Unpainted.BACKGROUND else painted))
        if len(values) < 2:
            raise LabelsError(
                f"Only one class is painted (label {values[0]}); paint at least one stroke of "
                f"another class, so that there is something to tell apart{self._cure()}."
            )
        if len(values) > MAX_CLASSES:
            raise LabelsError(
                f"The labels hold {len(values)} different numbers, but at most {MAX_CLASSES} "
                "classes can be learned; if each object has its own number, choose task 'objects'."
            )
        return values

    def _check_objects(self, found: frozenset[int]) -> None:
        if self.background not in found:
            raise LabelsError(
                "No background is painted; paint some with label 1, objects with 2, 3, …"
                f"{self._cure()}."
                if self.unpainted is Unpainted.IGNORED
                else "The labels leave no background (0); leave it free between the objects, or "
                "choose unpainted = ignored."
            )
        if not found - {0, self.background}:
            raise LabelsError(
                "Only background (label 1) is painted; paint at least one object with label 2, "
                f"the next with 3, and so on{self._cure()}."
            )

    def _cure(self) -> str:
        """Return how to have a label image or mask read as what it is."""
        if self.unpainted is Unpainted.BACKGROUND:
            return ""
        return (
            "; for a label image or mask, in which 0 is the background, choose "
            "unpainted = background (--unpainted background)"
        )

    def objects(self, labels: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.int32]:
        """Return one number per object and 0 elsewhere."""
        numbers = labels.astype(np.int32)
        if self.background:
            numbers[numbers == self.background] = 0
        return numbers

    def classes(
        self, labels: npt.NDArray[np.integer[Any]], values: tuple[int, ...], *, gap: int
    ) -> npt.NDArray[np.uint8]:
        """Return the output channel of each pixel, or `IGNORED`.

        Parameters
        ----------
        labels
            (Y, X) as painted.
        values
            Label value of each output channel, from `values`.
        gap
            Reach of the separation border into each of two touching objects, pixels.
        """
        unlabelled = (labels == 0) & (self.unpainted is Unpainted.IGNORED)
        if self.task is Task.OBJECTS:
            classes = (separate(self.objects(labels), gap) > 0).astype(np.uint8)
        else:
            table = np.asarray(values)
            classes = np.minimum(np.searchsorted(table, labels), len(values) - 1).astype(np.uint8)
            unlabelled |= table[classes] != labels
        classes[unlabelled] = IGNORED
        return classes


def class_weights(counts: npt.NDArray[np.int64], *, limit: float = 10.0) -> npt.NDArray[np.float32]:
    """Return the weight of each class that balances the class frequencies (w_c of eq. 2).

    Parameters
    ----------
    counts
        Labelled pixels of each class; classes without any get weight 0.
    limit
        No class weighs more than this many times, or less than 1/limit of, an even share, so
        that a class of a few pixels does not drown the rest in its noise. 0: no limit.

    Returns
    -------
    (K,) float32
        Inversely proportional to the counts, with mean 1 over all labelled pixels.
    """
    present = counts > 0
    weights = np.zeros(len(counts), dtype=np.float64)
    even_share = counts.sum() / present.sum()
    weights[present] = even_share / counts[present]
    if limit:
        weights[present] = weights[present].clip(1 / limit, limit)
    weights *= counts.sum() / (weights * counts).sum()
    return weights.astype(np.float32)
