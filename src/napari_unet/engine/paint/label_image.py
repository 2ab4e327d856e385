"""Whether what is read as painted strokes is a usual label image, in which 1 is an object.

Strokes of background wind between the objects, come in several pieces, or fill most of a plane.
In a label image, 1 is one object among others: one compact piece of about their size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_unet.config import Task, Unpainted
from napari_unet.engine.paint.label_scheme import PAINTED_BACKGROUND, LabelScheme
from napari_unet.engine.paint.painted_box import PaintedBox, painted_boxes
from napari_unet.engine.stack.planes import Planes

_ONE = PAINTED_BACKGROUND
_SEEN = 64  # painted planes that are looked at
_OBJECTS = 5  # besides 1 on a plane: fewer may have been painted beside one dab of background
_PLANES = 8  # or so many planes on which 1 is an object, as in a stack of few
_MOST = 0.9  # of the planes that have a 1
_LOOKED_AT = 1 << 26  # pixels from the first row of label 1 to its last; no object is as large
_PIECE = 0.95  # share of label 1 that is its largest piece
_LARGEST = 3.0  # times the largest other object
_UNPAINTED = 0.05  # share of a plane that is 0: without it, 0 cannot be the background
# Area, in circles that fit inside. Of 900 label images of nuclei, cells and axons, the first
# object had at most 8.3; strokes that were painted on them as people paint had at least 11.
_CIRCLES = 9.0

Mask = npt.NDArray[np.bool_]
Verdict = tuple[bool, int]
"""Whether label 1 is like an object on a plane, and how many other numbers there are."""


def looks_like_label_image(labels: Sequence[Planes], scheme: LabelScheme) -> bool:
    """Return True if objects are read as painted, but 1 is an object among others.

    Parameters
    ----------
    labels
        As painted, of one image or several. Up to 64 planes, spread over them, are looked at.
    scheme
        How they would be read.

    Raises
    ------
    LabelsError
        If the labels are not whole numbers from 0 to 2^31 - 1.
    """
    if (scheme.task, scheme.unpainted) != (Task.OBJECTS, Unpainted.IGNORED):
        return False
    verdicts = (_of_box(box) for box in painted_boxes(labels, _SEEN))
    return is_label_image(verdict for verdict in verdicts if verdict is not None)


def _of_box(box: PaintedBox) -> Verdict | None:
    numbers, pixels = np.unique(box.labels, return_counts=True)
    histogram = dict(zip(numbers.tolist(), pixels.tolist(), strict=True))
    histogram[0] = math.prod(box.plane_shape) - int(pixels[numbers > 0].sum())
    return one_is_an_object(histogram, lambda: box.labels == _ONE)


def is_label_image(verdicts: Iterable[Verdict]) -> bool:
    """Return True if the planes that have a label 1 say together that it is an object."""
    found = list(verdicts)
    alike = [others for is_alike, others in found if is_alike]
    if not alike or len(alike) < _MOST * len(found):
        return False
    return max(alike) >= _OBJECTS or len(alike) >= _PLANES


def one_is_an_object(histogram: Mapping[int, int], ones: Callable[[], Mask]) -> Verdict | None:
    """Return what a plane says of its label 1; None if it has none, or nothing else.

    Parameters
    ----------
    histogram
        Pixels of each number on the plane, 0 included.
    ones
        Gives where label 1 is, from its first row to its last; asked only if it may be an object.
    """
    others = [pixels for number, pixels in histogram.items() if number > _ONE]
    if not others or not histogram.get(_ONE):
        return None
    is_alike = (
        histogram[_ONE] <= _LARGEST * max(others)
        and histogram.get(0, 0) >= _UNPAINTED * sum(histogram.values())
        and _is_compact(ones())
    )
    return is_alike, len(others)


def _is_compact(mask: Mask) -> bool:
    """Return True if the pixels are one piece that is neither long nor crooked."""
    if mask.size > _LOOKED_AT:
        return False
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
