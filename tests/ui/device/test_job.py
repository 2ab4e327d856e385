"""What is slow to load is loaded before it is needed, in a fresh interpreter."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest

from napari_unet.engine.events import never
from napari_unet.ui.device import job as device_job

FEW = 100  # modules; without it there are two thousand

LOADED = """
import sys
import numpy as np
from napari.layers import Labels
from napari_unet.ui.device import job
assert "torch" not in sys.modules
job.preload()
before = set(sys.modules)
import torch
Labels(np.ones((4, 4), np.int32))
weight = torch.nn.Parameter(torch.zeros(1))
torch.optim.Adam([weight]).step()
print(len(set(sys.modules) - before))
"""


def test_labels_and_optimisers_load_little_afterwards() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], check=True, capture_output=True, text=True, timeout=120
    )
    assert int(done.stdout) < FEW


@pytest.fixture
def cold() -> Iterator[None]:
    """Nothing has been loaded beforehand."""
    device_job.preload.cache_clear()
    yield
    device_job.preload.cache_clear()


@pytest.mark.usefixtures("cold")
@pytest.mark.parametrize("step", ["_load_training", "_load_tables", "_load_compiler"])
@pytest.mark.parametrize(
    "error",
    [
        OSError("libgomp.so: not found"),
        ValueError("numpy.dtype size changed, may indicate binary incompatibility"),
        AttributeError("module 'numpy' has no attribute 'long'"),
        RuntimeError("no locator available"),
        SystemError("initialization of _internal failed"),
        KeyError("dash"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_library_that_is_broken_keeps_no_device_from_being_found(
    step: str,
    error: Exception,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail() -> None:
        raise error

    loaded: list[str] = []
    for name in ("_load_training", "_load_tables", "_load_compiler", "_load_lines"):
        monkeypatch.setattr(device_job, name, lambda name=name: loaded.append(name))
    monkeypatch.setattr(device_job, step, fail)
    with caplog.at_level(logging.WARNING):
        (found,) = device_job.find_device()(never)
    assert isinstance(found, device_job.DeviceFound)
    assert len(loaded) == 3  # what comes after it is loaded all the same
    assert str(error) in caplog.text
