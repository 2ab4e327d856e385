"""A table of numbers for Qt: sorted here, by numpy, as 50,000 rows would be slow in Qt's way."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt

_Column = npt.NDArray[Any]
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class TableModel(QAbstractTableModel):
    """Columns of one length; rows are told by their number in the columns, however sorted."""

    def __init__(self) -> None:
        super().__init__()
        self._names: list[str] = []
        self._columns: list[_Column] = []
        self._order = np.zeros(0, np.intp)  # number of each row that is shown

    def show_columns(self, columns: Mapping[str, _Column]) -> None:
        """Show these, in their own order."""
        self.beginResetModel()
        self._names, self._columns = list(columns), list(columns.values())
        self._order = np.arange(len(self._columns[0]) if self._columns else 0)
        self.endResetModel()

    def number(self, shown: int) -> int:
        """Return the number of the row that is shown there."""
        return int(self._order[shown])

    def shown(self, number: int) -> int:
        """Return where the row of this number is shown."""
        return int(np.flatnonzero(self._order == number)[0])

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802 Qt
        """Return the number of rows; cells have none."""
        return 0 if parent is not None and parent.isValid() else len(self._order)

    def columnCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802 Qt
        """Return the number of columns; cells have none."""
        return 0 if parent is not None and parent.isValid() else len(self._names)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the text of a cell, or how it is aligned."""
        if role == Qt.ItemDataRole.DisplayRole:
            return cell_text(self._columns[index.column()][self._order[index.row()]])
        return _RIGHT if role == Qt.ItemDataRole.TextAlignmentRole else None

    def headerData(  # noqa: N802 Qt
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        """Return the name of a column."""
        is_name = orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole
        return self._names[section] if is_name else None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; rows with the same value stay in their own order, no numbers last."""
        if not 0 <= column < len(self._columns):
            return
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        numbers = [self.number(index.row()) for index in before]
        values = self._columns[column].astype(np.float64)
        is_down = order == Qt.SortOrder.DescendingOrder
        self._order = np.argsort(-values if is_down else values, kind="stable")
        after = [
            self.index(self.shown(number), index.column())
            for number, index in zip(numbers, before, strict=True)
        ]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()


def cell_text(value: Any) -> str:
    """Return a value as it is shown: four digits of what is no whole number.

    Examples
    --------
    >>> [cell_text(value) for value in (np.int64(12345), 0.123456, float("nan"), np.True_)]
    ['12345', '0.1235', '–', 'yes']
    """
    plain = value.item() if hasattr(value, "item") else value
    if isinstance(plain, bool):
        return "yes" if plain else "no"
    if isinstance(plain, int):
        return str(plain)
    if math.isnan(plain):
        return "–"
    return f"{plain:.0f}" if abs(plain) >= 1e4 and plain < 1e15 else f"{plain:.4g}"
