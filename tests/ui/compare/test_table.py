"""Scores can be copied as they are shown."""

from __future__ import annotations

import math

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication

from napari_unet.ui.compare.job import Figure
from napari_unet.ui.compare.table import ScoreTable


@pytest.fixture
def table(qtbot: QtBot) -> ScoreTable:
    table = ScoreTable()
    qtbot.addWidget(table)
    table.show_figures([Figure("IoU", 0.83333, "Overlap."), Figure("SEG", math.nan)])
    return table


def test_ctrl_c_copies_the_table(table: ScoreTable, qtbot: QtBot) -> None:
    with qtbot.waitExposed(table):
        table.show()
    table.activateWindow()
    table.table.setFocus()
    qtbot.waitUntil(table.table.hasFocus)
    qtbot.keyClick(  # type: ignore[no-untyped-call]
        table.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier
    )
    clipboard = QGuiApplication.clipboard()
    assert clipboard is not None
    assert clipboard.text() == "Measure\tValue\nIoU\t0.833\nSEG\t–"


def test_a_row_says_what_it_measures(table: ScoreTable) -> None:
    item = table.table.item(0, 1)
    assert item is not None
    assert (item.text(), item.toolTip()) == ("0.833", "<qt>Overlap.</qt>")  # as Qt wraps it


def test_new_figures_replace_the_old(table: ScoreTable) -> None:
    table.show_figures([Figure("Planes", 3)])
    assert table.as_text() == "Measure\tValue\nPlanes\t3"


def test_all_rows_are_seen_without_scrolling(table: ScoreTable) -> None:
    few = table.table.height()
    table.show_figures([Figure(f"class {n}", 0.5) for n in range(9)])
    assert table.table.height() > few
