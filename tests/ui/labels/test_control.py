"""Keys and clicks take the brush with the right number, on the chosen labels only."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels
from pytestqt.qtbot import QtBot

from napari_unet.config import Task, Unpainted
from napari_unet.ui.labels.class_names import name_class
from napari_unet.ui.labels.control import Painting
from napari_unet.ui.layers import paint_counter
from napari_unet.ui.workbench import Workbench

OBJECTS, CLASSES = Task.OBJECTS, Task.CLASSES
IGNORED, BACKGROUND = Unpainted.IGNORED, Unpainted.BACKGROUND


@pytest.fixture
def workbench(viewer: ViewerModel, image: Image, labels: Labels) -> Iterator[Workbench]:
    workbench = Workbench(viewer)
    workbench.choose(images=(image,), labels=labels)
    yield workbench
    workbench.close()


@pytest.fixture
def painting(
    workbench: Workbench, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Painting]:
    """Painting that has counted once."""
    monkeypatch.setattr(paint_counter, "_SETTLE_MS", 5)
    painting = Painting(workbench)
    qtbot.waitUntil(lambda: workbench.painted is not None)
    yield painting
    painting.release()


@pytest.mark.parametrize(
    ("task", "unpainted", "label"),
    [(OBJECTS, IGNORED, 1), (OBJECTS, BACKGROUND, 0), (CLASSES, BACKGROUND, 0)],
)
def test_background_is_the_label_that_means_it(
    painting: Painting, workbench: Workbench, labels: Labels, task: Task, unpainted: Unpainted,
    label: int,
) -> None:  # fmt: skip
    labels.selected_label = 9
    workbench.choose(task=task, unpainted=unpainted)
    painting.paint_background()
    assert (labels.selected_label, labels.mode) == (label, "paint")


def test_background_looks_unlike_objects_as_long_as_it_is_painted_on(
    painting: Painting, workbench: Workbench, labels: Labels
) -> None:
    def opacity() -> float:
        return float(labels.colormap.map(1)[3])

    workbench.choose(task=Task.OBJECTS, unpainted=Unpainted.IGNORED)
    assert opacity() < 1
    workbench.choose(task=Task.CLASSES)
    assert opacity() == 1
    workbench.choose(task=Task.OBJECTS)
    assert opacity() < 1
    workbench.choose(labels=None)
    assert opacity() == 1


def test_classes_without_a_background_keep_the_brush_as_it_is(
    painting: Painting, workbench: Workbench, labels: Labels
) -> None:
    labels.selected_label = 9
    workbench.choose(task=CLASSES, unpainted=IGNORED)
    painting.paint_background()
    assert labels.selected_label == 9


@pytest.mark.parametrize(("unpainted", "first"), [(IGNORED, 2), (BACKGROUND, 1)])
def test_the_next_object_is_a_number_that_is_not_in_use(
    painting: Painting, workbench: Workbench, labels: Labels, unpainted: Unpainted, first: int
) -> None:
    workbench.choose(unpainted=unpainted)
    painting.paint_next_object()
    assert labels.selected_label == first
    labels.paint((0, 10, 10), first)
    painting.paint_next_object()  # before it is counted
    painting.paint_next_object()
    assert labels.selected_label == first + 1


def test_numbers_on_other_planes_are_in_use_too(
    painting: Painting, workbench: Workbench, labels: Labels, qtbot: QtBot
) -> None:
    labels.data_setitem((np.array([2]), np.array([3]), np.array([3])), 40)
    qtbot.waitUntil(lambda: workbench.painted is not None and workbench.painted.largest == 40)
    painting.paint_next_object()
    assert labels.selected_label == 41


@pytest.mark.parametrize(("then", "expected"), [(None, 41), ("paint_background", 1)])
def test_a_next_object_asked_for_before_the_first_count_waits_for_it(
    workbench: Workbench, labels: Labels, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch,
    then: str | None, expected: int,
) -> None:  # fmt: skip
    labels.data[2, 3, 3] = 40
    labels.selected_label = 9
    monkeypatch.setattr(paint_counter, "_SETTLE_MS", 5)
    painting = Painting(workbench)
    painting.paint_next_object()
    assert labels.selected_label == 9
    if then:
        getattr(painting, then)()
    qtbot.waitUntil(lambda: workbench.painted is not None)
    painting.release()
    assert labels.selected_label == expected


def test_a_type_without_numbers_left_says_what_to_do(
    painting: Painting, workbench: Workbench, labels: Labels, qtbot: QtBot
) -> None:
    labels.data_setitem((np.array([2]), np.array([3]), np.array([3])), 65535)
    qtbot.waitUntil(lambda: workbench.painted is not None and workbench.painted.largest == 65535)
    with qtbot.waitSignal(workbench.failed) as told:
        painting.paint_next_object()
    assert "type uint16 ends at 65535" in told.args[0]
    assert "Convert data type" in told.args[0]


def test_the_next_class_goes_round(
    painting: Painting, workbench: Workbench, labels: Labels
) -> None:
    workbench.choose(task=CLASSES)
    name_class(labels, 3, "wall")
    seen = []
    for _ in range(4):
        painting.paint_next_class()
        seen.append(labels.selected_label)
    assert seen == [2, 3, 1, 2]


def test_a_class_can_be_added(painting: Painting, workbench: Workbench, labels: Labels) -> None:
    workbench.choose(task=CLASSES)
    assert painting.classes == 2
    assert painting.add_class() == 3
    assert (painting.classes, labels.selected_label) == (3, 3)


def test_painted_classes_are_in_the_legend(
    painting: Painting, labels: Labels, qtbot: QtBot
) -> None:
    labels.data_setitem((np.array([2]), np.array([3]), np.array([3])), 5)
    qtbot.waitUntil(lambda: painting.classes == 5)


@pytest.mark.parametrize("task", Task)
def test_keys_of_the_other_task_do_nothing(
    painting: Painting, workbench: Workbench, labels: Labels, task: Task
) -> None:
    labels.selected_label = 9
    workbench.choose(task=task)
    (painting.paint_next_class if task is OBJECTS else painting.paint_next_object)()
    assert labels.selected_label == 9


def test_erasing_and_painting_take_turns(painting: Painting, labels: Labels) -> None:
    labels.selected_label = 4
    painting.erase()
    assert (labels.mode, labels.selected_label) == ("erase", 4)
    painting.erase()
    assert (labels.mode, labels.selected_label) == ("paint", 4)


def test_the_brush_works_on_the_chosen_labels_even_if_another_layer_is_selected(
    painting: Painting, viewer: ViewerModel, labels: Labels
) -> None:
    other = viewer.add_layer(Labels(np.zeros((3, 64, 48), np.uint8)))
    assert viewer.layers.selection.active is other
    painting.paint_next_object()
    assert viewer.layers.selection.active is labels
    assert (labels.selected_label, other.selected_label) == (2, 1)


def test_without_labels_nothing_happens(
    painting: Painting, workbench: Workbench, viewer: ViewerModel, labels: Labels
) -> None:
    viewer.layers.remove(labels)
    assert workbench.painted is None
    painting.paint_background()
    painting.paint_next_object()
    painting.paint_next_class()
    painting.erase()
    assert labels.mode == "pan_zoom"


def test_nothing_is_written_into_the_labels(painting: Painting, labels: Labels) -> None:
    painting.paint_next_object()
    painting.erase()
    painting.add_class()
    labels.undo()
    assert not labels.data.any()


def test_other_labels_are_counted_from_scratch(
    painting: Painting, workbench: Workbench, viewer: ViewerModel, labels: Labels, qtbot: QtBot
) -> None:
    workbench.held_out = 3  # of the labels so far
    data = np.full((3, 64, 48), 6, np.uint8)
    other = Labels(data, scale=labels.scale, translate=labels.translate)
    workbench.choose(labels=viewer.add_layer(other))
    assert not workbench.held_out
    qtbot.waitUntil(lambda: workbench.painted is not None and workbench.painted.planes == 3)
