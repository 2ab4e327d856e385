"""A small table of figures that can be copied."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication, QKeySequence
from qtpy.QtWidgets import (  # type: ignore[attr-defined]
    QAbstractItemView,
    QHeaderView,
    QPushButton,
    QShortcut,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_unet.ui.compare.job import Figure
from napari_unet.ui.parts.text import rich_tooltip

_HEADER = ("Measure", "Value")
_MOST_ROWS = 14  # shown without scrolling


class ScoreTable(QWidget):
    """Measures and their values; Copy, or Ctrl+C in the table, takes them to a spreadsheet."""

    def __init__(self) -> None:
        super().__init__()
        self.table = QTableWidget(0, len(_HEADER))
        self.copy_button = QPushButton("Copy table")
        self._figures: tuple[Figure, ...] = ()
        self._build()

    def show_figures(self, figures: Sequence[Figure]) -> None:
        """Show these rows."""
        self._figures = tuple(figures)
        self.table.setRowCount(len(figures))
        for row, figure in enumerate(figures):
            name, value = QTableWidgetItem(figure.name), QTableWidgetItem(figure.text)
            value.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            for column, item in enumerate((name, value)):
                item.setToolTip(rich_tooltip(figure.meaning))
                self.table.setItem(row, column, item)
        self._fit_height()

    def as_text(self) -> str:
        """Return the table, header included, with tabs between its columns."""
        rows = [_HEADER, *((figure.name, figure.text) for figure in self._figures)]
        return "\n".join("\t".join(row) for row in rows)

    def copy(self) -> None:
        """Put the whole table on the clipboard."""
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self.as_text())

    def _fit_height(self) -> None:
        rows = min(len(self._figures), _MOST_ROWS)
        header = self.table.horizontalHeader()
        assert header is not None
        height = header.sizeHint().height() + 2 * self.table.frameWidth()
        self.table.setFixedHeight(height + sum(self.table.rowHeight(row) for row in range(rows)))

    def _build(self) -> None:
        self.table.setHorizontalHeaderLabels(list(_HEADER))
        self.table.setAccessibleName("Scores")
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setTabKeyNavigation(False)  # Tab goes on to the next part of the dock
        rows, columns = self.table.verticalHeader(), self.table.horizontalHeader()
        assert rows is not None
        assert columns is not None
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        columns.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        columns.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.copy_button.setToolTip("Copy the table, to paste it into a spreadsheet.")
        self.copy_button.clicked.connect(self.copy)
        shortcut = QShortcut(QKeySequence(QKeySequence.StandardKey.Copy), self.table)
        shortcut.setContext(Qt.ShortcutContext.WidgetShortcut)
        shortcut.activated.connect(self.copy)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.table)
        column.addWidget(self.copy_button)
