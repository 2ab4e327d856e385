"""What file names say: their natural order, and which plane a file belongs to; and new ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

__all__ = ["file_stem", "natural_key", "pair_names", "pair_numbers"]

_DIGITS = re.compile(r"(\d+)")
_NOT_IN_FILES = re.compile(r'[<>:"/\\|?*\x00-\x1f]+')  # on one system or another
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # of Windows
_LONGEST = 150  # bytes: 255 are allowed, and numbers, dates and endings are put behind it


def file_stem(name: str, otherwise: str) -> str:
    """Return a name for a file, without its ending, as much like `name` as every system allows.

    Parameters
    ----------
    name
        Of a layer, for example: any text.
    otherwise
        What it is called if nothing is left of the name.

    Examples
    --------
    >>> file_stem("cells: day 1/2", "labels")
    'cells_ day 1_2'
    """
    safe = _NOT_IN_FILES.sub("_", name).strip(" .")
    short = safe.encode()[:_LONGEST].decode(errors="ignore").strip(" .")
    return f"{short}_" if _DEVICES.fullmatch(short) else short or otherwise


def natural_key(path: Path) -> tuple[tuple[str | int, ...], str]:
    """Return the sort key that puts t2 before t10, as people count."""
    parts = _DIGITS.split(path.name.lower())
    return tuple(int(part) if i % 2 else part for i, part in enumerate(parts)), path.name


def pair_names(labels: Sequence[str], images: Sequence[str]) -> dict[str, int] | str:
    """Find the plane of each label file by its name.

    Tried in this order; the first that fits all labels counts: the same name; a name that
    contains the image's (``t002_mask`` for ``t002``); the number that tells the files apart
    (``man_seg002`` for ``t002``).

    Parameters
    ----------
    labels, images
        File names without suffixes, each only once.

    Returns
    -------
    dict or str
        The number of the plane for each label name; or the first label name that fits no image.
    """
    planes = {stem: i for i, stem in enumerate(images)}
    if all(label in planes for label in labels):
        return {label: planes[label] for label in labels}
    contained = {label: _contained(label, planes) for label in labels}
    if _all_different(contained):
        return {label: i for label, i in contained.items() if i is not None}
    image_numbers = _telling_numbers(images)
    if image_numbers is None:
        return next(label for label in labels if label not in planes)
    numbered = {number: i for i, number in enumerate(image_numbers)}
    return pair_numbers(labels, numbered)


def pair_numbers(labels: Sequence[str], numbered: dict[int, int]) -> dict[str, int] | str:
    """Find the plane of each label file by the last number in the names that tells them apart.

    Parameters
    ----------
    labels
        File names without suffixes, each only once.
    numbered
        The plane that each number stands for.

    Returns
    -------
    dict or str
        As of `pair_names`.
    """
    strays = labels[0]
    for position in range(1, 1 + max(len(_DIGITS.findall(label)) for label in labels)):
        found = [_number_from_end(label, position) for label in labels]
        if None in found or len(set(found)) < len(labels):
            continue
        unknown = [
            label for label, number in zip(labels, found, strict=True) if number not in numbered
        ]
        if not unknown:
            return {
                label: numbered[number]
                for label, number in zip(labels, found, strict=True)
                if number is not None
            }
        strays = unknown[0]
    return strays


def _telling_numbers(stems: Sequence[str]) -> list[int] | None:
    """Return the last number in the names that tells them all apart, None if none does."""
    for position in range(1, 1 + min(len(_DIGITS.findall(stem)) for stem in stems)):
        numbers = [_number_from_end(stem, position) for stem in stems]
        if len(set(numbers)) == len(stems):
            return [number for number in numbers if number is not None]
    return None


def _number_from_end(stem: str, position: int) -> int | None:
    numbers = _DIGITS.findall(stem)
    return int(numbers[-position]) if position <= len(numbers) else None


def _contained(label: str, planes: dict[str, int]) -> int | None:
    """Return the plane whose name stands in the label's, not as a part of a word or number."""
    inside = [
        stem
        for stem in planes
        if stem in label and re.search(rf"(?<![^\W_]){re.escape(stem)}(?![^\W_])", label)
    ]
    longest = max(inside, key=len, default=None)
    if longest is None or sum(len(stem) == len(longest) for stem in inside) > 1:
        return None
    return planes[longest]


def _all_different(found: dict[str, int | None]) -> bool:
    return None not in found.values() and len(set(found.values())) == len(found)
