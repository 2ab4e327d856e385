"""A network grows without forgetting."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from napari_unet.config import NetworkConfig, Task
from napari_unet.engine.network import Model, UNet, initialise, margin
from napari_unet.engine.stack import Normalization
from pretraining import growing
from pretraining.growing import grow

SMALL = NetworkConfig(name="small", base_channels=4, levels=2, shape_field=True)


@pytest.fixture
def model() -> Model:
    network = UNet(SMALL)
    initialise(network, torch.Generator().manual_seed(1))
    return Model(SMALL, network.state_dict(), Normalization((0.0,), (1.0,)), Task.OBJECTS, (0, 1))


@pytest.mark.parametrize("base_channels", [4, 6, 8, 9])
@pytest.mark.parametrize("levels", [2, 3, 4])
def test_it_answers_as_before(
    model: Model, base_channels: int, levels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growing, "_NOISE", 0.0)
    small, large = UNet(SMALL), replace(SMALL, base_channels=base_channels, levels=levels)
    small.load_state_dict(dict(model.weights))
    image = torch.randn((1, 1, 188, 188), generator=torch.Generator().manual_seed(2))
    grown = grow(model, large, torch.Generator())(image)
    wider = margin(levels) - margin(SMALL.levels)
    inner = slice(wider, image.shape[-1] - 2 * margin(SMALL.levels) - wider)
    torch.testing.assert_close(grown, small(image)[..., inner, inner], rtol=1e-4, atol=1e-4)


def test_its_copies_become_different(model: Model) -> None:
    grown = grow(model, replace(SMALL, base_channels=8), torch.Generator().manual_seed(3))
    first = grown.state_dict()["down.0.0.weight"]
    assert (first[:4] != first[4:]).all()
    torch.testing.assert_close(first[:4], first[4:], rtol=0, atol=0.2 * float(first.std()))


@pytest.mark.parametrize(
    "other",
    [replace(SMALL, base_channels=3), replace(SMALL, levels=1), replace(SMALL, classes=3)],
)
def test_it_does_not_shrink_or_change_its_answers(model: Model, other: NetworkConfig) -> None:
    with pytest.raises(ValueError, match="cannot grow"):
        grow(model, other, torch.Generator())
