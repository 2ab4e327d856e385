"""Images on their way to a device, and results on their way back.

A GPU copies and computes at the same time if the copy is from or to page-locked memory, and belongs
to another stream than the computation. So each thread that predicts has a stream of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

_of_thread = threading.local()


@contextmanager
def own_stream(device: torch.device) -> Iterator[None]:
    """Let a GPU do what this thread asks for beside what other threads ask for."""
    if device.type != "cuda":
        yield
        return
    if not hasattr(_of_thread, "stream"):
        _of_thread.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    with torch.cuda.stream(_of_thread.stream):
        yield


def to_device(image: npt.NDArray[np.float32], device: torch.device) -> Tensor:
    """Return an image on the device, before whatever is asked for next there."""
    values = torch.from_numpy(image)
    if device.type != "cuda":
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)


def to_host(values: Tensor) -> npt.NDArray[np.float32]:
    """Return values of a device when they are there."""
    if values.device.type != "cuda":
        return np.asarray(values.cpu().numpy())
    host = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
    host.copy_(values, non_blocking=True)
    torch.cuda.current_stream(values.device).synchronize()
    return np.asarray(host.numpy())
