"""One overview picture: image, strokes, segmentation and truth, side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from skimage.color import hsv2rgb

from napari_unet.engine.paint import PAINTED_BACKGROUND
from napari_unet.io.replacing import replacing

_Float = npt.NDArray[np.float64]

_COLUMNS = ("Image", "Painted strokes", "Segmentation", "Truth")
_PANEL = 512  # wanted width of a panel, picture pixels
_GAP, _MARGIN = 14, 44  # picture pixels
_TITLE, _HEADING, _SMALL = 36, 22, 19  # font sizes, picture pixels
_PAPER, _INK, _PALE = (17, 19, 23), (242, 242, 240), (146, 153, 163)
_TINT, _LINE = 0.38, 0.95  # share of an object's colour inside it and on its outline
_STROKE = 0.62  # share of the colour in a stroke
_BACKGROUND_STROKE = np.array([0.65, 0.79, 1.0])
_GOLDEN = 0.618034  # turns the hue from one number to the next as far as can be
_LONGEST_BAR = 0.3  # of a panel's width


@dataclass(frozen=True, slots=True)
class Row:
    """One plane of the stack, all (Y, X)."""

    title: str
    image: npt.NDArray[Any]
    strokes: npt.NDArray[Any]  # 0 = unpainted, 1 = background, 2, … objects
    segmentation: npt.NDArray[Any]
    truth: npt.NDArray[Any]
    classes: bool = False  # numbers mean the same everywhere, and 1 is no background


def draw_overview(
    path: Path, title: str, caption: str, rows: Sequence[Row], *, pixel_size: float | None
) -> Path:
    """Write the picture as PNG; `pixel_size` (µm/px) draws the scale bar, None: without one.

    A segmented or painted object has the colour of the true object that it overlaps most, so
    that one that is merged, split or missed catches the eye.
    """
    zoom = max(1, round(_PANEL / rows[0].image.shape[1]))  # picture pixels per pixel
    height, width = (side * zoom for side in rows[0].image.shape)
    left = _MARGIN + _SMALL + _GAP
    top = _MARGIN + _TITLE + _SMALL + _HEADING + 4 * _GAP
    size = (
        left + len(_COLUMNS) * (width + _GAP) - _GAP + _MARGIN,
        top + len(rows) * (height + _GAP) - _GAP + _MARGIN,
    )
    canvas = Image.new("RGB", size, _PAPER)
    pen = ImageDraw.Draw(canvas)
    pen.text((left, _MARGIN), title, _INK, ImageFont.load_default(_TITLE))
    pen.text((left, _MARGIN + _TITLE + _GAP), caption, _PALE, ImageFont.load_default(_SMALL))
    for column, heading in enumerate(_COLUMNS):
        corner = left + column * (width + _GAP), top - _HEADING - _GAP
        pen.text(corner, heading, _INK, ImageFont.load_default(_HEADING))
    for number, row in enumerate(rows):
        y = top + number * (height + _GAP)
        canvas.paste(_upright(row.title, height), (_MARGIN, y))
        for column, panel in enumerate(_panels(row, zoom)):
            canvas.paste(panel, (left + column * (width + _GAP), y))
    if pixel_size is not None:
        _scale_bar(pen, (left, top + height), width, pixel_size / zoom)
    with replacing(path) as temporary:
        canvas.save(temporary, "PNG", optimize=True)
    return path


def _panels(row: Row, zoom: int) -> list[Image.Image]:
    grey = _grey(row.image, zoom)
    colours = _colours(1 + int(max(row.truth.max(), row.segmentation.max(), row.strokes.max())))
    segmented = painted = colours
    if not row.classes:
        segmented = colours[_nearest_truth(row.segmentation, row.truth)]
        painted = colours[_nearest_truth(row.strokes, row.truth)]
        painted[PAINTED_BACKGROUND : PAINTED_BACKGROUND + 1] = _BACKGROUND_STROKE
    return [
        _picture(grey),
        _picture(_overlay(grey, row.strokes, painted, inside=_STROKE, line=_STROKE)),
        _picture(_overlay(grey, row.segmentation, segmented)),
        _picture(_overlay(grey, row.truth, colours)),
    ]


def _grey(image: npt.NDArray[Any], zoom: int) -> _Float:
    """Return (Y, X, 3), enlarged, 0 to 1 between the 0.5 and 99.8 percentiles."""
    low, high = np.percentile(image, (0.5, 99.8))
    stretched = np.clip((image - low) / max(high - low, 1e-9), 0, 1) ** 0.8
    enlarged = Image.fromarray(stretched.astype(np.float32)).resize(
        (image.shape[1] * zoom, image.shape[0] * zoom), Image.Resampling.BICUBIC
    )
    return np.repeat(np.clip(np.asarray(enlarged, dtype=np.float64), 0, 1)[..., None], 3, axis=2)


def _colours(count: int) -> _Float:
    """Return a colour (count, 3) for each number."""
    number = np.arange(count)
    hue = number * _GOLDEN % 1
    saturation = 0.62 + 0.2 * (number % 2)
    colours: _Float = hsv2rgb(np.stack([hue, saturation, np.ones(count)], axis=1))
    return colours


def _nearest_truth(segmentation: npt.NDArray[Any], truth: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return for each number of the segmentation the true number that it overlaps most."""
    pairs, shared = np.unique(
        np.stack([segmentation.ravel(), truth.ravel()]), axis=1, return_counts=True
    )
    nearest = np.zeros(int(segmentation.max()) + 1, dtype=np.intp)
    for index in np.argsort(np.where(pairs[1] > 0, shared, 0)):  # the largest overlap comes last
        nearest[pairs[0, index]] = pairs[1, index]
    return nearest


