"""Sides of tiles: no sliver, no more memory than there is, and what each way to compute likes."""

from __future__ import annotations

import pytest
import torch

from napari_unet.config import NETWORKS, NetworkConfig
from napari_unet.engine.network.unet import margin
from napari_unet.engine.prediction import backend
from napari_unet.engine.prediction.predictor import Predictor
from napari_unet.engine.prediction.tile_side import choose_side, tile_limits
from napari_unet.engine.stack.planes import ArrayPlanes
from napari_unet.engine.stack.reduction import Reduction
from tests.engine.tiny import CPU, noise, tiny_model

HUGE = 11 * 512 * 4, 8 * 704 * 4
ON_CPU = torch.device("cpu")


def side_on_cpu(
    network: NetworkConfig,
    shape: tuple[int, int],
    *,
    openvino: bool = False,
    reduction: int = 1,
    enlargement: int = 1,
) -> int:
    limits = tile_limits(ON_CPU, openvino=openvino)
    return choose_side(network, limits, Reduction(reduction, shape, enlargement))


@pytest.mark.parametrize("openvino", [False, True])
@pytest.mark.parametrize("network", NETWORKS.values(), ids=str)
@pytest.mark.parametrize("shape", [(512, 512), (520, 696), (1040, 1388), (20_000, 300), (1, 5)])
def test_tiles_fit_the_cpu_and_leave_no_sliver(
    network: NetworkConfig, shape: tuple[int, int], *, openvino: bool
) -> None:
    longest = max(shape)
    side = side_on_cpu(network, shape, openvino=openvino)
    assert side <= (704 if openvino else 512) * 1.5
    count = -(-longest // side)
    assert longest - (count - 1) * side > side / 2
    copies = 4 if openvino else 5
    features = 4 * copies * network.base_channels * (side + 2 * margin(network.levels)) ** 2
    assert features < 1 << 30


def test_openvino_takes_larger_tiles() -> None:
    light = NETWORKS["light"]
    assert side_on_cpu(light, HUGE) == 512
    assert side_on_cpu(light, HUGE, openvino=True) == 704


@pytest.mark.parametrize("openvino", [False, True])
def test_the_predictor_says_which_tiles_suit_what_computes(
    monkeypatch: pytest.MonkeyPatch, *, openvino: bool
) -> None:
    if openvino:
        monkeypatch.setattr(backend, "openvino_probabilities", lambda *_: lambda image: image)
    model = tiny_model(levels=4)
    planes = ArrayPlanes(noise(1, 3000, 40))
    assert Predictor(model, planes, CPU).tile_side == (750 if openvino else 500)


def test_tiles_fit_the_free_memory_of_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def side(free: int, rotations: int = 1) -> int:
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free, 80 << 30))
        limits = tile_limits(torch.device("cuda"), openvino=False)
        return choose_side(NETWORKS["2015"], limits, Reduction(1, (10_000, 10_000)), rotations)

    assert 64 <= side(1 << 29) < side(4 << 30) < side(64 << 30) <= 2048 * 1.5
    assert side(4 << 30, rotations=7) < side(4 << 30)
    for free in (4 << 30, 16 << 30):
        assert 4 * 5 * 64 * (side(free) + 2 * 92) ** 2 < free / 2


def test_tiles_of_a_reduced_plane_are_as_many_times_larger() -> None:
    light = NETWORKS["light"]
    assert side_on_cpu(light, (4 * max(HUGE),) * 2, reduction=4) == 4 * side_on_cpu(light, HUGE)
    assert side_on_cpu(light, (600, 700), reduction=4) == 700


def test_tiles_of_an_enlarged_plane_are_as_many_times_smaller() -> None:
    light = NETWORKS["light"]
    assert side_on_cpu(light, HUGE, enlargement=2) == side_on_cpu(light, HUGE) / 2
