"""A mask of a whole plane, one bit per pixel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_unet.engine.stack.run_labels import RunLabels
from napari_unet.engine.stack.tiles import bands

Mask = npt.NDArray[np.bool_]


class Bitmap:
    """A mask that is written and read in rectangles; False to begin with.

    Parameters
    ----------
    shape
        Of the plane, pixels (Y, X).
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape
        self._bytes = np.zeros((shape[0], -(-shape[1] // 8)), dtype=np.uint8)

    @classmethod
    def of(cls, labels: RunLabels) -> Bitmap:
        """Return where a plane of labels is not 0."""
        found = cls(labels.shape)
        for band in bands(labels.shape):
            found.write(band, slice(0, labels.shape[1]), labels.rows(band) > 0)
        return found

    def write(self, y: slice, x: slice, mask: Mask) -> None:
        """Put a rectangle (y, x) at its place."""
        columns = slice(x.start // 8, -(-x.stop // 8))
        bits = np.unpackbits(self._bytes[y, columns], axis=1)  # neighbours share bytes
        left = x.start - 8 * columns.start
        bits[:, left : left + mask.shape[1]] = mask
        self._bytes[y, columns] = np.packbits(bits, axis=1)

    def rows(self, wanted: slice) -> Mask:
        """Return some rows, (y, X)."""
        bits = np.unpackbits(self._bytes[wanted], axis=1, count=self.shape[1])
        return bits.view(np.bool_)
