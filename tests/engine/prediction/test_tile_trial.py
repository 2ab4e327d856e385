"""The fastest side of tiles: tried before long work only, found despite noise, and remembered."""

from __future__ import annotations

from collections.abc import Generator
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from napari_unet.config import TilingConfig
from napari_unet.engine.errors import OutOfMemoryError
from napari_unet.engine.events import SegmentDone, SegmentStarted, SideTried
from napari_unet.engine.network.model import Model
from napari_unet.engine.network.unet import UNet
from napari_unet.engine.prediction import tile_trial
from napari_unet.engine.prediction.backend import Backend
from napari_unet.engine.prediction.segmentation import segment
from napari_unet.engine.prediction.tile_trial import KnownSides, fastest_side, sides_to_try
from napari_unet.engine.stack.planes import ArrayPlanes
from tests.engine.conftest import BuiltNetworks
from tests.engine.tiny import CPU, noise, plane_values, tiny_model

MODEL = tiny_model()
STACK = noise(2, 90, 80)
SIDES = (512, 352, 720)


class Clock:
    """Stands still, but for what is told to take time."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(tile_trial, "time", SimpleNamespace(perf_counter=clock.perf_counter))
    return clock


@pytest.fixture
def always_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tile_trial, "_WORTH", 0)


def result(trial: Generator[SideTried, None, int]) -> int:
    while True:
        try:
            next(trial)
        except StopIteration as end:
            return int(end.value)


@pytest.mark.parametrize(
    ("per_pixel", "expected"),
    [
        ({512: 1.0, 352: 0.8, 720: 1.2}, 352),
        ({512: 1.0, 352: 0.8, 720: 0.7}, 720),
        ({512: 1.0, 352: 0.95, 720: 0.92}, 512),  # no clear gain
        ({512: 1.0, 352: 1.3, 720: 1.4}, 512),
    ],
)
def test_the_side_with_the_least_time_per_pixel_is_taken_if_it_is_clearly_faster(
    per_pixel: dict[int, float], expected: int, clock: Clock
) -> None:
    def predict(side: int) -> None:
        clock.now += per_pixel[side] * side**2

    assert result(fastest_side(predict, SIDES)) == expected


def test_neither_a_slow_start_nor_a_machine_that_changes_its_speed_misleads(clock: Clock) -> None:
    speeds = iter([9, 1, 1, 1, 1, 1, 3, 3, 3, 5, 1, 1])  # a slow start, a slow round, a hiccup

    def predict(side: int) -> None:
        clock.now += next(speeds) * side**2

    assert result(fastest_side(predict, SIDES)) == 512


def test_each_trial_is_told_before_it_begins() -> None:
    tried: list[int] = []
    told = []
    for event in fastest_side(tried.append, SIDES):
        told.append(event)
        assert event.done == len(tried)
        assert event.total == 4 * len(SIDES)

    assert tried == [event.side for event in told] == [*SIDES] * 4


def test_sides_are_tried_for_long_work_only() -> None:
    tile = 512**2
    assert sides_to_try(512, 10_000, 16, 100 * tile) == ()
    assert sides_to_try(512, 10_000, 16, 1000 * tile) == (512, 352, 720)


def test_no_side_is_tried_that_does_not_fit_into_memory() -> None:
    assert sides_to_try(512, 600, 16, 10**12) == (512, 352)
    assert sides_to_try(512, 512, 512, 10**12) == ()  # nothing to choose


@pytest.mark.usefixtures("always_worth_it")
def test_what_is_found_is_used_and_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "napari_unet.engine.prediction.predictor.fastest_side", lambda *_: fastest_of_one_trial(48)
    )
    known: KnownSides = {}

    first = list(segment(MODEL, ArrayPlanes(STACK), device=CPU, known_sides=known))
    second = list(segment(MODEL, ArrayPlanes(STACK), device=CPU, known_sides=known))

    assert isinstance(first[0], SideTried)
    assert isinstance(first[1], SegmentStarted)
    assert isinstance(second[0], SegmentStarted)
    assert list(known.values()) == [48]
    assert first[1].tile == second[0].tile == 46  # half of the longer side is near 48


def fastest_of_one_trial(side: int) -> Generator[SideTried, None, int]:
    yield SideTried(side, 0, 1)
    return side


@pytest.mark.usefixtures("always_worth_it")
def test_sides_that_were_found_are_kept_apart_by_network_and_device() -> None:
    known: KnownSides = {}
    for levels in (2, 3):
        model = tiny_model(levels=levels)
        list(segment(model, ArrayPlanes(STACK), device=CPU, known_sides=known))

    assert [way.split("; ")[1] for way in known] == ["4 channels, 2 levels", "4 channels, 3 levels"]
    assert all("PyTorch" in way and CPU.name in way for way in known)


@pytest.mark.usefixtures("always_worth_it")
def test_real_tiles_are_tried_and_the_labels_stay_the_same() -> None:
    usual = plane_values(segment(MODEL, ArrayPlanes(STACK), device=CPU))
    known: KnownSides = {}
    events = segment(MODEL, ArrayPlanes(STACK), device=CPU, known_sides=known)
    np.testing.assert_array_equal(plane_values(events), usual)
    assert known


@pytest.mark.usefixtures("always_worth_it")
def test_a_side_that_was_chosen_by_hand_stays() -> None:
    known: KnownSides = {}
    tiling = TilingConfig(tile=32)
    first, *_ = segment(MODEL, ArrayPlanes(STACK), device=CPU, tiling=tiling, known_sides=known)
    assert isinstance(first, SegmentStarted)
    assert first.tile == 32
    assert not known


@pytest.mark.usefixtures("always_worth_it")
def test_a_stop_ends_the_trial() -> None:
    known: KnownSides = {}
    events = list(
        segment(MODEL, ArrayPlanes(STACK), device=CPU, known_sides=known, stop=lambda: True)
    )
    assert len([event for event in events if isinstance(event, SideTried)]) == 1
    assert isinstance(events[-1], SegmentDone)
    assert not known


@pytest.mark.usefixtures("always_worth_it")
@pytest.mark.parametrize("networks_that_fit", [1, 2])
def test_a_trial_that_does_not_fit_into_memory_ends_no_run(
    networks_that_fit: int, built: BuiltNetworks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(backend: Backend, side: int) -> None:
        raise OutOfMemoryError("none left")

    build = Model.build

    def build_some(model: Model, device: torch.device) -> UNet:
        if len(built) == networks_that_fit:
            raise MemoryError
        return build(model, device)

    monkeypatch.setattr(Backend, "predict_black", fail)
    monkeypatch.setattr(Model, "build", build_some)
    known: KnownSides = {}

    events = list(segment(MODEL, ArrayPlanes(STACK), device=CPU, known_sides=known))

    assert isinstance(events[-1], SegmentDone)
    assert not known
