"""Pickers follow the viewer's layers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QEvent, QPoint, Qt
from qtpy.QtGui import QHelpEvent
from qtpy.QtWidgets import QToolTip

from napari_unet.ui.parts.pickers import LayerPicker, Picker


@pytest.fixture
def picker(viewer: ViewerModel, qtbot: QtBot) -> Iterator[LayerPicker]:
    picker = LayerPicker(viewer, Labels, "")
    qtbot.addWidget(picker)
    yield picker
    picker.release()


def names(picker: Picker) -> list[str]:
    return [picker.itemText(index) for index in range(picker.count())]


def test_only_layers_of_the_kind_are_offered(
    picker: LayerPicker, viewer: ViewerModel, image: Image, labels: Labels, qtbot: QtBot
) -> None:
    assert names(picker) == ["strokes"]
    assert picker.value == labels
    images = LayerPicker(viewer, Image, "")
    qtbot.addWidget(images)
    assert images.value == image
    images.release()


def test_what_is_picked_stays_picked_when_layers_come_go_and_move(
    picker: LayerPicker, viewer: ViewerModel, labels: Labels
) -> None:
    other = viewer.add_labels(np.zeros((3, 64, 48), dtype=np.uint8), name="other")
    assert names(picker) == ["other", "strokes"]
    assert picker.value == labels
    viewer.layers.move(viewer.layers.index(other), 0)
    assert picker.value == labels
    viewer.layers.remove(other)
    assert names(picker) == ["strokes"]


def test_a_renamed_layer_is_renamed(picker: LayerPicker, labels: Labels) -> None:
    labels.name = "mine"
    assert names(picker) == ["mine"]
    assert picker.value == labels


def test_removing_the_picked_layer_tells_of_another(
    picker: LayerPicker, viewer: ViewerModel, labels: Labels, qtbot: QtBot
) -> None:
    other = viewer.add_labels(np.zeros((3, 64, 48), dtype=np.uint8))
    with qtbot.waitSignal(picker.picked):
        viewer.layers.remove(labels)
    assert picker.value == other
    with qtbot.waitSignal(picker.picked):
        viewer.layers.clear()
    assert picker.value is None


def test_the_first_layer_is_picked(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    picker = LayerPicker(viewer, Labels, "")
    qtbot.addWidget(picker)
    assert picker.value is None
    with qtbot.waitSignal(picker.picked):
        layer = viewer.add_labels(np.zeros((4, 4), dtype=np.uint8))
    assert picker.value == layer
    picker.release()


def test_long_names_do_not_widen_the_picker(picker: LayerPicker, labels: Labels) -> None:
    width = picker.sizeHint().width()
    labels.name = "a name as long as only instruments can make them up " * 3
    assert picker.sizeHint().width() == width


def test_long_names_that_differ_at_their_ends_look_different(
    picker: LayerPicker, viewer: ViewerModel, labels: Labels
) -> None:
    picker.resize(picker.sizeHint())
    start = "20261130_experiment-7_well-B03_stack_"
    labels.name = f"{start}labels"
    viewer.add_labels(np.zeros((3, 64, 48), np.uint8), name=f"{start}segmentation")
    seen = []
    for layer in viewer.layers[1:]:
        picker.value = layer
        seen.append(picker.shown_text)
        assert layer.name not in seen
        where = QPoint(5, 5)
        picker.event(QHelpEvent(QEvent.Type.ToolTip, where, picker.mapToGlobal(where)))
        assert QToolTip.text() == f"<qt>{layer.name}</qt>"
    assert len(set(seen)) == 2
    assert seen[0].startswith("20")
    assert seen[0].endswith("els")
    view = picker.view()
    assert view is not None
    assert view.textElideMode() == Qt.TextElideMode.ElideMiddle
    tips = [picker.itemData(row, Qt.ItemDataRole.ToolTipRole) for row in range(picker.count())]
    assert tips == [f"<qt>{name}</qt>" for name in names(picker)]
    labels.name = "mine"
    picker.value = labels
    assert picker.shown_text == "mine"


def test_a_released_picker_hears_nothing(
    picker: LayerPicker, viewer: ViewerModel, labels: Labels
) -> None:
    events = viewer.layers.events
    emitters = [events.inserted, events.removed, events.reordered, labels.events.name]
    before = [len(emitter.callbacks) for emitter in emitters]
    picker.release()
    after = [len(emitter.callbacks) for emitter in emitters]
    assert [b - a for b, a in zip(before, after, strict=True)] == [1, 1, 1, 1]
    labels.name = "mine"
    assert names(picker) == ["strokes"]
