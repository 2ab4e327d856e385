"""The network of the paper: its figures, its arithmetic, and its output against a plain one."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from napari_unet.config import NETWORKS, NetworkConfig
from napari_unet.engine.network.unet import (
    UNet,
    answers,
    initialise,
    margin,
    output_size,
    stride,
    valid_output_size,
)

PAPER = NETWORKS["2015"]
LEVELS = range(1, 8)


def on_meta(config: NetworkConfig) -> UNet:
    """Return a network that computes shapes only."""
    with torch.device("meta"):
        return UNet(config)


def thin(levels: int) -> UNet:
    return on_meta(NetworkConfig(levels=levels, base_channels=1))


def initialised(config: NetworkConfig, seed: int = 0) -> UNet:
    network = UNet(config)
    initialise(network, torch.Generator().manual_seed(seed))
    return network.eval()


def test_the_paper_network_has_31030658_parameters() -> None:
    assert sum(weight.numel() for weight in on_meta(PAPER).parameters()) == 31_030_658


def test_the_paper_network_has_23_convolutional_layers() -> None:
    layers = [m for m in on_meta(PAPER).modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    assert len(layers) == 23
    assert [m.kernel_size for m in layers].count((3, 3)) == 18
    assert [m.kernel_size for m in layers].count((2, 2)) == 4
    assert [m.kernel_size for m in layers].count((1, 1)) == 1
    assert all(m.padding == (0, 0) for m in layers)
    assert max(m.out_channels for m in layers) == 1024


def test_572_pixels_in_give_388_out() -> None:
    network = on_meta(PAPER)
    assert network(torch.empty(1, 1, 572, 572, device="meta")).shape == (1, 2, 388, 388)
    assert output_size(572, levels=5) == 388
    assert margin(5) == 92
    assert stride(5) == 16


def test_channels_double_downwards_and_halve_upwards() -> None:
    network = on_meta(PAPER)
    seen: list[int] = []
    for module in (*network.down, *network.up, *network.merge):
        module.register_forward_hook(lambda _m, _i, out: seen.append(out.shape[1]))
    network(torch.empty(1, 1, 572, 572, device="meta"))
    assert seen[:5] == [64, 128, 256, 512, 1024]
    assert seen[5:] == [512, 512, 256, 256, 128, 128, 64, 64]


@pytest.mark.parametrize("levels", LEVELS)
def test_the_size_arithmetic_is_what_the_network_gives(levels: int) -> None:
    network = thin(levels)
    pooled: list[int] = []
    network.pool.register_forward_hook(lambda _m, given, _out: pooled.append(given[0].shape[-1]))
    smallest = valid_output_size(1, levels) + 2 * margin(levels)
    agreed = 0
    for size in range(max(1, smallest - stride(levels)), smallest + 3 * stride(levels)):
        pooled.clear()
        try:
            height = network(torch.empty(1, 1, size, size, device="meta")).shape[-2]
        except RuntimeError:
            height = 0
        if height < 1 or any(side % 2 for side in pooled):
            with pytest.raises(ValueError, match=f"an input of {size} px leaves"):
                output_size(size, levels)
        else:
            assert output_size(size, levels) == height
            assert size - height == 2 * margin(levels)
            agreed += 1
    assert agreed == 3


@pytest.mark.parametrize("levels", LEVELS)
def test_the_next_possible_output_is_found(levels: int) -> None:
    possible = []
    for size in range(1, 2000):
        try:
            possible.append(output_size(size, levels))
        except ValueError:
            continue
    for size in range(1, 900):
        assert valid_output_size(size, levels) == next(out for out in possible if out >= size)
    assert all(b - a == stride(levels) for a, b in pairwise(possible))


def test_height_and_width_may_differ() -> None:
    network = thin(3)
    tall = network(torch.empty(1, 1, 44 + 2 * margin(3), 4 + 2 * margin(3), device="meta"))
    assert tall.shape[2:] == (44, 4)


def plain(weights: dict[str, Tensor], x: Tensor, levels: int) -> Tensor:
    """Compute fig. 1 of the paper from the weights alone."""

    def twice(name: str, x: Tensor) -> Tensor:
        for layer in (0, 2):
            kernel, bias = weights[f"{name}.{layer}.weight"], weights[f"{name}.{layer}.bias"]
            patches = functional.unfold(x, 3)  # (B, C 9, pixels)
            y = (kernel.flatten(1) @ patches + bias[:, None]).clamp(min=0)
            x = y.reshape(len(x), len(kernel), x.shape[2] - 2, x.shape[3] - 2)
        return x

    skips = []
    for level in range(levels):
        x = twice(f"down.{level}", x)
        if level < levels - 1:
            skips.append(x)
            x = torch.stack([x[..., i::2, j::2] for i in (0, 1) for j in (0, 1)]).amax(dim=0)
    for step in range(levels - 1):
        kernel, bias = weights[f"up.{step}.weight"], weights[f"up.{step}.bias"]
        up = torch.einsum("bcyx,cdij->bdyixj", x, kernel)  # each pixel becomes 2x2
        up = up.flatten(4, 5).flatten(2, 3) + bias[:, None, None]
        skip = skips.pop()
        cut = (skip.shape[2] - up.shape[2]) // 2
        x = twice(f"merge.{step}", torch.cat([skip[..., cut:-cut, cut:-cut], up], dim=1))
    head = weights["head.weight"][:, :, 0, 0]
    return torch.einsum("kc,bcyx->bkyx", head, x) + weights["head.bias"][:, None, None]


@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_the_output_is_that_of_a_plain_computation(levels: int) -> None:
    network = initialised(NetworkConfig(levels=levels, base_channels=3, in_channels=2, classes=3))
    generator = torch.Generator().manual_seed(1)
    size = valid_output_size(20, levels) + 2 * margin(levels)
    image = torch.randn(2, 2, size, size, generator=generator)
    for weight in network.parameters():
        weight.data += 0.01  # biases too
    with torch.no_grad():
        expected = plain(network.state_dict(), image, levels)
        torch.testing.assert_close(network(image), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("levels", [2, 3, 4])
def test_moving_the_input_by_the_stride_moves_the_output(levels: int) -> None:
    network = initialised(NetworkConfig(levels=levels, base_channels=4))
    step = stride(levels)
    size = valid_output_size(30, levels) + 2 * margin(levels)
    image = torch.randn(1, 1, size + step, size + step, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        whole = network(image)
        moved = network(image[..., step:, step:])
        torch.testing.assert_close(moved, whole[..., step:, step:], rtol=1e-5, atol=1e-5)
        less = network(image[..., step // 2 : step // 2 + size, step:])
        out = less.shape[-2]
        assert (less - whole[..., step // 2 : step // 2 + out, step:]).abs().max() > 0.01


def test_initial_weights_have_the_standard_deviation_of_the_paper() -> None:
    network = initialised(PAPER)
    second = network.get_submodule("down.0.2")
    assert isinstance(second, nn.Conv2d)
    assert second.in_channels == 64
    assert float(second.weight.detach().std()) == pytest.approx(math.sqrt(2 / 576), rel=0.02)
    for name, weight in network.named_parameters():
        if name.endswith("bias"):
            assert (weight == 0).all()
            continue
        # (out, in, 3, 3) for convolutions; (in, out, 2, 2) for up-convolutions, one pixel each
        incoming = weight.shape[0] if name.startswith("up.") else weight[0].numel()
        expected = math.sqrt(2 / incoming)
        tolerance = 5 / math.sqrt(2 * weight.numel())  # five standard errors
        assert float(weight.detach().std()) == pytest.approx(expected, rel=tolerance), name
        assert abs(float(weight.detach().mean())) < 5 * expected / math.sqrt(weight.numel()), name


def test_initial_weights_are_gaussian() -> None:
    weights = initialised(NetworkConfig(base_channels=32, levels=3)).state_dict()
    weight = weights["down.2.2.weight"]
    scaled = weight / weight.std()
    assert float((scaled.abs() < 1).float().mean()) == pytest.approx(0.6827, abs=0.01)
    assert float(scaled.pow(4).mean()) == pytest.approx(3, rel=0.05)


def test_initial_weights_follow_the_seed() -> None:
    config = NetworkConfig(base_channels=2, levels=2)
    first, again, other = (initialised(config, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["head.weight"], other["head.weight"])


def test_dropout_acts_at_the_end_of_the_contracting_path_in_training_only() -> None:
    network = initialised(NetworkConfig(base_channels=4, levels=4, dropout=0.5))
    image = torch.randn(1, 1, 100, 100, generator=torch.Generator().manual_seed(0))
    channels: list[int] = []
    network.dropout.register_forward_hook(lambda _m, given, _o: channels.append(given[0].shape[1]))
    with torch.no_grad():
        assert torch.equal(network(image), network(image))
        assert channels == [16, 32] * 2
        network.train()
        torch.manual_seed(0)
        assert not torch.equal(network(image), network(image))


@given(st.integers(1, 7), st.integers(1, 3000))
def test_possible_outputs_are_as_small_as_they_can_be(levels: int, size: int) -> None:
    found = valid_output_size(size, levels)
    least = max(size, valid_output_size(1, levels))
    assert least <= found < least + stride(levels)
    assert output_size(found + 2 * margin(levels), levels) == found


def test_outputs_of_five_levels_are_4_modulo_16() -> None:
    assert [valid_output_size(size, 5) for size in (1, 4, 5, 388, 389)] == [4, 4, 20, 388, 404]


def test_the_shape_field_is_one_more_output_and_no_part_of_the_softmax() -> None:
    config = NetworkConfig(base_channels=4, levels=2, shape_field=True)
    network = UNet(config)
    outputs = network(torch.randn(1, 1, 40, 40))

    found = answers(outputs, config)

    assert outputs.shape[1] == found.shape[1] == 3
    torch.testing.assert_close(found[:, :2], outputs[:, :2].softmax(dim=1))
    torch.testing.assert_close(found[:, 2], outputs[:, 2].clamp(0, 1))


def test_without_a_shape_field_the_answers_are_the_softmax() -> None:
    config = NetworkConfig(base_channels=4, levels=2, classes=3)
    outputs = torch.randn(1, 3, 5, 5)

    torch.testing.assert_close(answers(outputs, config), outputs.softmax(dim=1))
