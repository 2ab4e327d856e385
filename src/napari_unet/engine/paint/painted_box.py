"""Where a plane is painted: the bounding box, and a copy of the labels inside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet.engine.errors import LabelsError
from napari_unet.engine.stack.planes import DerivedPlanes, Planes
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
    plane_shape: tuple[int, int]  # pixels (Y, X)


class RememberedLabels(DerivedPlanes):
    """Labels of a stack, of which what was looked at before is not read again.

    Parameters
    ----------
    labels
        The labels; they may be painted on meanwhile.
    """

    def __init__(self, labels: Planes) -> None:
        super().__init__(labels)
        self._labels = labels
        self._boxes: dict[int, PaintedBox | None] = {}
        self._remembers = False

    @contextmanager
    def remembering(self) -> Iterator[None]:
        """Remember the planes that are read meanwhile, as they are read first."""
        self._remembers = True
        try:
            yield
        finally:
            self._remembers = False

    def forget(self) -> None:
        """Read every plane anew from now on."""
        self._boxes.clear()

    def read(self, plane: int, y: slice, x: slice) -> npt.NDArray[Any]:
        """Return the region as (1, y, x); see `find_painted_box` for errors."""
        if self._remembers and plane not in self._boxes:
            self._boxes[plane] = find_painted_box(self._labels, plane)
        if plane not in self._boxes:
            return self._labels.read(plane, y, x)
        region = np.zeros((1, y.stop - y.start, x.stop - x.start), dtype=np.int32)
        box = self._boxes[plane]
        if box is not None:
            rows, columns = _common(box.y, y), _common(box.x, x)
            inside = box.labels[_moved(rows, box.y.start), _moved(columns, box.x.start)]
            region[0, _moved(rows, y.start), _moved(columns, x.start)] = inside
        return region


def _common(one: slice, other: slice) -> slice:
    """Return the pixels of both sides; none at the end of `other` if there are none."""
    start = min(max(one.start, other.start), one.stop, other.stop)
    return slice(start, min(one.stop, other.stop))


def painted_boxes(labels: Sequence[Planes], most: int) -> Iterator[PaintedBox]:
    """Yield what is painted on up to `most` of the painted planes, spread over the stacks.

    The planes are numbered through, from the first one's on.

    Raises
    ------
    LabelsError
        If the labels are not whole numbers from 0 to 2^31 - 1.
    """
    seen = 0
    places = [(stack, plane) for stack in labels for plane in range(stack.count)]
    # Multiples of the golden ratio: any first planes of this order are spread over the stacks.
    for number in sorted(range(len(places)), key=lambda plane: plane * _GOLDEN % 1):
        box = find_painted_box(*places[number])
        if box is not None:
            yield replace(box, number=number)
            seen += 1
        if seen == most:
            return


def find_painted_box(labels: Planes, number: int) -> PaintedBox | None:
    """Return the bounding box of what is painted on the plane, with its labels; None if nothing is.

    The plane is read once, and may be painted on meanwhile.

    Raises
    ------
    LabelsError
        If they are not whole numbers from 0 to 2^31 - 1.
    """
    pieces: list[tuple[slice, slice, npt.NDArray[Any]]] = []
    for band in bands(labels.shape):
        read = labels.read(number, band, slice(0, labels.shape[1]))[0]
        if read.any():
            piece = _cut_out(np.array(read), band.start)  # the copy may have been erased meanwhile
            pieces += [piece] if piece else []
    if not pieces:
        return None
    y = slice(pieces[0][0].start, pieces[-1][0].stop)
    x = slice(min(piece[1].start for piece in pieces), max(piece[1].stop for piece in pieces))
    inside = np.zeros((y.stop - y.start, x.stop - x.start), dtype=pieces[0][2].dtype)
    for rows, columns, values in pieces:
        inside[_moved(rows, y.start), _moved(columns, x.start)] = values
    inside = as_labels(inside, number)
    found = frozenset(np.unique(inside).tolist())
    return PaintedBox(
        number,
        y,
        x,
        inside,
        found | ({0} if inside.shape != labels.shape else set()),
        labels.shape,
    )


def _cut_out(band: npt.NDArray[Any], top: int) -> tuple[slice, slice, npt.NDArray[Any]] | None:
    """Return the painted part of a band that begins at a row, and where it lies in the plane."""
    is_painted = band != 0
    if not is_painted.any():
        return None
    y, x = _extent(is_painted.any(axis=1)), _extent(is_painted.any(axis=0))
    return _moved(y, -top), x, band[y, x].copy()


def _moved(side: slice, back: int) -> slice:
    return slice(side.start - back, side.stop - back)


def _extent(occupied: npt.NDArray[np.bool_]) -> slice:
    positions = np.flatnonzero(occupied)
    return slice(int(positions[0]), int(positions[-1]) + 1)


def as_labels(labels: npt.NDArray[Any], plane: int) -> npt.NDArray[np.int32]:
    """Return what was read of a plane, at least one pixel, as int32.

    Raises
    ------
    LabelsError
        If they are not whole numbers from 0 to 2^31 - 1.
    """
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
