"""Pixel size, plane distance and frame interval from the tags and texts of a TIFF."""

from __future__ import annotations

from typing import Any

import tifffile

from napari_unet.io.units import MICROMETRE, positive, to_micrometres, to_seconds

__all__ = ["read_spacing"]

_TAG_UNITS = {2: "inch", 3: "cm"}  # ResolutionUnit
_PLAUSIBLE = (1e-3, 20.0)  # µm per pixel; 72 to 300 dpi (353 to 85 µm) says nothing of an object


def read_spacing(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> dict[str, float]:
    """Return the spacing of the axes that the file tells: µm for Z, Y and X, s for T.

    OME-XML is asked first, then ImageJ's description, then the resolution tags, which count
    only as centimetres or inches and where they give 0.001 to 20 µm per pixel.
    """
    page = series.keyframe
    if tif.is_ome:
        found = _from_ome(tif.ome_metadata or "")
    elif tif.is_imagej:
        found = _from_imagej(tif.imagej_metadata or {}, page)
    else:
        found = _from_tags(page)
    return {axis: value for axis, value in found.items() if value is not None}


def _from_ome(text: str) -> dict[str, float | None]:
    """Read the physical sizes of the first image; their default units are µm and s."""
    images = tifffile.xml2dict(text).get("OME", {}).get("Image", {})
    image = images[0] if isinstance(images, list | tuple) else images
    pixels: dict[str, Any] = image.get("Pixels", {})
    found: dict[str, float | None] = {
        axis: to_micrometres(
            pixels.get(f"PhysicalSize{axis}"), pixels.get(f"PhysicalSize{axis}Unit", MICROMETRE)
        )
        for axis in "ZYX"
    }
    found["T"] = to_seconds(pixels.get("TimeIncrement"), pixels.get("TimeIncrementUnit", "s"))
    return found


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
    found["T"] = to_seconds(meta.get("finterval"), meta.get("tunit", "s"))
    return found


def _from_tags(page: tifffile.TiffPage) -> dict[str, float | None]:
    unit = _TAG_UNITS.get(_tag(page, "ResolutionUnit"), "")
    height = to_micrometres(_size(page, "YResolution"), unit)
    width = to_micrometres(_size(page, "XResolution"), unit)
    low, high = _PLAUSIBLE
    if height is None or width is None or not (low <= height <= high and low <= width <= high):
        return {}
    return {"Y": height, "X": width}


def _size(page: tifffile.TiffPage, name: str) -> float | None:
    """Return the length of a pixel in the file's unit: the inverse of the resolution."""
    resolution = _tag(page, name)  # (numerator, denominator), pixels per unit
    if not isinstance(resolution, tuple) or len(resolution) != 2 or not resolution[0]:
        return None
    return positive(resolution[1] / resolution[0])


def _tag(page: tifffile.TiffPage, name: str) -> Any:
    return page.tags.valueof(name)
