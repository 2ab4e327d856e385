"""Networks that fail as if the memory of their device were full."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from napari_unet.engine.device import DeviceChoice
from napari_unet.engine.model import Model
from napari_unet.engine.unet import UNet

Forward = Callable[[UNet, torch.Tensor], torch.Tensor]


def short_of_memory(
    monkeypatch: pytest.MonkeyPatch, side: int, *, only: DeviceChoice | None = None
) -> list[int]:
    """Let networks fail on inputs beyond a side, on one device or any; return the sides asked."""
    asked: list[int] = []
    small: list[UNet] = []
    features: Forward = UNet.features
    build = Model.build

    def remember(model: Model, device: torch.device) -> UNet:
        network = build(model, device)
        if only is None or device == only.torch_device:
            small.append(network)
        return network

    def fail(network: UNet, x: torch.Tensor) -> torch.Tensor:
        asked.append(max(x.shape[-2:]))
        if asked[-1] > side and any(network is other for other in small):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        return features(network, x)

    monkeypatch.setattr(Model, "build", remember)
    monkeypatch.setattr(UNet, "features", fail)
    return asked
