"""A slider holds a number that is a multiple of its step, and tells when it changes."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent

from napari_unet.ui.parts.step_slider import StepSlider


@pytest.fixture
def slider(qtbot: QtBot) -> StepSlider:
    slider = StepSlider(("fewer", "more"), 0, 0.95, 0.05, decimals=2)
    qtbot.addWidget(slider.native)
    return slider


@pytest.mark.parametrize("value", [0, 0.05, 0.3, 0.6, 0.95])
def test_a_number_comes_back_as_it_was_set(slider: StepSlider, value: float) -> None:
    slider.value = value
    assert slider.value == value


def test_it_tells_each_change_unless_it_is_silenced(slider: StepSlider) -> None:
    told: list[float] = []
    slider.changed.connect(told.append)
    slider.value = 0.3
    slider.value = 0.3
    with slider.changed.blocked():
        slider.value = 0.5
    assert told == [0.3]


def test_scrolling_past_it_changes_nothing(slider: StepSlider) -> None:
    slider.value = 0.3
    event = QWheelEvent(
        QPointF(5, 5),
        QPointF(5, 5),
        QPoint(0, 120),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    slider._slider.wheelEvent(event)
    assert slider.value == 0.3
    assert not event.isAccepted()
