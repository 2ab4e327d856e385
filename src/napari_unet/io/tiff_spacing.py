"""Pixel size, plane distance and frame interval from the tags and texts of a TIFF."""

from __future__ import annotations

from typing import Any

import tifffile

from napari_unet.io.ome_text import OmeImage
from napari_unet.io.units import is_printed, positive, to_micrometres, to_seconds

_TAG_UNITS = {2: "inch", 3: "cm"}  # ResolutionUnit
_PLAUSIBLE = (1e-3, 20.0)  # µm per pixel, where a unit may be that of a printer


def read_spacing(
    tif: tifffile.TiffFile, page: tifffile.TiffPage, ome: OmeImage | None
) -> dict[str, float]:
    """Return the spacing of the axes that the file tells: µm for Z, Y and X, s for T.

    OME-XML is asked first, then ImageJ's description, then the resolution tags. Tags count only
    as centimetres or inches, and inches only where they give 0.001 to 20 µm per pixel; 72, 96,
    300 and other usual numbers of dots per inch count nowhere.

    Parameters
    ----------
    page
        That stands for all of the image.
    ome
        What OME-XML tells of the image, if the file has it.
    """
    if ome is not None:
        found: dict[str, float | None] = dict(ome.spacing)
        if is_printed(found.get("X")):
            found.update({"Y": None, "X": None})
    elif tif.is_imagej:
        found = _from_imagej(tif.imagej_metadata or {}, page)
    else:
        found = _from_tags(page)
    return {axis: value for axis, value in found.items() if value is not None}


def _from_imagej(meta: dict[str, Any], page: tifffile.TiffPage) -> dict[str, float | None]:
    """Read unit, spacing and finterval; the unit of the description is that of the tags."""
    unit = meta.get("unit", "")
    tag_unit = _TAG_UNITS.get(_tag(page, "ResolutionUnit"), "")
    if to_micrometres(1, unit) is None or (tag_unit == "cm" and to_micrometres(1, unit) == 1):
        found = _from_tags(page)  # the second case is ImageJ's own exception
    else:
        found = {
            "Y": to_micrometres(_size(page, "YResolution"), meta.get("yunit", unit)),
            "X": to_micrometres(_size(page, "XResolution"), unit),
        }
    found["Z"] = to_micrometres(meta.get("spacing"), meta.get("zunit", unit))
    width = found.get("X")
    is_inch = to_micrometres(1, unit) == to_micrometres(1, "inch")
    if is_printed(width) or (is_inch and not _is_plausible(width)):
        found = {}  # and the distance of planes is in the same unit
    found["T"] = to_seconds(meta.get("finterval"), meta.get("tunit", "s"))
    return found


def _from_tags(page: tifffile.TiffPage) -> dict[str, float | None]:
    unit = _TAG_UNITS.get(_tag(page, "ResolutionUnit"), "")
    height = to_micrometres(_size(page, "YResolution"), unit)
    width = to_micrometres(_size(page, "XResolution"), unit)
    return {"Y": height, "X": width} if _is_plausible(height) and _is_plausible(width) else {}


def _is_plausible(size: float | None) -> bool:
    return size is not None and _PLAUSIBLE[0] <= size <= _PLAUSIBLE[1]


def _size(page: tifffile.TiffPage, name: str) -> float | None:
    """Return the length of a pixel in the file's unit: the inverse of the resolution."""
    resolution = _tag(page, name)  # (numerator, denominator), pixels per unit
    if not isinstance(resolution, tuple) or len(resolution) != 2 or not resolution[0]:
        return None
    return positive(resolution[1] / resolution[0])


def _tag(page: tifffile.TiffPage, name: str) -> Any:
    return page.tags.valueof(name)
