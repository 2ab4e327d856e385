"""Whether a TIFF is whole, after an aborted copy or a run of the microscope that was stopped."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import tifffile

from napari_unet.engine.counts import shape_text
from napari_unet.engine.errors import FileError
from napari_unet.io.announced import check_piece
from napari_unet.io.failures import FileWarning
from napari_unet.io.units import positive

_LARGE = 2**28  # bytes of a plane; smaller ones cost nothing
_PACKED = 50_000  # times smaller than its pixels no file is
COMMON_KINDS = {"shaped", "ome", "imagej", "uniform", "generic"}
"""Kinds of tifffile's series that are not those of one scanner or microscope."""


def check_whole(tif: tifffile.TiffFile, alike: list[tifffile.TiffPageSeries], path: Path) -> None:
    """Raise `FileError` if pixels or pages lie beyond the end of the file, as of an aborted copy.

    Parameters
    ----------
    alike
        Series that form the image.
    """
    end = max(_end(tif, series) for series in alike)
    first = alike[0]
    lost = first.kind == "generic" and _announced(tif) > len(first)
    if lost or end > tif.filehandle.size or not _ends_properly(tif, first):
        raise FileError(
            f"'{path}' is truncated: its end is missing; copy or export it from its source once "
            "more."
        )


def check_announced(series: tifffile.TiffPageSeries, path: Path) -> None:
    """Raise `FileError` if pages announce more than a file can hold, before memory is asked for.

    Parameters
    ----------
    series
        That stands for all of the image.
    """
    page = series.keyframe
    if page.dtype is None:
        raise FileError(
            f"'{path}' holds values of a kind that is no number; save it as a grey-value TIFF."
        )
    if series.dataoffset is not None:
        return  # held against the size of the file by `check_whole`
    if page.is_final:
        too_much = page.dataoffsets[0] + page.nbytes > page.parent.filehandle.size
    else:
        check_piece(page.chunks, page.dtype.itemsize, path)
        stored = sum(page.databytecounts)
        is_sparse = stored and 0 in page.databytecounts  # some pieces are not written: they are 0
        is_empty = page.nbytes > max(_LARGE, stored * _PACKED) and not is_sparse
        too_much = is_empty or math.prod(page.chunked) > len(page.dataoffsets)
    if too_much:
        raise FileError(
            f"'{path}' announces planes of {shape_text(page.shape)} pixels, more than it stores; "
            "copy or export it from its source once more."
        )


def _end(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> int:
    """Return where the pixels of a series end in the file."""
    if series.dataoffset is not None:
        return int(series.dataoffset + series.nbytes)
    pages = [p for p in series if p is not None and p.parent is tif]
    ends = (
        offset + count
        for page in pages
        for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False)
    )
    return max(ends, default=0)


def tell_unwritten(alike: list[tifffile.TiffPageSeries], path: Path) -> None:
    """Warn of planes that OME-XML tells of and nobody has written, as after a run was stopped."""
    pages = [page for series in alike if series.kind == "ome" for page in series]
    unwritten = sum(page is None for page in pages)
    if unwritten:
        warnings.warn(
            FileWarning(
                f"'{path}' holds only {len(pages) - unwritten:,} of its {len(pages):,} planes; "
                "what was never written is read as 0."
            ),
            stacklevel=2,
        )


def _announced(tif: tifffile.TiffFile) -> int:
    """Return the planes that ImageJ announces; past 4 GB it writes the first page only."""
    meta = tif.imagej_metadata or {}
    return int(positive(meta.get("images")) or 1)


def _ends_properly(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> bool:
    """Return whether the chain of pages ends with the offset 0 that closes it."""
    if series.kind not in COMMON_KINDS or tif.is_scanimage:
        return True  # tifffile does not follow the chain of these
    handle, position = tif.filehandle, tif.pages.next_page_offset
    if position is None:
        return False
    handle.seek(position)
    last = handle.read(tif.tiff.offsetsize)
    return len(last) == tif.tiff.offsetsize and not any(last)
