"""The table of objects as it is seen: sorted by a click, and a row is an object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt
from qtpy.QtCore import QModelIndex, QSignalBlocker, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from napari_unet.ui.measure.table_model import TableModel

_ROWS = 9  # in sight
_PADDING = 24  # pixels beside the name of a column, for the arrow of its order


class ObjectTableView(QTableView):
    """Shows the columns, and tells which row people go to."""

    picked = Signal(int)  # number of the row

    def __init__(self) -> None:
        super().__init__()
        self._model = TableModel()
        self.setModel(self._model)
        self._build()

    def show_columns(self, columns: Mapping[str, npt.NDArray[Any]]) -> None:
        """Show these, in their own order."""
        header = self.horizontalHeader()
        assert header is not None
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self._model.show_columns(columns)
        metrics = self.fontMetrics()
        for section, name in enumerate(columns):
            self.setColumnWidth(section, metrics.horizontalAdvance(name) + _PADDING)

    def select(self, number: int | None) -> None:
        """Select the row of this number and bring it into sight, without telling so; None: none."""
        with QSignalBlocker(self):
            if number is None:
                self.clearSelection()
                return
            shown = self._model.shown(number)
            column = max(0, self.columnAt(0))  # it does not scroll sideways
            self.setCurrentIndex(self._model.index(shown, column))

    @property
    def selected(self) -> int | None:
        """Number of the row that is selected."""
        selection = self.selectionModel()
        rows = selection.selectedRows() if selection is not None else []
        return self._model.number(rows[0].row()) if rows else None

    def currentChanged(self, current: QModelIndex, previous: QModelIndex) -> None:  # noqa: N802 Qt
        """Tell which row it is."""
        super().currentChanged(current, previous)
        if current.isValid() and current.row() != previous.row():
            self.picked.emit(self._model.number(current.row()))

    def _on_clicked(self, index: QModelIndex) -> None:
        self.picked.emit(self._model.number(index.row()))  # once more, after people went elsewhere

    def _build(self) -> None:
        self.setAccessibleName("Objects")
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.clicked.connect(self._on_clicked)
        self.setTabKeyNavigation(False)  # Tab goes on to the next part of the dock
        self.setWordWrap(False)
        self.setSortingEnabled(True)
        self.setToolTip("A click goes to the object; a click on a name sorts by it.")
        rows, names = self.verticalHeader(), self.horizontalHeader()
        bar = self.horizontalScrollBar()
        assert rows is not None
        assert names is not None
        assert bar is not None
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setDefaultSectionSize(self.fontMetrics().height() + 6)
        height = names.sizeHint().height() + bar.sizeHint().height() + 2 * self.frameWidth()
        self.setFixedHeight(height + _ROWS * rows.defaultSectionSize())
