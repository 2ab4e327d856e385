"""Which device is taken and why, and what becomes of its failures."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable

import pytest
import torch

from napari_unet.engine.errors import EngineError, ImageError, SettingsError
from napari_unet.engine.network.device import (
    DeviceChoice,
    available_devices,
    engine_errors,
    pick_device,
)

Machine = Callable[..., None]

CPU = DeviceChoice("cpu", "CPU", "test")
GPU = DeviceChoice("cuda", "NVIDIA H100", "test")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Return a function that pretends to be another machine."""

    def pretend(
        *,
        cuda: bool = False,
        mps: bool = False,
        nvidia_smi: bool = False,
        cuda_build: str | None = None,
        apple: bool = False,
    ) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA H100")
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        monkeypatch.setattr(torch.version, "cuda", cuda_build)
        monkeypatch.setattr(shutil, "which", lambda _: "nvidia-smi" if nvidia_smi else None)
        monkeypatch.setattr(platform, "system", lambda: "Darwin" if apple else "Linux")
        monkeypatch.setattr(platform, "machine", lambda: "arm64" if apple else "x86_64")

    return pretend


@pytest.mark.parametrize(
    ("wish", "cuda", "mps", "taken"),
    [
        ("auto", True, True, "cuda"),
        ("auto", True, False, "cuda"),
        ("auto", False, True, "mps"),
        ("auto", False, False, "cpu"),
        ("cpu", True, True, "cpu"),
        ("mps", True, True, "mps"),
        ("cuda", True, True, "cuda"),
    ],
)
def test_the_fastest_device_is_taken_unless_one_is_named(
    machine: Machine, wish: str, cuda: bool, mps: bool, taken: str
) -> None:
    machine(cuda=cuda, mps=mps)
    choice = pick_device(wish)
    assert choice.device == taken == choice.torch_device.type


def test_the_name_people_know_is_shown(machine: Machine) -> None:
    machine(cuda=True)
    assert str(pick_device()) == "NVIDIA H100 (fastest found)"
    assert pick_device("cuda").reason == "chosen by hand"


def test_a_gpu_that_fails_leaves_the_cpu_and_says_why(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> str:
        raise RuntimeError("CUDA unknown error\nand more")

    machine(cuda=True, cuda_build="13.0")
    monkeypatch.setattr(torch.cuda, "get_device_name", fail)
    choice = pick_device()
    assert choice.device == "cpu"
    assert choice.reason == "the NVIDIA GPU fails: CUDA unknown error"
    assert available_devices() == ("cpu",)
    with pytest.raises(
        SettingsError, match=r"'cuda' .* \(the NVIDIA GPU fails: CUDA unknown error"
    ):
        pick_device("cuda")


@pytest.mark.parametrize(("wish", "cuda", "mps"), [("cuda", False, True), ("mps", True, False)])
def test_a_missing_device_is_an_error_with_a_cure(
    machine: Machine, wish: str, cuda: bool, mps: bool
) -> None:
    machine(cuda=cuda, mps=mps)
    with pytest.raises(SettingsError, match=rf"'{wish}' is not available.*'auto' or 'cpu'"):
        pick_device(wish)


def test_an_unknown_device_is_an_error_that_lists_the_known() -> None:
    with pytest.raises(SettingsError, match="'tpu' is unknown; choose one of auto, cpu, cuda, mps"):
        pick_device("tpu")


def test_a_cpu_build_on_a_machine_with_a_gpu_is_said_and_mended(machine: Machine) -> None:
    machine(nvidia_smi=True)
    choice = pick_device()
    assert "CPU build" in choice.reason
    assert choice.cure is not None
    assert "--torch-backend=auto" in choice.cure


def test_a_cuda_build_that_the_driver_cannot_run_is_said_and_mended(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    machine(nvidia_smi=True, cuda_build="13.0")
    choice = pick_device()
    assert "CUDA 13.0" in choice.reason
    assert "driver" in choice.reason
    assert choice.cure is not None
    assert "--torch-backend=auto" in choice.cure


def test_a_gpu_that_was_hidden_is_left_alone(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    machine(nvidia_smi=True, cuda_build="13.0")
    assert "CUDA_VISIBLE_DEVICES" in pick_device().reason
    assert pick_device().cure is None


@pytest.mark.parametrize(
    ("cuda", "mps", "available"),
    [
        (True, False, ("cuda", "cpu")),
        (False, True, ("mps", "cpu")),
        (False, False, ("cpu",)),
    ],
)
def test_only_devices_that_are_there_can_be_insisted_on(
    machine: Machine, cuda: bool, mps: bool, available: tuple[str, ...]
) -> None:
    machine(cuda=cuda, mps=mps)
    assert available_devices() == available
    assert [pick_device(device).device for device in available] == list(available)


@pytest.mark.parametrize(("threads", "name"), [(1, "CPU, 1 thread"), (2, "CPU, 2 threads")])
def test_the_cpu_is_named_with_its_threads(
    machine: Machine, threads: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine()
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert pick_device().name == name


def test_a_cuda_build_without_a_gpu_asks_for_nothing(machine: Machine) -> None:
    machine(cuda_build="12.8")
    assert pick_device() == DeviceChoice("cpu", pick_device().name, "no GPU found", None)


def test_apple_silicon_without_metal_is_said(machine: Machine) -> None:
    machine(apple=True)
    assert "Metal" in pick_device().reason


def test_the_cpu_chosen_by_hand_has_nothing_to_mend(machine: Machine) -> None:
    machine(nvidia_smi=True)
    choice = pick_device("cpu")
    assert (choice.reason, choice.cure) == ("chosen by hand", None)


@pytest.mark.parametrize(
    "failure",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nSee ..."),
        RuntimeError("MPS backend out of memory (MPS allocated: 17 GB)"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried"),
        MemoryError(),
    ],
)
def test_want_of_memory_is_said_with_its_cure(failure: Exception) -> None:
    with pytest.raises(EngineError) as caught, engine_errors(GPU):
        raise failure
    assert str(caught.value) == (
        "NVIDIA H100 ran out of memory; choose a smaller patch or tile, or close other programs "
        "or choose device 'cpu'."
    )
    assert caught.value.__cause__ is failure


def test_the_memory_of_this_machine_can_really_run_out() -> None:
    with pytest.raises(EngineError, match="CPU ran out of memory"), engine_errors(CPU):
        torch.empty(10**15)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("cuDNN error: X\nlong trace", "cuDNN error: X"),
        ("cuDNN error: X", "cuDNN error: X"),
        ("", "RuntimeError"),
    ],
)
def test_other_failures_of_the_device_keep_their_first_line(text: str, line: str) -> None:
    with pytest.raises(EngineError) as caught, engine_errors(GPU):
        raise RuntimeError(text)
    assert f"failed on NVIDIA H100 ({line});" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_cpu_is_not_advised_to_use_the_cpu() -> None:
    for failure in (MemoryError(), RuntimeError("x")):
        with pytest.raises(EngineError) as caught, engine_errors(CPU):
            raise failure
        assert "device 'cpu'" not in str(caught.value)


def test_errors_that_already_name_their_cure_pass_through() -> None:
    with pytest.raises(ImageError, match="as it was"), engine_errors(CPU):
        raise ImageError("as it was")
