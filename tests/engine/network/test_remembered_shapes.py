from __future__ import annotations

import subprocess
import sys

import pytest

_SHAPES = """
import ctypes, itertools, psutil, torch
from napari_unet.config import NETWORKS
from napari_unet.engine.network.unet import UNet

torch.set_num_threads(1)
network = UNet(NETWORKS["light"]).eval()
sides = range(140, 300, 16)
memory = []
with torch.inference_mode():
    for shape in itertools.product(sides, sides):
        network(torch.zeros(1, 1, *shape))
        ctypes.CDLL(None).malloc_trim(0)
        memory.append(psutil.Process().memory_info().rss)
print(memory[-1] - memory[20])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="measured with glibc")
def test_shapes_that_were_met_take_no_more_and_more_memory() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SHAPES], check=True, capture_output=True, text=True, timeout=120
    )
    assert int(done.stdout) < 12 * 2**20  # 25 MB and more, where all of them are remembered
