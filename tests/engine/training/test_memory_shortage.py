"""Too little memory: smaller tiles and patches, then the CPU, and the same results."""

from __future__ import annotations

import gc
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from napari_unet.config import ObjectsConfig, OutputKind, TilingConfig
from napari_unet.engine.errors import EngineError
from napari_unet.engine.events import (
    Corrected,
    LabelsTaken,
    MemoryShort,
    Previewed,
    StepDone,
    TrainDone,
    TrainEvent,
    Validated,
    View,
)
from napari_unet.engine.network.device import DeviceChoice
from napari_unet.engine.network.folded import FoldedUNet
from napari_unet.engine.network.model import Model
from napari_unet.engine.network.unet import UNet, margin, stride
from napari_unet.engine.prediction import tile_side
from napari_unet.engine.prediction.segmentation import whole_planes
from napari_unet.engine.stack.planes import ArrayPlanes
from napari_unet.engine.training import memory_shortage
from napari_unet.engine.training.memory_shortage import Means
from napari_unet.engine.training.schedule import Schedule
from napari_unet.engine.training.trainer import Trainer
from tests.engine.conftest import BuiltNetworks
from tests.engine.scenes import QUICK, bright_squares, strokes, train
from tests.engine.short_memory import short_of_memory
from tests.engine.tiny import CPU, noise, segment, tiny_model

NOT_THE_CPU = DeviceChoice("cpu:0", "Small GPU", "test")
MODEL = tiny_model(levels=3)
IMAGE = noise(200, 210)


def segmented(device: DeviceChoice = CPU, **settings: Any) -> tuple[Any, list[MemoryShort]]:
    """Return the probabilities of a plane, and what was told of the memory."""
    options: dict[str, Any] = {"tiling": TilingConfig(tile=256), **settings}
    kind = OutputKind.PROBABILITIES
    events = list(segment(MODEL, ArrayPlanes(IMAGE), device=device, kind=kind, **options))
    ((_, values),) = whole_planes(events)
    return values, [event for event in events if isinstance(event, MemoryShort)]


