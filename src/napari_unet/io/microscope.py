"""How the sample's cells look: a dye in the cytoplasm under a wide-field fluorescence microscope.

A cell is thick and bright around a darker nucleus and thin at its rim, so that two cells that
touch are parted by a faint valley only. Light is uneven, out-of-focus light hangs over the
islands, the image is blurred by the objective and noisy with photons and the camera.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy import ndimage

_Float = npt.NDArray[np.float64]

_BACKGROUND = 0.07  # light of the medium; 1 = the middle of an average cell
_RIM = 2.2  # pixels over which a cell grows thick
_BLUR = 0.9  # point spread function, Gaussian sigma, pixels
_HAZE = 0.22, 11.0  # share of out-of-focus light, and its sigma, pixels
_PHOTONS = 150.0  # from the middle of an average cell
_GAIN = 9.0  # grey values per photon
_OFFSET, _READ_NOISE = 100.0, 14.0  # of the camera, grey values
_LARGEST = 4095  # 12 bit
_FIELD = 256  # side of the field that textures are cut from, pixels; it wraps around
_SPECK_AREA = 9000  # pixels of plane per speck of debris


@dataclass(frozen=True, slots=True)
class Cell:
    """The look of one cell, the same on every plane."""

    brightness: float
    nucleus: tuple[float, float]  # offset from the centre, radii
    nucleus_size: float  # radii
    nucleus_light: float  # of the cytoplasm's
    nucleoli: tuple[tuple[float, float], ...]  # offsets from the nucleus, its radii
    texture: tuple[int, int]  # corner in the field

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Self:
        """Draw a cell."""
        spots = rng.uniform(-0.45, 0.45, size=(rng.integers(1, 4), 2))
        return cls(
            brightness=float(np.exp(rng.normal(0, 0.2))),
            nucleus=tuple(rng.uniform(-0.16, 0.16, size=2)),
            nucleus_size=float(rng.uniform(0.36, 0.46)),
            nucleus_light=float(rng.uniform(0.28, 0.5)),
            nucleoli=tuple((float(y), float(x)) for y, x in spots),
            texture=tuple(rng.integers(_FIELD, size=2)),
        )

    def light(
        self, dy: _Float, dx: _Float, rim: _Float, radius: float, textures: tuple[_Float, _Float]
    ) -> _Float:
        """Return the light of the pixels at (dy, dx) from the centre, `rim` px from the edge."""
        thickness = 1 - 0.55 * np.exp(-rim / _RIM)
        thickness *= 1.2 - 0.62 * np.clip(np.hypot(dy, dx) / radius, 0, 1.2) ** 2
        rows = (dy + self.texture[0]).astype(int) % _FIELD
        columns = (dx + self.texture[1]).astype(int) % _FIELD
        coarse, fine = (texture[rows, columns] for texture in textures)
        grain = 1 + 0.14 * coarse + 0.45 * np.clip(fine - 0.7, 0, 2)  # organelles
        size = self.nucleus_size * radius
        ny, nx = dy - self.nucleus[0] * radius, dx - self.nucleus[1] * radius
        nucleus = _disc(ny, nx, size, edge=0.6)
        spots = sum(_disc(ny - y * size, nx - x * size, 1.5, edge=0.5) for y, x in self.nucleoli)
        body = grain * (1 - nucleus) + self.nucleus_light * (1 + 0.06 * coarse) * nucleus
        light: _Float = self.brightness * thickness * (body + 0.35 * np.clip(spots, 0, 1) * nucleus)
        return light


@dataclass(frozen=True, slots=True, eq=False)
class Microscope:
    """One time-lapse: its light, its dirt and the texture that its cells share."""

    light: _Float  # (Y, X), 1 in the brightest place
    specks: _Float  # (Y, X), debris in the medium
    textures: tuple[_Float, _Float]  # (field, field), coarse and fine, unit variance

    @classmethod
    def draw(cls, rng: np.random.Generator, shape: tuple[int, int]) -> Self:
        """Draw the light, the dirt and the textures."""
        return cls(
            _vignette(rng, shape), _debris(rng, shape), (_band(rng, 1.3, 4.0), _band(rng, 0.7, 1.6))
        )

    def photograph(
        self,
        rng: np.random.Generator,
        labels: npt.NDArray[np.int32],
        centres: _Float,
        radii: _Float,
        cells: Sequence[Cell],
    ) -> npt.NDArray[np.uint16]:
        """Return the grey values (Y, X) of one plane; cell i bears the number i + 1."""
        scene = _BACKGROUND + self.specks
        rim = _distance_to_rim(labels)
        boxes: Sequence[tuple[slice, ...] | None] = ndimage.find_objects(labels)
        for index, box in enumerate(boxes):
            if box is None:
                continue
            y, x = np.nonzero(labels[box] == index + 1)
            y, x = y + box[0].start, x + box[1].start
            dy, dx = y - centres[index, 0], x - centres[index, 1]
            scene[y, x] += cells[index].light(dy, dx, rim[y, x], radii[index], self.textures)
        share, reach = _HAZE
        scene = (1 - share) * ndimage.gaussian_filter(scene, _BLUR) + share * (
            ndimage.gaussian_filter(scene, reach)
        )
        photons = rng.poisson(_PHOTONS * self.light * scene)
        grey = _OFFSET + _GAIN * photons + rng.normal(0, _READ_NOISE, size=labels.shape)
        return np.clip(np.rint(grey), 0, _LARGEST).astype(np.uint16)


def _disc(dy: Any, dx: Any, radius: float, *, edge: float) -> Any:
    """Return a disc of 1 with a soft edge (pixels) around (0, 0)."""
    return 1 / (1 + np.exp((np.hypot(dy, dx) - radius) / edge))


def _distance_to_rim(labels: npt.NDArray[np.int32]) -> _Float:
    """Return each pixel's distance to the nearest pixel of another number, pixels."""
    edge = np.zeros(labels.shape, dtype=bool)
    down, right = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    edge[1:] |= down
    edge[:-1] |= down
    edge[:, 1:] |= right
    edge[:, :-1] |= right
    distance: _Float = ndimage.distance_transform_edt(~edge)
    return distance


def _vignette(rng: np.random.Generator, shape: tuple[int, int]) -> _Float:
    y, x = (np.linspace(-1, 1, n) for n in shape)
    middle = rng.uniform(-0.4, 0.4, size=2)
    falling = (y[:, None] - middle[0]) ** 2 + (x - middle[1]) ** 2
    light: _Float = np.exp(-0.22 * falling)
    return light


def _debris(rng: np.random.Generator, shape: tuple[int, int]) -> _Float:
    specks = np.zeros(shape)
    count = max(1, shape[0] * shape[1] // _SPECK_AREA)
    y, x = (rng.integers(n, size=count) for n in shape)
    specks[y, x] = rng.uniform(4, 14, size=count)
    blurred: _Float = ndimage.gaussian_filter(specks, 1.4)
    return blurred


def _band(rng: np.random.Generator, fine: float, coarse: float) -> _Float:
    """Return noise of unit variance with details between two sizes (Gaussian sigma, pixels)."""
    noise = rng.normal(size=(_FIELD, _FIELD))
    band = ndimage.gaussian_filter(noise, fine, mode="wrap")
    band -= ndimage.gaussian_filter(noise, coarse, mode="wrap")
    unit: _Float = band / band.std()
    return unit
