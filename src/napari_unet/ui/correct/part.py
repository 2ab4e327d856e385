"""What part of a plane of a prediction is taken: all, what is in view, or one object."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.measure import label as label_regions

from napari_unet.config import Task

Values = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]


class Part(Enum):
    """What is taken of the shown plane."""

    PLANE = auto()
    VIEW = auto()  # what is in view
    OBJECT = auto()  # the one under the cursor


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is taken of a prediction (y, x)."""

    part: Part
    box: tuple[slice, slice] | None = None  # in view, or the pixel under the cursor; None: all

    def within(self, prediction: Values, task: Task) -> tuple[Values, Mask]:
        """Return the prediction without the objects that are not taken, and what is taken of it.

        Parameters
        ----------
        prediction
            (y, x), 0 = background; of objects, a mask of 0 and 1 is cut into its regions.
        task
            Objects are taken whole: one that reaches out of view is not. Of classes, a region of
            one class is what is taken under the cursor, and all pixels are in view.
        """
        is_objects = task is Task.OBJECTS
        if is_objects and prediction.max(initial=0) == 1:
            prediction = label_regions(prediction, connectivity=1)
        if self.box is None:
            return prediction, np.ones(prediction.shape, bool)
        inside = np.zeros(prediction.shape, bool)
        inside[self.box] = True
        if self.part is Part.OBJECT:
            mask = _one(prediction, inside, is_objects=is_objects)
        elif is_objects:
            cut = np.unique(prediction[~inside])
            mask = inside & ~np.isin(prediction, cut[cut > 0])
        else:
            mask = inside
        return np.where(mask, prediction, 0), mask


def _one(prediction: Values, at: Mask, *, is_objects: bool) -> Mask:
    """Return the object, or the region of one class, at a pixel; nothing on the background."""
    (value,) = prediction[at]
    same = np.asarray((prediction == value) & (value > 0))
    if is_objects:
        return same
    regions = label_regions(same, connectivity=1)
    return np.asarray(same & (regions == regions[at]))
