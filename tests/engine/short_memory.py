"""Networks that fail as if the memory of their device were full."""

from __future__ import annotations

import pytest
import torch

from napari_unet.engine.network.device import DeviceChoice
from napari_unet.engine.network.model import Model
from napari_unet.engine.network.unet import UNet


def short_of_memory(
    monkeypatch: pytest.MonkeyPatch, side: int, *, only: DeviceChoice | None = None
) -> list[int]:
    """Let networks fail on inputs beyond a side, on one device or any; return the sides asked."""
    asked: list[int] = []
    build = Model.build

    def build_small(model: Model, device: torch.device) -> UNet:
        network = build(model, device)
        is_small = only is None or device == only.torch_device

        def fail(_: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            asked.append(max(inputs[0].shape[-2:]))
            if is_small and asked[-1] > side:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

        network.down[0].register_forward_pre_hook(fail)
        return network

    monkeypatch.setattr(Model, "build", build_small)
    return asked
