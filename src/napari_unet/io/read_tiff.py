"""TIFF files: which image is in them, and what they tell of it."""

from __future__ import annotations

import logging
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree.ElementTree import ParseError

import tifffile

from napari_unet.engine.counts import shape_text
from napari_unet.engine.errors import FileError, ImageError, reason_of
from napari_unet.io.announced import check_planes
from napari_unet.io.axes import in_reading_order, name_axes
from napari_unet.io.failures import FileWarning
from napari_unet.io.imagej_text import imagej_channels
from napari_unet.io.ome_text import OmeImage, declares_type, read_ome
from napari_unet.io.positions import pick_position, unique_names
from napari_unet.io.stack import BLACK, SOFTWARE, Channel, ImageStack, View, fitting_channels
from napari_unet.io.tiff_axes import read_axes
from napari_unet.io.tiff_directories import check_directories
from napari_unet.io.tiff_pages import TiffPages, reading_tiff
from napari_unet.io.tiff_spacing import read_spacing
from napari_unet.io.tiff_whole import COMMON_KINDS, check_announced, check_whole, tell_unwritten

_WORDLESS_KINDS = {"shaped", "uniform", "generic"}  # whose images may be parts of one
_XMP = 700  # the tag of XML that some scanners write
_WHITE_IS_ZERO = 0  # PhotometricInterpretation
_log_lock = threading.Lock()


def open_tiff(path: Path, position: str | None = None) -> ImageStack:
    """Open a TIFF: plane, stack, OME, ImageJ hyperstack or equal pages; tiled, packed, BigTIFF.

    The file is held open during reads only. Where its OME-XML is of no use, the pixels open
    without it, with a `FileWarning`.

    Parameters
    ----------
    position
        Name or number of the image, if the file has several.

    Raises
    ------
    FileError
        If it is missing, no TIFF, or not whole.
    ImageError
        If it holds several images of different kinds of which none is chosen, or no plane.
    SettingsError
        If it has no such position.
    """
    with _opened(path) as (tif, ome, found):
        images = _images(found, tif, path)
        names, sizes = _names(images), [shape_text(image[0].shape) for image in images]
        chosen = pick_position(names, position, path, sizes=sizes)
        alike = images[chosen]
        _check_plane(alike[0], path)
        check_announced(alike[0], path)
        check_whole(tif, alike, path)
        tell_unwritten(alike, path)
        page = alike[0].keyframe
        array, axes = in_reading_order(
            TiffPages(path, alike).array, name_axes(read_axes(tif, alike))
        )
        check_planes(array.shape, axes, path)
        count = array.shape[axes.index("C")] if "C" in axes else 1
        described = _describing(ome, found.index(alike[0]))
        channels = _channels(tif, described, count)
        spacing = read_spacing(tif, page, described)
    name = re.sub(r"(\.ome)?\.tiff?$", "", path.name, flags=re.IGNORECASE)
    is_labels = array.dtype.kind == "u" and page.software.startswith(SOFTWARE)
    is_one = len(images) == 1
    return ImageStack(
        array,
        axes,
        spacing,
        name if is_one else f"{name} {names[chosen]}",
        channels=channels,
        is_labels=is_labels,
        levels=len(alike[0].levels),
        view=View() if is_one else View(names[chosen]),
    )


def tiff_positions(path: Path) -> tuple[str, ...]:
    """Return the names of the images in a file; raises as `open_tiff`."""
    with _opened(path) as (tif, _, found):
        return _names(_images(found, tif, path))


@contextmanager
def _opened(
    path: Path,
) -> Iterator[tuple[tifffile.TiffFile, list[OmeImage], list[tifffile.TiffPageSeries]]]:
    """Open a file; give with it what OME-XML tells, and what tifffile sees as its images."""
    with reading_tiff(path):
        check_directories(path)
    with reading_tiff(path), _quiet(), tifffile.TiffFile(path) as tif:
        _refuse_entities(tif, path)
        ome = _read_ome(tif, path)
        found = _all_series(tif, path)
        yield tif, ome if tif.is_ome else [], found


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


def _refuse_entities(tif: tifffile.TiffFile, path: Path) -> None:
    """Raise `FileError` if XML that tifffile parses on its own account may hold entities.

    Some scanners write XML into the description or the XMP tag of the first page; `read_ome` sees
    to OME-XML.
    """
    try:
        page = tif.pages.first
    except LookupError:  # it has none, which is said later
        return
    xmp = page.tags.valueof(_XMP, b"")
    texts = [page.description if not tif.is_ome else ""]
    plain = xmp.replace(b"\0", b"").decode("latin-1") if isinstance(xmp, bytes) else str(xmp)
    texts.append(plain)  # of UTF-16, too
    if any(map(declares_type, texts)):
        raise FileError(
            f"'{path}' carries XML that declares a type of document, which is not opened for "
            "safety's sake; save it as a plain TIFF."
        )


