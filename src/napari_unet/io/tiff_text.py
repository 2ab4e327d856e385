"""How a TIFF tells its axes and spacing: ImageJ's description, OME-XML or tifffile's, and tags."""

from __future__ import annotations

import json
import math
import sys
import uuid
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Literal
from xml.sax.saxutils import escape

import numpy as np
import tifffile

from napari_unet import __version__
from napari_unet.engine.errors import FileError
from napari_unet.io.stack import SOFTWARE, Layout
from napari_unet.io.unfinished import tell_unfinished
from napari_unet.io.units import MICROMETRE

PROVENANCE = "napari-unet-paint/provenance"
"""Namespace of the annotation of OME-XML that holds it."""

_CLASSIC_LIMIT = 2**32 - 2**25  # bytes; offsets of a classic TIFF have 32 bits
_PAGE_OVERHEAD = 1024  # bytes of tags per page
_IMAGEJ_TYPES = (np.dtype(np.uint16), np.dtype(np.float32))
_PER_CENTIMETRE = 1e4  # µm


class Language(Enum):
    """Whose words describe a file."""

    IMAGEJ = "ImageJ"
    OME = "OME"
    TIFFFILE = "tifffile"


@dataclass(frozen=True, slots=True)
class TiffText:
    """Which of the languages a file speaks, and in which TIFF."""

    layout: Layout
    dtype: np.dtype[Any]
    language: Language
    is_big: bool  # BigTIFF: 64-bit offsets
    unfinished: tuple[int, ...] = ()  # planes that a segmentation has not done, or only in part
    provenance: str = ""  # what made the labels; ImageJ is told in a place of its own

    @property
    def is_imagej(self) -> bool:
        """True if the file speaks as ImageJ does."""
        return self.language is Language.IMAGEJ

    def describe(self, *, highest: float) -> bytes:
        """Return the ImageDescription of the first page.

        Parameters
        ----------
        highest
            Grey value shown as white in ImageJ; black is 0.
        """
        if self.is_imagej:
            return self._imagej(highest).encode("ascii")
        return (self._ome() if self.language is Language.OME else self._json()).encode("utf-8")

    def info(self) -> list[Any]:
        """Return the tags with what ImageJ shows as the info of an image, for `extratags`."""
        if not self.is_imagej:
            return []
        lines = [f"Written by {SOFTWARE} {__version__}", self.provenance]
        order: Literal["<", ">"] = "<" if sys.byteorder == "little" else ">"
        return list(tifffile.imagej_metadata_tag({"Info": "\n".join(filter(None, lines))}, order))

    def resolution(self) -> dict[str, Any]:
        """Return the resolution tags as arguments of `tifffile.TiffWriter.write`."""
        if self.layout.pixel_size is None:
            return {}
        height, width = self.layout.pixel_size
        if self.is_imagej:  # pixels per unit of the description
            return {"resolution": (1 / width, 1 / height), "resolutionunit": "NONE"}
        per_cm = (_PER_CENTIMETRE / width, _PER_CENTIMETRE / height)
        return {"resolution": per_cm, "resolutionunit": "CENTIMETER"}

    def _imagej(self, highest: float) -> str:
        """Return ImageJ's key=value lines; its stacks run channels first, then slices, frames."""
        length = dict(zip(self.layout.axes, self.layout.shape, strict=True))
        spacing = self.layout.spacing
        lines = ["ImageJ=1.11a", f"images={self.layout.count}"]
        for axis, key in (("C", "channels"), ("Z", "slices"), ("T", "frames")):
            if length.get(axis, 1) > 1:
                lines.append(f"{key}={length[axis]}")
        if self.layout.count > 1:
            lines += ["hyperstack=true", "mode=grayscale"]
        if self.layout.pixel_size is not None:
            lines.append("unit=um")
            if "Z" in spacing:
                lines.append(f"spacing={spacing['Z']!r}")
        if "T" in spacing:
            lines.append(f"finterval={spacing['T']!r}")
        lines += ["loop=false", "min=0.0", f"max={float(highest)!r}"]
        if self.unfinished:
            lines.append(f"unfinished={' '.join(map(str, self.unfinished))}")
        return "\n".join([*lines, ""])

    def _json(self) -> str:
        told: dict[str, Any] = {"shape": self.layout.shape, "axes": self.layout.axes}
        if self.unfinished:
            told["unfinished"] = f"{tell_unfinished(self.unfinished)}."
        if self.provenance:
            told["provenance"] = json.loads(self.provenance)
        return json.dumps(told)

    def _ome(self) -> str:
        height, width = self.layout.plane_shape
        keys: dict[str, Any] = {}
        for axis in "XYZ":
            if axis in self.layout.spacing:
                keys[f"PhysicalSize{axis}"] = self.layout.spacing[axis]
                keys[f"PhysicalSize{axis}Unit"] = MICROMETRE
        if "T" in self.layout.spacing:
            keys["TimeIncrement"] = self.layout.spacing["T"]
            keys["TimeIncrementUnit"] = "s"
        if self.unfinished:
            keys["Description"] = f"{tell_unfinished(self.unfinished)}."
        creator = f"{SOFTWARE} {__version__}"
        xml = tifffile.OmeXml(Creator=creator, UUID=str(uuid.uuid4()))
        stored = (self.layout.count, 1, 1, height, width, 1)
        xml.addimage(self.dtype, self.layout.shape, stored, axes=self.layout.axes, **keys)
        if self.provenance:
            identity = f"Annotation:{len(xml.annotations)}"
            xml.annotations.append(
                f'<CommentAnnotation ID="{identity}" Namespace="{PROVENANCE}">'
                f"<Value>{escape(self.provenance)}</Value></CommentAnnotation>"
            )
        return str(xml.tostring(declaration=True))


def choose_text(layout: Layout, dtype: np.dtype[Any], *, ome: bool) -> TiffText:
    """Choose ImageJ's language where ImageJ itself can read the file, else OME, if it can.

    ImageJ knows the axes T, Z, C in this order, uint16 and float32, and no BigTIFF. OME has no
    room for many other axes; tifffile's JSON, which napari reads, has.

    Parameters
    ----------
    ome
        True: OME in any case, as the file name promises.

    Raises
    ------
    FileError
        If OME has no room for the axes, but the file name promises it.
    """
    in_order = [axis for axis in "TZC" if axis in layout.axes] == list(layout.axes[:-2])
    size = math.prod(layout.shape) * dtype.itemsize
    size += layout.count * _PAGE_OVERHEAD
    is_big = size > _CLASSIC_LIMIT
    if in_order and dtype in _IMAGEJ_TYPES and not is_big and not ome:
        return TiffText(layout, dtype, Language.IMAGEJ, is_big)
    text = TiffText(layout, dtype, Language.OME, is_big)
    try:
        text.describe(highest=1)
    except tifffile.OmeXmlError as error:
        if ome:
            raise FileError(
                f"OME-TIFF has no room for the axes {layout.axes}; end the name in .tif, without "
                ".ome before it."
            ) from error
        return replace(text, language=Language.TIFFFILE)
    return text
