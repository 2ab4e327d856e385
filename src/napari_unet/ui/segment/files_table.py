"""What became of each file, as a table; those that failed come first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import (  # type: ignore[attr-defined]
    QAbstractTableModel,
    QItemSelection,
    QModelIndex,
    Qt,
    Signal,
)
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
)

from napari_unet.batch.events import FileEnded
from napari_unet.engine.counts import count
from napari_unet.io.batch_summary import FileOutcome, Status
from napari_unet.ui.parts.text import rich_tooltip

_COLUMNS = ("File", "Result")
_ROWS = 7  # in sight at least


class OutcomeModel(QAbstractTableModel):
    """The files that have ended, the last ones first, and above them those that failed."""

    def __init__(self) -> None:
        super().__init__()
        self._failed: list[FileEnded] = []
        self._others: list[FileEnded] = []  # in the order of their ends

    def clear(self) -> None:
        """Forget all."""
        self.beginResetModel()
        self._failed, self._others = [], []
        self.endResetModel()

    def add(self, ended: FileEnded) -> None:
        """Take one more."""
        is_failed = ended.outcome.status is Status.FAILED
        row = len(self._failed)
        self.beginInsertRows(QModelIndex(), row, row)
        (self._failed if is_failed else self._others).append(ended)
        self.endInsertRows()

    def ended(self, row: int) -> FileEnded:
        """Return the file in a row."""
        if row < len(self._failed):
            return self._failed[row]
        return self._others[len(self._failed) + len(self._others) - 1 - row]

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802 Qt
        """Return the number of files; cells have no rows."""
        if parent is not None and parent.isValid():
            return 0
        return len(self._failed) + len(self._others)

    def columnCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802 Qt
        """Return the number of columns; cells have none."""
        return 0 if parent is not None and parent.isValid() else len(_COLUMNS)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the text of a cell, or all that is known of its file."""
        outcome = self.ended(index.row()).outcome
        if role == Qt.ItemDataRole.DisplayRole:
            return _short_name(outcome) if index.column() == 0 else _short(outcome)
        if role == Qt.ItemDataRole.ToolTipRole:
            return rich_tooltip(outcome.input, tell(outcome))
        return None

    def headerData(  # noqa: N802 Qt
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        """Return the name of a column."""
        is_name = orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole
        return _COLUMNS[section] if is_name else None


def tell(outcome: FileOutcome) -> str:
    """Return what became of a file, in words."""
    if outcome.status is Status.FAILED:
        return outcome.message
    found = count(outcome.planes or 0, "plane")
    if outcome.objects is not None:
        found = f"{count(outcome.objects, 'object')}, {found}"
    return f"Done before: {found}" if outcome.status is Status.SKIPPED else found


def _short_name(outcome: FileOutcome) -> str:
    """Return the file and the folder that it is in: the tooltip has all of it."""
    return "/".join(Path(outcome.input).parts[-2:])


def _short(outcome: FileOutcome) -> str:
    return tell(outcome).replace(f"'{outcome.input}'", "The file")


class _NameDelegate(QStyledItemDelegate):
    """Cuts names in their middle: their ends tell them apart."""

    def initStyleOption(  # noqa: N802 Qt
        self, option: QStyleOptionViewItem | None, index: QModelIndex
    ) -> None:
        super().initStyleOption(option, index)
        if option is not None:
            option.textElideMode = Qt.TextElideMode.ElideMiddle


class FilesTable(QTableView):
    """Shows the files, and tells which one people go to."""

    picked = Signal()  # `selected` has changed
    wanted = Signal(object)  # FileEnded: to be opened

    def __init__(self) -> None:
        super().__init__()
        self.outcomes = OutcomeModel()
        self.setModel(self.outcomes)
        self.doubleClicked.connect(self._on_double_clicked)
        self._build()

    @property
    def selected(self) -> FileEnded | None:
        """The file that is selected."""
        selection = self.selectionModel()
        rows = selection.selectedRows() if selection is not None else []
        return self.outcomes.ended(rows[0].row()) if rows else None

    def selectionChanged(  # noqa: N802 Qt
        self, selected: QItemSelection, deselected: QItemSelection
    ) -> None:
        """Tell that it is another file."""
        super().selectionChanged(selected, deselected)
        self.picked.emit()

    def _on_double_clicked(self, index: QModelIndex) -> None:
        self.wanted.emit(self.outcomes.ended(index.row()))

    def _build(self) -> None:
        self.setAccessibleName("Files that have ended")
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setTabKeyNavigation(False)
        self.setWordWrap(False)
        self.setShowGrid(False)
        self.setItemDelegateForColumn(0, _NameDelegate(self))
        rows, names = self.verticalHeader(), self.horizontalHeader()
        assert rows is not None
        assert names is not None
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setDefaultSectionSize(self.fontMetrics().height() + 6)
        names.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        names.setHighlightSections(False)
        names.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.setMinimumHeight(names.sizeHint().height() + _ROWS * rows.defaultSectionSize())
