"""TIFF files: which image is in them, whether they are whole, and what their axes are."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tifffile

from napari_unet.engine.errors import FileError, ImageError
from napari_unet.io.lazy import LazyArray
from napari_unet.io.stack import SOFTWARE, ImageStack, name_axes
from napari_unet.io.tiff_pages import TiffPages, reading_tiff
from napari_unet.io.tiff_spacing import read_spacing
from napari_unet.io.units import positive

__all__ = ["open_tiff"]

_COMMON_KINDS = {"shaped", "ome", "imagej", "uniform", "generic"}  # not those of one scanner
_MOST_CHANNELS = 64  # ImageJ files from Python often call the planes of a stack channels
_log_lock = threading.Lock()


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
    with reading_tiff(path), _quiet(), tifffile.TiffFile(path) as tif:
        series = _only_series(tif, path)
        _check_whole(tif, series, path)
        spacing = read_spacing(tif, series)
        array, axes = _arrange(TiffPages(path, series), path)
        is_labels = array.dtype.kind == "u" and series.keyframe.software.startswith(SOFTWARE)
    name = re.sub(r"(\.ome)?\.tiff?$", "", path.name, flags=re.IGNORECASE)
    return ImageStack(array, axes, spacing, name, is_labels=is_labels)


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
        end = series.dataoffset + series.nbytes
    else:
        pages = [p for p in series if p is not None and p.parent is tif]
        ends = (
            offset + count
            for page in pages
            for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False)
        )
        end = max(ends, default=0)
    lost = series.kind == "generic" and _announced(tif) > len(series)
    if lost or end > tif.filehandle.size or not _ends_properly(tif, series):
        raise FileError(
            f"'{path}' is truncated: its end is missing; copy or export it from its source once "
            "more."
        )


def _announced(tif: tifffile.TiffFile) -> int:
    """Return the planes that ImageJ announces; past 4 GB it writes the first page only."""
    meta = tif.imagej_metadata or {}
    return int(positive(meta.get("images")) or 1)


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


def _arrange(pages: TiffPages, path: Path) -> tuple[LazyArray, str]:
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
