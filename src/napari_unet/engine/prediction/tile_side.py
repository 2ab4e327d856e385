"""How large tiles are: as large as makes them faster, and small enough for the memory."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from napari_unet.config import NetworkConfig
from napari_unet.engine.network.unet import margin
from napari_unet.engine.stack.reduction import Reduction

SMALLEST_SIDE = 64  # pixels; a smaller tile is mostly margin
_CPU_MEMORY = 512 << 20  # bytes: small enough to show results and to stop soon
_OPENVINO_MEMORY = 640 << 20  # bytes
_GPU_SHARE = 0.2  # of the free memory
_LARGEST = {"cuda": 2048, "mps": 1024, "cpu": 512}  # pixels
_LARGEST_OPENVINO = 704  # pixels
_COPIES = 5  # by PyTorch (measured: 2.6 to 4.6; on a GPU not folded, up to 5.0)
_OPENVINO_COPIES = 4  # measured: 3.2 to 4.0


@dataclass(frozen=True, slots=True)
class TileLimits:
    """What one way to compute allows its tiles."""

    memory: int
    """Bytes for the features of one tile."""
    copies: int
    """Of the top level's features, which exist at once."""
    largest: int
    """Side beyond which tiles become no faster, pixels."""


def tile_limits(device: torch.device, *, openvino: bool) -> TileLimits:
    """Return what a device allows.

    On a GPU the features of one tile take about a fifth of the free memory. On the CPU they stay
    small: larger tiles are no faster, and the first one would be long in coming. PyTorch slows
    down on the CPU where the features of a tile are far larger than the processor's cache;
    OpenVINO does not.
    """
    if openvino:
        return TileLimits(_OPENVINO_MEMORY, _OPENVINO_COPIES, _LARGEST_OPENVINO)
    memory = _CPU_MEMORY
    if device.type == "cuda":
        memory = int(_GPU_SHARE * torch.cuda.mem_get_info(device)[0])
    return TileLimits(memory, _COPIES, _LARGEST[device.type])


def fitting_side(network: NetworkConfig, limits: TileLimits, rotations: int = 1) -> int:
    """Return the side of the largest tile that fits into memory, pixels."""
    floats = limits.copies * network.base_channels + network.in_channels + 3 * network.classes
    fitting = math.isqrt(limits.memory // (4 * floats))  # side of an input that fits
    if rotations > 1:
        fitting = int(fitting / math.sqrt(2))  # a tile that is turned has a larger box
    return max(fitting - 2 * margin(network.levels), SMALLEST_SIDE)


def choose_side(
    network: NetworkConfig,
    limits: TileLimits,
    seen: Reduction,
    rotations: int = 1,
) -> int:
    """Return the side of tiles that suit the limits, pixels.

    A plane that is a little larger than a tile becomes one tile instead of a tile and a sliver.
    Where the network sees the plane reduced, a tile of the plane is as many times larger; where it
    sees it enlarged, smaller.
    """
    fitting = min(fitting_side(network, limits, rotations), limits.largest)
    side = max(1, seen.on_plane(fitting))
    longest = max(seen.plane_shape)
    return math.ceil(longest / max(1, round(longest / side)))
