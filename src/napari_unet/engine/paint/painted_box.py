"""Where a plane is painted: the bounding box, and a copy of the labels inside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet.engine.errors import LabelsError
from napari_unet.engine.stack.planes import Planes
from napari_unet.engine.stack.tiles import bands

_MAX_LABEL = 2**31 - 1
_GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True, slots=True)
class PaintedBox:
    """The labels inside the bounding box of what is painted on one plane."""

    number: int
    y: slice  # in the plane, pixels
    x: slice
    labels: npt.NDArray[np.int32]  # a copy: the user may be painting
    found: frozenset[int]  # labels of the plane, 0 among them if anything is 0


def painted_boxes(labels: Planes, most: int) -> Iterator[PaintedBox]:
    """Yield what is painted on up to `most` of the painted planes, spread over the stack.

    Raises
    ------
    LabelsError
        If the labels are not whole numbers from 0 to 2^31 - 1.
    """
    seen = 0
    # Multiples of the golden ratio: any first planes of this order are spread over the stack.
    for number in sorted(range(labels.count), key=lambda plane: plane * _GOLDEN % 1):
        box = find_painted_box(labels, number)
        if box is not None:
            yield box
            seen += 1
        if seen == most:
            return


def find_painted_box(labels: Planes, number: int) -> PaintedBox | None:
    """Return the bounding box of what is painted on the plane, with its labels; None if nothing is.

    The labels are copied once and may be painted on meanwhile.

    Raises
    ------
    LabelsError
        If they are not whole numbers from 0 to 2^31 - 1.
    """
    height, width = labels.shape
    rows = np.zeros(height, dtype=bool)
    columns = np.zeros(width, dtype=bool)
    for band in bands(labels.shape):
        is_painted = labels.read(number, band, slice(0, width))[0] != 0
        rows[band] = is_painted.any(axis=1)
        columns |= is_painted.any(axis=0)
    if not (rows.any() and columns.any()):
        return None
    y, x = _extent(rows), _extent(columns)
    inside = _checked(np.array(labels.read(number, y, x)[0]), number)
    found = frozenset(np.unique(inside).tolist())
    if found == {0}:  # erased meanwhile
        return None
    return PaintedBox(
        number, y, x, inside, found | ({0} if inside.shape != labels.shape else set())
    )


def _extent(occupied: npt.NDArray[np.bool_]) -> slice:
    positions = np.flatnonzero(occupied)
    return slice(int(positions[0]), int(positions[-1]) + 1)


def _checked(labels: npt.NDArray[Any], plane: int) -> npt.NDArray[np.int32]:
    """Return the labels as int32, or say why they are no labels."""
    if labels.dtype.kind == "f" and not np.array_equal(labels, np.trunc(labels)):
        raise LabelsError(
            f"The labels of plane {plane} are not whole numbers; choose a labels layer, not an "
            "image."
        )
    if labels.min() < 0:
        raise LabelsError(
            f"Plane {plane} holds the negative label {int(labels.min())}; use 0 for unpainted and "
            "positive numbers for the rest."
        )
    if labels.max() > _MAX_LABEL:
        raise LabelsError(
            f"Plane {plane} holds the label {int(labels.max())}, but numbers may go up to "
            f"{_MAX_LABEL}; relabel the objects from 1 on."
        )
    return labels.astype(np.int32, copy=False)
