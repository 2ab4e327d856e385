"""What file names say: their natural order, and which plane a file belongs to; and new ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

_DIGITS = re.compile(r"(\d+)")
# The number of a plane, told by the word before it: t007, frame 3, z_12; man_seg002, mask002.
_PLANE = re.compile(
    r"(?<![a-z])(?:(?:t|z|time|timepoint|frame|plane|slice|section)[ _-]?(\d+)"
    r"|(?:seg|track|mask)(\d{3,}))(?![a-z\d])",
    re.IGNORECASE,
)
# Numbers that are not: dates, and the numbers of versions and experiments.
_NO_PLANE = re.compile(
    r"(?:19|20)\d\d([-_.]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])(?!\d)"
    r"|\d{1,2}\.\d{1,2}\.(?:19|20)\d\d(?!\d)"
    r"|(?<![a-z])(?:v|ver|version|rev|exp|experiment|copy|final)[ ._-]?\d+",
    re.IGNORECASE,
)
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
    contained = {label: contained_name(label, planes) for label in labels}
    if _all_different(contained):
        return {label: i for label, i in contained.items() if i is not None}
    image_numbers = _telling_numbers(images)
    if image_numbers is None:
        return next(label for label in labels if label not in planes)
    numbered = {number: i for i, number in enumerate(image_numbers)}
    if len(labels) > 1:
        return pair_numbers(labels, numbered)
    number = plane_number(labels[0])
    return labels[0] if number not in numbered else {labels[0]: numbered[number]}


def pair_numbers(labels: Sequence[str], numbered: dict[int, int]) -> dict[str, int] | str:
    """Find the plane of each label file by the last number in the names that tells them apart.

    Dates, and the numbers of versions and experiments, are no numbers of planes.

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
    told = [_NO_PLANE.sub("-", label) for label in labels]
    for position in range(1, 1 + max(len(_DIGITS.findall(label)) for label in told)):
        found = [_number_from_end(label, position) for label in told]
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


def plane_number(label: str) -> int | None:
    """Return the plane that the name of one label file tells; None if it tells none, or several.

    Of several files, the number that tells them apart is that of the plane (see `pair_numbers`).
    Of one, a number may mean anything: only one after a word that says so is a plane's, or one
    that is the whole name.

    Examples
    --------
    >>> plane_number("cells_t007_mask"), plane_number("exp3_labels")
    (7, None)
    """
    found = [int(one or other) for one, other in _PLANE.findall(_NO_PLANE.sub("-", label))]
    if label.isdecimal():
        found = [int(label)]
    return found[0] if len(found) == 1 else None


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


def contained_name(label: str, planes: dict[str, int]) -> int | None:
    """Return the plane whose name stands in the label's, not as a part of a word or number.

    None: there is none, or more than one.
    """
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
