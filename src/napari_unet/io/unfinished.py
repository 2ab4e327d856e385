"""Planes that a segmentation has not done, or only in part: how they are noted, and told."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

UNFINISHED = "napari-unet-paint unfinished planes"
"""Key in the metadata of a layer or file: the numbers of these planes."""

_ENDING = re.compile(r"(\.ome)?\.[^.]+$", re.IGNORECASE)
_MARK = re.compile(r"\.unfinished( \d+)?$")
_MOST = 4  # runs of planes that are named


def unfinished_in(metadata: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the numbers of the planes that are not finished, as the metadata say."""
    return tuple(metadata.get(UNFINISHED, ()))


def unfinished_path(path: Path) -> Path:
    """Return a name that nothing has and that says so, for what must not replace `path`.

    Examples
    --------
    >>> unfinished_path(Path("cells.ome.tif")).name
    'cells.unfinished.ome.tif'
    """
    found = _ENDING.search(path.name)
    stem, ending = (path.name[: found.start()], found[0]) if found else (path.name, "")
    names = (f"{stem}.unfinished{n}{ending}" for n in ("", *(f" {n}" for n in range(2, 1000))))
    return next(p for p in map(path.with_name, names) if not p.exists())


def image_name(path: Path) -> str:
    """Return what the image in a file is called: its name without ending and mark."""
    return _MARK.sub("", path.stem)


def tell_unfinished(planes: Iterable[int]) -> str:
    """Return which planes are not finished, in words, without a full stop.

    Examples
    --------
    >>> tell_unfinished([3])
    'Plane 3 is not segmented to its end'
    >>> tell_unfinished([0, 1, 2, 7, 9, 10])
    'Planes 0–2, 7 and 9–10 are not segmented to their end'
    """
    planes = sorted(planes)
    if len(planes) == 1:
        return f"Plane {planes[0]} is not segmented to its end"
    return f"Planes {_list_runs(_runs(planes))} are not segmented to their end"


def _runs(planes: Sequence[int]) -> list[tuple[int, int]]:
    """Return the first and last of each run of consecutive numbers."""
    runs: list[tuple[int, int]] = []
    for plane in planes:
        if runs and runs[-1][1] == plane - 1:
            runs[-1] = runs[-1][0], plane
        else:
            runs.append((plane, plane))
    return runs


def _list_runs(runs: Sequence[tuple[int, int]]) -> str:
    named = [str(first) if first == last else f"{first}–{last}" for first, last in runs[:_MOST]]
    left = sum(last - first + 1 for first, last in runs[_MOST:])
    if left:
        named.append(f"{left:,} more")
    if len(named) == 1:
        return named[0]
    return f"{', '.join(named[:-1])} and {named[-1]}"
