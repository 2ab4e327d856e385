"""A sample time-lapse: nuclei that move, push each other and divide."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_unet.io.samples import Sample

_Float = npt.NDArray[np.float64]
_Int32 = npt.NDArray[np.int32]

_AREA = 2300  # pixels of plane per nucleus at first
_RADIUS = (8.0, 10.5)  # pixels
_STEP = 1.1  # standard deviation of a step, pixels
_PAUSE = 5  # planes for which a daughter does not divide
_CHANCE = 0.035  # that a nucleus divides, per plane
_LIGHT, _DIM = 520.0, 60.0  # photons of a nucleus' middle, and of the medium
_PIXEL = 0.65  # µm
_BETWEEN = 600.0  # s


@dataclass(frozen=True, slots=True)
class _Nucleus:
    number: int
    y: float
    x: float
    radius: float
    angle: float
    long: float  # times as long as wide
    light: float
    age: int = _PAUSE  # planes since its mother divided


def synthetic_divisions(
    seed: int = 0, planes: int = 16, shape: tuple[int, int] = (256, 256)
) -> Sample:
    """Make a time-lapse of nuclei that divide.

    Parameters
    ----------
    seed
        The same seed gives the same sample.
    planes
        Number of times, ten minutes apart.
    shape
        Height and width, pixels of 0.65 µm.

    Returns
    -------
    Sample
        uint16; in the truth a nucleus has one number at all times, and daughters have new ones.
    """
    rng = np.random.default_rng(seed)
    count = max(3, shape[0] * shape[1] // _AREA)
    nuclei = [_draw(rng, number + 1, rng.uniform(0, 1, 2) * shape) for number in range(count)]
    used, image, truth = count, [], []
    for _ in range(planes):
        nuclei = _push_apart(nuclei)
        labels = _label(nuclei, shape)
        truth.append(labels)
        image.append(_photograph(rng, nuclei, labels))
        grown: list[_Nucleus] = []
        for nucleus in nuclei:
            if nucleus.age >= _PAUSE and rng.random() < _CHANCE:
                grown += _divide(nucleus, used)
                used += 2
            else:
                grown.append(_move(rng, nucleus))
        nuclei = grown
    spacing = {"T": _BETWEEN, "Y": _PIXEL, "X": _PIXEL}
    return Sample(np.stack(image), np.stack(truth), (_PIXEL, _PIXEL), "TYX", spacing)


def _draw(rng: np.random.Generator, number: int, place: _Float) -> _Nucleus:
    return _Nucleus(
        number,
        y=float(place[0]),
        x=float(place[1]),
        radius=rng.uniform(*_RADIUS),
        angle=rng.uniform(0, np.pi),
        long=rng.uniform(1.05, 1.35),
        light=float(np.exp(rng.normal(0, 0.25))),
        age=int(rng.integers(0, 2 * _PAUSE)),
    )


def _move(rng: np.random.Generator, one: _Nucleus) -> _Nucleus:
    dy, dx, turn = rng.normal(0, (_STEP, _STEP, 0.08))
    full = min(one.radius * 1.05, sum(_RADIUS) / 2) if one.age < _PAUSE else one.radius
    return replace(
        one, y=one.y + dy, x=one.x + dx, angle=one.angle + turn, radius=full, age=one.age + 1
    )


def _divide(mother: _Nucleus, used: int) -> list[_Nucleus]:
    """Return two smaller and brighter daughters on both sides of the mother's middle."""
    away = 0.75 * mother.radius * mother.long
    across = mother.angle + np.pi / 2
    return [
        replace(
            mother,
            number=used + index + 1,
            y=mother.y + side * away * np.sin(mother.angle),
            x=mother.x + side * away * np.cos(mother.angle),
            radius=0.75 * mother.radius,
            angle=across,
            light=1.3 * mother.light,
            age=0,
        )
        for index, side in enumerate((-1, 1))
    ]


def _push_apart(nuclei: list[_Nucleus]) -> list[_Nucleus]:
    """Return the nuclei where they touch and do not overlap much."""
    places = np.array([(one.y, one.x) for one in nuclei])
    radii = np.array([one.radius for one in nuclei])
    for _ in range(8):
        between = places[:, None] - places
        distance = np.linalg.norm(between, axis=2) + np.eye(len(nuclei)) * 1e9
        missing = np.clip(0.98 * (radii[:, None] + radii) - distance, 0, None)
        push = between / distance[..., None] * missing[..., None] / 2
        places = places + push.sum(axis=1)
    return [replace(one, y=y, x=x) for one, (y, x) in zip(nuclei, places.tolist(), strict=True)]


def _depth(one: _Nucleus, y: _Float, x: _Float) -> _Float:
    """Return 1 in the middle of a nucleus, 0 at its outline, less outside."""
    dy, dx = y - one.y, x - one.x
    along = (dy * np.sin(one.angle) + dx * np.cos(one.angle)) / (one.radius * np.sqrt(one.long))
    across = (dy * np.cos(one.angle) - dx * np.sin(one.angle)) / (one.radius / np.sqrt(one.long))
    depth: _Float = 1 - np.hypot(along, across)
    return depth


def _label(nuclei: list[_Nucleus], shape: tuple[int, int]) -> _Int32:
    labels, deepest = np.zeros(shape, np.int32), np.zeros(shape)
    y, x = (axis.astype(float) for axis in np.ogrid[: shape[0], : shape[1]])
    for one in nuclei:
        depth = _depth(one, y, x)
        mine = depth > deepest
        labels[mine], deepest[mine] = one.number, depth[mine]
    return labels


def _photograph(
    rng: np.random.Generator, nuclei: list[_Nucleus], labels: _Int32
) -> npt.NDArray[np.uint16]:
    light = np.zeros(max(one.number for one in nuclei) + 1)
    for one in nuclei:
        light[one.number] = one.light
    grain = ndimage.gaussian_filter(rng.normal(size=labels.shape), 1.6)
    scene = light[labels] * (1 + 0.9 * grain)
    scene = 0.85 * ndimage.gaussian_filter(scene, 1.1) + 0.15 * ndimage.gaussian_filter(scene, 8.0)
    photons = rng.poisson(np.clip(_DIM + _LIGHT * scene, 0, None))
    grey = 200 + 2.0 * photons + rng.normal(0, 12, labels.shape)
    return np.clip(np.rint(grey), 0, np.iinfo(np.uint16).max).astype(np.uint16)
