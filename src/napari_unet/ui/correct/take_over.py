"""A prediction becomes paint: in the words of the labels layer, only where nothing is painted."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Labels
from skimage.measure import label as label_regions

from napari_unet.config import Task
from napari_unet.engine.errors import LabelsError
from napari_unet.engine.paint import LabelScheme
from napari_unet.ui.correct.undo_step import UndoStep
from napari_unet.ui.layers.geometry import full_resolution
from napari_unet.ui.layers.inputs import labels_planes
from napari_unet.ui.layers.painted_planes import bands

_AT_ONCE = 1 << 17  # pixels; painting them takes 4 to 8 ms in memory
_AT_ONCE_ON_DISK = 1 << 15  # and 20 to 30 ms for these in zarr's chunks

Values = npt.NDArray[Any]
"""(y, x)"""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Where the shown plane of a prediction lies on a labels layer."""

    position: tuple[int, ...]  # of the labels' plane, along the leading axes
    y: slice  # of that plane, pixels
    x: slice
    source: tuple[int | slice, ...]  # index of the same pixels in the prediction's array

    def plane_in(self, prediction: Labels) -> int:
        """Return the number of the plane that is taken from."""
        position = tuple(i for i in self.source if isinstance(i, int))
        leading = full_resolution(prediction).shape[:-2]
        return int(np.ravel_multi_index(position, leading)) if leading else 0


def find_overlap(prediction: Labels, labels: Labels, position: tuple[int, ...]) -> Overlap | None:
    """Return where `prediction` lies on a plane of `labels`, None if it does not.

    The prediction may be as large as the labels or a part of one plane, as a preview is; its
    pixels must be those of the labels.
    """
    ndim = min(prediction.ndim, labels.ndim)  # what only one of them has is of length 1
    has, wanted = full_resolution(prediction).shape, full_resolution(labels).shape
    if any(length > 1 for length in (*has[:-ndim], *wanted[:-ndim])):
        return None
    corners = np.vstack([np.zeros(ndim), np.eye(ndim)])
    there = np.array([_in_pixels_of(labels, prediction, corner) for corner in corners])
    if not np.allclose(there[1:] - there[0], np.eye(ndim), atol=1e-3):
        return None
    origin = np.round(there[0]).astype(int)
    leading = position[labels.ndim - ndim :]
    planes = [int(p - o) for p, o in zip(leading, origin[:-2], strict=True)]
    if any(not 0 <= plane < length for plane, length in zip(planes, has[-ndim:-2], strict=True)):
        return None
    starts = [max(0, int(o)) for o in origin[-2:]]
    stops = [
        min(int(n), int(o) + h) for n, o, h in zip(wanted[-2:], origin[-2:], has[-2:], strict=True)
    ]
    if any(stop <= start for start, stop in zip(starts, stops, strict=True)):
        return None
    y, x = (slice(start, stop) for start, stop in zip(starts, stops, strict=True))
    source = [
        slice(s.start - int(o), s.stop - int(o)) for s, o in zip((y, x), origin[-2:], strict=True)
    ]
    planes = [0] * (prediction.ndim - ndim) + planes
    return Overlap(position, y, x, (*planes, *source))


