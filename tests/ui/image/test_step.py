"""The Image step: one line that says what is open, channels, and an example in one click."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt

from napari_unet.config import Task, Unpainted
from napari_unet.ui.image import step as image_step
from napari_unet.ui.image.step import ImageStep, describe_images
from napari_unet.ui.layers.geometry import placement
from napari_unet.ui.workbench import Workbench


@pytest.fixture
def workbench(viewer: ViewerModel) -> Iterator[Workbench]:
    workbench = Workbench(viewer)
    yield workbench
    workbench.close()


@pytest.fixture
def step(workbench: Workbench, qtbot: QtBot) -> Iterator[ImageStep]:
    step = ImageStep(workbench)
    workbench.changed.connect(step.refresh)  # as the dock does
    qtbot.addWidget(step)
    yield step
    workbench.changed.disconnect(step.refresh)
    step.release()


def _tick(step: ImageStep, row: int, on: bool = True) -> None:
    item = step.channels.item(row)
    assert item is not None
    item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)


@pytest.mark.parametrize(
    ("shape", "dtype", "options", "line"),
    [
        ((84, 512, 512), "uint8", {"scale": (1, 0.19, 0.19), "units": ("um",) * 3},
         "84 planes · 512×512 · uint8 · 0.19 µm/px"),
        ((3, 64, 48), "uint16", {"scale": (1, 250, 500), "units": ("nm",) * 3},
         "3 planes · 64×48 · uint16 · 0.25 × 0.5 µm/px"),
        ((64, 48), "float32", {}, "1 plane · 64×48 · float32"),
        ((2, 600, 8, 8), "uint8", {}, "1,200 planes · 8×8 · uint8"),
        ((5, 64, 48, 3), "uint8", {"rgb": True}, "5 planes · 64×48 · RGB as 3 channels · uint8"),
        ((64, 48, 4), "uint8", {"rgb": True}, "1 plane · 64×48 · RGB as 3 channels · uint8"),
    ],
)  # fmt: skip
def test_one_line_says_what_is_open(
    shape: tuple[int, ...], dtype: str, options: dict[str, Any], line: str
) -> None:
    assert describe_images((Image(np.zeros(shape, dtype), **options),)) == line


def test_the_image_that_is_there_is_chosen(
    step: ImageStep, workbench: Workbench, image: Image
) -> None:
    assert list(workbench.choices.images) == [image]
    assert step.status.text() == "3 planes · 64×48 · uint8 · 0.5 × 0.25 µm/px"
    assert step.show_me.isHidden()


def test_the_line_follows_the_layer(step: ImageStep, image: Image) -> None:
    image.scale = (2, 0.5, 0.5)
    assert step.status.text().endswith("0.5 µm/px")
    image.data = np.zeros((5, 10, 12), np.uint16)
    assert step.status.text().startswith("5 planes · 10×12 · uint16")


def test_the_other_steps_hear_of_a_replaced_image(
    step: ImageStep, workbench: Workbench, image: Image, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(workbench.changed):
        image.data = np.zeros((5, 10, 12), np.uint16)


def test_an_image_that_cannot_be_used_says_why(step: ImageStep, viewer: ViewerModel) -> None:
    odd = viewer.add_layer(Image(np.zeros((8, 8), bool), name="odd"))
    step.picker.value = odd
    assert "holds bool values" in step.status.text()


def test_layers_of_the_same_size_and_place_can_be_channels(
    step: ImageStep, workbench: Workbench, viewer: ViewerModel, image: Image
) -> None:
    red = viewer.add_layer(Image(image.data.astype(np.uint16), name="red", **placement(image)))
    viewer.add_layer(Image(image.data, name="elsewhere"))
    viewer.add_layer(Image(image.data[:2], name="smaller", **placement(image)))
    (offered,) = step.channels.findItems("", Qt.MatchFlag.MatchContains)
    assert offered.text() == "red"
    _tick(step, 0)
    assert list(workbench.choices.images) == [image, red]
    assert "3 planes · 64×48 · 2 channels · uint16" in step.status.text()
    _tick(step, 0, on=False)
    assert list(workbench.choices.images) == [image]


def test_a_channel_that_is_removed_or_moved_no_longer_counts(
    step: ImageStep, workbench: Workbench, viewer: ViewerModel, image: Image
) -> None:
    red = viewer.add_layer(Image(image.data, name="red", **placement(image)))
    _tick(step, 0)
    red.translate = (0, 0, 7)
    assert "'red' lies elsewhere than 'cells'. Choose other channels." in step.status.text()
    viewer.layers.remove(red)
    assert list(workbench.choices.images) == [image]


def test_another_image_takes_the_place_of_one_that_is_removed(
    step: ImageStep, workbench: Workbench, viewer: ViewerModel, image: Image
) -> None:
    other = viewer.add_layer(Image(np.zeros((4, 4), np.uint8), name="other"))
    viewer.layers.remove(image)
    assert list(workbench.choices.images) == [other]
    assert step.status.text() == "1 plane · 4×4 · uint8"
    viewer.layers.remove(other)
    assert list(workbench.choices.images) == []
    assert step.status.text().startswith("Open an image first")
    assert not step.show_me.isHidden()


def test_images_that_the_plugin_made_are_not_offered(
    step: ImageStep, workbench: Workbench, viewer: ViewerModel, image: Image
) -> None:
    metadata = {"napari-unet-paint": "segmentation"}
    viewer.add_layer(Image(image.data, name="p", metadata=metadata, **placement(image)))
    assert step.picker.count() == 1
    assert step.channels.count() == 0


def test_an_image_chosen_elsewhere_is_shown(
    step: ImageStep, workbench: Workbench, viewer: ViewerModel
) -> None:
    other = viewer.add_layer(Image(np.zeros((4, 4), np.uint8), name="other"))
    workbench.choose(images=(other,))
    assert step.picker.value is other


def test_show_me_opens_the_example_on_a_painted_plane(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    workbench = Workbench(viewer)
    workbench.choose(task=Task.CLASSES, unpainted=Unpainted.BACKGROUND)
    step = ImageStep(workbench)
    qtbot.addWidget(step)
    with qtbot.waitSignal(workbench.changed, timeout=20_000):
        step.show_me.click()
    chosen = workbench.choices
    assert isinstance(chosen.image, Image)
    assert isinstance(chosen.labels, Labels)
    assert (chosen.task, chosen.unpainted) == (Task.OBJECTS, Unpainted.IGNORED)
    shown = viewer.dims.current_step[0]
    assert chosen.labels.data[shown].any()
    step.refresh()
    assert step.status.text() == "10 planes · 256×256 · uint16 · 0.5 µm/px"
    step.release()
    workbench.close()


def test_an_example_that_cannot_be_made_says_so(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise MemoryError("no memory")

    monkeypatch.setattr(image_step, "_make_sample", fail)
    workbench = Workbench(ViewerModel())
    step = ImageStep(workbench)
    qtbot.addWidget(step)
    with qtbot.waitSignal(workbench.failed) as told:
        step.show_me.click()
    assert "open an image of your own" in told.args[0]
    assert step.show_me.isEnabled()
    step.release()
    workbench.close()


def test_a_released_step_is_held_by_no_layer(
    workbench: Workbench, viewer: ViewerModel, image: Image, qtbot: QtBot
) -> None:
    step = ImageStep(workbench)
    step.release()
    held = weakref.ref(step)
    told: list[bool] = []
    workbench.changed.connect(lambda: told.append(True))
    image.scale = (1, 1, 1)
    viewer.add_layer(Image(np.zeros((4, 4), np.uint8), name="other"))
    assert told == []
    step.deleteLater()
    del step
    qtbot.wait(20)
    gc.collect()
    assert held() is None
