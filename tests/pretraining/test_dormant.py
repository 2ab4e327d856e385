"""Dormant channels are found, and get new weights without a change of the output."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from napari_unet.config import NetworkConfig
from napari_unet.engine.network.unet import UNet, initialise
from pretraining.dormant import find_dormant, recycle
from pretraining.objectives import Pupil

LAYERS = [
    *(f"down.{level}.{part}" for level in range(3) for part in (0, 2)),
    *(f"merge.{level}.{part}" for level in range(2) for part in (0, 2)),
]
ASLEEP = [1, 3]  # channels


@pytest.fixture
def pupil() -> Pupil:
    torch.set_num_threads(1)
    pupil = Pupil(UNet(NetworkConfig(base_channels=6, levels=3)))
    initialise(pupil, torch.Generator().manual_seed(0))
    for name in LAYERS:  # all awake, as far as it goes
        bias_of(pupil, name).data.fill_(0.5)
    return pupil


@pytest.fixture
def images() -> Tensor:
    return torch.randn((2, 1, 60, 60), generator=torch.Generator().manual_seed(1))


def convolution(pupil: Pupil, name: str) -> nn.Conv2d:
    layer = pupil.network.get_submodule(name)
    assert isinstance(layer, nn.Conv2d)
    return layer


def bias_of(pupil: Pupil, name: str) -> Tensor:
    bias = convolution(pupil, name).bias
    assert bias is not None
    return bias


def put_to_sleep(pupil: Pupil, name: str) -> None:
    with torch.no_grad():
        bias_of(pupil, name)[ASLEEP] = -1e4


def outputs(pupil: Pupil, images: Tensor) -> list[Tensor]:
    features = pupil.network.features(images)
    return [head(features) for head in pupil.heads]


def test_channels_that_never_fire_are_found(pupil: Pupil, images: Tensor) -> None:
    first = convolution(pupil, "down.0.0")
    assert all(
        part.convolution is not first for part in find_dormant(pupil.network, pupil.heads, images)
    )
    put_to_sleep(pupil, "down.0.0")

    found = find_dormant(pupil.network, pupil.heads, images)

    assert found[0].convolution is first
    assert found[0].channels.tolist() == ASLEEP


@pytest.mark.parametrize("name", LAYERS)
def test_new_weights_leave_the_output(pupil: Pupil, images: Tensor, name: str) -> None:
    put_to_sleep(pupil, name)
    before = outputs(pupil, images)
    layer = convolution(pupil, name)
    found = find_dormant(pupil.network, pupil.heads, images)
    (dormant,) = [part for part in found if part.convolution is layer]
    assert set(ASLEEP) <= set(dormant.channels.tolist())
    asleep = replace(dormant, channels=torch.tensor(ASLEEP))  # others may fire, a little

    recycle([asleep], {}, torch.Generator().manual_seed(2))

    with torch.no_grad():
        assert (bias_of(pupil, name)[ASLEEP] == 0).all()
        bias_of(pupil, name)[ASLEEP] = 1e3  # they fire now, and nobody reads them
    for old, new in zip(before, outputs(pupil, images), strict=True):
        torch.testing.assert_close(old, new)


def test_a_layer_that_slept_as_a_whole_learns_again(pupil: Pupil, images: Tensor) -> None:
    """As it happened to the first bundled network: everything beneath was cut off."""
    deep = convolution(pupil, "down.2.0").weight
    with torch.no_grad():
        bias_of(pupil, "merge.0.2").fill_(-1e4)
    optimiser = torch.optim.AdamW(pupil.parameters(), lr=1e-3)

    def gradient() -> float:
        optimiser.zero_grad()
        loss = torch.stack([output.square().mean() for output in outputs(pupil, images)]).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        assert deep.grad is not None
        return float(deep.grad.abs().max())

    assert gradient() == 0
    dormant = find_dormant(pupil.network, pupil.heads, images)
    recycle(dormant, {}, torch.Generator().manual_seed(2))
    gradient()
    optimiser.step()  # what reads the layer is no longer zero

    assert gradient() > 0


def test_averages_of_new_weights_are_the_new_weights(pupil: Pupil, images: Tensor) -> None:
    layer, reader = convolution(pupil, "merge.0.2"), pupil.network.get_submodule("up.1")
    assert isinstance(reader, nn.ConvTranspose2d)
    put_to_sleep(pupil, "merge.0.2")
    averages: dict[Tensor, Tensor] = {
        weight: torch.full_like(weight, 7) for weight in pupil.network.parameters()
    }
    dormant = find_dormant(pupil.network, pupil.heads, images)

    recycle(dormant, averages, torch.Generator().manual_seed(2))

    for weight in (layer.weight, bias_of(pupil, "merge.0.2"), reader.weight):
        torch.testing.assert_close(averages[weight][ASLEEP], weight.detach()[ASLEEP])
        assert (averages[weight] == 7).any()
    assert float(layer.weight[ASLEEP].detach().std()) == pytest.approx(
        (2 / (9 * 12)) ** 0.5, rel=0.4
    )