def _in_pixels_of(
    labels: Labels, prediction: Labels, corner: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return where a pixel of the prediction lies in the labels, along the axes that both have."""
    ndim = len(corner)
    world = np.array(labels.data_to_world(np.zeros(labels.ndim)))
    padded = np.pad(corner, (prediction.ndim - ndim, 0))
    world[-ndim:] = prediction.data_to_world(padded)[-ndim:]
    return np.array(labels.world_to_data(world))[-ndim:]


def to_paint(prediction: Values, painted: Values, *, scheme: LabelScheme, largest: int) -> Values:
    """Return what to paint where nothing is painted; 0: leave it unpainted.

    Parameters
    ----------
    prediction
        (y, x), a usual label image: 0 = background; a mask of 0 and 1 is cut into its regions.
    painted
        (y, x), the labels there.
    scheme
        What the numbers of the labels mean.
    largest
        The largest number in use in the labels.

    Notes
    -----
    Classes keep their values. An object gets a number of its own, above those in use, unless it
    lies over a painted object: then it completes that one. An object that lies over several
    painted ones, which people have told apart, is left out.
    """
    free = painted == 0
    if scheme.task is Task.CLASSES:
        return np.where(free, prediction, 0)
    if prediction.max(initial=0) == 1:
        prediction = label_regions(prediction, connectivity=1)
    first = scheme.first
    numbers = _numbers(prediction, painted, first, max(largest + 1, first))
    numbers[0] = first - 1  # the background
    return np.where(free, numbers[prediction], 0)


def _numbers(
    prediction: Values, painted: Values, first: int, first_new: int
) -> npt.NDArray[np.int64]:
    """Return the number of each predicted object; 0: it is left out."""
    sizes = np.bincount(prediction.ravel())
    numbers = np.zeros(len(sizes), np.int64)
    over = (painted >= first) & (prediction > 0)
    pairs = np.unique(np.stack([prediction[over], painted[over]]).astype(np.int64), axis=1)
    touched, touches = np.unique(pairs[0], return_counts=True)
    is_new = sizes > 0
    is_new[[0, *touched]] = False
    numbers[is_new] = np.arange(first_new, first_new + is_new.sum())
    is_clear = np.isin(pairs[0], touched[touches == 1])
    numbers[pairs[0, is_clear]] = pairs[1, is_clear]
    return numbers


def largest_number(labels: Labels) -> int:
    """Return the largest number in a labels layer; reads all of it, band by band."""
    planes = labels_planes(labels)
    return max(
        int(band.max(initial=0))
        for plane in range(planes.count)
        for _, band in bands(planes, plane)
    )


def paint_in(
    labels: Labels, overlap: Overlap, values: Values
) -> Generator[bool, None, UndoStep | None]:
    """Paint the values that are not 0 where nothing is painted; one step of the undo history.

    To be run on the main thread, between strokes; yields between parts that take some
    milliseconds, so that the event loop can go on. (All of 2048×2048 pixels at once take 0.2 to
    0.8 s.) What people paint meanwhile stays, as steps of its own.

    Yields
    ------
    bool
        Whether it has begun; not while a stroke is under way.

    Returns
    -------
    UndoStep or None
        What was painted; None: people have undone it meanwhile.

    Raises
    ------
    LabelsError
        At the first step, if the layer's type is too small for the numbers.
    """
    data = full_resolution(labels)
    highest = np.iinfo(data.dtype).max
    if values.max(initial=0) > highest:
        raise LabelsError(
            f"'{labels.name}' holds numbers up to {highest:,} only, and they are used up. "
            "Right-click it in the layer list, take Convert data type ▸ Convert to int32, and "
            "try again."
        )
    at_once = _AT_ONCE if isinstance(data, np.ndarray) else _AT_ONCE_ON_DISK
    rows, step = max(1, at_once // values.shape[1]), UndoStep(labels)
    for start in range(0, len(values), rows):
        where, new = _free(labels, overlap, values, slice(start, start + rows))
        while len(new) and not step.paint(where, new):
            yield False
            where, new = _free(labels, overlap, values, slice(start, start + rows))
        yield step.has_begun
        if step.was_undone:
            return None
    step.end()
    return step


def _free(
    labels: Labels, overlap: Overlap, values: Values, rows: slice
) -> tuple[tuple[Values, ...], Values]:
    """Return the indices of a band's pixels to paint, those free now, and what to paint there."""
    data, band = full_resolution(labels), values[rows]
    top = overlap.y.start + rows.start
    now = data[(*overlap.position, slice(top, top + len(band)), overlap.x)]
    y, x = np.nonzero((band != 0) & (np.asarray(now) == 0))
    leading = (np.full(len(y), i) for i in overlap.position)
    return (*leading, y + top, x + overlap.x.start), band[y, x].astype(data.dtype)
