"""Random changes of training patches: drawn one by one, applied to image and labels alike.

A batch of patches is changed at once, on its device.

Elastic deformation follows section 3.1 of the paper: random displacement vectors on a coarse
3x3 grid, Gaussian with 10 px standard deviation, interpolated bicubically for each pixel; with
shift, rotation and grey-value variation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from napari_unet.config import AugmentConfig

_CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Deformation:
    """Where the pixels of a patch come from."""

    shift: tuple[float, float] = (0.0, 0.0)  # of the patch centre, pixels (Y, X)
    angle: float = 0.0  # radians
    mirror: bool = False
    displacements: npt.NDArray[np.float32] | None = None  # (2, grid, grid) pixels; None: rigid


@dataclass(frozen=True, slots=True)
class GreyChange:
    """How grey values change; the default changes nothing."""

    contrast: float = 1.0  # factor
    brightness: float = 0.0  # offset, normalised grey values
    gamma: float = 1.0  # exponent
    noise: float = 0.0  # standard deviation
    seed: int = 0  # of the noise


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


def sampling_grid(
    deformations: Sequence[Deformation],
    centres: Sequence[tuple[float, float]],
    sources: Sequence[tuple[int, int]],
    size: int,
    device: torch.device = _CPU,
) -> Tensor:
    """Return where the pixels of some patches come from.

    Parameters
    ----------
    deformations
        Of B patches; either all or none have displacement vectors, as `draw` gives them.
    centres
        Of the patches in their sources, before they are shifted, pixels (Y, X).
    sources
        Shapes of the images that the patches are read from, pixels (Y, X).
    size
        Side of a patch, pixels.
    device
        Where it is computed.

    Returns
    -------
    (B, 2, size, size) float32
        Columns and rows of the source: -1 is its first pixel, 1 its last one.

    Notes
    -----
    Displacements are the bicubic spline through vectors u on a grid, a fixed linear map along each
    axis; so is all else. Pixel p comes from R (p + spline of u) + shift + centre, with R the
    rotation and mirroring, which is the spline of R u, and the linear function R p + shift +
    centre. Together they are B M Bᵀ, where the columns of B are the splines, the axis and 1, and M
    is small: two matrix products, and no image is ever added or multiplied.
    """
    grid = 0 if deformations[0].displacements is None else len(deformations[0].displacements[0])
    maps = [_linear_map(*each, grid) for each in zip(deformations, centres, sources, strict=True)]
    basis = _basis(grid, size, device)
    return basis @ torch.from_numpy(np.stack(maps)).to(device) @ basis.T


def _linear_map(
    deformation: Deformation, centre: tuple[float, float], source: tuple[int, int], grid: int
) -> npt.NDArray[np.float32]:
    """Return M, (2, grid + 2, grid + 2), of one patch."""
    cos, sin = math.cos(deformation.angle), math.sin(deformation.angle)
    sign = -1.0 if deformation.mirror else 1.0
    turn = np.array([[cos, -sin * sign], [sin, cos * sign]])
    axis, one = grid, grid + 1  # the columns of B after the splines
    result = np.zeros((2, grid + 2, grid + 2))  # rows and columns, pixels
    if deformation.displacements is not None:
        result[:, :grid, :grid] = np.tensordot(turn, deformation.displacements, axes=1)
    result[:, axis, one], result[:, one, axis] = turn.T
    result[:, one, one] = np.add(deformation.shift, centre)
    half = (np.maximum(source, 2) - 1) / 2
    result /= half[:, np.newaxis, np.newaxis]
    result[:, one, one] -= 1
    return result[::-1].astype(np.float32)


@lru_cache(maxsize=16)
def _basis(grid: int, size: int, device: torch.device) -> Tensor:
    """Return B, (size, grid + 2): splines through `grid` unit vectors, the axis about 0, and 1."""
    points = np.linspace(0, grid - 1, size)[np.newaxis]
    splines = [
        ndimage.map_coordinates(unit, points, order=3, mode="mirror") for unit in np.eye(grid)
    ]
    columns = [*splines, np.arange(size) - (size - 1) / 2, np.ones(size)]
    return torch.from_numpy(np.stack(columns, axis=1).astype(np.float32)).to(device)


def change_grey(images: Tensor, changes: Sequence[GreyChange]) -> Tensor:
    """Return B changed images (B, C, Y, X); normalised grey values, mostly within -1 to 1."""
    numbers = [(change.gamma, change.contrast, change.brightness) for change in changes]
    gamma, contrast, brightness = (n.unsqueeze(1) for n in _columns(numbers, images.device))
    if any(change.gamma != 1 for change in changes):
        unit = images.add(1).mul_(0.5)
        images = unit.abs().pow_(gamma).copysign_(unit).mul_(2).sub_(1)
    images = torch.addcmul(brightness, images, contrast)
    if any(change.noise > 0 for change in changes):
        images = images + torch.stack([_noise(change, images[0]) for change in changes])
    return images


def _columns(numbers: Sequence[tuple[float, ...]], device: torch.device) -> tuple[Tensor, ...]:
    """Return each number of B patches as (B, 1, 1), taken to the device together."""
    return torch.tensor(numbers, device=device)[..., None, None].unbind(1)


def _noise(change: GreyChange, like: Tensor) -> Tensor:
    generator = torch.Generator(like.device).manual_seed(change.seed)
    return change.noise * torch.randn(like.shape, generator=generator, device=like.device)


def sample(source: Tensor, grid: Tensor, *, mode: str) -> Tensor:
    """Read an image at real-valued positions; beyond its border it is mirrored.

    Parameters
    ----------
    source
        (C, Y, X) float32.
    grid
        (B, 2, y, x) float32, as `sampling_grid` gives it.
    mode
        "bilinear" for grey values, "nearest" for classes and weights.

    Returns
    -------
    (B, C, y, x) float32
    """
    return functional.grid_sample(
        source.expand(len(grid), *source.shape),
        grid.permute(0, 2, 3, 1),
        mode=mode,
        padding_mode="reflection",
        align_corners=True,
    )
