"""What the names of files in one folder say: which are labels, and which axes the planes form."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

from napari_unet.engine.errors import FileError

_LABEL_WORDS = frozenset(
    (
        *("mask", "masks", "label", "labels", "seg", "segmentation", "segmented"),
        *("gt", "groundtruth", "scribbles", "strokes"),
    )
)
_RESULT_WORDS = _LABEL_WORDS | {"cp", "outlines", "flows", "probabilities"}  # Cellpose, ilastik
_IMAGE_WORDS = frozenset(("img", "image", "images", "raw"))
_WORDS = re.compile(r"[^\W_]+")

_FRAME = re.compile(r"(?:^|[^a-z])(?:t|time|frame)[ _-]?\d+$", re.IGNORECASE)
_PART = re.compile(  # "_z003" in "Series3_z003_ch00"
    r"(?:^|[^a-z0-9])(?P<word>[a-z]+)[ _-]?(?P<number>\d+)(?!\d)", re.IGNORECASE
)
_DYE = re.compile(r"[a-z][a-z0-9-]*", re.IGNORECASE)  # behind the number: "_w1DAPI" of MetaMorph
_AXES = {
    **dict.fromkeys(("t", "time", "timepoint", "frame"), "T"),
    **dict.fromkeys(("z", "slice", "plane"), "Z"),
    **dict.fromkeys(("ch", "chan", "channel"), "C"),
    **dict.fromkeys(("c", "w"), "c"),  # a channel only beside a z or t: it might be a colony
}


@dataclass(frozen=True, slots=True)
class Grid:
    """Where each file of a folder belongs.

    Parameters
    ----------
    axes
        That the files form, one letter each; C is the last.
    shape
        Their lengths.
    order
        Index of the file at each place, in C order.
    planes
        A name for each plane: of its file, or what its channels' files have in common.
    channels
        What the names call the channels, where there are some.
    """

    axes: str
    shape: tuple[int, ...]
    order: tuple[int, ...]
    planes: tuple[str, ...]
    channels: tuple[str, ...] = ()


def is_label_name(stem: str) -> bool:
    """Return whether a name ends in a word for labels: "cells_cp_masks", "Labels", "t002 seg 2"."""
    words = [word for word in _words(stem) if not word.isdigit()]
    return bool(words) and words[-1] in _LABEL_WORDS


def find_results(stems: Sequence[str]) -> tuple[set[str], set[str]]:
    """Return the names of what was made from images in the same folder, and labels among them.

    "cell1_cp_masks" and "cell1_flows" are results where there is "cell1", and so is "mask_001"
    where there is "img_001" or "001". Where there is nothing but results, they are what the folder
    is for, and none is returned.

    Parameters
    ----------
    stems
        File names without suffixes.
    """
    candidates = {stem for stem in stems if _RESULT_WORDS & set(_words(stem))}
    images = {_core(stem) for stem in stems if stem not in candidates}
    results = {stem for stem in candidates if _core(stem) in images}
    return results, {stem for stem in results if _LABEL_WORDS & set(_words(stem))}


def find_grid(stems: Sequence[str], folder: str) -> Grid:
    """Return the axes that file names form: "s1_z03_t12_ch00" is one plane of one channel.

    Whatever else tells the names apart is an axis of its own before T, Z and C. Names without
    such words, or that form no full grid, are planes along T if all end like t007, else along Z.

    Parameters
    ----------
    stems
        File names without suffixes, in natural order.
    folder
        How errors call it.

    Raises
    ------
    FileError
        If a plane lacks the file of a channel that others have.
    """
    places = _places(stems)
    channels = sorted({place.channel for place in places})
    if len(channels) == 1:
        axes, shape, ordered = _arrange(places)
        return Grid(axes, shape, tuple(p.index for p in ordered), tuple(p.plane for p in ordered))
    files = {place.at(place.channel): place for place in places}
    planes = [place for place in places if place.channel == channels[0]]
    for place, channel in product(places, channels):
        if place.at(channel) not in files:
            raise FileError(
                f"The folder '{folder}' lacks the channel {channel[1]} of '{place.plane}'; put the "
                "missing file there, or the files of each channel into a folder of their own."
            )
    axes, shape, ordered = _arrange(planes)
    order = tuple(files[place.at(channel)].index for place in ordered for channel in channels)
    names = tuple(name for _, name in channels)
    return Grid(f"{axes}C", (*shape, len(channels)), order, tuple(p.plane for p in ordered), names)


@dataclass(frozen=True, slots=True)
class _Place:
    """What one name says."""

    index: int  # of the name
    plane: str  # without the channel
    rest: str = ""  # without the numbers of T, Z and C
    frame: int = 0
    depth: int = 0
    channel: tuple[int, str] = (0, "")  # number, name

    def at(self, channel: tuple[int, str]) -> tuple[object, ...]:
        """Return what no other name says, for another channel of this plane."""
        return self.rest, self.frame, self.depth, channel


def _arrange(planes: Sequence[_Place]) -> tuple[str, tuple[int, ...], list[_Place]]:
    """Return axes, lengths and order of planes: all that tell them apart, if they form a grid."""
    rests = list(dict.fromkeys(place.rest for place in planes))
    frames = sorted({place.frame for place in planes})
    depths = sorted({place.depth for place in planes})
    lengths = {"P": len(rests), "T": len(frames), "Z": len(depths)}
    axes = "".join(axis for axis, length in lengths.items() if length > 1)
    spots = {(place.rest, place.frame, place.depth): place for place in planes}
    grid = list(product(rests, frames, depths))
    if axes in ("", "P") or len(grid) != len(planes) or len(spots) != len(planes):
        is_movie = all(_FRAME.search(place.plane) for place in planes)
        return "T" if is_movie else "Z", (len(planes),), list(planes)
    return axes, tuple(lengths[axis] for axis in axes), [spots[spot] for spot in grid]


def _places(stems: Sequence[str]) -> list[_Place]:
    """Return what each name says; nothing where the names do not say the same kinds of things."""
    found = [_parts(stem) for stem in stems]
    if len({frozenset(parts) for parts in found}) > 1:
        return [_Place(i, stem, stem) for i, stem in enumerate(stems)]
    return [
        _place(i, stem, parts) for i, (stem, parts) in enumerate(zip(stems, found, strict=True))
    ]


def _parts(stem: str) -> dict[str, re.Match[str]]:
    """Return the part of a name for each axis that it gives one number of."""
    found = [(_AXES.get(part["word"].lower()), part) for part in _PART.finditer(stem)]
    counts = Counter(axis for axis, _ in found)
    parts = {axis: part for axis, part in found if axis is not None and counts[axis] == 1}
    channel = parts.pop("c", None)
    if channel is not None and "C" not in parts:
        is_split = channel.start() == 0 and stem[channel.end() : channel.end() + 1] == "-"
        if is_split or _dye(stem, channel) or parts:
            parts["C"] = channel
    return parts


def _dye(stem: str, part: re.Match[str]) -> str:
    """Return the name that follows the number of a wavelength, "" if none does."""
    found = _DYE.match(stem, part.end()) if part["word"].lower() == "w" else None
    return found[0] if found else ""


def _place(index: int, stem: str, parts: dict[str, re.Match[str]]) -> _Place:
    numbers = {axis: int(part["number"]) for axis, part in parts.items()}
    spans = {axis: part.span() for axis, part in parts.items()}
    plane, channel = stem, (0, "")
    if "C" in parts:
        dye = _dye(stem, parts["C"])
        spans["C"] = (spans["C"][0], spans["C"][1] + len(dye))
        channel = numbers["C"], dye or stem[slice(*spans["C"])].strip(" _-.")
        plane = _without(stem, [spans["C"]]).strip(" _-.")
    rest = _without(stem, spans.values())
    return _Place(index, plane, rest, numbers.get("T", 0), numbers.get("Z", 0), channel)


def _without(stem: str, spans: Iterable[tuple[int, int]]) -> str:
    for start, end in sorted(spans, reverse=True):
        stem = stem[:start] + stem[end:]
    return stem


def _words(stem: str) -> list[str]:
    return _WORDS.findall(stem.lower())


def _core(stem: str) -> tuple[str, ...]:
    """Return what a result and its image share."""
    return tuple(word for word in _words(stem) if word not in _RESULT_WORDS | _IMAGE_WORDS)
