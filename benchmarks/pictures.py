"""Pictures for the documentation: a painted plane above the best or worst tested one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.microscopy_sets import MicroscopySet
from napari_unet.cli.picture import Row, draw_overview
from napari_unet.config import Task

__all__ = ["draw_best_and_worst", "show_best_and_worst"]

Labels = npt.NDArray[np.int32]

_WINDOW = 256  # side of the part of a plane that is shown, pixels
_WIDTH = 1400  # of a picture, its pixels
_LARGEST = 150_000  # bytes of a picture
_QUALITIES = range(85, 20, -10)
_WHICH = {"best": max, "worst": min}


def draw_best_and_worst(
    chosen: MicroscopySet,
    labels: npt.NDArray[Any],
    found: Mapping[int, Labels],
    scores: Mapping[int, float],
    *,
    caption: str,
    path: Path,
) -> list[Path]:
    """Draw the best and the worst tested plane of a set, each below a painted one.

    Parameters
    ----------
    chosen
        The set.
    labels
        What was painted on its planes, (planes, Y, X).
    found
        What was made of the tested planes and of the first painted one.
    scores
        Of each tested plane; more is better.
    caption
        What was done; the plane's score follows.
    path
        Of the pictures without ``_best.jpg`` and ``_worst.jpg``.
    """
    first = chosen.painted[0]
    above = _row("painted", chosen, first, found[first], labels)
    pictures = []
    for which, choose in _WHICH.items():
        number = choose(scores, key=lambda tested: scores[tested])
        pictures.append(
            _draw(
                _picture(path, which),
                f"{chosen.title}: the {which} tested plane",
                f"{caption} {scores[number]:.3f} on this plane.",
                [above, _row("not painted", chosen, number, found[number], labels)],
                chosen.pixel_size,
            )
        )
    return pictures


def show_best_and_worst(title: str, path: Path, document: Path) -> str:
    """Return the Markdown that shows these pictures in a document, of those that exist.

    Parameters
    ----------
    title
        Of the set.
    path
        As in `draw_best_and_worst`.
    document
        Lies in a folder above the pictures.
    """
    return "\n\n".join(
        f"![{title}: the {which} tested plane]({picture.relative_to(document.parent).as_posix()})"
        for which in _WHICH
        if (picture := _picture(path, which)).exists()
    )


def _picture(path: Path, which: str) -> Path:
    return path.with_name(f"{path.name}_{which}.jpg")


def _row(
    title: str, chosen: MicroscopySet, number: int, found: Labels, labels: npt.NDArray[Any]
) -> Row:
    """Return the part of a plane where most is painted, or else is."""
    image = chosen.image[number]
    grey = image.mean(axis=0) if image.ndim == 3 else image
    area = labels[number] if labels[number].any() else chosen.truth[number]
    window = _busiest(area > 0)
    return Row(
        title,
        grey[window],
        labels[number][window],
        found[window],
        chosen.truth[number][window].clip(0),
        classes=chosen.task is Task.CLASSES,
    )


def _busiest(area: npt.NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the window that holds most of an area, on a grid of half its side."""
    corners = [
        (y, x)
        for y in range(0, max(1, area.shape[0] - _WINDOW + 1), _WINDOW // 2)
        for x in range(0, max(1, area.shape[1] - _WINDOW + 1), _WINDOW // 2)
    ]
    windows = [(slice(y, y + _WINDOW), slice(x, x + _WINDOW)) for y, x in corners]
    return max(windows, key=lambda window: int(area[window].sum()))


def _draw(
    path: Path, title: str, caption: str, rows: Sequence[Row], pixel_size: float | None
) -> Path:
    """Write a JPEG that is small enough for the documentation."""
    picture = draw_overview(path.with_suffix(".png"), title, caption, rows, pixel_size=pixel_size)
    with Image.open(picture) as drawn:
        height = round(drawn.height * _WIDTH / drawn.width)
        small = drawn.convert("RGB").resize((_WIDTH, height), Image.Resampling.LANCZOS)
    picture.unlink()
    for quality in _QUALITIES:
        small.save(path, quality=quality, optimize=True)
        if path.stat().st_size < _LARGEST:
            break
    return path
