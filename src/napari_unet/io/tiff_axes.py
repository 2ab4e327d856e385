"""What a TIFF says of the axes of its image: the words of its writer, and where there are none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tifffile

_COLOUR = {2, 5, 6, 8}  # PhotometricInterpretation: RGB, CMYK, YCbCr, CIE L*a*b*
_COUNTS = {3, 4}  # samples of a colour picture; the fourth is transparency
_SEPARATE = 2  # PlanarConfiguration: samples in planes of their own
_MOST_CHANNELS = 64  # ImageJ files from Python often call the planes of a stack channels


def leading_shape(series: tifffile.TiffPageSeries) -> tuple[int, ...]:
    """Return the lengths of the axes that number the pages of a series."""
    return _shape(series)[: -len(series.keyframe.shape)]


def read_axes(tif: tifffile.TiffFile, alike: Sequence[tifffile.TiffPageSeries]) -> str:
    """Return a letter for each axis of the pages, "?" for one that nobody names.

    Parameters
    ----------
    alike
        Series of one shape; several form an axis of their own.

    Notes
    -----
    S is left for the samples of colour pictures. Other samples are channels; but three planes
    that tifffile was given without a word are stored like red, green and blue, and are planes.
    """
    first = alike[0]
    axes = first.axes[: len(_shape(first))].upper()
    if not {"Y", "X"} <= set(axes):  # what the writer calls them leaves no plane
        axes = "?" * len(leading_shape(first)) + first.keyframe.axes
    if "C" in axes and "S" in axes[: len(leading_shape(first))]:  # scenes, as czifile calls them
        axes = axes.replace("S", "?" if "P" in axes else "P")
    elif "S" in axes:
        axes = axes.replace("S", _samples(first, _stated(tif, first)))
    if first.kind == "imagej" and "C" in axes and _length(first, "C") > _MOST_CHANNELS:
        axes = axes.replace("C", "?")
    return axes if len(alike) == 1 else "?" + axes


def _shape(series: tifffile.TiffPageSeries) -> tuple[int, ...]:
    """Return the shape without axes of length 1 behind the page, such as (Y, X, 1)."""
    shape, page = tuple(series.shape), tuple(series.keyframe.shape)
    while shape[-len(page) :] != page and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def _stated(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> str:
    """Return the axes that somebody told tifffile when it wrote the file."""
    told: Any = (tif.shaped_metadata or [{}])[0] if series.kind == "shaped" else {}
    return str(told.get("axes", "")).upper()


def _length(series: tifffile.TiffPageSeries, axis: str) -> int:
    return int(series.shape[series.axes.upper().index(axis)])


def _samples(series: tifffile.TiffPageSeries, stated: str) -> str:
    """Return what the samples of a pixel are: colours "S", channels "C", or planes "?"."""
    page = series.keyframe
    is_rgb = int(page.photometric) in _COLOUR
    if is_rgb and not stated and _is_guess(series):
        return "?"
    can_be_colour = _length(series, "S") in _COUNTS and series.dtype.kind != "i"  # i: labels
    return "S" if can_be_colour and (is_rgb or "S" in stated) else "C"


def _is_guess(series: tifffile.TiffPageSeries) -> bool:
    """Return whether tifffile has called planes red, green and blue without being told."""
    page = series.keyframe
    by_tifffile = page.is_shaped or page.software.startswith("tifffile")
    is_plain = series.kind in ("shaped", "generic", "uniform")
    return by_tifffile and is_plain and int(page.planarconfig) == _SEPARATE
