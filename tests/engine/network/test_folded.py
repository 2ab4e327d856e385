"""The folded network is the same function of the image."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from napari_unet.config import NETWORKS, NetworkConfig
from napari_unet.engine.network.folded import FoldedUNet
from napari_unet.engine.network.precision import arrange
from napari_unet.engine.network.unet import UNet, initialise, margin, valid_output_size
from tests.engine.tiny import CPU


def network(levels: int, channels: int = 1, base_channels: int = 3) -> UNet:
    """Return one with weights, and biases that are not zero, as training leaves them."""
    config = NetworkConfig(
        levels=levels, base_channels=base_channels, in_channels=channels, classes=4
    )
    built = UNet(config).eval()
    generator = torch.Generator().manual_seed(levels)
    initialise(built, generator)
    with torch.no_grad():
        for name, weights in built.named_parameters():
            if name.endswith("bias"):
                weights.normal_(generator=generator)
    return built


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("levels", range(1, 6))
def test_any_image_has_the_same_logits(levels: int, channels: int, *, channels_last: bool) -> None:
    unet = network(levels, channels).double()
    height, width = (valid_output_size(side, levels) + 2 * margin(levels) for side in (1, 30))
    images = torch.randn(2, channels, height, width, dtype=torch.float64)
    with torch.inference_mode():
        expected = unet(images)
        folded = FoldedUNet(unet)
        if channels_last:
            arrange(folded, CPU.torch_device, mixed=False)
        torch.testing.assert_close(folded(images), expected, rtol=0, atol=1e-12)
    assert expected.std() > 0.5


def test_the_network_stays_as_it_was_and_nobody_s_random_state_changes() -> None:
    unet = UNet(NETWORKS["light"])
    before = {name: weights.clone() for name, weights in unet.state_dict().items()}
    state = torch.get_rng_state()
    folded = FoldedUNet(unet)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(weights, before[name]) for name, weights in unet.state_dict().items())
    assert folded.head is unet.head


def test_it_multiplies_less() -> None:
    def operations(of: torch.nn.Module) -> int:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            of(torch.zeros(1, 1, 468, 468))
        return int(counter.get_total_flops())

    unet = network(4, base_channels=4)
    assert operations(FoldedUNet(unet)) < 0.95 * operations(unet)
