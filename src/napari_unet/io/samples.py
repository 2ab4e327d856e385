"""Synthetic sample data: a time-lapse of touching cells with its truth, made from a seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tifffile
from scipy import ndimage

from napari_unet.io.microscope import Cell, Microscope
from napari_unet.io.replacing import replacing
from napari_unet.io.strokes import paint_strokes

__all__ = ["Sample", "paint_strokes", "save_image", "synthetic_cells"]

_Float = npt.NDArray[np.float64]
_Int32 = npt.NDArray[np.int32]

_SMALLEST_SIDE = 64  # pixels
_RADIUS = (14.0, 19.0)  # of a cell, pixels
_APART = 0.84  # distance of two touching cells' centres, in sums of their radii
_CELL_AREA = 1400  # pixels of plane per cell
_SLIVER = 60  # pixels; less of a cell, at the border or under a neighbour, is left out
_HARMONICS = np.arange(2, 6)  # of the outline: 2 = ellipse, 5 = five lobes
_LOBES = np.array([0.14, 0.07, 0.05, 0.03])  # their mean amplitudes, radii


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A stack and its true label image."""

    image: npt.NDArray[np.uint16]  # (planes, Y, X), grey values of a 12 bit camera
    truth: _Int32  # (planes, Y, X), 0 = background; a cell has one number in all planes
    pixel_size: tuple[float, float] = (0.5, 0.5)  # (Y, X), µm/px
    axes: str = "TYX"
    spacing: Mapping[str, float] = field(  # s for T, µm for Y and X
        default_factory=lambda: {"T": 300.0, "Y": 0.5, "X": 0.5}
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Outlines:
    """Where n cells are on every plane, and the shape of each."""

    centre: _Float  # (planes, n, 2), pixels
    radius: _Float  # (n,), pixels
    cosine: _Float  # (planes, n, harmonics), amplitudes of the outline, radii
    sine: _Float


def synthetic_cells(seed: int = 0, planes: int = 10, shape: tuple[int, int] = (256, 256)) -> Sample:
    """Make a time-lapse of touching cells that crawl and change their shape.

    Parameters
    ----------
    seed
        The same seed gives the same sample.
    planes
        Number of planes, 5 minutes apart; a cell moves about a pixel from one to the next.
    shape
        Height and width, pixels, at least 64 each; most cells are 25 to 40 px across.

    Raises
    ------
    ValueError
        If there is no plane or a side is shorter than 64 pixels.
    """
    if planes < 1 or min(shape) < _SMALLEST_SIDE:
        raise ValueError(
            f"planes must be >= 1 and shape >= ({_SMALLEST_SIDE}, {_SMALLEST_SIDE}), "
            f"got {planes} and {shape}"
        )
    rng = np.random.default_rng(seed)
    outlines = _draw_outlines(rng, planes, shape)
    looks = [Cell.draw(rng) for _ in outlines.radius]
    microscope = Microscope.draw(rng, shape)
    truth = np.stack([_label(outlines, plane, shape) for plane in range(planes)])
    image = np.stack(
        [
            microscope.photograph(rng, labels, centres, outlines.radius, looks)
            for labels, centres in zip(truth, outlines.centre, strict=True)
        ]
    )
    return Sample(image, _consecutive(truth))


def save_image(sample: Sample, path: Path) -> Path:
    """Write the image as an ImageJ hyperstack, with its axes and pixel size.

    Raises
    ------
    FileError
        If it cannot be written.
    """
    height, width = sample.pixel_size
    with replacing(path) as temporary:
        tifffile.imwrite(
            temporary,
            sample.image,
            imagej=True,
            resolution=(1 / width, 1 / height),
            metadata={
                "axes": sample.axes,
                "unit": "um",
                "finterval": sample.spacing["T"],
                "min": float(sample.image.min()),
                "max": float(np.percentile(sample.image, 99.9)),
            },
            compression="zlib",
        )
    return path


def _draw_outlines(rng: np.random.Generator, planes: int, shape: tuple[int, int]) -> _Outlines:
    count = max(4, round(shape[0] * shape[1] / _CELL_AREA))
    radius = rng.uniform(*_RADIUS, size=count)
    start = _place(rng, radius, shape)
    size = (count, len(_HARMONICS))
    return _Outlines(
        centre=start + _crawl(rng, start, planes, shape),
        radius=radius,
        cosine=_LOBES * _drift(rng, planes, size),
        sine=_LOBES * _drift(rng, planes, size),
    )


def _place(rng: np.random.Generator, radius: _Float, shape: tuple[int, int]) -> _Float:
    """Return centres (n, 2), most of them beside another cell, so that islands grow."""
    size = np.array(shape, dtype=np.float64)
    centres = np.empty((len(radius), 2))
    centres[0] = rng.uniform(0.2, 0.8, size=2) * size
    for index in range(1, len(radius)):
        beside = rng.integers(index, size=80)
        reach = _APART * (radius[index] + radius[beside]) * rng.uniform(1, 1.12, size=80)
        angle = rng.uniform(0, 2 * np.pi, size=80)
        tries = centres[beside] + reach[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
        tries[::8] = rng.uniform(0, 1, size=(10, 2)) * size  # a new island
        tries = np.clip(tries, 4, size - 5)
        apart = np.linalg.norm(tries[:, None] - centres[:index], axis=2)  # (tries, placed)
        room = (apart / (radius[index] + radius[:index])).min(axis=1)
        enough = np.flatnonzero(room >= _APART)
        centres[index] = tries[enough[0] if enough.size else np.argmax(room)]
    return centres


def _crawl(rng: np.random.Generator, start: _Float, planes: int, shape: tuple[int, int]) -> _Float:
    """Return displacements (planes, n, 2): neighbours flow together, each a little by itself."""
    flow = (start / shape - 0.5) @ rng.normal(0, 1.2, size=(2, 2)) + rng.normal(0, 0.4, size=2)
    velocity = flow + rng.normal(0, 0.2, size=start.shape)
    wobble = rng.normal(0, 0.2, size=(planes, *start.shape)).cumsum(axis=0)
    displacement: _Float = velocity * np.arange(planes)[:, None, None] + wobble
    return displacement


def _drift(rng: np.random.Generator, planes: int, size: tuple[int, ...]) -> _Float:
    """Return (planes, *size) of unit variance that change slowly from plane to plane."""
    start, end = rng.normal(size=(2, *size))
    angle = 0.12 * np.arange(planes)[:, None, None]
    slow: _Float = np.cos(angle) * start + np.sin(angle) * end
    return slow


def _label(outlines: _Outlines, plane: int, shape: tuple[int, int]) -> _Int32:
    """Return the label image (Y, X) of one plane.

    A pixel belongs to the cell whose centre is nearest, measured in lobed radii, if that is
    less than one: free outlines are lobed, and cells that touch share an irregular line.
    """
    labels = np.zeros(shape, dtype=np.int32)
    nearest = np.ones(shape)
    for index, (centre, radius) in enumerate(
        zip(outlines.centre[plane], outlines.radius, strict=True)
    ):
        first = np.clip(centre - 1.6 * radius, 0, shape).astype(int)
        last = np.clip(centre + 1.6 * radius + 1, 0, shape).astype(int)
        box = slice(first[0], last[0]), slice(first[1], last[1])
        y, x = np.ogrid[box]
        dy, dx = y - centre[0], x - centre[1]
        angle = np.arctan2(dy, dx)[..., None] * _HARMONICS  # (y, x, harmonics)
        lobes = np.cos(angle) @ outlines.cosine[plane, index]
        lobes += np.sin(angle) @ outlines.sine[plane, index]
        distance = np.hypot(dy, dx) / (radius * np.clip(1 + lobes, 0.6, 1.5))
        nearer = distance < nearest[box]
        labels[box][nearer] = index + 1
        nearest[box][nearer] = distance[nearer]
    return _largest_parts(labels)


def _largest_parts(labels: _Int32) -> _Int32:
    """Keep one connected part of each cell, and no slivers."""
    kept = np.zeros_like(labels)
    boxes: Sequence[tuple[slice, ...] | None] = ndimage.find_objects(labels)
    for number, box in enumerate(boxes, start=1):
        if box is None:
            continue
        parts, _ = ndimage.label(labels[box] == number)
        sizes = np.bincount(parts.ravel())
        sizes[0] = 0
        if sizes.max() >= _SLIVER:
            kept[box][parts == sizes.argmax()] = number
    return kept


def _consecutive(labels: _Int32) -> _Int32:
    """Renumber the cells 1, 2, 3, … in all planes alike."""
    _, ranks = np.unique(np.append(0, labels.ravel()), return_inverse=True)
    return ranks[1:].reshape(labels.shape).astype(np.int32)
