"""The window and the engine together: paint while it trains, and see what comes of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from napari.components import ViewerModel
from napari.layers import Labels
from pytestqt.qtbot import QtBot

from napari_unet.config import AugmentConfig, NetworkConfig, ObjectsConfig, TrainConfig
from napari_unet.engine.events import Corrected, LabelsTaken, Previewed, TrainDone
from napari_unet.io.checkpoints import load_model
from napari_unet.io.library import FOLDER_VARIABLE
from napari_unet.ui.train.control import Training
from napari_unet.ui.workbench import Workbench
from tests.ui.conftest import CPU

NETWORK = NetworkConfig(levels=2, base_channels=4)
CONFIG = TrainConfig(seconds=30, patch=16, augment=AugmentConfig(elastic_sigma=0))


@pytest.fixture
def workbench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot) -> Iterator[Workbench]:
    """A stack with bright squares, some of them painted on the middle plane."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    torch.set_num_threads(1)
    planes = np.random.default_rng(0).integers(0, 60, (3, 64, 64), dtype=np.uint8)
    strokes = np.zeros_like(planes)
    for number, corner in enumerate((4, 36)):
        square = slice(corner, corner + 20)
        planes[:, square, square] += 150
        strokes[1, square, square] = 2 + number
    strokes[1, 4:24, 30:60] = 1
    viewer = ViewerModel()
    image, labels = viewer.add_image(planes, name="cells"), viewer.add_labels(strokes)
    workbench = Workbench(viewer)
    workbench.choose(images=(image,), labels=labels)
    workbench.use_device(CPU)
    yield workbench
    workbench.close()


def test_paint_while_it_trains(workbench: Workbench, tmp_path: Path, qtbot: QtBot) -> None:
    training = Training(workbench)
    seen: list[object] = []
    training.reported.connect(seen.append)

    def has(kind: type) -> bool:
        return any(isinstance(event, kind) for event in seen)

    training.start(CONFIG, ObjectsConfig(), network=NETWORK)
    qtbot.waitUntil(lambda: has(Previewed), timeout=10_000)
    preview = workbench.viewer.layers["preview"]
    assert preview.data.shape == (1, 64, 64)
    assert preview.translate.tolist() == [1, 0, 0]
    labels = workbench.choices.labels
    assert isinstance(labels, Labels)
    labels.data_setitem((np.full(9, 2), np.full(9, 10), np.arange(30, 39)), 1)
    qtbot.waitUntil(lambda: has(LabelsTaken) and has(Corrected), timeout=10_000)
    corrected = next(event for event in seen if isinstance(event, Corrected))
    taken = next(event for event in seen if isinstance(event, LabelsTaken))
    assert corrected.pixels == 9
    assert taken.planes == (1, 2)
    workbench.viewer.dims.set_current_step(0, 2)
    qtbot.waitUntil(lambda: preview.translate.tolist() == [2, 0, 0], timeout=10_000)
    with qtbot.waitSignal(workbench.ended):
        workbench.stop()
    assert has(TrainDone)
    assert workbench.choices.model is not None
    kept = load_model(tmp_path / "last trained.safetensors")
    assert kept.record.steps == workbench.choices.model.record.steps
    training.release()


def test_what_was_painted_before_the_next_run_is_held_against_the_model(
    workbench: Workbench, qtbot: QtBot
) -> None:
    training = Training(workbench)
    seen: list[object] = []
    training.reported.connect(seen.append)

    def corrected() -> list[int]:
        return [event.pixels for event in seen if isinstance(event, Corrected)]

    config = TrainConfig(seconds=None, steps=3, patch=16)
    with qtbot.waitSignal(workbench.ended, timeout=10_000):
        training.start(config, ObjectsConfig(), network=NETWORK, preview=False)
    assert corrected() == []
    labels = workbench.choices.labels
    assert isinstance(labels, Labels)
    labels.data_setitem((np.full(9, 2), np.full(9, 10), np.arange(30, 39)), 1)
    with qtbot.waitSignal(workbench.ended, timeout=10_000):
        training.start(config, ObjectsConfig(), preview=False)
    assert corrected() == [9]
    assert "preview" not in workbench.viewer.layers
    training.release()
