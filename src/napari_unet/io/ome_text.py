"""What OME-XML tells of an image: spacing, channels, and the files in which its planes lie."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from xml.etree import ElementTree as ET

import tifffile

from napari_unet.engine.errors import FileError
from napari_unet.io.stack import Channel, hex_colour
from napari_unet.io.tiff_directories import check_directories
from napari_unet.io.units import MICROMETRE, to_micrometres, to_seconds

_MOST_PLANES = 1_000_000
_ALONG = ("AlongZ", "AlongC", "AlongT")
_WORDS = re.compile(r"\d+|[^\W\d_]+")
_WHITE = -1  # the default colour of a channel: red, green, blue, alpha in 32 signed bits


@dataclass(frozen=True, slots=True)
class OmeImage:
    """One image of a file.

    Parameters
    ----------
    spacing
        Distance between neighbours along an axis, where told: µm for Z, Y and X, s for T.
    channels
        In their order.
    """

    spacing: dict[str, float]
    channels: tuple[Channel, ...]


@dataclass(frozen=True, slots=True)
class OmeText:
    """The images that can be read, and the OME-XML of these alone."""

    images: list[OmeImage]
    text: str


def read_ome(text: str, path: Path, page_size: int) -> OmeText:
    """Return the images that can be read: with planes in this file, or in files beside it.

    An image that names a file elsewhere, or one beside it that is not of its own set, is left out
    of the text, so that nobody opens that file.

    Parameters
    ----------
    text
        OME-XML.
    path
        The file that it comes from.
    page_size
        Numbers on the first page of that file.

    Raises
    ------
    FileError
        If some planes of an image are there and others lie in files that are missing, elsewhere
        or of another set.
    ValueError
        If it announces more planes than any image has, or declares a type of document, which may
        hold entities that grow without end when they are read.
    xml.etree.ElementTree.ParseError
        If the text is not well-formed.
    """
    if declares_type(text):
        raise ValueError("it declares a type of document")
    root = ET.fromstring(text)  # noqa: S314 without such a type there are no entities
    _check_counts(root, page_size)
    own = root.get("UUID")
    files = _Files(path, own)
    images: list[OmeImage] = []
    is_whole = True
    for element in list(root):
        found = list(element.iterfind("{*}Pixels"))
        are_there = [_is_there(pixels, files) for pixels in found]
        if files.strangers(element):
            root.remove(element)
            is_whole = False
        elif element.tag.endswith("Image"):
            images += [_image(p) for p, there in zip(found, are_there, strict=True) if there]
    return OmeText(images, text if is_whole else ET.tostring(root, encoding="unicode"))


def declares_type(text: str) -> bool:
    """Return whether XML declares its own type of document; only there entities are declared."""
    return "<!DOCTYPE" in text


def _image(pixels: ET.Element) -> OmeImage:
    return OmeImage(_spacing(pixels), tuple(map(_channel, pixels.iterfind("{*}Channel"))))


def _check_counts(root: ET.Element, page_size: int) -> None:
    """Raise `ValueError` if more planes are announced than tifffile can count in a second."""
    for element in root.iter():
        lengths = [int(element.get(f"Size{axis}", 1)) for axis in "ZCTYX"]
        counts = [int(element.get(key, 0)) for key in ("PlaneCount", "NumPlanes")]
        pages = math.prod(lengths) // max(1, page_size)  # as tifffile counts them
        if max(pages, math.prod(lengths[:3]), *counts) > _MOST_PLANES:
            raise ValueError("it announces more planes than any image has")
        if element.tag.endswith(_ALONG) and element.get("Start") is not None:
            start, end, step = (float(element.get(key, 1)) for key in ("Start", "End", "Step"))
            if not abs(end - start) <= abs(step) * _MOST_PLANES:
                raise ValueError("it announces more planes than any image has")


class _Files:
    """Which files OME-XML may name: those beside it that are of its own set."""

    def __init__(self, path: Path, own: str | None) -> None:
        self.path = path
        self._own = own
        self._known: dict[tuple[str, str], bool] = {}

    def is_own(self, told: ET.Element) -> bool:
        """Return whether a UUID element means the file itself."""
        by_name = told.get("FileName", "").lower() == self.path.name.lower()
        return by_name or (self._own is not None and told.text == self._own)

    def is_beside(self, told: ET.Element) -> bool:
        """Return whether the file lies beside it and is of its set."""
        name = told.get("FileName", "")
        return is_plain(name) and (self.path.parent / name).is_file() and not self._is_other(told)

    def why_not(self, name: str) -> str:
        """Return what is wrong with a file of the set that cannot be taken, and the cure."""
        if is_plain(name) and (self.path.parent / name).is_file():
            return "beside it says nothing of this image; save the image as one file."
        return "is missing beside it; copy all of them into one folder."

    def strangers(self, element: ET.Element) -> list[str]:
        """Return the names below an element that tifffile must not open; missing ones are none."""
        named = [told for told in element.iter() if told.get("FileName") is not None]
        return [
            told.get("FileName", "")
            for told in named
            if not self.is_own(told)
            and (not is_plain(told.get("FileName", "")) or self._is_other(told))
        ]

    def _is_other(self, told: ET.Element) -> bool:
        """Return whether there is something beside that does not know of this file."""
        key = (told.get("FileName", ""), (told.text or "").strip())
        if key not in self._known:
            beside = self.path.parent / key[0]
            self._known[key] = beside.exists() and not self._knows_us(beside, key[1])
        return self._known[key]

    def _knows_us(self, beside: Path, uuid: str) -> bool:
        if not beside.is_file():
            return False
        try:
            check_directories(beside)
            with tifffile.TiffFile(beside) as tif:
                text = str(tif.pages.first.description)
        except (FileError, tifffile.TiffFileError, LookupError, OSError, TypeError, ValueError):
            return False
        if (bool(uuid) and uuid in text) or self.path.name in text:
            return True
        # Some writers put the OME-XML of all files into the first one only.
        return are_alike(self.path.name, beside.name)


def is_plain(name: str) -> bool:
    """Return whether a name leads into no other folder, on any system."""
    return (
        name not in ("", ".", "..")
        and PureWindowsPath(name).name == name == PurePosixPath(name).name
    )


def are_alike(name: str, other: str) -> bool:
    """Return whether names are those of one image: they differ in numbers only, or begin alike.

    Examples
    --------
    >>> are_alike("01_cells.tif", "02_cells.tif"), are_alike("cells.ome.tif", "secret.tif")
    (True, False)
    """
    words, others = (_WORDS.findall(text.casefold()) for text in (name, other))
    numberless = [[word for word in found if not word.isdecimal()] for found in (words, others)]
    return numberless[0] == numberless[1] or words[:1] == others[:1]


def _is_there(pixels: ET.Element, files: _Files) -> bool:
    """Return whether planes of an image can be read; raise if this file has some of them only."""
    told = list(_told(pixels, files))
    others = {t.get("FileName", ""): t for t in told if t is not None}
    missing = sorted(name for name, t in others.items() if not files.is_beside(t))
    count = len(others) + (None in told)
    if missing and None in told:
        raise FileError(
            f"'{files.path}' is one of {count} files of an image, and '{missing[0]:.100}' "
            + files.why_not(missing[0])
        )
    return len(missing) < max(1, count)


def _told(pixels: ET.Element, files: _Files) -> Iterator[ET.Element | None]:
    """Yield what names the file of each block of planes; None is the file itself."""
    for block in pixels.iterfind("{*}TiffData"):
        told = block.find("{*}UUID")
        yield None if told is None or files.is_own(told) or not told.get("FileName") else told


def _spacing(pixels: ET.Element) -> dict[str, float]:
    """Read the physical sizes; their default units are µm and s."""
    found = {
        axis: to_micrometres(
            pixels.get(f"PhysicalSize{axis}"), pixels.get(f"PhysicalSize{axis}Unit", MICROMETRE)
        )
        for axis in "ZYX"
    }
    found["T"] = to_seconds(pixels.get("TimeIncrement"), pixels.get("TimeIncrementUnit", "s"))
    return {axis: value for axis, value in found.items() if value is not None}


def _channel(element: ET.Element) -> Channel:
    name = element.get("Name") or element.get("Fluor") or ""
    try:
        number = int(element.get("Color", _WHITE))
    except ValueError:
        number = _WHITE
    return Channel(name.strip(), hex_colour([number >> shift & 255 for shift in (24, 16, 8)]))
