"""Foreground probability → label image, tile by tile.

Objects are the 4-connected components of the foreground: the separation border between touching
cells may be one pixel wide, and 8-connected components would leak through it diagonally.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_unet.config import ObjectsConfig
from napari_unet.engine.errors import EngineError
from napari_unet.engine.necks import cut_necks
from napari_unet.engine.separation import give_back
from napari_unet.engine.smallest import smallest_object
from napari_unet.engine.tiles import Tile

__all__ = ["MAX_OBJECTS", "ObjectDecoder", "cut_objects"]

MAX_OBJECTS = 2**31 - 1
"""Largest object number: label images are int32."""

_EIGHT_CONNECTED = np.ones((3, 3), dtype=bool)
_UNSEEN = 2  # no tile has come yet
_BAND = 1 << 22  # pixels counted in one go

Labels = npt.NDArray[np.int32]


def cut_objects(foreground: npt.NDArray[np.bool_], config: ObjectsConfig) -> tuple[Labels, int]:
    """Cut the foreground of a plane into objects.

    Parameters
    ----------
    foreground
        (Y, X).
    config
        Holes, smallest size, necks, and the separation border that is given back.

    Returns
    -------
    labels
        (Y, X) int32, 1 to `count`, 0 = background.
    count
        Number of objects.

    Notes
    -----
    `min_size` is compared with the size of an object with its holes filled, before the separation
    border is given back. Necks are not cut where that would leave a smaller part.
    """
    labels, count = _components(foreground, fill_holes=config.fill_holes)
    smallest = smallest_object(config)
    labels, count = _drop(labels, _sizes(labels, count) >= smallest)
    count = cut_necks(labels, count, config.neck, smallest=smallest)
    if config.gap > 0 and count > 1:
        give_back(labels, config.gap)
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
        self._seen = np.full(shape, _UNSEEN, dtype=np.uint8)  # 1 where there is foreground
        self._shown = np.zeros(shape, dtype=np.int32)

    def add(self, tile: Tile, probabilities: npt.NDArray[np.float32]) -> Labels:
        """Take a tile's foreground probability (1, y, x); return provisional numbers (y, x).

        An object that touches one in a finished neighbour tile goes on with its number. The
        work is in proportion to the tile.

        Raises
        ------
        EngineError
            If there are more than 2^31 - 1 objects.
        """
        y, x = tile.y.as_slice, tile.x.as_slice
        foreground = probabilities[0] >= self._config.threshold
        self._seen[y, x] = foreground
        labels, count = _components(foreground, fill_holes=self._config.fill_holes)
        keep = _sizes(labels, count) >= smallest_object(self._config)
        keep[_rim(labels)] = True  # may go on in the next tile
        labels, count = _drop(labels, keep)
        numbers = self._neighbour_numbers(tile, labels, count)
        new = np.flatnonzero(numbers[1:] == 0) + 1
        _check_count(self._last + len(new))
        numbers[new] = np.arange(self._last + 1, self._last + len(new) + 1)
        self._last += len(new)
        shown = numbers[labels]
        self._shown[y, x] = shown
        return shown

    def _neighbour_numbers(self, tile: Tile, labels: Labels, count: int) -> Labels:
        """Return, for each object of the tile, the number of a neighbour that it touches, or 0."""
        numbers = np.zeros(count + 1, dtype=np.int32)
        height, width = self._shown.shape
        y, x = tile.y.as_slice, tile.x.as_slice
        sides = (
            (tile.y.start > 0, (tile.y.start - 1, x), labels[0]),
            (tile.y.stop < height, (tile.y.stop, x), labels[-1]),
            (tile.x.start > 0, (y, tile.x.start - 1), labels[:, 0]),
            (tile.x.stop < width, (y, tile.x.stop), labels[:, -1]),
        )
        for inside, beyond, own in sides:
            if inside:
                neighbour = self._shown[beyond]
                touching = (own > 0) & (neighbour > 0)
                numbers[own[touching]] = neighbour[touching]
        return numbers

    def finish(self) -> tuple[Labels, int]:
        """Return the plane's final numbers (Y, X) and how many objects there are.

        The same as decoding the whole plane at once, whatever the tiles were; 0 where no tile
        was added. The decoder is used up.

        Raises
        ------
        EngineError
            If there are more than 2^31 - 1 objects.
        """
        del self._shown  # one label image at a time
        labels, count = cut_objects(self._seen == 1, self._config)
        labels[self._seen == _UNSEEN] = 0  # the border that was given back may reach there
        _check_count(self._offset + count)
        np.add(labels, np.int32(self._offset), out=labels, where=labels > 0)
        return labels, count


def _check_count(count: int) -> None:
    if count > MAX_OBJECTS:
        raise EngineError(
            f"There are more than {MAX_OBJECTS} objects; raise the smallest object size or the "
            "threshold, or segment fewer planes at a time."
        )


def _components(foreground: npt.NDArray[np.bool_], *, fill_holes: bool) -> tuple[Labels, int]:
    labels = np.empty(foreground.shape, dtype=np.int32)
    count = int(ndimage.label(foreground, output=labels))
    if fill_holes and count:
        _fill_holes(labels)
    return labels, count


def _fill_holes(labels: Labels) -> None:
    """Give each hole to the object around it, in place; other objects inside a hole stay.

    A hole is an 8-connected piece of background that does not reach the rim, so it has exactly
    one 4-connected object around it.
    """
    background = np.empty(labels.shape, dtype=np.int32)
    count = int(ndimage.label(labels == 0, _EIGHT_CONNECTED, output=background))
    is_hole = np.ones(count + 1, dtype=bool)
    is_hole[0] = False
    is_hole[_rim(background)] = False
    if not is_hole.any():
        return
    pixels = np.flatnonzero(is_hole[background])
    holes = background.ravel()[pixels]
    numbers, first = np.unique(holes, return_index=True)
    owner = np.zeros(count + 1, dtype=np.int32)
    # Above the first pixel of a hole, in reading order, lies the object around it.
    owner[numbers] = labels.ravel()[pixels[first] - labels.shape[1]]
    labels.ravel()[pixels] = owner[holes]


def _rim(labels: Labels) -> npt.NDArray[np.int32]:
    """Return the numbers, 0 among them, that reach the border of the array."""
    return np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))


def _sizes(labels: Labels, count: int) -> npt.NDArray[np.int64]:
    """Return the number of pixels of each number from 0 to `count`."""
    flat = labels.ravel()
    sizes = np.zeros(count + 1, dtype=np.int64)
    for start in range(0, flat.size, _BAND):
        sizes += np.bincount(flat[start : start + _BAND], minlength=count + 1)
    return sizes


def _drop(labels: Labels, keep: npt.NDArray[np.bool_]) -> tuple[Labels, int]:
    """Return the labels with the objects that are kept numbered from 1 on, and their count."""
    keep[0] = False
    numbers = np.cumsum(keep, dtype=np.int32)
    count = int(numbers[-1])
    if count == len(keep) - 1:
        return labels, count
    numbers[~keep] = 0
    return numbers[labels], count