def _read_ome(tif: tifffile.TiffFile, path: Path) -> list[OmeImage]:
    """Return what OME-XML tells of the images; if it is of no use, let tifffile pass over it."""
    if not tif.is_ome:
        return []
    try:
        ome = read_ome(tif.ome_metadata or "", path, int(tif.pages.first.size))
    except (ParseError, TypeError, ValueError) as error:
        _pass_over_ome(tif, path, str(error))
        return []
    tif.pages.first.description = ome.text  # the words that tifffile goes by
    images = ome.images
    if not images:  # a part of a larger set, or the file was renamed
        _pass_over_ome(tif, path, "it tells of other files")
    return images


def _pass_over_ome(tif: tifffile.TiffFile, path: Path, reason: str) -> None:
    tif.is_ome = False
    warnings.warn(
        FileWarning(
            f"The OME-XML of '{path}' is of no use ({reason_of(reason)}); its pixels are "
            "read without it, and its pixel size and the names of its axes are not known."
        ),
        stacklevel=2,
    )


def _all_series(tif: tifffile.TiffFile, path: Path) -> list[tifffile.TiffPageSeries]:
    """Return the images in the file as tifffile sees them."""
    try:
        found = list(tif.series)  # which newer versions of tifffile look for only now
    except (LookupError, TypeError, ValueError) as error:
        if not tif.is_ome:
            raise
        _pass_over_ome(tif, path, str(error) or type(error).__name__)
        found = list(tif.series)
    return [series for series in found if series.shape]


def _images(
    found: list[tifffile.TiffPageSeries], tif: tifffile.TiffFile, path: Path
) -> list[list[tifffile.TiffPageSeries]]:
    """Return the series of each image in the file, alike; several are frames in a row.

    Slide scanners put pictures of the label beside the image, and an OME-TIFF may tell of images
    in other files.
    """
    inside = [series for series in found if _has_own_pages(series, tif)]
    if not inside:
        raise FileError(f"'{path}' holds no image; export it from its source once more.")
    first = inside[0]
    others = [series for series in inside[1:] if not series.keyframe.is_reduced]
    is_frame = set(first.axes) <= set("YXS")
    may_be_parts = first.kind in _WORDLESS_KINDS or (first.kind == "ome" and is_frame)
    alike = may_be_parts and all(_look(other) == _look(first) for other in others)
    if alike:
        return [[first, *others]]
    return [[each] for each in ((first, *others) if first.kind in COMMON_KINDS else (first,))]


def _names(images: list[list[tifffile.TiffPageSeries]]) -> tuple[str, ...]:
    return unique_names([image[0].name for image in images])


def _check_plane(first: tifffile.TiffPageSeries, path: Path) -> None:
    """Raise `ImageError` if an image holds no plane of numbers."""
    if first.dtype is None or not {"Y", "X"} <= set(first.keyframe.axes):
        raise ImageError(f"'{path}' holds no plane of numbers; save it as a grey-value TIFF.")


def _has_own_pages(series: tifffile.TiffPageSeries, tif: tifffile.TiffFile) -> bool:
    return series.kind != "ome" or any(p is not None and p.parent is tif for p in series)


def _look(series: tifffile.TiffPageSeries) -> tuple[object, ...]:
    """Return what frames of one stack have in common."""
    page = series.keyframe
    return series.shape, series.axes, series.dtype, page.shape, page.photometric


def _describing(images: list[OmeImage], number: int) -> OmeImage | None:
    """Return what OME-XML tells of the image of this number, if of any."""
    return images[number if number < len(images) else 0] if images else None


def _channels(tif: tifffile.TiffFile, ome: OmeImage | None, count: int) -> tuple[Channel, ...]:
    """Return what the file tells of its channels."""
    if ome is not None:
        found = fitting_channels(ome.channels, count)
    else:
        meta = tif.imagej_metadata
        found = fitting_channels(imagej_channels(meta, count) if meta else (), count)
    page = tif.pages.first
    is_grey = count == 1 and page.bitspersample > 1
    is_inverted = not found and is_grey and page.photometric == _WHITE_IS_ZERO
    return (Channel(colour=BLACK),) if is_inverted else found
