"""Folded parts: closed at first, out of the Tab key's way, and as high as they need to be."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QLabel, QLineEdit, QVBoxLayout, QWidget

from napari_unet.ui.parts.folded import Folded


@pytest.fixture
def field() -> QLineEdit:
    return QLineEdit()


@pytest.fixture
def folded(qtbot: QtBot, field: QLineEdit) -> Folded:
    content = QWidget()
    QVBoxLayout(content).addWidget(field)
    folded = Folded("Advanced", content)
    qtbot.addWidget(folded)
    folded.resize(200, 300)
    folded.show()
    return folded


def test_a_click_opens_and_closes_it(folded: Folded, field: QLineEdit) -> None:
    button = folded.fold.toggleButton()
    seen = []
    for _ in range(3):
        seen.append((field.isVisible(), button.text()))
        button.click()
    assert seen == [(False, "▸ Advanced"), (True, "▾ Advanced"), (False, "▸ Advanced")]


def test_what_is_closed_cannot_be_reached_by_keyboard(folded: Folded, field: QLineEdit) -> None:
    button = folded.fold.toggleButton()
    button.setFocus()
    folded.focusNextPrevChild(True)
    assert folded.focusWidget() is button
    button.click()
    folded.focusNextPrevChild(True)
    assert folded.focusWidget() is field


def test_open_parts_grow_with_what_is_in_them(folded: Folded, qtbot: QtBot) -> None:
    folded.fold.toggleButton().click()
    content = folded.fold.content()
    picture = QLabel()
    picture.setFixedHeight(200)
    layout = content.layout()
    assert layout is not None
    layout.addWidget(picture)
    folded.adjustSize()
    qtbot.waitUntil(lambda: content.height() >= 200)


def test_its_name_is_told_without_the_arrow(folded: Folded) -> None:
    assert folded.fold.toggleButton().accessibleName() == "Advanced"
