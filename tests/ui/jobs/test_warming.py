"""What is slow to load is loaded before it is needed, in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys

FEW = 100  # modules; without warming there are two thousand

LOADED = """
import sys
import numpy as np
from napari.layers import Labels
from napari_unet.ui.jobs import warming
assert "torch" not in sys.modules
warming.warm_up()
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
