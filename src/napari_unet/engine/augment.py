"""Random changes of a training patch: drawn once, then applied to image and labels alike.

Elastic deformation follows section 3.1 of the paper: random displacement vectors on a coarse
3x3 grid, Gaussian with 10 px standard deviation, interpolated bicubically for each pixel; with
shift, rotation and grey-value variation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from napari_unet.config import AugmentConfig

__all__ = ["Deformation", "GreyChange", "displacement_field", "draw", "sample", "unchanged"]

_CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Deformation:
    """Where the pixels of a patch come from."""

    shift: tuple[float, float] = (0.0, 0.0)  # of the patch centre, pixels (Y, X)
    angle: float = 0.0  # radians
    mirror: bool = False
    displacements: npt.NDArray[np.float32] | None = None  # (2, grid, grid) pixels; None: rigid

    def coordinates(self, size: int, device: torch.device = _CPU) -> Tensor:
        """Return the source position of each patch pixel, relative to the centre of the patch.

        Parameters
        ----------
        size
            Side of the patch, pixels.
        device
            Where they are computed.

        Returns
        -------
        (2, size, size) float32
            Row and column offsets in pixels.
        """
        axis = torch.arange(size, dtype=torch.float32, device=device) - (size - 1) / 2
        y, x = torch.meshgrid(axis, axis, indexing="ij")
        if self.displacements is not None:
            dy, dx = displacement_field(self.displacements, size, device)
            y, x = y + dy, x + dx
        if self.mirror:
            x = -x
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        return torch.stack([cos * y - sin * x + self.shift[0], sin * y + cos * x + self.shift[1]])


@dataclass(frozen=True, slots=True)
class GreyChange:
    """How grey values change; the default changes nothing."""

    contrast: float = 1.0  # factor
    brightness: float = 0.0  # offset, normalised grey values
    gamma: float = 1.0  # exponent
    noise: float = 0.0  # standard deviation
    seed: int = 0  # of the noise

    def apply(self, image: Tensor) -> Tensor:
        """Return the changed image; normalised grey values, mostly within -1 to 1."""
        if self.gamma != 1:
            unit = (image + 1) / 2
            image = unit.sign() * unit.abs().pow(self.gamma) * 2 - 1
        image = image * self.contrast + self.brightness
        if self.noise > 0:
            generator = torch.Generator(image.device).manual_seed(self.seed)
            noise = torch.randn(image.shape, generator=generator, device=image.device)
            image = image + self.noise * noise
        return image


def unchanged() -> tuple[Deformation, GreyChange]:
    """Return the augmentation that leaves a patch as it is."""
    return Deformation(), GreyChange()


def draw(rng: np.random.Generator, config: AugmentConfig) -> tuple[Deformation, GreyChange]:
    """Draw one random augmentation."""
    grid = (2, config.elastic_grid, config.elastic_grid)
    displacements = config.elastic_sigma * rng.standard_normal(grid, dtype=np.float32)
    deformation = Deformation(
        shift=(
            float(rng.uniform(-config.shift, config.shift)),
            float(rng.uniform(-config.shift, config.shift)),
        ),
        angle=float(np.deg2rad(rng.uniform(-config.rotation, config.rotation))),
        mirror=bool(config.flip and rng.random() < 0.5),
        displacements=displacements if config.elastic_sigma > 0 else None,
    )
    grey = GreyChange(
        contrast=float(1 + rng.uniform(-config.contrast, config.contrast)),
        brightness=float(rng.uniform(-config.brightness, config.brightness)),
        gamma=float(np.exp(rng.uniform(-1, 1) * np.log1p(config.gamma))),
        noise=float(rng.uniform(0, config.noise)),
        seed=int(rng.integers(2**31)),
    )
    return deformation, grey


def displacement_field(
    displacements: npt.NDArray[np.float32], size: int, device: torch.device = _CPU
) -> Tensor:
    """Interpolate displacement vectors on a coarse grid bicubically at every pixel.

    Parameters
    ----------
    displacements
        (2, grid, grid) vectors in pixels; the outer ones sit on the corners of the patch.
    size
        Side of the patch, pixels.
    device
        Where it is computed.

    Returns
    -------
    (2, size, size) float32
        The cubic B-spline through the vectors. Along each axis it is a fixed linear map, so the
        field is two small matrix products.
    """
    basis = _spline_basis(displacements.shape[-1], size, device)  # (size, grid)
    return basis @ torch.from_numpy(displacements).to(device) @ basis.T


@lru_cache(maxsize=16)
def _spline_basis(grid: int, size: int, device: torch.device) -> Tensor:
    """Return the values at `size` points of the splines through the `grid` unit vectors."""
    points = np.linspace(0, grid - 1, size)[np.newaxis]
    columns = [
        ndimage.map_coordinates(unit, points, order=3, mode="mirror") for unit in np.eye(grid)
    ]
    return torch.from_numpy(np.stack(columns, axis=1).astype(np.float32)).to(device)


def sample(source: Tensor, coordinates: Tensor, *, mode: str) -> Tensor:
    """Read an image at real-valued positions; beyond its border it is mirrored.

    Parameters
    ----------
    source
        (C, Y, X) float32.
    coordinates
        (2, y, x) float32, rows and columns in pixels.
    mode
        "bilinear" for grey values, "nearest" for classes and weights.

    Returns
    -------
    (C, y, x) float32
    """
    height, width = source.shape[-2:]
    scale = torch.tensor([2 / max(width - 1, 1), 2 / max(height - 1, 1)], device=coordinates.device)
    grid = coordinates.flip(0).permute(1, 2, 0) * scale - 1  # (y, x, 2), X first, -1 to 1
    return functional.grid_sample(
        source[None], grid[None], mode=mode, padding_mode="reflection", align_corners=True
    )[0]
