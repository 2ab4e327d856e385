"""A sample like serial sections of brain in an electron microscope: dark membranes around cells.

Profiles of cells fill the plane. Mitochondria are as dark as the membranes and vesicles as thin, so
that no threshold parts them, and the profiles go on from section to section.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage.morphology import skeletonize

from napari_unet.io.samples import Sample

MEMBRANE, INSIDE = 1, 2
"""The classes of the truth."""

_Float = npt.NDArray[np.float64]
_Bool = npt.NDArray[np.bool_]

_PROFILE = 1100  # pixels of plane per cell
_WIDTH = 3.2, 0.8  # of a membrane, pixels: mean, standard deviation along it
_BENT = 9.0, 13.0  # how far outlines are bent, and over which length, pixels
_MOVED = 1.6  # of a profile from one section to the next, pixels
_GREY = {"membrane": 62.0, "inside": 158.0, "mitochondrion": 92.0}
_STROKES, _LONG = 8, 26  # of each class on a painted section, and their length, pixels
_PIXEL = 0.004  # µm
_SECTION = 0.05  # µm


def synthetic_membranes(
    seed: int = 0, planes: int = 3, shape: tuple[int, int] = (256, 256)
) -> Sample:
    """Make serial sections with their membranes.

    Parameters
    ----------
    seed
        The same seed gives the same sample.
    planes
        Number of sections, 50 nm apart.
    shape
        Height and width, pixels of 4 nm.

    Returns
    -------
    Sample
        uint8; the truth holds classes: 1 = membrane, 2 = inside.
    """
    rng = np.random.default_rng(seed)
    count = max(4, shape[0] * shape[1] // _PROFILE)
    cells = _spread(rng, count, shape)
    looks = rng.normal(0, 9, count)
    bends = [_smooth(rng, shape, _BENT[1]) * _BENT[0] for _ in range(2)]
    bodies = _mitochondria(rng, cells)
    image, truth = [], []
    for _ in range(planes):
        nearest, gap = _profiles(cells, bends)
        width = _WIDTH[0] + _WIDTH[1] * _smooth(rng, shape, 10.0)
        membrane = gap < width
        truth.append(np.where(membrane, MEMBRANE, INSIDE))
        image.append(_photograph(rng, membrane, nearest, looks, bodies))
        steps = rng.normal(0, _MOVED, cells.shape)
        cells = cells + steps
        bodies = [(body[0] + steps[body[2]], body[1], body[2]) for body in bodies]
    spacing = {"Z": _SECTION, "Y": _PIXEL, "X": _PIXEL}
    return Sample(
        np.stack(image), np.stack(truth).astype(np.int32), (_PIXEL, _PIXEL), "ZYX", spacing
    )


def paint_classes(truth: npt.NDArray[np.int32], seed: int = 0) -> npt.NDArray[np.int32]:
    """Paint short strokes along membranes and inside of cells, on the first and the last section.

    Parameters
    ----------
    truth
        (planes, Y, X), as of `synthetic_membranes`.

    Returns
    -------
    (planes, Y, X) int32
        0 = unpainted, else the class.
    """
    rng = np.random.default_rng(seed)
    strokes = np.zeros(truth.shape, np.int32)
    for plane in sorted({0, len(truth) - 1}):
        for value in (MEMBRANE, INSIDE):
            mine = truth[plane] == value
            middle = skeletonize(mine)
            for _ in range(_STROKES):
                stroke = ndimage.binary_dilation(_piece(rng, middle)) & mine
                strokes[plane][stroke] = value
    return strokes


def _spread(rng: np.random.Generator, count: int, shape: tuple[int, int]) -> _Float:
    """Return places (n, 2), each the farthest from the others of some that were drawn."""
    places = rng.uniform(0, 1, (1, 2)) * shape
    for _ in range(count - 1):
        tries = rng.uniform(0, 1, (4, 2)) * shape
        away = np.linalg.norm(tries[:, None] - places, axis=2).min(axis=1)
        places = np.concatenate([places, tries[[away.argmax()]]])
    return places


def _profiles(cells: _Float, bends: list[_Float]) -> tuple[npt.NDArray[np.intp], _Float]:
    """Return the nearest cell of each pixel, and about how wide the way to the next one is."""
    shape = bends[0].shape
    y, x = np.mgrid[: shape[0], : shape[1]]
    points = np.stack([y + bends[0], x + bends[1]], axis=-1)
    found = cKDTree(cells).query(points, k=2)
    distance, index = np.asarray(found[0]), np.asarray(found[1])
    gap = distance[..., 1] - distance[..., 0]
    steepness = ndimage.gaussian_filter(np.hypot(*np.gradient(gap)), 1.5)  # bends squeeze planes
    return index[..., 0], 1.6 * gap / np.clip(steepness, 0.5, None)


def _mitochondria(
    rng: np.random.Generator, cells: _Float
) -> list[tuple[_Float, tuple[float, float, float], int]]:
    """Return middle, both half axes and angle, and the cell, of each."""
    chosen = rng.permutation(len(cells))[: len(cells) // 2]
    return [
        (
            cells[cell] + rng.normal(0, 3, 2),
            (rng.uniform(7, 12), rng.uniform(4, 6), rng.uniform(0, np.pi)),
            int(cell),
        )
        for cell in chosen
    ]


def _photograph(
    rng: np.random.Generator,
    membrane: _Bool,
    nearest: npt.NDArray[np.intp],
    looks: _Float,
    bodies: list[tuple[_Float, tuple[float, float, float], int]],
) -> npt.NDArray[np.uint8]:
    shape = membrane.shape
    scene = _GREY["inside"] + looks[nearest] + 10 * _smooth(rng, shape, 1.5)
    y, x = np.mgrid[: shape[0], : shape[1]]
    for middle, (long, short, angle), cell in bodies:
        dy, dx = y - middle[0], x - middle[1]
        along = dy * np.sin(angle) + dx * np.cos(angle)
        across = dy * np.cos(angle) - dx * np.sin(angle)
        body = ((along / long) ** 2 + (across / short) ** 2 < 1) & (nearest == cell)
        scene[body] = _GREY["mitochondrion"] + 16 * np.sin(along[body] * 1.6)  # cristae
    vesicles = rng.random(shape) < 1 / 260
    scene -= 240 * ndimage.gaussian_filter(vesicles.astype(float), 1.0)
    scene[membrane] = _GREY["membrane"] + 8 * _smooth(rng, shape, 2.0)[membrane]
    seen = ndimage.gaussian_filter(scene, 0.9) + rng.normal(0, 11, shape)
    seen += 8 * _smooth(rng, shape, 60.0)  # uneven staining
    return np.clip(np.rint(seen), 0, 255).astype(np.uint8)


def _smooth(rng: np.random.Generator, shape: tuple[int, ...], length: float) -> _Float:
    """Return noise of unit variance without details smaller than a length (sigma, pixels)."""
    noise = ndimage.gaussian_filter(rng.normal(size=shape), length, mode="reflect")
    unit: _Float = noise / noise.std()
    return unit


def _piece(rng: np.random.Generator, line: _Bool) -> _Bool:
    """Return a part of a thin line that is about as long as a stroke."""
    rows, columns = np.nonzero(line)
    at = rng.integers(len(rows))
    y, x = np.ogrid[: line.shape[0], : line.shape[1]]
    near = line & ((y - rows[at]) ** 2 + (x - columns[at]) ** 2 < (_LONG / 2) ** 2)
    parts, _ = ndimage.label(near, structure=np.ones((3, 3)))
    piece: _Bool = parts == parts[rows[at], columns[at]]
    return piece
