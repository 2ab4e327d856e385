"""How large the painted objects are, and by how much the image is reduced for them.

A network knows objects by what its context shows of them. The Fiji plugin of the paper's authors
rescales images to the pixel size that a model was trained with (Falk et al. 2019, Nature Methods
16, 67-70); here the painted objects themselves say how large they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from skimage.measure import label

from napari_unet.config import MAX_REDUCTION, Task, TrainConfig
from napari_unet.engine.paint.label_scheme import LabelScheme
from napari_unet.engine.paint.painted_box import painted_boxes
from napari_unet.engine.paint.shape_bounds import tell_of_objects, whole_objects
from napari_unet.engine.stack.planes import Planes

OBJECT_DIAMETER = 32.0
"""Diameter at which the network should see objects, pixels."""

_PLANES = 16  # painted planes that are looked at
_PERCENTILE = 75  # of the diameters: a stroke inside an object is smaller than the object


def choose_reduction(
    labels: Sequence[Planes], scheme: LabelScheme, config: TrainConfig, known: int | None = None
) -> int:
    """Return the side of the blocks over which the image is averaged, pixels.

    Parameters
    ----------
    labels
        As painted, on images whose pixels are equally large.
    scheme
        How they are read.
    config
        Its `reduction` holds, if there is one; so does its `diameter`, where none is known.
    known
        That of the model to go on from, which is kept; None: undecided.

    Returns
    -------
    int
        1 to 8. Chosen for objects such that they are about `OBJECT_DIAMETER` wide; 1 for classes,
        whose regions have no size of their own.

    Raises
    ------
    LabelsError
        If the labels are not whole numbers from 0 to 2^31 - 1.

    Notes
    -----
    The size is the upper quartile of the diameters of circles that have the area of the painted
    pieces (connected pixels of one number). Up to 16 painted planes, spread over them, are
    looked at.
    """
    if config.reduction is not None:
        return config.reduction
    if known is not None:
        return known
    if scheme.task is Task.CLASSES:
        return 1
    typical = config.diameter or typical_diameter(labels, scheme)
    if typical is None:
        return 1
    return min(max(round(typical / OBJECT_DIAMETER), 1), MAX_REDUCTION)


def typical_diameter(labels: Sequence[Planes], scheme: LabelScheme) -> float | None:
    """Return how wide the larger painted pieces are, pixels; see `choose_reduction`."""
    diameters = [found for found in _diameters(labels, scheme) if len(found)]
    if not diameters:
        return None
    return float(np.percentile(np.concatenate(diameters), _PERCENTILE))


def outlines_objects(labels: Sequence[Planes], scheme: LabelScheme) -> bool:
    """Return whether objects are painted whole, and not only scribbled in.

    They say how large they are.
    """
    painted = [
        whole_objects(scheme.objects(box.labels), box.labels == scheme.background)
        for box in painted_boxes(labels, _PLANES)
    ]
    return tell_of_objects(sum(int(whole.sum()) for whole in painted))


def _diameters(labels: Sequence[Planes], scheme: LabelScheme) -> Iterator[npt.NDArray[np.float64]]:
    """Yield the diameters of the objects of each painted plane that is looked at, pixels."""
    for box in painted_boxes(labels, _PLANES):
        pieces = label(scheme.objects(box.labels), background=0, connectivity=1)
        yield 2 * np.sqrt(np.bincount(pieces.ravel())[1:] / np.pi)
