"""A network on its device, computed by what is fastest there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import BoundedSemaphore

import torch

from napari_unet.config import NetworkConfig
from napari_unet.engine.errors import OutOfMemoryError
from napari_unet.engine.network.device import DeviceChoice, engine_errors
from napari_unet.engine.network.folded import FoldedUNet
from napari_unet.engine.network.model import Model
from napari_unet.engine.network.openvino_network import openvino_probabilities
from napari_unet.engine.network.precision import arrange
from napari_unet.engine.network.transfer import own_stream
from napari_unet.engine.network.unet import UNet
from napari_unet.engine.prediction.decode import wanted_channels
from napari_unet.engine.prediction.overlap_tile import Image, OverlapTiler, network_probabilities
from napari_unet.engine.prediction.tile_side import TileLimits, fitting_side, tile_limits

Compute = Callable[[Image], Image]
"""Turns (C, Y, X) into (K, Y - 2 margin, X - 2 margin)."""


@dataclass(frozen=True, slots=True, eq=False)
class Backend:
    """A network on its device."""

    device: DeviceChoice
    network: NetworkConfig
    tiler: OverlapTiler
    openvino: bool  # computes

    @classmethod
    def of(cls, model: Model, choice: DeviceChoice) -> Backend:
        """Build the network; on the CPU OpenVINO computes, if it can."""
        device, channels = choice.torch_device, wanted_channels(model.task)
        network, compute = model.build(device), None
        if device.type == "cpu":
            compute = openvino_probabilities(network, channels)
        openvino = compute is not None
        if compute is None:
            compute = network_probabilities(_arranged(network, device), device, channels)
        tiler = OverlapTiler(_in_turn(compute, device), model.network.levels)
        return cls(choice, model.network, tiler, openvino)

    @classmethod
    def fitting(cls, model: Model, choice: DeviceChoice) -> Backend | None:
        """Build the network; None: a device that is not the CPU has too little memory for it.

        Raises
        ------
        EngineError
            If the device fails, or the CPU has too little memory.
        """
        try:
            with engine_errors(choice):
                return cls.of(model, choice)
        except OutOfMemoryError:
            if choice.device == "cpu":
                raise
        return None

    def tile_limits(self) -> TileLimits:
        """Return what the device allows now."""
        return tile_limits(self.device.torch_device, openvino=self.openvino)

    @property
    def usual_side(self) -> int:
        """Side of the tiles that are taken, pixels of the network's image."""
        limits = self.tile_limits()
        return min(limits.largest, fitting_side(self.network, limits))

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Compute here, and turn what fails into the project's errors."""
        with engine_errors(self.device), own_stream(self.device.torch_device):
            yield


def _in_turn(compute: Compute, device: torch.device) -> Compute:
    """Let threads wait for each other, so that tiles take no more memory than was planned.

    On a GPU two compute: one is copied to and from it meanwhile.
    """
    turns = BoundedSemaphore(2 if device.type == "cuda" else 1)

    def compute_in_turn(image: Image) -> Image:
        with turns:
            return compute(image)

    return compute_in_turn


def _arranged(network: UNet, device: torch.device) -> UNet | FoldedUNet:
    """Return the network as the device computes it fastest."""
    if device.type != "cpu":
        return network
    folded = FoldedUNet(network)
    arrange(folded, device, mixed=False)
    return folded
