"""The Image step: one line that says what is open, channels, and an example in one click."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from napari.components import ViewerModel
from napari.layers import Image, Labels
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt

from napari_unet.config import Task, Unpainted
from napari_unet.ui.image import step as image_step
from napari_unet.ui.image.step import ImageStep, describe_images
from napari_unet.ui.layers.geometry import full_resolution, placement
from napari_unet.ui.layers.new_labels import new_labels
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
        ((2, 600, 8, 8), "uint8", {}, "1,200 planes (t? 2, z? 600) · 8×8 · uint8"),
        ((5, 64, 48, 3), "uint8", {"rgb": True}, "5 planes · 64×48 · RGB as 3 channels · uint8"),
        ((64, 48, 4), "uint8", {"rgb": True}, "1 plane · 64×48 · RGB as 3 channels · uint8"),
    ],
)  # fmt: skip
def test_one_line_says_what_is_open(
    shape: tuple[int, ...], dtype: str, options: dict[str, Any], line: str
) -> None:
    assert describe_images((Image(np.zeros(shape, dtype), **options),)) == line


@pytest.mark.parametrize(
    ("labels", "axes"),
    [(("t", "z", "y", "x"), "t 2, z 3"), (("-4", "-3", "-2", "-1"), "t? 2, z? 3")],
)
def test_several_axes_of_planes_are_told(labels: tuple[str, ...], axes: str) -> None:
    image = Image(np.zeros((2, 3, 8, 8), np.uint8), axis_labels=labels)
    assert describe_images((image,)) == f"6 planes ({axes}) · 8×8 · uint8"


def test_of_several_resolutions_the_finest_is_named() -> None:
    image = Image([np.zeros((64, 48), np.uint8), np.zeros((32, 24), np.uint8)], multiscale=True)
    assert describe_images((image,)).endswith("64×48 · uint8 · the finest of 2 resolutions")


@pytest.mark.parametrize(
    ("axes", "kind"),
    [
        *((axes, "numpy") for axes in ("cyx", "tcyx", "zcyx", "tzcyx", "yxc")),
        ("tczyx", "zarr"),
        ("tczyx", "multiscale"),
    ],
)
def test_an_axis_that_is_named_channels_is_split_into_layers(
    axes: str,
    kind: str,
    step: ImageStep,
    workbench: Workbench,
    viewer: ViewerModel,
    tmp_path: Path,
) -> None:
    viewer.layers.clear()
    lengths = {"t": 3, "c": 2, "z": 4, "y": 20, "x": 24}
    values = np.arange(np.prod([lengths[axis] for axis in axes]), dtype=np.uint16)
    values = values.reshape([lengths[axis] for axis in axes])
    data: Any = zarr.create_array(tmp_path / "a.zarr", data=values) if kind == "zarr" else values
    levels = [data, data[(..., slice(None, None, 2))]]
    whole = viewer.add_layer(
        Image(
            levels if kind == "multiscale" else data,
            multiscale=kind == "multiscale",
            rgb=False,
            name="movie",
            scale=[{"t": 5, "c": 1, "z": 2, "y": 0.5, "x": 0.5}[axis] for axis in axes],
            translate=range(len(axes)),
        )
    )
    for axis, name in enumerate(axes):  # as napari opens it, nobody has named them
        if axis in step.axes.boxes and name not in "yx":
            step.axes.boxes[axis].value = name
    assert "press Split channels" in step.status.text()
    step.split.click()
    at, kept = axes.index("c"), [axis for axis in axes if axis != "c"]
    assert [layer.name for layer in viewer.layers] == ["movie C0", "movie C1"]
    for number, layer in enumerate(viewer.layers):
        np.testing.assert_array_equal(
            np.asarray(full_resolution(layer)), np.moveaxis(values, at, 0)[number]
        )
        assert layer.axis_labels == tuple(kept)
        np.testing.assert_allclose(layer.scale, np.delete(whole.scale, at))
        np.testing.assert_allclose(layer.translate, np.delete(whole.translate, at))
    assert workbench.choices.images == (viewer.layers[0],)
    assert step.split.isHidden()
    _tick(step, 0)
    assert "2 channels" in step.status.text()


def test_labels_on_an_image_follow_the_names_of_its_axes(
    step: ImageStep, viewer: ViewerModel, image: Image
) -> None:
    image.axis_labels = ("-3", "-2", "-1")
    labels = viewer.add_layer(new_labels([image]))
    (box,) = step.axes.boxes.values()
    box.value = "t"
    assert image.axis_labels == labels.axis_labels == ("t", "-2", "-1")
    box.value = ""
    assert image.axis_labels == ("-3", "-2", "-1")


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
