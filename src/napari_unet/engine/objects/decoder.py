"""Foreground probability → label image, tile by tile and in bounded memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from napari_unet.config import ObjectsConfig
from napari_unet.engine.errors import EngineError
from napari_unet.engine.objects.components import find_objects
from napari_unet.engine.objects.uncut import UncutPlane
from napari_unet.engine.paint.smallest import smallest_object
from napari_unet.engine.stack.bitmap import Bitmap
from napari_unet.engine.stack.byte_plane import BytePlane
from napari_unet.engine.stack.renumber import renumber
from napari_unet.engine.stack.tiles import Span, Tile, bands

MAX_OBJECTS = 2**31 - 1
"""Largest object number: label images are int32."""

Labels = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
Field = npt.NDArray[np.uint8]


def cut_objects(
    foreground: Mask, config: ObjectsConfig, field: Field | None = None
) -> tuple[Labels, int]:
    """Cut the foreground of a plane into objects.

    Parameters
    ----------
    foreground
        (Y, X).
    config
        Holes, smallest size, necks, and the separation border that is given back.
    field
        (Y, X), `as_bytes`: the shape field, at whose passes objects are cut. None: the network
        has none, so they are cut at necks, and the separation border is given back.

    Returns
    -------
    labels
        (Y, X) int32, 1 to `count`, 0 = background.
    count
        Number of objects.

    Notes
    -----
    `min_size` is compared with the size of an object with its holes filled, before the separation
    border is given back. Necks are not cut where that would leave a smaller part, nor, on planes
    of more than 2^24 pixels, in objects taller than 2^24 divided by the width of the plane.
    """
    shape = (foreground.shape[0], foreground.shape[1])
    rows = None if field is None else field.__getitem__
    labels, count = UncutPlane.of([foreground], shape, config, rows).cut().finish()
    return np.asarray(labels), count


def foreground_of(answers: npt.NDArray[np.float32], threshold: float, outline: float) -> Mask:
    """Return the foreground (y, x) of what the network answers.

    Parameters
    ----------
    answers
        (1 or 2, y, x): the foreground's probability, and the shape field of a network that has one.
    threshold
        Of the probability.
    outline
        Of the field; see `outline_level`.
    """
    foreground: Mask = answers[0] >= threshold
    return foreground & (answers[1] >= outline) if len(answers) > 1 else foreground


def settle_objects(answers: npt.NDArray[np.float32], threshold: float, outline: float) -> Field:
    """Return what of a tile's answers decides its objects, in little room.

    Parameters
    ----------
    answers, threshold, outline
        As of `foreground_of`.

    Returns
    -------
    Field
        (1 or 2, y, x): the foreground, 0 or 1, and the shape field there, `as_bytes`.
    """
    foreground = foreground_of(answers, threshold, outline)
    settled = np.empty(answers.shape, np.uint8)
    settled[0] = foreground
    for field, channel in zip(settled[1:], answers[1:], strict=True):
        np.multiply(as_bytes(channel), foreground, out=field)
    return settled


def as_bytes(field: npt.NDArray[np.float32]) -> Field:
    """Return a field from 0 to 1 in 255ths."""
    values: Field = np.rint(field * np.float32(255)).astype(np.uint8)
    return values


class ObjectDecoder:
    """Decodes one plane of objects tile by tile.

    Parameters
    ----------
    shape
        Of the plane, pixels (Y, X).
    config
        Everything that `cut_objects` needs.
    offset
        The largest number that other planes use; provisional numbers begin above it.
    provisional
        Whether anybody looks at the tiles before the plane is finished.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        config: ObjectsConfig,
        *,
        offset: int = 0,
        provisional: bool = True,
    ) -> None:
        self._config = config
        self._provisional = provisional
        self._last = offset
        self._foreground = Bitmap(shape)
        self._field: BytePlane | None = None  # of a network that has one
        height, width = shape
        # What the sides of finished tiles show, for the tiles beside them.
        self._rows: defaultdict[int, Labels] = defaultdict(lambda: np.zeros(width, np.int32))
        self._columns: defaultdict[int, Labels] = defaultdict(lambda: np.zeros(height, np.int32))

    def add(self, tile: Tile, settled: Field) -> Labels:
        """Take a tile as `settle_objects` returns it; return provisional numbers (y, x).

        An object that touches one in a finished neighbour tile goes on with its number. The
        work is in proportion to the tile. Without provisional numbers, the foreground is 1.

        Raises
        ------
        EngineError
            If there are more than 2^31 - 1 objects.
        """
        foreground = settled[0].view(np.bool_)
        self._foreground.write(tile.y.as_slice, tile.x.as_slice, foreground)
        field = self._keep_field(tile, settled[1:])
        if not self._provisional:
            ones: Labels = foreground.astype(np.int32)
            return ones
        labels, count = _pieces(foreground, self._config, field)
        numbers = self._neighbour_numbers(tile, labels, count)
        new = np.flatnonzero(numbers[1:] == 0) + 1
        check_count(self._last + len(new))
        numbers[new] = np.arange(self._last + 1, self._last + len(new) + 1)
        self._last += len(new)
        shown = numbers[labels]
        for lines, span, across, sides in self._sides(tile, shown):
            lines[span.start][across] = sides[0]
            lines[span.stop - 1][across] = sides[1]
        return shown

    def _keep_field(self, tile: Tile, channel: Field) -> Field | None:
        """Keep the field of the foreground, in the little memory that its zeros around it leave."""
        if not len(channel):
            return None
        if self._field is None:
            self._field = BytePlane(self._foreground.shape)
        field: Field = channel[0]
        self._field.write(tile.y.as_slice, tile.x.as_slice, field)
        return field

    def _neighbour_numbers(self, tile: Tile, labels: Labels, count: int) -> Labels:
        """Return, for each object of the tile, the number of a neighbour that it touches, or 0."""
        numbers = np.zeros(count + 1, dtype=np.int32)
        for lines, span, across, sides in self._sides(tile, labels):
            for line, own in zip((span.start - 1, span.stop), sides, strict=True):
                if line in lines:
                    neighbour = lines[line][across]
                    touching = (own > 0) & (neighbour > 0)
                    numbers[own[touching]] = neighbour[touching]
        return numbers

    def _sides(
        self, tile: Tile, values: Labels
    ) -> Iterator[tuple[dict[int, Labels], Span, slice, tuple[Labels, Labels]]]:
        """Yield the lines along an axis, the tile's span on it and across, and its two sides."""
        yield self._rows, tile.y, tile.x.as_slice, (values[0], values[-1])
        yield self._columns, tile.x, tile.y.as_slice, (values[:, 0], values[:, -1])

    def finish(self) -> UncutPlane:
        """Return the plane, to be cut into objects; tiles that were not added have none.

        The same as decoding the whole plane at once, whatever the tiles were.
        """
        shape = self._foreground.shape
        rows = (self._foreground.rows(band) for band in bands(shape))
        field_rows = None if self._field is None else self._field.rows
        return UncutPlane.of(rows, shape, self._config, field_rows)


def _pieces(foreground: Mask, config: ObjectsConfig, field: Field | None) -> tuple[Labels, int]:
    """Return the objects of a tile, and specks only at its border: they may go on beyond it."""
    shape = (foreground.shape[0], foreground.shape[1])
    if field is not None:
        every = replace(config, min_size=0)
        found, count = UncutPlane.of([foreground], shape, every, field.__getitem__).cut().finish()
    else:
        found, count = find_objects(
            [foreground],
            shape,
            fill_holes=config.fill_holes,
            smallest=0,
            largest_hole=config.largest_hole,
        )
    labels = np.asarray(found)
    keep = np.bincount(labels.ravel(), minlength=count + 1) >= smallest_object(config)
    for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        keep[side] = True
    numbers = renumber(keep)
    return numbers[labels], int(numbers.max())


def check_count(count: int) -> None:
    """Raise an EngineError if there are more objects than numbers."""
    if count > MAX_OBJECTS:
        raise EngineError(
            f"There are more than {MAX_OBJECTS} objects; raise the smallest object size or the "
            "threshold, or segment fewer planes at a time."
        )
