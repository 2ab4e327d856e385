"""What several tests of the engine share; property tests take the time they need."""

from __future__ import annotations

import weakref
from typing import TypeAlias

import pytest
import torch
from hypothesis import settings

from napari_unet.engine.network.model import Model
from napari_unet.engine.network.unet import UNet

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

BuiltNetworks: TypeAlias = list[weakref.ref[torch.nn.Module]]


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> BuiltNetworks:
    """A layer of each network that has been made, which every form of the network keeps."""
    networks: BuiltNetworks = []
    build = Model.build

    def remember(model: Model, device: torch.device) -> UNet:
        network = build(model, device)
        networks.append(weakref.ref(network.head))
        return network

    monkeypatch.setattr(Model, "build", remember)
    return networks
