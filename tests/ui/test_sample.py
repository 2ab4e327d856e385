"""File ▸ Open Sample opens an image, its truth and strokes on it."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from npe2 import PluginManifest
from pytestqt.qtbot import QtBot

from napari_unet.ui.compare.step import CompareStep
from napari_unet.ui.dock import UNetPaint
from napari_unet.ui.sample import first_painted, open_membranes, open_sample


@pytest.mark.parametrize("key", ["cells", "membranes", "divisions"])
def test_each_sample_of_the_manifest_comes_with_truth_and_strokes(key: str) -> None:
    manifest = PluginManifest.from_distribution("napari-unet-paint")
    listed = {one.key: one for one in manifest.contributions.sample_data or ()}
    commands = {one.id: one for one in manifest.contributions.commands or ()}

    make = commands[listed[key].command].python_name  # type: ignore[union-attr]
    module, _, name = str(make).partition(":")
    image, truth, strokes = getattr(__import__(module, fromlist=[name]), name)()

    assert [layer[2] for layer in (image, truth, strokes)] == ["image", "labels", "labels"]
    assert image[0].shape == truth[0].shape == strokes[0].shape
    assert truth[1]["visible"] is False
    assert image[1]["scale"] == strokes[1]["scale"]
    assert 0.001 < (strokes[0] > 0).mean() < 0.05
    assert strokes[0][first_painted(strokes[0])].any()


@pytest.mark.usefixtures("device_at_once")
def test_the_truth_is_not_painted_on_but_compared_with(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    dock = UNetPaint(viewer)
    qtbot.addWidget(dock)
    qtbot.waitUntil(lambda: dock.workbench.device is not None)
    for layer in open_membranes():
        viewer.add_layer(Layer.create(*layer))

    compare = next(step for step in dock.steps if isinstance(step, CompareStep))

    assert dock.workbench.choices.labels is viewer.layers["strokes"]
    assert compare.truth.findText("truth") >= 0
    dock.close()


def test_the_example_of_the_dock_has_no_truth() -> None:
    assert [layer[1]["name"] for layer in open_sample()] == ["cells", "strokes"]
    assert np.any(open_sample()[1][0])
