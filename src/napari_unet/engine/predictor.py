"""A model on its device: exact probabilities of any tile of a stack."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from napari_unet.engine.decode import Probabilities, wanted_channels
from napari_unet.engine.device import DeviceChoice, engine_errors
from napari_unet.engine.errors import ImageError, OutOfMemoryError
from napari_unet.engine.events import MemoryShort
from napari_unet.engine.folded import FoldedUNet
from napari_unet.engine.means import fallback, free_cached_memory
from napari_unet.engine.model import Model
from napari_unet.engine.normalize import measure
from napari_unet.engine.openvino_network import openvino_probabilities
from napari_unet.engine.overlap import OverlapTiler, network_probabilities, predict_averaged
from napari_unet.engine.planes import Planes
from napari_unet.engine.precision import arrange
from napari_unet.engine.reduction import Reduction
from napari_unet.engine.rotation import rotations
from napari_unet.engine.tile_side import TileLimits, choose_side, tile_limits
from napari_unet.engine.tiles import Tile, read_mirrored
from napari_unet.engine.transfer import own_stream
from napari_unet.engine.unet import UNet

__all__ = ["Predictor"]


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
        If the device fails.

    Notes
    -----
    Where memory is short, tiles are computed in parts, and if nothing else helps on the CPU.
    Several threads may predict at the same time; they read one after the other.
    """

    def __init__(self, model: Model, planes: Planes, device: DeviceChoice, count: int = 1) -> None:
        _check_channels(model, planes)
        self.model = model
        self.planes = planes
        self.device = device
        self._fell_back = False
        self._reduction = Reduction(model.reduction or 1, planes.shape)
        self._reduced = self._reduction.image(planes)
        self._normalization = measure(self._reduced)
        self._rotations = rotations(self._reduced.shape, count)
        self._reading = Lock()
        self._falling_back = Lock()
        self._computer: _Computer | None = None
        try:
            with engine_errors(device):
                self._computer = _Computer.of(model, device)
        except OutOfMemoryError:
            if device.device == "cpu":
                raise
        if self._computer is None:
            self._fall_back(None)

    def predict(self, plane: int, tile: Tile) -> Probabilities:
        """Return the probabilities of one tile, (K, y, x); of objects, the foreground only.

        Raises
        ------
        ImageError
            If the plane holds NaN or infinite values there.
        EngineError
            If the device fails; too little memory is no failure, unless it is the CPU's.
        """
        with self._falling_back:  # another thread may be about it
            computer = self._computer
        assert computer is not None, "released"
        try:
            return self._predict(computer, plane, tile)
        except OutOfMemoryError:
            if computer.device.device == "cpu":
                raise
        # Only now, since the error held what had been computed.
        on_cpu = self._fall_back(computer)
        del computer  # and with it the network on the device that failed
        return self._predict(on_cpu, plane, tile)

    @property
    def tile_side(self) -> int:
        """Side of the tiles that suit the device, pixels of the plane."""
        computer = self._computer
        assert computer is not None, "released"
        with engine_errors(computer.device):
            return choose_side(
                self.model.network,
                self._limits(computer),
                self.planes.shape,
                len(self._rotations),
                self.model.reduction or 1,
            )

    @property
    def at_once(self) -> int:
        """How many tiles are predicted at the same time, so that the device need not wait.

        While a GPU computes one, the next is read and copied to it.
        """
        return 2 if self.device.torch_device.type == "cuda" else 1

    @property
    def shortage(self) -> MemoryShort | None:
        """What is done about too little memory; None: there has been enough.

        While another thread falls back, nothing is told yet.
        """
        computer = self._computer
        if computer is None:
            return None
        largest = computer.tiler.largest
        if largest is None and not self._fell_back:
            return None
        side = largest or self._limits(computer).largest
        return MemoryShort(str(self.device), side * (self.model.reduction or 1))

    def _predict(self, computer: _Computer, plane: int, tile: Tile) -> Probabilities:
        def read(wanted: Tile) -> npt.NDArray[np.float32]:
            with self._reading:
                values = read_mirrored(self._reduced, plane, wanted)
            try:
                return self._normalization.apply(values)
            except ImageError as error:
                raise ImageError(f"Plane {plane}: {error}") from error

        def predict_blocks(wanted: Tile) -> Probabilities:
            return predict_averaged(computer.tiler, read, wanted, self._rotations)

        with engine_errors(computer.device), own_stream(computer.device.torch_device):
            return self._reduction.predict(predict_blocks, tile)

    def release(self) -> None:
        """Let go of the network and of the device's memory."""
        self._computer = None
        free_cached_memory()

    def _limits(self, computer: _Computer) -> TileLimits:
        device = computer.device.torch_device
        return tile_limits(self.model.network, device, openvino=computer.openvino)

    def _fall_back(self, failed: _Computer | None) -> _Computer:
        """Go on on the CPU, unless another thread has begun to already."""
        with self._falling_back:
            if self._computer is not failed:
                assert self._computer is not None, "released"
                return self._computer
            self.release()
            self.device = fallback(self.device)
            self._fell_back = True
            with engine_errors(self.device):
                self._computer = _Computer.of(self.model, self.device)
            return self._computer


@dataclass(frozen=True, slots=True, eq=False)
class _Computer:
    """The network on a device."""

    device: DeviceChoice
    tiler: OverlapTiler
    openvino: bool  # computes

    @classmethod
    def of(cls, model: Model, choice: DeviceChoice) -> _Computer:
        """Build the network; on the CPU OpenVINO computes, if it can."""
        device, channels = choice.torch_device, wanted_channels(model.task)
        network, compute = model.build(device), None
        if device.type == "cpu":
            compute = openvino_probabilities(network, channels)
        openvino = compute is not None
        if compute is None:
            compute = network_probabilities(_arranged(network, device), device, channels)
        return cls(choice, OverlapTiler(compute, model.network.levels), openvino)


def _arranged(network: UNet, device: torch.device) -> nn.Module:
    """Return the network as the device computes it fastest."""
    if device.type != "cpu":
        return network
    folded = FoldedUNet(network)
    arrange(folded, device, mixed=False)
    return folded


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
