"""Several images with their labels: found, ticked, trained on, and previewed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from napari.components import ViewerModel
from napari.layers import Image, Labels
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QWidget

from napari_unet.config import AugmentConfig, NetworkConfig, ObjectsConfig, TrainConfig
from napari_unet.engine.events import Previewed, TrainDone, TrainStarted
from napari_unet.io.library import FOLDER_VARIABLE
from napari_unet.ui.labels.control import Painting
from napari_unet.ui.layers.added import made_on
from napari_unet.ui.readiness import Readiness
from napari_unet.ui.train.control import Training
from napari_unet.ui.train.pair_list import PairList
from napari_unet.ui.workbench import Workbench
from tests.ui.conftest import CPU

NETWORK = NetworkConfig(levels=2, base_channels=4)
CONFIG = TrainConfig(
    seconds=None, steps=3, patch=16, reduction=1, augment=AugmentConfig(elastic_sigma=0)
)


def add(viewer: ViewerModel, name: str, *shape: int, objects: int) -> tuple[Image, Labels]:
    """Add an image with bright squares, and strokes in some of them on its last plane."""
    grey = np.random.default_rng(len(name)).integers(0, 60, shape, dtype=np.uint8)
    strokes = np.zeros_like(grey)
    plane = strokes.reshape(-1, *shape[-2:])[-1]
    plane[:3] = 1
    for number in range(objects):
        square = slice(5 + 20 * number, 17 + 20 * number)
        grey[..., square, square] += 150
        plane[square, square] = number + 2
    image = viewer.add_image(grey, name=name)
    labels = viewer.add_labels(strokes, name=f"{name} strokes", metadata=made_on([image]))
    return image, labels


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def workbench(
    viewer: ViewerModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> Iterator[Workbench]:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    torch.set_num_threads(1)
    bench = Workbench(viewer)
    painting = Painting(bench)
    image, labels = add(viewer, "large", 2, 70, 60, objects=3)
    bench.choose(images=(image,), labels=labels)
    bench.use_device(CPU)
    yield bench
    painting.release()
    bench.close()


@pytest.fixture
def training(workbench: Workbench) -> Iterator[Training]:
    training = Training(workbench)
    yield training
    training.release()


@pytest.fixture
def listed(training: Training, workbench: Workbench, qtbot: QtBot) -> Iterator[PairList]:
    window = QWidget()
    qtbot.addWidget(window)
    yield PairList(workbench, training.pairs, window)
    window.close()


def lines(listed: PairList) -> list[tuple[str, bool]]:
    return [(box.text(), box.isChecked()) for box in listed.boxes]


def test_a_list_appears_with_the_second_pair_and_its_ticks_decide(
    listed: PairList, viewer: ViewerModel, workbench: Workbench, qtbot: QtBot
) -> None:
    assert listed.isHidden()
    assert [pair.image.name for pair in workbench.pairs] == ["large"]
    add(viewer, "small", 48, 44, objects=2)
    told = [("large · 1 plane, 3 objects", True), ("small · 1 plane, 2 objects", True)]
    qtbot.waitUntil(lambda: lines(listed) == told)
    assert not listed.isHidden()
    assert [pair.image.name for pair in workbench.pairs] == ["large", "small"]

    for box in listed.boxes:
        box.click()
        if box is listed.boxes[0]:
            assert [pair.image.name for pair in workbench.pairs] == ["small"]
    assert Readiness.of(workbench).why_not_train() == "Tick at least one image to train on."
    viewer.layers.remove("small strokes")
    qtbot.waitUntil(listed.isHidden)
    assert [pair.image.name for pair in workbench.pairs] == ["large"]


def test_one_model_is_trained_on_all_that_is_ticked_and_previewed_where_people_look(
    training: Training, viewer: ViewerModel, workbench: Workbench, qtbot: QtBot
) -> None:
    image, _ = add(viewer, "small", 48, 44, objects=2)
    qtbot.waitUntil(lambda: len(workbench.pairs) == 2)
    told: list[object] = []
    training.reported.connect(told.append)
    with qtbot.waitSignal(workbench.ended, timeout=60_000):
        training.start(CONFIG, ObjectsConfig(), network=NETWORK)
    (begun,) = [event for event in told if isinstance(event, TrainStarted)]
    (done,) = [event for event in told if isinstance(event, TrainDone)]
    assert (begun.images, begun.planes) == (2, (1, 2))
    assert [one.image for one in done.model.record.images] == ["large", "small"]
    first = next(event for event in told if isinstance(event, Previewed))
    assert first.view.plane == 2  # of the topmost image, which lies over the other
    assert viewer.layers["preview"].data.shape == (48, 44)
    assert workbench.held_out == sum(block.plane == 1 for block in begun.held_out)

    image.visible = False
    told.clear()
    with qtbot.waitSignal(workbench.ended, timeout=60_000):
        training.start(CONFIG, ObjectsConfig(), network=NETWORK)
    first = next(event for event in told if isinstance(event, Previewed))
    assert first.view.plane == 0
    assert viewer.layers["preview"].data.shape == (1, 70, 60)
    name = workbench.choices.start.name
    assert name.startswith("large and 1 image more, trained")


def test_labels_train_with_the_image_that_they_were_made_on(
    listed: PairList, viewer: ViewerModel, workbench: Workbench, qtbot: QtBot
) -> None:
    image, labels = workbench.choices.image, workbench.choices.labels
    assert image is not None
    same = viewer.add_image(image.data.copy(), name="filtered")
    workbench.choose(images=(same,))
    assert [(pair.image, pair.labels) for pair in workbench.pairs] == [(image, labels)]
    told = [("large · 1 plane, 3 objects", True), ("filtered · labels of large", False)]
    qtbot.waitUntil(lambda: lines(listed) == told)
    assert "both show the same things" in listed.boxes[1].toolTip()


def test_what_is_painted_on_all_images_together_is_enough(
    training: Training, viewer: ViewerModel, workbench: Workbench, qtbot: QtBot
) -> None:
    _, labels = add(viewer, "background", 48, 44, objects=0)
    workbench.choose(images=(viewer.layers["background"],), labels=labels)
    qtbot.waitUntil(lambda: workbench.taught is not None and workbench.taught.painted is not None)
    assert [pair.image.name for pair in workbench.pairs] == ["background", "large"]
    assert Readiness.of(workbench).why_not_train() is None
    training.pairs.tick(workbench.pairs[1], on=False)
    reason = Readiness.of(workbench).why_not_train()
    assert reason is not None
    assert reason.startswith("Paint at least one object")
