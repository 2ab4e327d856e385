"""The Labels step: start painting in one click, and a line that says what is still missing."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels
from pytestqt.qtbot import QtBot

from napari_unet.config import Task, Unpainted
from napari_unet.engine.network.model import Model
from napari_unet.engine.network.record import HeldOut
from napari_unet.engine.paint.hints import Hint, Oddity
from napari_unet.engine.paint.label_scheme import LabelScheme
from napari_unet.ui.labels.filling import FILL
from napari_unet.ui.labels.step import LabelsStep, describe_paint
from napari_unet.ui.layers import arrays, paint_counter
from napari_unet.ui.layers.geometry import placement
from napari_unet.ui.layers.inputs import why_no_labels
from napari_unet.ui.layers.paint_count import PaintCount
from napari_unet.ui.workbench import CurrentModel, Workbench

OBJECTS, CLASSES = Task.OBJECTS, Task.CLASSES
IGNORED, BACKGROUND = Unpainted.IGNORED, Unpainted.BACKGROUND
BLOCK = HeldOut(0, (0, 8), (0, 8), 30)


@pytest.fixture
def workbench(viewer: ViewerModel, image: Image) -> Iterator[Workbench]:
    workbench = Workbench(viewer)
    workbench.choose(images=(image,))
    yield workbench
    workbench.close()


@pytest.fixture
def step(
    workbench: Workbench, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LabelsStep]:
    monkeypatch.setattr(paint_counter, "_SETTLE_MS", 5)
    step = LabelsStep(workbench)
    workbench.changed.connect(step.refresh)  # as the dock does
    qtbot.addWidget(step)
    yield step
    workbench.changed.disconnect(step.refresh)
    step.release()


def _new_labels(step: LabelsStep) -> Labels:
    step.new.click()
    labels = step.workbench.choices.labels
    assert labels is not None
    return labels


def _count(planes: int, numbers: list[int], ones: int = 0, unpainted: int = 9) -> PaintCount:
    return PaintCount(planes, ones, unpainted, np.array(numbers))


@pytest.mark.parametrize(
    ("count", "task", "unpainted", "held_out", "line"),
    [
        (None, OBJECTS, IGNORED, None, "Counting what is painted…"),
        (_count(3, [1, *range(2, 16)], ones=1204), OBJECTS, IGNORED, 2,
         "3 planes painted · background 1,204 px · 14 objects · 2 blocks held out to validate"),
        (_count(1, [1, 2], unpainted=5000), OBJECTS, BACKGROUND, None,
         "1 plane painted · background 5,000 px · 2 objects"),
        (_count(2, [1, 3]), CLASSES, IGNORED, 1,
         "2 planes painted · 2 classes · 1 block held out to validate"),
        (_count(2, [1]), CLASSES, BACKGROUND, 0,
         "2 planes painted · 2 classes · 0 blocks held out to validate"),
        (_count(0, []), OBJECTS, IGNORED, None,
         "Nothing is painted yet: paint background (1) and objects (2, 3, …)."),
        (_count(0, []), CLASSES, BACKGROUND, None,
         "Nothing is painted yet: paint all of each class on a plane or more (1, 2, …)."),
        (_count(1, [1], ones=7), OBJECTS, IGNORED, None,
         "1 plane painted · background 7 px · 0 objects. "
         "Paint at least one object (2, 3, …), too. "
         "For a label image or mask, set Unpainted to 'is background'."),
        (_count(1, [2]), OBJECTS, IGNORED, None,
         "1 plane painted · background 0 px · 1 object. Paint some background as 1, too."),
        (_count(1, [2], unpainted=0), OBJECTS, BACKGROUND, None,
         "1 plane painted · background 0 px · 1 object. Leave some unpainted."),
        (_count(1, [4]), CLASSES, IGNORED, None,
         "1 plane painted · 1 class. Paint another class, too."),
        (_count(1, [-2, 1, 2], ones=4), OBJECTS, IGNORED, None,
         "1 plane painted · background 4 px · 1 object. "
         "Labels below 0 have no meaning: erase them."),
        (_count(1, list(range(1, 301))), CLASSES, IGNORED, None,
         "1 plane painted · 300 classes. 255 classes are the most: if each object has a number, "
         "take Objects."),
    ],
)  # fmt: skip
def test_one_line_says_what_is_painted_and_what_is_missing(
    count: PaintCount | None, task: Task, unpainted: Unpainted, held_out: int | None, line: str
) -> None:
    assert describe_paint(count, LabelScheme(task, unpainted), held_out) == line


def test_the_line_follows_the_brush(step: LabelsStep, labels: Labels, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: step.status.text().startswith("Nothing is painted yet"))
    labels.brush_size = 1
    labels.paint((0, 10, 10), 1)
    labels.paint((1, 20, 20), 2)
    qtbot.waitUntil(lambda: step.status.text() == "2 planes painted · background 1 px · 1 object")
    labels.undo()
    qtbot.waitUntil(lambda: "0 objects" in step.status.text())


def test_what_training_holds_out_is_told(
    step: LabelsStep, workbench: Workbench, labels: Labels, qtbot: QtBot
) -> None:
    labels.paint((0, 10, 10), 2)
    workbench.held_out = 1
    workbench.changed.emit()
    qtbot.waitUntil(lambda: step.status.text().endswith("as 1, too."))
    assert "1 block held out to validate" in step.status.text()


@pytest.mark.parametrize("how", ["removed", "other shape", "moved"])
def test_labels_that_do_not_fit_say_what_to_do(
    step: LabelsStep, workbench: Workbench, viewer: ViewerModel, labels: Labels, how: str
) -> None:
    if how == "removed":
        viewer.layers.remove(labels)
        assert step.status.text() == "Press New labels and paint."
        assert workbench.choices.labels is None
    elif how == "other shape":
        labels.data = np.zeros((3, 64, 40), np.uint16)
        assert "'strokes' has 3×64×40 pixels" in step.status.text()
        labels.name = "mine"
        assert "'mine' has 3×64×40 pixels" in step.status.text()
    else:
        labels.translate = (0, 0, 0)
        assert "lies elsewhere" in step.status.text()


def test_without_an_image_new_labels_wait_for_one(step: LabelsStep, workbench: Workbench) -> None:
    workbench.choose(images=())
    assert step.status.text() == "Open an image first."
    assert not step.new.isEnabled()
    assert "Open an image first" in step.new.toolTip()


def test_new_labels_are_ready_to_paint_on(
    step: LabelsStep, workbench: Workbench, viewer: ViewerModel, image: Image
) -> None:
    step.new.click()
    labels = workbench.choices.labels
    assert labels is step.picker.value
    assert labels.name == "cells labels"
    assert why_no_labels(labels, (image,)) is None
    assert (labels.mode, labels.selected_label, labels.brush_size) == ("paint", 1, 1)
    assert viewer.layers.selection.active is labels
    assert labels.units == image.units


def test_labels_that_were_made_on_another_image_say_so(
    step: LabelsStep, workbench: Workbench, viewer: ViewerModel, image: Image
) -> None:
    labels = _new_labels(step)
    other = viewer.add_image(image.data.copy(), **placement(image), name="other")
    workbench.choose(images=(other,))
    assert workbench.choices.labels is labels
    told = (
        "They belong to 'cells': with it they train, and they are not put into results of 'other'"
    )
    assert told in step.status.text()
    workbench.choose(images=(image,))
    assert "They belong to" not in step.status.text()


def test_a_brush_is_a_fortieth_of_what_is_visible(
    step: LabelsStep, workbench: Workbench, viewer: ViewerModel
) -> None:
    wide = viewer.add_layer(Image(np.zeros((400, 800), np.uint8)))
    workbench.choose(images=(wide,))
    assert _new_labels(step).brush_size == 20
    wide.corner_pixels = np.array([[0, 100], [100, 300]])  # as napari does when it draws
    assert _new_labels(step).brush_size == 5


def test_large_labels_are_on_disk_and_say_so(
    step: LabelsStep,
    workbench: Workbench,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    qtbot: QtBot,
) -> None:
    monkeypatch.setattr(arrays, "_LARGE", 100)
    monkeypatch.setattr(arrays, "_folder", lambda: tmp_path / "labels")
    labels = _new_labels(step)
    qtbot.waitUntil(lambda: "Nothing is painted" in step.status.text())
    assert "Every stroke is saved on disk." in step.status.text()
    assert str(tmp_path) in step.status.toolTip()
    labels.paint((1, 10, 10), 2)
    labels.undo()
    assert not np.asarray(labels.data[1]).any()


def test_a_folder_that_cannot_be_made_is_told(
    step: LabelsStep,
    workbench: Workbench,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    qtbot: QtBot,
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(arrays, "_LARGE", 100)
    monkeypatch.setattr(arrays, "_folder", lambda: tmp_path / "file" / "labels")
    with qtbot.waitSignal(workbench.failed) as told:
        step.new.click()
    assert "Free some memory or disk space" in told.args[0]


@pytest.mark.parametrize("task", Task)
@pytest.mark.parametrize("unpainted", Unpainted)
def test_task_and_unpainted_reach_the_choices(
    step: LabelsStep, workbench: Workbench, task: Task, unpainted: Unpainted
) -> None:
    step.task.value = task
    step.unpainted.value = unpainted
    assert (workbench.choices.task, workbench.choices.unpainted) == (task, unpainted)


def test_what_was_chosen_elsewhere_is_shown_and_stays_chosen(
    step: LabelsStep, workbench: Workbench, viewer: ViewerModel, labels: Labels
) -> None:
    other = viewer.add_layer(Labels(np.zeros((3, 64, 48), np.uint8), name="other"))
    step.task.value, step.unpainted.value = CLASSES, BACKGROUND
    workbench.choose(labels=other, task=OBJECTS, unpainted=IGNORED)
    chosen = workbench.choices
    assert (chosen.labels, chosen.task, chosen.unpainted) == (other, OBJECTS, IGNORED)
    assert (step.picker.value, step.task.value, step.unpainted.value) == (other, OBJECTS, IGNORED)


@pytest.mark.parametrize("kind", ["preview", "segmentation", "mistakes"])
def test_results_are_offered_to_paint_on_only_once_they_are_chosen(
    step: LabelsStep, workbench: Workbench, viewer: ViewerModel, labels: Labels, kind: str
) -> None:
    metadata = {"napari-unet-paint": kind}
    made = viewer.add_layer(Labels(np.zeros((3, 64, 48), np.uint8), metadata=metadata))
    assert step.picker.count() == 1
    workbench.choose(labels=made)
    assert (step.picker.count(), step.picker.value) == (2, made)


def test_another_task_than_the_models_is_the_users_choice_and_told(
    step: LabelsStep, workbench: Workbench, model: Model, qtbot: QtBot
) -> None:
    step.task.value = CLASSES
    workbench.choose(start=CurrentModel("mine", model))
    assert workbench.choices.task is CLASSES
    assert "The model segments objects; training teaches it classes." in step.status.text()
    step.task.value = OBJECTS
    assert "teaches" not in step.status.text()


def test_the_keys_of_the_task_are_listed(step: LabelsStep) -> None:
    space = "\N{NO-BREAK SPACE}"  # a key stays beside its words
    words = step.caption.text().replace(space, " ")
    assert words == f"Keys: G background · N next · D erase\n{FILL.line}"
    step.task.value = CLASSES
    words = step.caption.text().replace(space, " ")
    assert words == f"Keys: C next class · D erase\n{FILL.line}"


def test_nothing_forces_the_dock_wider(step: LabelsStep, labels: Labels) -> None:
    step.task.value, step.unpainted.value = CLASSES, BACKGROUND
    assert step.minimumSizeHint().width() <= 300
    step.task.value = OBJECTS
    assert step.minimumSizeHint().width() <= 300


def test_a_released_step_is_held_by_no_layer_and_no_key(
    workbench: Workbench, viewer: ViewerModel, labels: Labels, qtbot: QtBot
) -> None:
    step = LabelsStep(workbench)
    keys = dict(viewer.keymap)
    assert keys
    step.release()
    assert not viewer.keymap
    told: list[bool] = []
    workbench.changed.connect(lambda: told.append(True))
    labels.translate = (0, 0, 0)
    labels.new_colormap()
    labels.paint((0, 1, 1), 2)
    assert told == []
    held = weakref.ref(step)
    painting = weakref.ref(step.painting)
    step.deleteLater()
    del step, keys
    qtbot.wait(20)
    gc.collect()
    assert held() is None
    assert painting() is None


def test_what_seems_odd_is_told_once_all_is_there_that_is_needed() -> None:
    scheme = LabelScheme(Task.OBJECTS, Unpainted.IGNORED)
    hint = Hint(Oddity.SEPARATE, (2,))
    count = PaintCount(1, 40, 900, np.array([1, 2]), hints={scheme: hint})
    assert describe_paint(count, scheme).endswith(f" · 1 object. {hint}")
    without = PaintCount(1, 0, 900, np.array([2]), hints={scheme: hint})
    assert "separate" not in describe_paint(without, scheme)
