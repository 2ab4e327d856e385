"""What OME-XML tells of an image: spacing, channels, and the files in which its planes lie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from xml.etree import ElementTree as ET

from napari_unet.engine.errors import FileError
from napari_unet.io.stack import Channel, hex_colour
from napari_unet.io.units import MICROMETRE, to_micrometres, to_seconds

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


def read_ome(text: str, path: Path) -> list[OmeImage]:
    """Return the images that can be read: with planes in this file, or in files beside it.

    Parameters
    ----------
    text
        OME-XML.
    path
        The file that it comes from.

    Raises
    ------
    FileError
        If some planes of an image are there and others lie in files that are missing.
    xml.etree.ElementTree.ParseError
        If the text is not well-formed.
    """
    root = ET.fromstring(text)  # noqa: S314 tifffile has parsed it with the same
    return [
        OmeImage(_spacing(pixels), tuple(map(_channel, pixels.iterfind("{*}Channel"))))
        for pixels in root.iterfind("{*}Image/{*}Pixels")
        if _is_there(pixels, root.get("UUID"), path)
    ]


def _is_there(pixels: ET.Element, own: str | None, path: Path) -> bool:
    """Return whether planes of an image can be read; raise if this file has some of them only."""
    files = set(_files(pixels, own, path))
    missing = sorted(name for name in files if name and not _is_beside(name, path))
    if missing and "" in files:
        raise FileError(
            f"'{path}' is one of {len(files)} files of an image, and '{missing[0]}' is missing "
            "beside it; copy all of them into one folder."
        )
    return len(missing) < max(1, len(files))


def _files(pixels: ET.Element, own: str | None, path: Path) -> Iterator[str]:
    """Yield the name of the file of each block of planes; "" is the file itself."""
    for block in pixels.iterfind("{*}TiffData"):
        told = block.find("{*}UUID")
        name = "" if told is None else told.get("FileName", "")
        is_own = told is None or told.text == own or name.lower() == path.name.lower()
        yield "" if is_own else name


def _is_beside(name: str, path: Path) -> bool:
    """Return whether a file lies in the folder of `path`; nothing is looked for elsewhere."""
    return PureWindowsPath(name).name == name and (path.parent / name).is_file()


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
