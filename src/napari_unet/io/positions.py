"""Files that hold several images: the positions of a microscope's stage, the fields of a plate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from napari_unet.engine.errors import ImageError, SettingsError

_SHOWN = 3  # names in a sentence


def pick_position(
    names: Sequence[str], position: str | None, path: Path, *, sizes: Sequence[str] = ()
) -> int:
    """Return the number of the image that is meant.

    Parameters
    ----------
    names
        Of the images in the file, one at least.
    position
        A name, in upper or lower case, or a number counted from 0; None: the only one.
    path
        Of the file, for errors.
    sizes
        Of the images, for errors; empty: not told.

    Raises
    ------
    ImageError
        If there are several and none is chosen.
    SettingsError
        If there is none of this name or number.
    """
    if position is None:
        if len(names) == 1:
            return 0
        raise ImageError(
            f"'{path}' holds {len(names)} images ({_told(names, sizes)}); choose one by its name "
            "or number with --position, or open it in napari, where each is a layer."
        )
    found = find_name(position, names)
    if found is None:
        only = "one image; leave out --position" if len(names) == 1 else f"{_told(names)}"
        raise SettingsError(f"'{path}' has no position '{position}'; it has {only}.")
    return found


def find_name(word: str, names: Sequence[str]) -> int | None:
    """Return which of the names a word means, in upper or lower case; else it is a number from 0.

    Examples
    --------
    >>> find_name("gfp", ["DAPI", "GFP"]), find_name("0", ["DAPI", "GFP"])
    (1, 0)
    >>> find_name("2", ["2", "1", "0"])
    0
    """
    for alike in (str.strip, str.casefold):
        same = [number for number, name in enumerate(names) if alike(name) == alike(word)]
        if same:
            return same[0]
    return int(word) if word.isdecimal() and int(word) < len(names) else None


def unique_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names as lines of text, or numbers if two are the same or one is empty."""
    lines = [" ".join(name.split()) for name in names]
    is_unique = all(lines) and len({line.casefold() for line in lines}) == len(lines)
    return tuple(lines if is_unique else map(str, range(len(lines))))


def _told(names: Sequence[str], sizes: Sequence[str] = ()) -> str:
    sized = [f"{name}: {size}" for name, size in zip(names, sizes, strict=False)] or list(names)
    return ", ".join(sized[:_SHOWN]) + ", …" * (len(names) > _SHOWN)
