"""The dock while layers come and go, and two docks at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QScrollArea

from napari_unet.config import PRESETS
from napari_unet.engine.errors import EngineError
from napari_unet.engine.events import Previewed, StepDone, TrainDone, View
from napari_unet.engine.network.model import Model
from napari_unet.ui.dock import UNetPaint
from napari_unet.ui.image.step import ImageStep
from napari_unet.ui.labels.step import LabelsStep
from napari_unet.ui.runner import JobState
from napari_unet.ui.segment import job as segment_job
from napari_unet.ui.segment.step import SegmentStep
from napari_unet.ui.train import job as train_job
from napari_unet.ui.train.job import TrainingBegins
from napari_unet.ui.train.step import TrainStep
from napari_unet.ui.workbench import CurrentModel
from tests.ui.conftest import Calls, endless_training, job_of, segmenting_job
from tests.ui.pressing import begin, can_press, open_dock, press, step

STEP = StepDone(120, 0.25, 10.0, 0.25)
Fake = Callable[..., Calls]


def test_layers_that_are_removed_while_it_trains(
    dock: UNetPaint, viewer: ViewerModel, fake: Fake, trained: TrainDone, qtbot: QtBot
) -> None:
    fake(train_job, "train_on_labels", endless_training(STEP, last=trained))
    begin(dock, "train", qtbot)
    viewer.layers.clear()
    assert can_press(dock) == {"show me", "stop"}
    press(dock, "stop", qtbot)
    assert dock.workbench.choices.model is trained.model
    assert can_press(dock) == {"show me", "keep"}


def test_layers_that_are_renamed_or_replaced_while_it_trains(
    dock: UNetPaint,
    viewer: ViewerModel,
    image: Image,
    labels: Labels,
    fake: Fake,
    trained: TrainDone,
    qtbot: QtBot,
) -> None:
    fake(train_job, "train_on_labels", endless_training(STEP, last=trained))
    begin(dock, "train", qtbot)
    image.name = "HeLa"
    assert step(dock, ImageStep).picker.currentText() == "HeLa"
    viewer.layers.remove(labels)
    again = viewer.add_labels(
        labels.data.copy(), name="strokes", scale=labels.scale, translate=labels.translate
    )
    assert dock.workbench.choices.labels is again
    image.data = image.data[:2]
    press(dock, "stop", qtbot)
    assert "train" not in can_press(dock)
    assert "2×64×48" in step(dock, TrainStep).action.hint.text()


def test_the_preview_goes_with_its_image(
    dock: UNetPaint,
    viewer: ViewerModel,
    image: Image,
    fake: Fake,
    trained: TrainDone,
    qtbot: QtBot,
) -> None:
    view = View(1, slice(8, 24), slice(4, 20))
    preview = Previewed(view, np.ones((16, 16), np.int32), 3, 1.0)
    fake(train_job, "train_on_labels", job_of(TrainingBegins(), STEP, preview, trained))
    press(dock, "train", qtbot)
    assert can_press(dock) >= {"take"}
    other = Image(image.data.copy(), name="other", scale=image.scale, translate=image.translate)
    viewer.add_layer(other)
    viewer.layers.selection = {image, viewer.layers["preview"]}
    viewer.layers.remove_selected()  # both at once
    assert dock.workbench.choices.image is other
    press(dock, "train", qtbot)
    viewer.layers.remove(other)
    qtbot.waitUntil(lambda: "preview" not in viewer.layers)
    viewer.add_layer(image)
    assert "take" not in can_press(dock)


def test_the_preview_goes_when_a_segmentation_begins(
    dock: UNetPaint,
    viewer: ViewerModel,
    fake: Fake,
    trained: TrainDone,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: QtBot,
) -> None:
    preview = Previewed(View(1, slice(8, 24), slice(4, 20)), np.ones((16, 16), np.int32), 3, 1.0)
    fake(train_job, "train_on_labels", job_of(TrainingBegins(), STEP, preview, trained))
    monkeypatch.setattr(segment_job, "segment_images", segmenting_job(7))
    press(dock, "train", qtbot)
    assert "preview" in viewer.layers
    press(dock, "segment", qtbot)
    assert "preview" not in viewer.layers


def test_nothing_that_was_never_shown_is_taken_for_a_preview(
    dock: UNetPaint, viewer: ViewerModel, fake: Fake, trained: TrainDone, qtbot: QtBot
) -> None:
    fake(train_job, "train_on_labels", endless_training(STEP, last=trained))
    begin(dock, "train", qtbot)
    qtbot.waitUntil(lambda: "preview" in viewer.layers)
    assert "take" not in can_press(dock)
    press(dock, "stop", qtbot)
    assert "preview" not in viewer.layers


def test_it_says_which_strokes_a_training_takes_in(
    dock: UNetPaint,
    viewer: ViewerModel,
    labels: Labels,
    fake: Fake,
    trained: TrainDone,
    qtbot: QtBot,
) -> None:
    fake(train_job, "train_on_labels", endless_training(STEP, last=trained))
    begin(dock, "train", qtbot)
    hint = step(dock, TrainStep).action.hint
    assert hint.text().endswith("press Stop. New strokes are taken in as you paint.")
    step(dock, LabelsStep).new.click()
    assert hint.text().endswith("press Stop. New strokes on 'strokes' are taken in.")
    viewer.layers.remove(labels)
    assert hint.text().endswith(
        "press Stop. Its labels were deleted; it goes on with what was painted on them."
    )
    press(dock, "stop", qtbot)


def test_a_result_that_is_removed_ends_its_segmentation(
    with_model: UNetPaint, viewer: ViewerModel, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    monkeypatch.setattr(segment_job, "segment_images", segmenting_job(7, hold=True))
    begin(with_model, "segment", qtbot)
    with qtbot.waitSignal(with_model.workbench.ended):
        viewer.layers.remove("cells segmentation")
    assert can_press(with_model) >= {"segment", "train"}


def test_labels_that_are_painted_on_are_never_streamed_into(
    with_model: UNetPaint, viewer: ViewerModel, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    monkeypatch.setattr(segment_job, "segment_images", segmenting_job(7))
    press(with_model, "segment", qtbot)
    first = viewer.layers["cells segmentation"]
    with_model.workbench.choose(labels=first)  # to correct it and train on it
    monkeypatch.setattr(segment_job, "segment_images", segmenting_job(8))
    press(with_model, "segment", qtbot)
    assert (first.data == 7).all()
    second = with_model.workbench.choices.result
    assert isinstance(second, Labels)
    assert second is not first
    assert (second.data == 8).all()


def test_no_name_widens_the_dock(
    with_model: UNetPaint,
    viewer: ViewerModel,
    image: Image,
    labels: Labels,
    model: Model,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: QtBot,
) -> None:
    dock, name = with_model, "20261130_experiment_7_well_B03_" * 5
    column = dock.findChild(QScrollArea)
    assert column is not None

    def width() -> int:
        qtbot.wait(50)  # Qt lays out a little later
        return max(column.minimumWidth(), dock.minimumSizeHint().width())

    before = width()
    image.name = labels.name = name
    dock.workbench.choose(start=CurrentModel(name, model))
    monkeypatch.setattr(segment_job, "segment_images", segmenting_job(7))
    press(dock, "segment", qtbot)
    labels.translate = (0, 0, 0)
    assert width() == before
    assert step(dock, TrainStep).action.hint.shown_text.count("…") == 2  # both names
    dock.workbench.fail(EngineError(f"'{name}' cannot be read; open it again."))
    assert width() == before


def test_two_docks_do_not_mix(
    with_model: UNetPaint,
    viewer: ViewerModel,
    fake: Fake,
    trained: TrainDone,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: QtBot,
) -> None:
    other_viewer = ViewerModel()
    other_viewer.add_image(np.zeros((2, 32, 32), np.uint8), name="yeast")
    other = open_dock(other_viewer, qtbot)
    qtbot.addWidget(other)
    said = other.progress.status.text()
    monkeypatch.setattr(segment_job, "segment_images", segmenting_job(7, hold=True))
    begin(with_model, "segment", qtbot)
    assert can_press(other) == {"new labels"}
    step(other, LabelsStep).new.click()
    yeast = other.workbench.choices.labels
    assert yeast is not None
    yeast.data[0, :4, :2] = 1, 2
    fake(train_job, "train_on_labels", job_of(TrainingBegins(), STEP, trained))
    press(other, "train", qtbot)  # both run
    assert with_model.workbench.runner.state is JobState.RUNNING
    assert other.progress.status.text() != said
    assert other.workbench.choices.model is trained.model
    assert with_model.workbench.choices.model is not trained.model
    other.close()
    press(with_model, "stop", qtbot)
    assert {layer.name for layer in other_viewer.layers} == {"yeast", "yeast labels"}
    assert "yeast labels" not in viewer.layers


def test_previews_are_cut_by_the_slider_while_training_runs(
    dock: UNetPaint, monkeypatch: pytest.MonkeyPatch, trained: TrainDone, qtbot: QtBot
) -> None:
    plans: list[Any] = []

    def train(_planes: Any, _labels: Any, plan: Any, *_: Any, **_more: Any) -> Any:
        plans.append(plan)
        return endless_training(STEP, last=trained)

    monkeypatch.setattr(train_job, "train_on_labels", train)
    begin(dock, "train", qtbot)
    usual = PRESETS["light"].objects
    assert plans[0].objects() == usual
    step(dock, SegmentStep).objects._widgets["neck"].value = 0.25
    assert plans[0].objects() == replace(usual, neck=0.25)
    press(dock, "stop", qtbot)
