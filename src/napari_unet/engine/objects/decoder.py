"""Foreground probability → label image, tile by tile and in bounded memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from napari_unet.config import ObjectsConfig
from napari_unet.engine.errors import EngineError
from napari_unet.engine.objects.basins import FieldRows, cut_basins
from napari_unet.engine.objects.components import fill_enclosed, find_objects
from napari_unet.engine.objects.finishing import finish_objects, without
from napari_unet.engine.paint.smallest import smallest_object
from napari_unet.engine.stack.bitmap import Bitmap
from napari_unet.engine.stack.byte_plane import BytePlane
from napari_unet.engine.stack.renumber import renumber
from napari_unet.engine.stack.run_labels import RunLabels
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
    labels, count = _cut([foreground], shape, config, field_rows=rows)
    return np.asarray(labels), count


def as_bytes(field: npt.NDArray[np.float32]) -> Field:
    """Return a field from 0 to 1 in 255ths."""
    values: Field = np.rint(field * np.float32(255)).astype(np.uint8)
    return values


def _cut(
    foreground: Iterable[Mask],
    shape: tuple[int, int],
    config: ObjectsConfig,
    missing: Sequence[Tile] = (),
    field_rows: FieldRows | None = None,
) -> tuple[RunLabels, int]:
    """Cut a plane that comes in bands of rows; `missing` tiles are 0 in the result."""
    smallest = smallest_object(config)
    if field_rows is not None:
        labels, count = _cut_by_shape(foreground, shape, config, field_rows, smallest)
        return without(labels, missing), count
    labels, count = find_objects(
        foreground,
        shape,
        fill_holes=config.fill_holes,
        smallest=smallest,
        largest_hole=config.largest_hole,
    )
    if not missing and config.neck == 0 and (config.gap == 0 or count < 2):
        return labels, count
    return finish_objects(labels, count, config, smallest=smallest, missing=missing)


def _cut_by_shape(
    foreground: Iterable[Mask],
    shape: tuple[int, int],
    config: ObjectsConfig,
    field_rows: FieldRows,
    smallest: int,
) -> tuple[RunLabels, int]:
    """Cut a plane where the shape field has passes; holes are filled afterwards.

    Without a border between them, touching cells in a ring would enclose background.
    """
    pieces, _ = find_objects(foreground, shape, fill_holes=False, smallest=smallest)
    large_enough = Bitmap.of(pieces)
    del pieces  # which take more memory
    labels, count = cut_basins(large_enough, field_rows, config.neck, smallest=smallest)
    if config.fill_holes:
        labels = fill_enclosed(labels, count, config.largest_hole)
    return labels, count


class ObjectDecoder:
    """Decodes one plane of objects tile by tile.

    Parameters
    ----------
    shape
        Of the plane, pixels (Y, X).
    config
        Threshold, and everything that `cut_objects` needs.
    offset
        The largest number that other planes use; numbers here begin above it.
    """

    def __init__(self, shape: tuple[int, int], config: ObjectsConfig, *, offset: int = 0) -> None:
        self._config = config
        self._offset = offset
        self._last = offset
        self._foreground = Bitmap(shape)
        self._field: BytePlane | None = None  # of a network that has one
        height, width = shape
        # What the sides of finished tiles show, for the tiles beside them.
        self._rows: defaultdict[int, Labels] = defaultdict(lambda: np.zeros(width, np.int32))
        self._columns: defaultdict[int, Labels] = defaultdict(lambda: np.zeros(height, np.int32))

    def add(self, tile: Tile, probabilities: npt.NDArray[np.float32]) -> Labels:
        """Take a tile's answers; return provisional numbers (y, x).

        The answers are (1 or 2, y, x): the foreground's probability, and the shape field of a
        network that has one.

        An object that touches one in a finished neighbour tile goes on with its number. The
        work is in proportion to the tile.

        Raises
        ------
        EngineError
            If there are more than 2^31 - 1 objects.
        """
        foreground = probabilities[0] >= self._config.threshold
        self._foreground.write(tile.y.as_slice, tile.x.as_slice, foreground)
        field = self._keep_field(tile, foreground, probabilities[1:])
        labels, count = _pieces(foreground, self._config, field)
        numbers = self._neighbour_numbers(tile, labels, count)
        new = np.flatnonzero(numbers[1:] == 0) + 1
        _check_count(self._last + len(new))
        numbers[new] = np.arange(self._last + 1, self._last + len(new) + 1)
        self._last += len(new)
        shown = numbers[labels]
        for lines, span, across, sides in self._sides(tile, shown):
            lines[span.start][across] = sides[0]
            lines[span.stop - 1][across] = sides[1]
        return shown

    def _keep_field(
        self, tile: Tile, foreground: Mask, channel: npt.NDArray[np.float32]
    ) -> Field | None:
        """Keep the field of the foreground, in the little memory that its zeros around it leave."""
        if not len(channel):
            return None
        if self._field is None:
            self._field = BytePlane(self._foreground.shape)
        field = as_bytes(channel[0]) * foreground
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

    def finish(self, missing: Sequence[Tile] = ()) -> tuple[RunLabels, int]:
        """Return the plane's final numbers and how many objects there are.

        The same as decoding the whole plane at once, whatever the tiles were.

        Parameters
        ----------
        missing
            Tiles that were not added; they are 0, also where a border that is given back reaches.

        Raises
        ------
        EngineError
            If there are more than 2^31 - 1 objects.
        """
        shape = self._foreground.shape
        rows = (self._foreground.rows(band) for band in bands(shape))
        field_rows = None if self._field is None else self._field.rows
        labels, count = _cut(rows, shape, self._config, missing, field_rows)
        _check_count(self._offset + count)
        table = np.arange(self._offset, self._offset + count + 1)
        table[0] = 0
        return labels.mapped(table), count


def _pieces(foreground: Mask, config: ObjectsConfig, field: Field | None) -> tuple[Labels, int]:
    """Return the objects of a tile, and specks only at its border: they may go on beyond it."""
    shape = (foreground.shape[0], foreground.shape[1])
    if field is not None:
        found, count = _cut_by_shape([foreground], shape, config, field.__getitem__, 0)
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


def _check_count(count: int) -> None:
    if count > MAX_OBJECTS:
        raise EngineError(
            f"There are more than {MAX_OBJECTS} objects; raise the smallest object size or the "
            "threshold, or segment fewer planes at a time."
        )
