"""The emulated arithmetic of tensor cores, and the count of labels that it changes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from benchmarks.gpu import WAYS, way_of
from benchmarks.label_precision import (
    ARITHMETICS,
    Arithmetic,
    compare,
    computed_in,
    emulate,
    tf32,
)
from napari_unet.config import NetworkConfig, OutputKind, Task
from napari_unet.engine.network.unet import UNet, initialise
from tests.engine.tiny import noise, segmented, tiny_model

BFLOAT16, FLOAT16, TF32, THREE_PRODUCTS = ARITHMETICS
IMAGE = torch.randn(1, 1, 60, 60, generator=torch.Generator().manual_seed(1))


def network() -> UNet:
    built = UNet(NetworkConfig(name="tiny", base_channels=8, levels=3)).eval()
    initialise(built, torch.Generator().manual_seed(0))
    return built


@torch.no_grad()
def error_of(arithmetic: Arithmetic) -> float:
    """Return by how much a network's logits differ from those in float32."""
    exact, other = network(), network()
    emulate(other, arithmetic)
    return float((other(IMAGE) - exact(IMAGE)).abs().max() / exact(IMAGE).abs().max())


@pytest.mark.parametrize("bit", [1, 5, 10])
def test_ten_bits_after_the_point_are_kept(bit: int) -> None:
    kept, rounded = torch.tensor([1 + 2.0**-bit]), torch.tensor([1 + 2.0**-bit + 2.0**-12])
    assert torch.equal(tf32(kept), kept)
    assert torch.equal(tf32(rounded), kept)
    assert torch.equal(tf32(-kept), -kept)


def test_what_is_beyond_the_middle_is_rounded_up() -> None:
    assert tf32(torch.tensor([1 + 0.75 * 2.0**-10])).item() == 1 + 2.0**-10


def test_nothing_rounded_is_the_network_itself() -> None:
    assert error_of(Arithmetic("none", lambda values: values)) < 1e-6


def test_fewer_bits_are_further_away_and_three_products_are_exact() -> None:
    errors = [error_of(each) for each in (BFLOAT16, FLOAT16, TF32, THREE_PRODUCTS)]

    assert errors[0] > 4 * errors[1] > 100 * errors[3]
    assert errors[2] > 100 * errors[3]
    assert errors[3] < 2e-6


def test_labels_that_differ_are_counted() -> None:
    exact = [np.full((1, 10, 10), 0.6, np.float32) for _ in range(2)]
    other = [exact[0] - np.float32(0.05), exact[1].copy()]
    other[1][0, :2, 0] = 0.4

    assert compare(exact, other, Task.OBJECTS) == "1 of 2, 10000, 2e-01"


def test_a_segmentation_is_computed_in_an_arithmetic() -> None:
    def foreground(arithmetic: Arithmetic | None) -> npt.NDArray[np.float32]:
        with computed_in(arithmetic):
            return segmented(model, noise(60, 60), kind=OutputKind.PROBABILITIES)

    model = tiny_model(levels=3)
    exact = foreground(None)

    assert 1e-5 < np.abs(foreground(TF32) - exact).max() < 1e-2
    assert np.abs(foreground(THREE_PRODUCTS) - exact).max() < 1e-5


@pytest.mark.parametrize(
    "title",
    ["float32, channels last", "float32, folded", "three products of TensorFloat-32"],
)
def test_the_ways_of_the_gpu_benchmark_give_the_same_logits(title: str) -> None:
    (way,) = (way for way in WAYS if way.title == title)
    with torch.no_grad():
        expected = network()(IMAGE)
        _, output = way_of(way, network(), IMAGE)

        torch.testing.assert_close(output(), expected, atol=1e-4, rtol=1e-4)
