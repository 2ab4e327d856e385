"""A plane of smooth values, one byte per pixel, compressed where it is large."""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

_ROWS = 64  # that are compressed together
_FAST = 1  # level of zlib
_SMALL = 1 << 21  # pixels of a plane that is not worth the time

Values = npt.NDArray[np.uint8]


class BytePlane:
    """Values 0 to 255 that are written in rectangles, each pixel once, and read in rows.

    Parameters
    ----------
    shape
        Of the plane, pixels (Y, X).
    small
        Pixels up to which a plane is kept as it is.
    """

    def __init__(self, shape: tuple[int, int], *, small: int = _SMALL) -> None:
        self.shape = shape
        is_small = shape[0] * shape[1] <= small
        self._plain: Values | None = np.zeros(shape, np.uint8) if is_small else None
        self._pieces: dict[int, list[tuple[slice, slice, bytes]]] = {}  # by the band of 64 rows

    def write(self, y: slice, x: slice, values: Values) -> None:
        """Put a rectangle (y, x) at its place."""
        if self._plain is not None:
            self._plain[y, x] = values
            return
        for top in range(y.start - y.start % _ROWS, y.stop, _ROWS):
            rows = slice(max(top, y.start), min(top + _ROWS, y.stop))
            part = values[rows.start - y.start : rows.stop - y.start]
            packed = zlib.compress(_differences(part), _FAST)
            self._pieces.setdefault(top // _ROWS, []).append((rows, x, packed))

    def rows(self, wanted: slice) -> Values:
        """Return some rows, (y, X); 0 where nothing was written."""
        if self._plain is not None:
            return self._plain[wanted].copy()
        found = np.zeros((wanted.stop - wanted.start, self.shape[1]), dtype=np.uint8)
        for band in range(wanted.start // _ROWS, -(-wanted.stop // _ROWS)):
            for rows, x, packed in self._pieces.get(band, ()):
                first, stop = max(rows.start, wanted.start), min(rows.stop, wanted.stop)
                if first < stop:
                    part = _sums(packed, (rows.stop - rows.start, x.stop - x.start))
                    inside = part[first - rows.start : stop - rows.start]
                    found[first - wanted.start : stop - wanted.start, x] = inside
        return found


def _differences(values: Values) -> bytes:
    """Return each value less the one to its left: small where values are smooth."""
    return np.diff(values, axis=1, prepend=np.uint8(0)).tobytes()


def _sums(packed: bytes, shape: tuple[int, int]) -> Values:
    steps = np.frombuffer(zlib.decompress(packed), dtype=np.uint8).reshape(shape)
    return np.cumsum(steps, axis=1, dtype=np.uint8)
