"""Models that earlier versions wrote still load, and answer as they did.

`old_models/b8da18f.safetensors` was written at that commit: a network of two levels and two
channels after 40 steps on two bright rectangles. The probabilities below are what it gave there.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from napari_unet.config import NetworkConfig, Task
from napari_unet.engine.network.record import HeldOut, ObjectSizes
from napari_unet.io.checkpoints import load_model, read_header

OLD = Path(__file__).parent / "old_models" / "b8da18f.safetensors"


def test_an_old_model_says_what_it_is_and_how_it_came_about() -> None:
    model = load_model(OLD)
    assert model.network == NetworkConfig(name="tiny", base_channels=2, levels=2)
    assert (model.task, model.values, model.reduction) == (Task.OBJECTS, (0, 1), 1)
    assert model.pixel_size == (0.5, 0.25)
    assert (model.normalization.low, model.normalization.high) == ((23.0,), (180.5250000000001,))
    record = model.record
    assert (record.steps, record.best_step, record.finished) == (40, 40, "completed")
    assert record.painted_objects == ObjectSizes(400, 464.0)
    assert record.held_out[1] == HeldOut(0, (0, 48), (48, 64), 768)
    assert record.settings["learning_rate"] == 0.01
    assert read_header(OLD).record == record


def test_an_old_network_answers_as_it_did() -> None:
    network = load_model(OLD).build(torch.device("cpu"))
    grey = torch.linspace(-1, 1, 40)[:, None] * torch.linspace(-1, 1, 40)  # (Y, X), normalised
    with torch.inference_mode():
        found = network(grey[None, None]).softmax(dim=1)[0, 1]  # (24, 24)
    expected = [
        [0.570972, 0.570972, 0.030774],
        [0.570972, 0.570972, 0.095797],
        [0.050873, 0.085468, 0.570972],
    ]
    np.testing.assert_allclose(found[::8, ::8], expected, atol=1e-5)
