"""Which device computes, why, and what would mend it."""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch

from napari_unet.engine.counts import count
from napari_unet.engine.errors import EngineError, OutOfMemoryError, SettingsError, first_line

DEVICES = ("auto", "cpu", "cuda", "mps")

_MATCHING_TORCH = (
    "pip install --upgrade uv && uv pip install --reinstall torch --torch-backend=auto"
)

# Only CUDA has a type of its own for this; these are the words of Metal, Linux and Windows.
_NO_MEMORY = re.compile(r"out of memory|can't allocate memory|not enough memory|bad_alloc")


@dataclass(frozen=True, slots=True)
class DeviceChoice:
    """The device, its name, and the reason in words."""

    device: str  # for torch.device
    name: str  # as people know it
    reason: str
    cure: str | None = None  # what would give a faster device

    @property
    def torch_device(self) -> torch.device:
        """Return the device for torch."""
        return torch.device(self.device)

    def __str__(self) -> str:
        return f"{self.name} ({self.reason})"


def pick_device(wish: str = "auto") -> DeviceChoice:
    """Choose the device.

    Parameters
    ----------
    wish
        "auto" takes CUDA before MPS before the CPU; any other name insists.

    Raises
    ------
    SettingsError
        If the name is unknown or that device is not available.
    """
    if wish not in DEVICES:
        raise SettingsError(f"Device '{wish}' is unknown; choose one of {', '.join(DEVICES)}.")
    chosen_by = "chosen by hand" if wish != "auto" else "fastest found"
    nvidia, fault = _nvidia_gpu() if wish in ("auto", "cuda") else (None, None)
    if nvidia is not None:
        return DeviceChoice("cuda", nvidia, chosen_by)
    if wish in ("auto", "mps") and torch.backends.mps.is_available():
        return DeviceChoice("mps", "Apple GPU", chosen_by)
    if wish in ("cuda", "mps"):
        why = f" ({fault})" if fault else ""
        raise SettingsError(
            f"Device '{wish}' is not available here{why}; choose 'auto' or 'cpu', or run "
            "'napari-unet doctor' to see why."
        )
    reason, cure = ("chosen by hand", None) if wish == "cpu" else _why_cpu(fault)
    threads = torch.get_num_threads()
    name = f"CPU, {count(threads, 'thread')}"
    return DeviceChoice("cpu", name, reason, cure)


def available_devices() -> tuple[str, ...]:
    """Return the devices of this machine that can be insisted on, the fastest first."""
    found = {"cuda": _nvidia_gpu()[0] is not None, "mps": torch.backends.mps.is_available()}
    return (*(device for device, there in found.items() if there), "cpu")


def _nvidia_gpu() -> tuple[str | None, str | None]:
    """Return the name of the GPU that torch can use, and what is wrong with one that fails."""
    if not torch.cuda.is_available():
        return None, None
    try:
        return torch.cuda.get_device_name(), None
    except RuntimeError as error:  # it is there, but ill, taken, or too old for this torch
        return None, f"the NVIDIA GPU fails: {first_line(error)}"


def _why_cpu(fault: str | None) -> tuple[str, str | None]:
    """Return why there is no GPU to use and what would mend it."""
    if fault:
        return (fault, None)
    if shutil.which("nvidia-smi"):
        return _why_no_cuda()
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return ("torch finds no Metal device", "pip install --upgrade torch")
    return ("no GPU found", None)


def _why_no_cuda() -> tuple[str, str | None]:
    """Return why torch does not use the NVIDIA GPU whose driver is installed."""
    if torch.version.cuda is None:
        return ("torch is a CPU build, but this machine has an NVIDIA GPU", _MATCHING_TORCH)
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return ("CUDA_VISIBLE_DEVICES hides the GPU", None)  # somebody wanted it so
    return (
        f"torch is built for CUDA {torch.version.cuda}, which this NVIDIA driver cannot run",
        _MATCHING_TORCH,
    )


@contextmanager
def engine_errors(device: DeviceChoice) -> Iterator[None]:
    """Turn failures of the device into one typed error that names the cure.

    Raises
    ------
    OutOfMemoryError
        In place of what torch and numpy raise where there is too little memory.
    EngineError
        In place of any other RuntimeError of torch.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise _out_of_memory(device) from error
        cure = (
            "start the program again" if device.device == "cpu" else "try again with device 'cpu'"
        )
        raise EngineError(
            f"The computation failed on {device.name} ({first_line(error)}); {cure}, and report it "
            "if it stays."
        ) from error


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error of torch or numpy says that there is too little memory."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and _NO_MEMORY.search(str(error)) is not None
    )


def _out_of_memory(device: DeviceChoice) -> OutOfMemoryError:
    cure = "close other programs" + (" or choose device 'cpu'" if device.device != "cpu" else "")
    return OutOfMemoryError(
        f"{device.name} ran out of memory; choose a smaller patch or tile, or {cure}."
    )


def fallback(device: DeviceChoice) -> DeviceChoice:
    """Return the CPU, in place of a device with too little memory."""
    return replace(pick_device("cpu"), reason=f"{device.name} has too little memory")


def free_cached_memory() -> None:
    """Give back what torch holds of a GPU's memory without using it."""
    torch.cuda.empty_cache()  # nothing, where there is no such GPU
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()
