"""TIFF files, read strip by strip or tile by tile.

tifffile parses the file and decodes its strips and tiles; which of them a region touches is
worked out here, so that one plane of a long stack, or one corner of a huge plane, costs no more
than itself. (Measured per plane of a stack of 1000: 0.2 to 0.7 ms; through tifffile's zarr store
0.7 to 4.4 ms.)
"""

from __future__ import annotations

import logging
import re
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from napari_unet.engine.errors import FileError, ImageError
from napari_unet.io.failures import cannot_read
from napari_unet.io.lazy import LazyArray, Spans, page_array
from napari_unet.io.stack import SOFTWARE, ImageStack, name_axes
from napari_unet.io.tiff_spacing import read_spacing

__all__ = ["open_tiff"]

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

_log_lock = threading.Lock()
_COMMON_KINDS = {"shaped", "ome", "imagej", "uniform", "generic"}
_MOST_CHANNELS = 64  # ImageJ files from Python often call the planes of a stack channels
_COLOUR = {2, 5, 6, 8}  # PhotometricInterpretation: RGB, CMYK, YCbCr, CIE L*a*b*


def open_tiff(path: Path) -> ImageStack:
    """Open a TIFF: plane, stack, OME, ImageJ hyperstack or equal pages; tiled, packed, BigTIFF.

    The file is held open during reads only.

    Raises
    ------
    FileError
        If it is missing, no TIFF, or not whole.
    ImageError
        If it holds several images of different kinds, or no plane.
    """
    with _reading(path), _quiet(), tifffile.TiffFile(path) as tif:
        series = _only_series(tif, path)
        _check_whole(tif, series, path)
        spacing = read_spacing(tif, series)
        array, axes = _arrange(_Pages(path, series), path)
        is_labels = array.dtype.kind == "u" and series.keyframe.software.startswith(SOFTWARE)
    name = re.sub(r"(\.ome)?\.tiff?$", "", path.name, flags=re.IGNORECASE)
    return ImageStack(array, axes, spacing, name, is_labels=is_labels)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what tifffile raises into `FileError`."""
    try:
        yield
    except tifffile.TiffFileError as error:
        raise FileError(
            f"'{path}' is no TIFF file, or a damaged one ({error}); open it in the program that "
            "wrote it and save it as TIFF once more."
        ) from error
    except _DAMAGED as error:
        raise cannot_read(path, error) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep tifffile's log to itself: whatever is wrong is said once, in one sentence."""
    log = logging.getLogger("tifffile")
    with _log_lock:
        level = log.level
        log.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            log.setLevel(level)


def _only_series(tif: tifffile.TiffFile, path: Path) -> tifffile.TiffPageSeries:
    """Return the one image in the file; slide scanners put pictures of the label beside it."""
    all_series = [s for s in tif.series if s.shape]
    if not all_series:
        raise FileError(f"'{path}' holds no image; export it from its source once more.")
    first = all_series[0]
    others = [s for s in all_series[1:] if not s.keyframe.is_reduced]
    if others and first.kind in _COMMON_KINDS:
        shapes = ", ".join("×".join(map(str, s.shape)) for s in (first, *others))
        raise ImageError(
            f"'{path}' holds {len(others) + 1} images ({shapes}); save the one that you want as "
            "a file of its own."
        )
    if first.dtype is None or not {"Y", "X"} <= set(first.keyframe.axes):
        raise ImageError(f"'{path}' holds no plane of numbers; save it as a grey-value TIFF.")
    return first


def _check_whole(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, path: Path) -> None:
    """Raise if pixels or pages lie beyond the end of the file, as after an aborted copy."""
    if series.dataoffset is not None:
        end = series.dataoffset + len(series) * series.keyframe.nbytes
    else:
        pages = [p for p in series if p is not None and p.parent is tif]
        ends = (
            offset + count
            for page in pages
            for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False)
        )
        end = max(ends, default=0)
    if end > tif.filehandle.size or not _ends_properly(tif, series):
        raise FileError(
            f"'{path}' is truncated: its end is missing; copy or export it from its source once "
            "more."
        )


def _ends_properly(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> bool:
    """Return whether the chain of pages ends with the offset 0 that closes it."""
    if series.kind not in _COMMON_KINDS or tif.is_scanimage:
        return True  # tifffile does not follow the chain of these
    handle, position = tif.filehandle, tif.pages.next_page_offset
    if position is None:
        return False
    handle.seek(position)
    last = handle.read(tif.tiff.offsetsize)
    return len(last) == tif.tiff.offsetsize and not any(last)


def _arrange(pages: _Pages, path: Path) -> tuple[LazyArray, str]:
    """Return the array with its axes named and in order: …, Y, X, and S of a colour picture."""
    array, axes = pages.array, pages.axes
    sample = axes.find("S")
    if sample >= 0 and pages.is_colour:
        array, axes = array.move_axis(sample, len(axes) - 1), axes.replace("S", "") + "S"
    elif sample >= 0:
        before = axes.replace("S", "").index("Y")
        array = array.move_axis(sample, before)
        axes = axes.replace("S", "")[:before] + "C" + axes.replace("S", "")[before:]
    if "C" in axes and array.shape[axes.index("C")] > _MOST_CHANNELS:
        axes = axes.replace("C", "?")
    axes = name_axes(axes)
    if not axes.removesuffix("S").endswith("YX"):
        raise ImageError(f"'{path}' has axes {axes}, which do not end in YX; save it as a stack.")
    return array, axes


class _Pages:
    """The pages of a series; safe to read from several threads."""

    def __init__(self, path: Path, series: tifffile.TiffPageSeries) -> None:
        self._path = path
        self._series = series
        self._lock = threading.Lock()
        self._start: int | None = series.dataoffset  # of pages that lie one behind the other
        page = series.keyframe
        self.is_colour = int(page.photometric) in _COLOUR
        leading = len(series.shape) - len(page.shape)
        self.axes: str = series.axes[:leading] + page.axes
        self.array = page_array(series.shape[:leading], page.shape, series.dtype, self.read)

    def read(self, number: int, spans: Spans) -> npt.NDArray[Any]:
        """Return a region of a page; spans hold one slice per axis of the page."""
        with _reading(self._path):
            if self._start is not None:
                offset = self._start + number * self._series.keyframe.nbytes
                return self._read_rows(self._series.keyframe, offset, spans)
            with self._lock, _opened(self._series.keyframe):
                page: Any = self._series[number]
            if page is None:  # OME: a plane that was never written
                return np.zeros([s.stop - s.start for s in spans], self.array.dtype)
            if page.keyframe.is_final:
                return self._read_rows(page, page.dataoffsets[0], spans)
            return self._read_segments(page, spans)

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
        out = np.full([_length(s) for s in spans], keyframe.nodata, keyframe.dtype)
        for at, number, data in zip(positions, numbers, loaded, strict=True):
            segment, _, _ = keyframe.decode(data, number, **tables)
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
