"""Whether what is read as painted strokes is a usual label image, in which 1 is an object.

Strokes of background wind between the objects, come in several pieces, or fill most of a plane.
In a label image, 1 is one object among others: one compact piece of about their size.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_unet.config import Task, Unpainted
from napari_unet.engine.boxes import PaintedBox, painted_boxes
from napari_unet.engine.planes import Planes
from napari_unet.engine.targets import LabelScheme

__all__ = [
    "Verdict",
    "is_label_image",
    "looks_like_label_image",
    "may_be_an_object",
    "one_is_an_object",
]

_SEEN = 64  # painted planes that are looked at
_OBJECTS = 5  # besides 1 on a plane: fewer may have been painted beside one dab of background
_PLANES = 8  # or so many planes on which 1 is an object, as in a stack of few
_MOST = 0.9  # of the planes that have a 1
_PIECE = 0.95  # share of label 1 that is its largest piece
_LARGEST = 3.0  # times the largest other object
_UNPAINTED = 0.05  # share of a plane that is 0: without it, 0 cannot be the background
# Area, in circles that fit inside. Of 900 label images of nuclei, cells and axons, the first
# object had at most 8.3; strokes that were painted on them as people paint had at least 11.
_CIRCLES = 9.0

Verdict = tuple[bool, int]
"""Whether label 1 is like an object on a plane, and how many other numbers there are."""


def looks_like_label_image(labels: Planes, scheme: LabelScheme) -> bool:
    """Return True if objects are read as painted, but 1 is an object among others.

    Parameters
    ----------
    labels
        As painted. Up to 64 planes, spread over the stack, are looked at.
    scheme
        How they would be read.

    Raises
    ------
    LabelsError
        If the labels are not whole numbers from 0 to 2^31 - 1.
    """
    if (scheme.task, scheme.unpainted) != (Task.OBJECTS, Unpainted.IGNORED):
        return False
    verdicts = (one_is_an_object(box, labels.shape) for box in painted_boxes(labels, _SEEN))
    return is_label_image(verdict for verdict in verdicts if verdict is not None)


def is_label_image(verdicts: Iterable[Verdict]) -> bool:
    """Return True if the planes that have a label 1 say together that it is an object."""
    found = list(verdicts)
    alike = [others for is_alike, others in found if is_alike]
    if not alike or len(alike) < _MOST * len(found):
        return False
    return max(alike) >= _OBJECTS or len(alike) >= _PLANES


def one_is_an_object(box: PaintedBox, shape: tuple[int, int]) -> Verdict | None:
    """Return what a plane says of its label 1; None if it has none, or nothing else.

    Parameters
    ----------
    box
        What is painted on the plane.
    shape
        Of the plane, pixels (Y, X).
    """
    numbers, pixels = np.unique(box.labels, return_counts=True)
    if 1 not in numbers or numbers[-1] == 1:
        return None
    others = pixels[numbers > 1]
    ones = int(pixels[numbers == 1][0])
    unpainted = shape[0] * shape[1] - int(pixels[numbers > 0].sum())
    is_alike = (
        may_be_an_object(ones, others)
        and unpainted >= _UNPAINTED * shape[0] * shape[1]
        and _is_compact(box.labels == 1)
    )
    return is_alike, len(others)


def may_be_an_object(ones: int, others: npt.NDArray[np.integer[Any]]) -> bool:
    """Return False if label 1 cannot be an object, by the pixels of 1 and of the other numbers."""
    return bool(ones <= _LARGEST * others.max())


def _is_compact(mask: npt.NDArray[np.bool_]) -> bool:
    """Return True if the pixels are one piece that is neither long nor crooked."""
    pieces, _ = ndimage.label(mask, np.ones((3, 3)))
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    largest = int(sizes.argmax())
    if sizes[largest] < _PIECE * sizes.sum():
        return False
    window = ndimage.find_objects(pieces, max_label=largest)[largest - 1]
    piece = np.pad(pieces[window] == largest, 1)
    radius = float(ndimage.distance_transform_edt(piece).max())
    return bool(sizes[largest] <= _CIRCLES * np.pi * radius**2)
