"""The pages of a TIFF, read strip by strip or tile by tile.

tifffile parses the file and decodes its strips and tiles; which of them a region touches is
worked out here, so that one plane of a long stack, or one corner of a huge plane, costs no more
than itself. (Measured per plane of a stack of 1000: 0.2 to 0.7 ms; through tifffile's zarr store
0.7 to 4.4 ms.)
"""

from __future__ import annotations

import math
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from napari_unet.engine.counts import shape_text
from napari_unet.engine.errors import FileError, UnetPaintError, reason_of
from napari_unet.io.failures import cannot_read
from napari_unet.io.lazy import Spans, page_array
from napari_unet.io.tiff_axes import leading_shape

_DAMAGED = (
    tifffile.TiffFileError,
    ArithmeticError,
    AssertionError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
)
"""What tifffile and its decoders raise on files that are no TIFF or are damaged."""


@contextmanager
def reading_tiff(path: Path) -> Iterator[None]:
    """Turn what tifffile raises into `FileError`."""
    try:
        yield
    except UnetPaintError:
        raise  # said well enough
    except tifffile.TiffFileError as error:
        raise FileError(
            f"'{path}' is no TIFF file, or a damaged one ({reason_of(error)}); open it in "
            "the program that wrote it and save it as TIFF once more."
        ) from error
    except _DAMAGED as error:
        raise cannot_read(path, error) from error


class TiffPages:
    """The pages of an image; safe to read from several threads.

    Parameters
    ----------
    path
        The file.
    alike
        Series of one shape that form the image; several lie along an axis of their own.
    """

    def __init__(self, path: Path, alike: Sequence[tifffile.TiffPageSeries]) -> None:
        self._path = path
        self._alike = list(alike)
        self._lock = threading.Lock()
        # Where pages that lie one behind the other begin.
        self._starts: list[int | None] = [series.dataoffset for series in alike]
        leading = leading_shape(alike[0])
        self._each = math.prod(leading)  # pages per series
        self.array = page_array(
            leading if len(alike) == 1 else (len(alike), *leading),
            alike[0].keyframe.shape,
            alike[0].dtype,
            self.read,
        )

    def read(self, number: int, spans: Spans) -> npt.NDArray[Any]:
        """Return a region of a page; spans hold one slice per axis of the page."""
        which, number = divmod(number, self._each)
        series, start = self._alike[which], self._starts[which]
        with reading_tiff(self._path):
            if start is not None:
                offset = start + number * series.keyframe.nbytes
                return self._read_rows(series.keyframe, offset, spans)
            with self._lock, _opened(series.keyframe):
                page: Any = series[number]
            if page is None:  # OME: a plane that was never written
                return np.zeros([s.stop - s.start for s in spans], self.array.dtype)
            self._check_alike(page.keyframe)
            if page.keyframe.is_final:
                return self._read_rows(page, page.dataoffsets[0], spans)
            return self._read_segments(page, spans)

    def _check_alike(self, page: Any) -> None:
        """Raise `FileError` unless a page is as the first one; those of other files may not be."""
        first = self._alike[0].keyframe
        if (page.shape, page.dtype) != (first.shape, first.dtype):
            raise FileError(
                f"'{self._path}' holds planes of {shape_text(first.shape)} {first.dtype} and of "
                f"{shape_text(page.shape)} {page.dtype}; save those of one kind as a file."
            )

    def _read_rows(self, page: Any, offset: int, spans: Spans) -> npt.NDArray[Any]:
        """Read pixels that lie in the file as they are in memory, whole rows at a time."""
        shape, rows = page.keyframe.shape, spans[0]
        stored = page.dtype.newbyteorder(page.parent.byteorder)
        row_bytes = page.keyframe.nbytes // shape[0]
        [data] = self._load(page, [(offset + rows.start * row_bytes, _length(rows) * row_bytes)])
        assert data is not None
        region = np.frombuffer(data, stored).reshape(-1, *shape[1:])[(slice(None), *spans[1:])]
        return region.astype(page.dtype)

    def _read_segments(self, page: Any, spans: Spans) -> npt.NDArray[Any]:
        """Decode the strips or tiles that the region touches."""
        keyframe = page.keyframe
        grid = keyframe.chunked
        size = (1,) * (len(grid) - len(keyframe.chunks)) + keyframe.chunks
        touched = [range(s.start // n, -(-s.stop // n)) for s, n in zip(spans, size, strict=True)]
        positions = list(product(*touched))
        numbers = [int(np.ravel_multi_index(at, grid)) for at in positions]
        loaded = self._load(page, [(page.dataoffsets[i], page.databytecounts[i]) for i in numbers])
        tables = {
            key: value
            for key, value in (("jpegtables", page.jpegtables), ("jpegheader", keyframe.jpegheader))
            if value is not None
        }
        with self._lock, _opened(keyframe):
            decode = keyframe.decode  # tifffile makes it once, of JPEG from a look into the file
        out = np.full([_length(s) for s in spans], keyframe.nodata, keyframe.dtype)
        for at, number, data in zip(positions, numbers, loaded, strict=True):
            segment, _, _ = decode(data, number, **tables)
            if segment is not None:
                corner = [i * n for i, n in zip(at, size, strict=True)]
                _paste(out, spans, _drop_absent_axes(segment, keyframe), corner)
        return out

    def _load(self, page: Any, places: list[tuple[int, int]]) -> list[bytes | None]:
        """Return the bytes at each (offset, count); None where the file holds none."""
        with self._lock, _opened(page) as handle:
            loaded = []
            for offset, count in places:
                handle.seek(offset)
                loaded.append(handle.read(count) if count else None)
        if any(
            data is not None and len(data) < n for data, (_, n) in zip(loaded, places, strict=True)
        ):
            raise FileError(
                f"'{self._path}' is truncated: pixels are missing at its end; copy or export it "
                "from its source once more."
            )
        return loaded


@contextmanager
def _opened(page: Any) -> Iterator[tifffile.FileHandle]:
    """Open the file of a page for as long as the block runs."""
    handle = page.parent.filehandle
    handle.open()
    try:
        yield handle
    finally:
        handle.close()


def _drop_absent_axes(segment: npt.NDArray[Any], page: tifffile.TiffPage) -> npt.NDArray[Any]:
    """Bring a decoded (Z, Y, X, S) segment to the axes of its page."""
    if page.planarconfig != 1 or page.samplesperpixel == 1:
        segment = segment[..., 0]
    if page.imagedepth == 1:
        segment = segment[0]
    if page.planarconfig != 1 and page.samplesperpixel > 1:
        segment = segment[np.newaxis]  # samples in planes of their own: S comes first
    return segment


def _paste(
    out: npt.NDArray[Any], spans: Spans, segment: npt.NDArray[Any], corner: list[int]
) -> None:
    """Copy the part of a segment that lies in the region."""
    target, source = [], []
    for span, start, length in zip(spans, corner, segment.shape, strict=True):
        low, high = max(span.start, start), min(span.stop, start + length)
        target.append(slice(low - span.start, high - span.start))
        source.append(slice(low - start, high - start))
    out[tuple(target)] = segment[tuple(source)]


def _length(span: slice) -> int:
    return int(span.stop - span.start)
