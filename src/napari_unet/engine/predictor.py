"""A model on its device: exact probabilities of any tile of a stack."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch

from napari_unet.config import NetworkConfig
from napari_unet.engine.decode import Probabilities, wanted_channels
from napari_unet.engine.device import DeviceChoice, engine_errors
from napari_unet.engine.errors import ImageError
from napari_unet.engine.model import Model
from napari_unet.engine.normalize import measure
from napari_unet.engine.overlap import OverlapTiler, network_probabilities, predict_averaged
from napari_unet.engine.planes import Planes
from napari_unet.engine.reduction import Reduction
from napari_unet.engine.rotation import rotations
from napari_unet.engine.tiles import Tile, read_mirrored
from napari_unet.engine.unet import margin

__all__ = ["Predictor", "choose_tile"]

_CPU_BUDGET = 256 << 20  # bytes of features per tile: small enough to show results and stop soon
_GPU_SHARE = 0.2  # of the free memory, for the features of a tile
_SMALLEST_TILE = 64  # pixels
_LARGEST_TILE = {"cpu": 512, "cuda": 2048, "mps": 1024}  # pixels
_LIVE_FEATURES = 5  # copies of the top level's features that exist at once (measured: 4.4 to 5.0)


class Predictor:
    """The network on the device, and the stack that it predicts.

    Parameters
    ----------
    model
        Network, weights and the meaning of its outputs.
    planes
        The stack; its grey value range is measured once, over the whole stack, reduced as the
        network sees it.
    device
        Where to compute.
    count
        Rotated versions of each plane that are averaged.

    Raises
    ------
    ImageError
        If the image does not fit the model, is constant, or holds NaN or infinite values.
    EngineError
        If the device fails, for example for want of memory.
    """

    def __init__(self, model: Model, planes: Planes, device: DeviceChoice, count: int = 1) -> None:
        _check_channels(model, planes)
        self.model = model
        self.planes = planes
        self.device = device
        self._reduction = Reduction(model.reduction or 1, planes.shape)
        self._reduced = self._reduction.image(planes)
        self._normalization = measure(self._reduced)
        with engine_errors(device):
            network = model.build(device.torch_device)
            if device.torch_device.type == "cpu":  # 1.3 to 1.6 times as fast there
                network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        compute = network_probabilities(network, device.torch_device, wanted_channels(model.task))
        self._tiler: OverlapTiler | None = OverlapTiler(compute, model.network.levels)
        self._rotations = rotations(self._reduced.shape, count)

    def predict(self, plane: int, tile: Tile) -> Probabilities:
        """Return the probabilities of one tile, (K, y, x); of objects, the foreground only.

        Raises
        ------
        ImageError
            If the plane holds NaN or infinite values there.
        """

        def read(wanted: Tile) -> npt.NDArray[np.float32]:
            try:
                return self._normalization.apply(read_mirrored(self._reduced, plane, wanted))
            except ImageError as error:
                raise ImageError(f"Plane {plane}: {error}") from error

        def predict_blocks(wanted: Tile) -> Probabilities:
            assert self._tiler is not None, "released"
            return predict_averaged(self._tiler, read, wanted, self._rotations)

        return self._reduction.predict(predict_blocks, tile)

    def release(self) -> None:
        """Let go of the network and of the device's memory."""
        self._tiler = None
        match self.device.torch_device.type:
            case "cuda":
                torch.cuda.empty_cache()
            case "mps":
                torch.mps.empty_cache()


def choose_tile(
    network: NetworkConfig,
    device: torch.device,
    shape: tuple[int, int],
    rotations: int = 1,
    reduction: int = 1,
) -> int:
    """Return the side of tiles that suit the device, pixels.

    On a GPU the features of one tile take about a fifth of the free memory. On the CPU they
    stay small: larger tiles are no faster, and the first one would be long in coming. A plane
    that is a little larger than a tile becomes one tile instead of a tile and a sliver. Where
    the image is reduced for the network, a tile of the plane is as many times larger.
    """
    free = _CPU_BUDGET
    if device.type == "cuda":
        free = int(_GPU_SHARE * torch.cuda.mem_get_info(device)[0])
    floats = _LIVE_FEATURES * network.base_channels + network.in_channels + 3 * network.classes
    fitting = math.isqrt(free // (4 * floats))  # side of an input that fits
    if rotations > 1:
        fitting = int(fitting / math.sqrt(2))  # a tile that is turned has a larger box
    side = fitting - 2 * margin(network.levels)
    side = min(max(side, _SMALLEST_TILE), _LARGEST_TILE.get(device.type, _SMALLEST_TILE))
    side *= reduction
    longest = max(shape)
    return math.ceil(longest / max(1, round(longest / side)))


def _check_channels(model: Model, planes: Planes) -> None:
    has, wants = planes.channels, model.network.in_channels
    if has == wants:
        return
    if wants == 1:
        raise ImageError(
            f"The image has {has} channels (is it a colour image?), but the model was trained on "
            "one; choose one channel or convert the image to grey, or train a new model on it."
        )
    raise ImageError(
        f"The image has {has} channel{'s' * (has != 1)}, but the model was trained on {wants}; "
        "open the image with the same channels, or train a new model on it."
    )
