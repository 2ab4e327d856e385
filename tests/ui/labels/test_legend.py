"""The legend shows what each number means, in the layer's colours, and paints with a click."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QCoreApplication, QEvent
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QLineEdit, QPushButton

from napari_unet.config import Task, Unpainted
from napari_unet.engine.paint.label_scheme import LabelScheme
from napari_unet.ui.labels.class_names import class_names, name_class
from napari_unet.ui.labels.legend import Legend, entries

OBJECTS, CLASSES = Task.OBJECTS, Task.CLASSES
IGNORED, BACKGROUND = Unpainted.IGNORED, Unpainted.BACKGROUND


@pytest.fixture
def legend(qtbot: QtBot, labels: Labels) -> Iterator[Legend]:
    legend = Legend()
    qtbot.addWidget(legend)
    legend.show_entries(entries(LabelScheme(CLASSES, IGNORED), 2), labels)
    yield legend
    legend.release()


def _rows(legend: Legend) -> list[QPushButton]:
    _clear_away()
    return [b for b in legend.findChildren(QPushButton) if b.isCheckable()]


def _names(legend: Legend) -> list[QLineEdit]:
    _clear_away()
    return [name for name in legend.findChildren(QLineEdit) if not name.isHidden()]


def _clear_away() -> None:
    """Delete the rows that were replaced, as Qt does when the event loop goes on."""
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)


def _colour(row: QPushButton) -> tuple[int, ...]:
    image = row.icon().pixmap(row.iconSize()).toImage()
    return tuple(image.pixelColor(2, 2).getRgb())[:3]


def _of(labels: Labels, label: int) -> tuple[int, ...]:
    red, green, blue, _ = map(float, labels.get_color(label))
    return tuple(QColor.fromRgbF(red, green, blue).getRgb())[:3]


@pytest.mark.parametrize(
    ("task", "unpainted", "texts"),
    [
        (OBJECTS, IGNORED, ["1  background", "2, 3, …  objects"]),
        (OBJECTS, BACKGROUND, ["0  background: what is not painted", "1, 2, …  objects"]),
        (CLASSES, IGNORED, ["1", "2", "3"]),
        (CLASSES, BACKGROUND, ["0  what is not painted", "1", "2", "3"]),
    ],
)
def test_there_is_a_row_for_each_meaning(
    legend: Legend, labels: Labels, task: Task, unpainted: Unpainted, texts: list[str]
) -> None:
    legend.show_entries(entries(LabelScheme(task, unpainted), 3), labels)
    assert [row.text() for row in _rows(legend)] == texts


def test_swatches_follow_the_layers_colours(legend: Legend, labels: Labels) -> None:
    first, second = _rows(legend)
    assert (_colour(first), _colour(second)) == (_of(labels, 1), _of(labels, 2))
    labels.colormap = DirectLabelColormap(
        color_dict={None: "black", 1: "yellow", 2: np.array([0, 0, 1, 1])}
    )
    assert (_colour(first), _colour(second)) == ((255, 255, 0), (0, 0, 255))


def test_swatches_are_drawn_once_for_the_same_colours(legend: Legend, labels: Labels) -> None:
    before = [row.icon().cacheKey() for row in _rows(legend)]
    labels.selected_label = 7  # as for each new object, some hundred times an hour
    assert [row.icon().cacheKey() for row in _rows(legend)] == before


def test_the_selected_label_is_highlighted(legend: Legend, labels: Labels) -> None:
    labels.selected_label = 2
    assert [row.isChecked() for row in _rows(legend)] == [False, True]
    legend.show_entries(entries(LabelScheme(OBJECTS, IGNORED), 2), labels)
    labels.selected_label = 17
    assert [row.isChecked() for row in _rows(legend)] == [False, True]


def test_a_click_paints_with_the_row_and_leaves_the_light_on(
    legend: Legend, labels: Labels, qtbot: QtBot
) -> None:
    legend.label_clicked.connect(lambda label: setattr(labels, "selected_label", label))
    row = _rows(legend)[1]
    for _ in range(2):
        with qtbot.waitSignal(legend.label_clicked) as told:
            row.click()
        assert told.args == [2]
        assert row.isChecked()


def test_a_click_on_objects_asks_for_the_next_one(
    legend: Legend, labels: Labels, qtbot: QtBot
) -> None:
    legend.show_entries(entries(LabelScheme(OBJECTS, IGNORED), 2), labels)
    with qtbot.waitSignal(legend.objects_clicked), qtbot.assertNotEmitted(legend.label_clicked):
        _rows(legend)[1].click()


def test_classes_are_named_in_place(legend: Legend, labels: Labels) -> None:
    first, second = _names(legend)
    second.setText(" membrane ")
    second.editingFinished.emit()
    assert class_names(labels) == {2: "membrane"}
    name_class(labels, 1, "cytoplasm")  # by a script
    assert (first.text(), second.text()) == ("cytoplasm", "membrane")


def test_only_classes_can_be_added(legend: Legend, labels: Labels, qtbot: QtBot) -> None:
    add = next(b for b in legend.findChildren(QPushButton) if b.text() == "+ Class")
    assert not add.isHidden()
    with qtbot.waitSignal(legend.add_clicked):
        add.click()
    legend.show_entries(entries(LabelScheme(OBJECTS, IGNORED), 2), labels)
    assert add.isHidden()


def test_without_labels_there_is_nothing_to_show(legend: Legend) -> None:
    legend.show_entries(entries(LabelScheme(CLASSES, IGNORED), 2), None)
    assert _rows(legend) == []


def test_many_classes_do_not_fill_the_window(legend: Legend, labels: Labels) -> None:
    legend.show_entries(entries(LabelScheme(CLASSES, IGNORED), 255), labels)
    assert len(_rows(legend)) == 24
    add = next(b for b in legend.findChildren(QPushButton) if b.text() == "+ Class")
    assert add.isHidden()  # it would not be seen


def test_the_row_of_a_new_class_is_ready_to_be_named(
    legend: Legend, labels: Labels, qtbot: QtBot
) -> None:
    legend.show_entries(entries(LabelScheme(CLASSES, IGNORED), 3), labels)
    legend.show()
    legend.edit_name(3)
    assert legend.focusWidget() is _names(legend)[2]


def test_a_released_legend_follows_no_layer(legend: Legend, labels: Labels) -> None:
    before = [row.isChecked() for row in _rows(legend)]
    legend.release()
    labels.selected_label = 2
    assert [row.isChecked() for row in _rows(legend)] == before
