"""Tables of many rows are shown, sorted and searched at once."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt

from napari_unet.ui.measure.table import ObjectTableView
from napari_unet.ui.measure.table_model import TableModel, cell_text

ROWS = 50_000


@pytest.fixture
def columns() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    found = {"label": np.arange(1, ROWS + 1), "flag": rng.random(ROWS) > 0.5}
    return found | {f"value_{i}": rng.normal(size=ROWS) for i in range(25)}


def test_the_model_does_what_qt_expects(qtmodeltester: Any, columns: dict[str, Any]) -> None:
    model = TableModel()
    model.show_columns({name: values[:7] for name, values in columns.items()})
    qtmodeltester.check(model)
    assert (model.rowCount(), model.columnCount()) == (7, len(columns))


def test_fifty_thousand_rows_are_quick(qtbot: QtBot, columns: dict[str, Any]) -> None:
    view = ObjectTableView()
    qtbot.addWidget(view)
    view.show()
    begin = time.perf_counter()
    view.show_columns(columns)
    view.sortByColumn(5, Qt.SortOrder.DescendingOrder)
    view.select(40_000)
    assert time.perf_counter() - begin < 1
    assert view.selected == 40_000
    view.sortByColumn(0, Qt.SortOrder.AscendingOrder)
    assert view.selected == 40_000


def test_no_numbers_come_last_in_either_order() -> None:
    model = TableModel()
    model.show_columns({"value": np.array([2.0, np.nan, 1.0, 3.0])})
    model.sort(0, Qt.SortOrder.AscendingOrder)
    assert [model.number(row) for row in range(4)] == [2, 0, 3, 1]
    model.sort(0, Qt.SortOrder.DescendingOrder)
    assert [model.number(row) for row in range(4)] == [3, 0, 2, 1]
    assert model.shown(3) == 0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.int64(2_000_000_000), "2000000000"),
        (np.float64(123456.7), "123457"),
        (np.float64(0.000012345), "1.234e-05"),
        (np.float64("nan"), "–"),
        (np.True_, "yes"),
        (np.False_, "no"),
    ],
)
def test_values_are_readable(value: object, text: str) -> None:
    assert cell_text(value) == text
