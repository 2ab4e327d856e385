"""Tiles that are predicted at the same time, as for a GPU, and what is copied to it and back."""

from __future__ import annotations

import threading
import time
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch

from napari_unet.config import OutputKind, TilingConfig
from napari_unet.engine.events import MemoryShort
from napari_unet.engine.network import transfer
from napari_unet.engine.network.device import DeviceChoice
from napari_unet.engine.network.transfer import own_stream, to_device, to_host
from napari_unet.engine.prediction import backend
from napari_unet.engine.prediction.backend import Backend
from napari_unet.engine.prediction.predictor import Predictor
from napari_unet.engine.prediction.segmentation import whole_planes
from napari_unet.engine.stack.parallel_map import ahead
from napari_unet.engine.stack.planes import ArrayPlanes
from tests.engine.short_memory import short_of_memory
from tests.engine.tiny import CPU, noise, segment, tiny_model

MODEL = tiny_model(levels=3)
STACK = noise(3, 60, 70)
GPU = torch.device("cuda")


@pytest.fixture
def two_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Predictor, "at_once", 2)


class OneReader(ArrayPlanes):
    """A stack that may not be read by two threads at the same time, as many files."""

    def __init__(self, stack: Any) -> None:
        super().__init__(stack)
        self._reading = threading.Lock()

    def read(self, plane: int, y: slice, x: slice) -> Any:
        assert self._reading.acquire(blocking=False), "two threads read"
        try:
            time.sleep(0.001)
            return super().read(plane, y, x)
        finally:
            self._reading.release()


def segmented(planes: ArrayPlanes, device: DeviceChoice = CPU) -> tuple[Any, list[MemoryShort]]:
    """Return the probabilities of the stack, and what was told of the memory."""
    tiling, kind = TilingConfig(tile=16), OutputKind.PROBABILITIES
    events = list(segment(MODEL, planes, device=device, tiling=tiling, kind=kind))
    values = [values for _, values in whole_planes(events)]
    return values, [event for event in events if isinstance(event, MemoryShort)]


def test_a_gpu_computes_one_tile_while_the_next_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "openvino_probabilities", lambda *_: None)
    work = Predictor(MODEL, ArrayPlanes(STACK), CPU)
    assert work.at_once == 1
    work.device = DeviceChoice("cuda", "GPU", "test")
    assert work.at_once == 2


@pytest.mark.usefixtures("two_at_once")
def test_tiles_that_are_predicted_at_the_same_time_are_read_one_by_one() -> None:
    values, _ = segmented(OneReader(STACK))
    expected, _ = segmented(ArrayPlanes(STACK))
    np.testing.assert_array_equal(values, expected)


@pytest.mark.usefixtures("two_at_once")
def test_threads_that_run_out_of_memory_together_fall_back_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected, _ = segmented(ArrayPlanes(STACK))
    asked = short_of_memory(monkeypatch, 0, only=(small := DeviceChoice("cpu:0", "Small", "test")))
    built: list[DeviceChoice] = []
    build = Backend.of

    def remember(model: Any, choice: DeviceChoice) -> Any:
        built.append(choice)
        time.sleep(0.1)  # the other thread comes meanwhile
        return build(model, choice)

    monkeypatch.setattr(Backend, "of", remember)
    values, told = segmented(ArrayPlanes(STACK), small)
    np.testing.assert_allclose(values, expected, atol=1e-5)
    assert [choice.device for choice in built] == ["cpu:0", "cpu"]
    assert len(told) == 1
    assert asked


def test_asking_for_a_shortage_while_another_thread_falls_back_is_no_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[MemoryShort | None] = []
    work = Predictor(MODEL, ArrayPlanes(STACK), CPU)
    build = Backend.of

    def ask_meanwhile(model: Any, choice: DeviceChoice) -> Any:
        asked.append(work.shortage)
        return build(model, choice)

    monkeypatch.setattr(Backend, "of", ask_meanwhile)
    work._fall_back(work._backend)
    assert asked == [None]
    assert work.shortage is not None


def test_what_goes_to_a_device_comes_back() -> None:
    image = noise(2, 5, 7).astype(np.float32)
    with own_stream(CPU.torch_device):
        np.testing.assert_array_equal(to_host(to_device(image, CPU.torch_device)), image)


def test_each_thread_has_one_stream_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[object] = []

    def use(stream: object) -> Any:
        used.append(stream)
        return nullcontext()

    monkeypatch.setattr(torch.cuda, "Stream", lambda _: object())
    monkeypatch.setattr(torch.cuda, "stream", use)
    monkeypatch.setattr(transfer, "_of_thread", threading.local())

    def twice() -> None:
        for _ in range(2):
            with own_stream(GPU):
                pass

    twice()
    other = threading.Thread(target=twice)
    other.start()
    other.join()
    assert used[0] is used[1] is not used[2]
    assert used[2] is used[3]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_a_gpu_gives_back_what_it_was_given_by_several_threads() -> None:
    images = [noise(1, 700, 600, seed=seed).astype(np.float32) for seed in range(20)]

    def twice(image: Any) -> Any:
        with own_stream(GPU):
            return to_host(to_device(image, GPU) * 2)

    for image, doubled in ahead(twice, images, 4):
        np.testing.assert_array_equal(doubled, 2 * image)