def _overlay(
    grey: _Float,
    labels: npt.NDArray[Any],
    colours: _Float,
    *,
    inside: float = _TINT,
    line: float = _LINE,
) -> _Float:
    """Tint what is labelled and draw its outline, one picture pixel wide."""
    zoom = len(grey) // len(labels)
    enlarged = np.kron(labels, np.ones((zoom, zoom), dtype=labels.dtype))
    padded = np.pad(enlarged, 1, mode="edge")
    neighbours = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    on_line = np.any([side != enlarged for side in neighbours], axis=0)
    share = np.where(on_line, line, inside) * (enlarged > 0)
    mixed: _Float = grey * (1 - share[..., None]) + colours[enlarged] * share[..., None]
    return mixed


def _picture(colour: _Float) -> Image.Image:
    return Image.fromarray(np.rint(colour * 255).astype(np.uint8))


def _upright(text: str, height: int) -> Image.Image:
    """Return the text written upwards, in the middle of a strip of this height."""
    strip = Image.new("RGB", (height, _SMALL + 6), _PAPER)
    ImageDraw.Draw(strip).text(
        (height / 2, 0), text, _PALE, ImageFont.load_default(_SMALL), anchor="ma"
    )
    return strip.transpose(Image.Transpose.ROTATE_90)


def _scale_bar(
    pen: ImageDraw.ImageDraw, corner: tuple[int, int], width: int, pixel_size: float
) -> None:
    """Draw a bar of 1, 2 or 5 times a power of ten µm into the lower left corner of a panel."""
    longest = _LONGEST_BAR * width * pixel_size  # µm
    power = 10.0 ** math.floor(math.log10(longest))
    bar = max(step * power for step in (1, 2, 5) if step * power <= longest)
    length = bar / pixel_size
    x, y = corner[0] + _GAP, corner[1] - _GAP
    pen.rectangle((x, y - 5, x + length, y), fill=_INK)
    pen.text(
        (x + length / 2, y - 10), f"{bar:g} um", _INK, ImageFont.load_default(_SMALL), anchor="ms"
    )