@pytest.mark.parametrize("rotations", [1, 3])
def test_a_tile_that_does_not_fit_is_halved(
    rotations: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiling = TilingConfig(tile=256, rotations=rotations)
    expected, told = segmented(tiling=tiling)
    assert told == []
    asked = short_of_memory(monkeypatch, 150)
    values, told = segmented(tiling=tiling)
    np.testing.assert_allclose(values, expected, atol=1e-5)
    assert [event.side for event in told] == [max(IMAGE.shape) // 2] if rotations == 1 else told
    assert {event.device for event in told} == {str(CPU)}
    assert sum(side > 150 for side in asked) <= 2  # what has failed is not tried again


def test_it_is_told_once_for_all_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    short_of_memory(monkeypatch, 115)
    _, told = segmented(tiling=TilingConfig(tile=104))
    assert len(told) == 1


def test_what_does_not_fit_at_all_goes_to_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    expected, _ = segmented()
    short_of_memory(monkeypatch, 0, only=NOT_THE_CPU)
    values, (told,) = segmented(NOT_THE_CPU)
    np.testing.assert_allclose(values, expected, atol=1e-5)
    assert told.device.startswith("CPU")
    assert "Small GPU has too little memory" in told.device


def test_the_cpu_takes_no_tiles_as_large_as_the_gpu_s(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = short_of_memory(monkeypatch, 0, only=NOT_THE_CPU)
    monkeypatch.setitem(tile_side._LARGEST, "cpu", 72)
    segmented(NOT_THE_CPU)
    on_gpu = asked.index(min(asked)) + 1  # until nothing smaller was left
    assert asked[on_gpu:]
    assert max(asked[on_gpu:]) <= 72 + 2 * margin(MODEL.network.levels) + stride(3)


def test_the_network_on_the_gpu_is_let_go_before_the_cpu_computes(
    built: BuiltNetworks, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive: list[bool] = []
    forward = FoldedUNet.forward

    def look(network: FoldedUNet, x: torch.Tensor) -> torch.Tensor:
        gc.collect()
        alive.append(built[0]() is not None)
        return forward(network, x)

    short_of_memory(monkeypatch, 0, only=NOT_THE_CPU)
    monkeypatch.setattr(FoldedUNet, "forward", look)
    segmented(NOT_THE_CPU)
    assert alive[0]
    assert not alive[-1]


def test_a_network_that_does_not_fit_goes_to_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    expected, _ = segmented()
    build = Model.build

    def fail(model: Model, device: torch.device) -> UNet:
        if device == NOT_THE_CPU.torch_device:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return build(model, device)

    monkeypatch.setattr(Model, "build", fail)
    values, told = segmented(NOT_THE_CPU)
    np.testing.assert_allclose(values, expected, atol=1e-5)
    assert len(told) == 1


def test_a_cpu_without_any_memory_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    short_of_memory(monkeypatch, 0)
    with pytest.raises(EngineError, match="ran out of memory"):
        segmented()


def trained(device: DeviceChoice, **settings: Any) -> list[TrainEvent]:
    image, truth = bright_squares()
    labels = settings.pop("labels", strokes(truth))
    return list(train(ArrayPlanes(image), ArrayPlanes(labels), device=device, **settings))


def test_a_patch_that_does_not_fit_is_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = short_of_memory(monkeypatch, 90)
    *events, end = trained(CPU, config=replace(QUICK, patch=200, validation_share=0.0))
    assert [event.side for event in events if isinstance(event, MemoryShort)] == [100, 50]
    assert sum(isinstance(event, StepDone) for event in events) == QUICK.steps
    assert isinstance(end, TrainDone)
    assert sum(side > 90 for side in asked) == 2


@pytest.mark.parametrize("start", ["scratch", "trained"])
def test_training_that_does_not_fit_at_all_goes_on_on_the_cpu(
    start: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {}
    if start == "trained":
        (*_, before) = trained(CPU)
        assert isinstance(before, TrainDone)
        options = {"start": before.model}
    short_of_memory(monkeypatch, 0, only=NOT_THE_CPU)
    *events, end = trained(NOT_THE_CPU, **options)
    told = [event for event in events if isinstance(event, MemoryShort)]
    assert "Small GPU has too little memory" in told[-1].device
    assert sum(isinstance(event, StepDone) for event in events) == QUICK.steps
    assert isinstance(end, TrainDone)
    assert "Small GPU has too little memory" in end.model.record.device


def test_training_goes_on_from_where_it_was_when_memory_runs_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As it may, if another program takes the memory."""
    weights: dict[str, Any] = {}
    advance, adapt = Trainer.advance, Trainer.adapt
    failed: list[int] = []

    def fail(trainer: Trainer, progress: float) -> float:
        if trainer.step == 9 and len(failed) < 2:  # the patch is halved, then the CPU
            failed.append(trainer.step)
            raise torch.OutOfMemoryError("CUDA out of memory")
        return advance(trainer, progress)

    def compare(trainer: Trainer, means: Means) -> None:
        before = trainer.weights(), trainer._optimiser.state_dict()["state"]
        adapt(trainer, means)
        after = trainer.weights(), trainer._optimiser.state_dict()["state"]
        for name, weight in before[0].items():
            assert torch.equal(weight, after[0][name])
        for number, state in before[1].items():
            assert torch.equal(state["exp_avg"], after[1][number]["exp_avg"])
        weights[means.device.device] = after[0]

    monkeypatch.setattr(Trainer, "advance", fail)
    monkeypatch.setattr(Trainer, "adapt", compare)
    events = trained(NOT_THE_CPU, config=replace(QUICK, patch=40))
    steps = [event.step for event in events if isinstance(event, StepDone)]
    assert steps == list(range(1, 21))
    assert list(weights) == ["cpu:0", "cpu"]
    sides = [event.side for event in events if isinstance(event, MemoryShort)]
    assert sides == [32, 40]  # the CPU has the patch that was wanted


def test_memory_is_let_go_before_each_retry_when_no_error_holds_it_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries, let_go = [0], []

    def work() -> str:
        tries[0] += 1
        if tries[0] < 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return "done"

    def free() -> None:
        let_go.append((tries[0], sys.exc_info()[0]))

    monkeypatch.setattr(memory_shortage, "free_cached_memory", free)
    told = list(memory_shortage.within_means(work, Means(128, CPU)))

    assert [event.side for event in told] == [64, 32]
    assert let_go == [(1, None), (2, None)]


def test_a_preview_has_no_holes_where_memory_was_short(monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {
        "config": replace(QUICK, steps=1, patch=32),
        "objects": lambda: ObjectsConfig(
            threshold=0.1
        ),  # a network that knows nothing sees objects
        "live": Watcher(),
    }
    expected = first_preview(trained(CPU, **options))
    assert expected.any()
    predict = Trainer.predict
    failed: list[Any] = []

    def fail_once(trainer: Trainer, *place: Any) -> Any:
        if not failed:
            failed.append(place)
            raise torch.OutOfMemoryError("CUDA out of memory")
        return predict(trainer, *place)

    monkeypatch.setattr(Trainer, "predict", fail_once)
    events = trained(NOT_THE_CPU, **options)
    np.testing.assert_array_equal(first_preview(events), expected)
    assert not any(isinstance(event, MemoryShort) for event in events)  # training has enough


class Watcher:
    """Looks at a plane while the network is trained."""

    def view(self) -> View | None:
        return View(1, slice(0, 64), slice(0, 64))

    def take_painted(self) -> frozenset[int]:
        return frozenset()


class Painter(Watcher):
    """Paints another cell after some steps."""

    def __init__(self) -> None:
        self.truth = bright_squares()[1]
        self.labels = strokes(self.truth)
        self.asked = 0

    def take_painted(self) -> frozenset[int]:
        self.asked += 1
        if self.asked != 2:
            return frozenset()
        self.labels[0][self.truth[0] == 3] = 4
        return frozenset({0})


@pytest.mark.parametrize(
    ("work", "first"),
    [
        *[("__init__", 1), ("extend", 1), ("score", 1)],  # done once
        *[("advance", 2), ("validate", 2), ("teach", 2)],
    ],
)
def test_training_goes_on_wherever_memory_ran_out(
    work: str, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, asked = getattr(Trainer, work), 0

    def fail(trainer: Trainer, *args: Any, **options: Any) -> Any:
        nonlocal asked
        asked += 1
        if first <= asked < first + 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return original(trainer, *args, **options)

    monkeypatch.setattr(Trainer, work, fail)
    monkeypatch.setattr(Schedule, "may_ask_for_strokes", lambda _: True)
    painter = Painter()
    config = replace(QUICK, steps=4, patch=64, validation_share=0.3)
    events = trained(NOT_THE_CPU, config=config, live=painter, labels=painter.labels)
    told = [event for event in events if isinstance(event, MemoryShort)]
    assert [event.side for event in told] == [32, 64, 32]  # the CPU begins anew
    kinds = {type(event) for event in events}
    assert {Validated, Corrected, LabelsTaken, Previewed} <= kinds
    end = events[-1]
    assert isinstance(end, TrainDone)
    steps = [event.step for event in events if isinstance(event, StepDone)]
    assert steps == [1, 2, 3, 4, 5, 6]  # new strokes begin the count of four anew


def first_preview(events: list[TrainEvent]) -> Any:
    return next(event.values for event in events if isinstance(event, Previewed))


def test_a_cpu_without_memory_to_train_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    short_of_memory(monkeypatch, 0)
    with pytest.raises(EngineError, match="ran out of memory"):
        trained(CPU)
