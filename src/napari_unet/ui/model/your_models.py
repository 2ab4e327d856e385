"""One's own models in a table: rename in place, delete with undo, import, export."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QSignalBlocker, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QKeySequence, QPalette
from qtpy.QtWidgets import (  # type: ignore[attr-defined]
    QAbstractItemView,
    QGridLayout,
    QHeaderView,
    QPushButton,
    QShortcut,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_unet.ui.model.description import date_of, kinds_of, score_of, tell_story
from napari_unet.ui.model.job import ModelFile
from napari_unet.ui.parts.action import set_ready
from napari_unet.ui.parts.text import Text, rich_tooltip

_COLUMNS = ("Name", "Date", "Finds", "IoU")
_ROWS_SHOWN = 6


class YourModels(QWidget):
    """The files of the library; it tells what people want done and does nothing itself."""

    renamed = Signal(object, str)  # ModelFile, new name
    deleted = Signal(object)  # ModelFile
    restored = Signal()
    import_clicked = Signal()
    export_clicked = Signal(object)  # ModelFile

    def __init__(self) -> None:
        super().__init__()
        self.table = QTableWidget(0, len(_COLUMNS))
        self.delete = QPushButton("Delete")
        self.import_ = QPushButton("Import…")
        self.export = QPushButton("Export…")
        self.gone = Text()
        self.undo = QPushButton("Undo")
        self._files: tuple[ModelFile, ...] = ()
        self._why_not: str | None = None
        self._build()
        self._connect()

    @property
    def selected(self) -> ModelFile | None:
        """The model in the current row."""
        row = self.table.currentRow()
        return self._files[row] if 0 <= row < len(self._files) else None

    def show_files(self, files: Sequence[ModelFile]) -> None:
        """Show these models; the current one stays current if it is among them."""
        if self._is_shown(files):
            return
        before = self.selected
        self._files = tuple(files)
        with QSignalBlocker(self.table):
            self.table.setRowCount(len(files))
            for row, file in enumerate(files):
                self._show_file(row, file)
            paths = [file.path for file in files]
            if before is not None and before.path in paths:
                self.table.setCurrentCell(paths.index(before.path), 0)
        self._fit_height()
        self._show_buttons()

    def show_deleted(self, name: str) -> None:
        """Offer to bring the model of this name back; an empty name: none."""
        self.gone.setText(f"Deleted '{name}'.")
        self.gone.setVisible(bool(name))
        self.undo.setVisible(bool(name))

    def show_readiness(self, reason: str | None) -> None:
        """Enable the buttons, or say why not."""
        self._why_not = reason
        self._show_buttons()

    def _show_buttons(self) -> None:
        file = self.selected
        why_not = self._why_not or (None if file else "Select a model in the table first.")
        unreadable = file.problem if file else ""
        set_ready(self.delete, why_not, "Put the selected model aside; Undo brings it back.")
        set_ready(
            self.export,
            why_not or unreadable or None,
            "Copy the selected model to a file, also for other programs.",
        )
        set_ready(
            self.import_,
            self._why_not,
            "Copy a model's file, or a bioimage.io package, among yours and start from it.",
        )
        set_ready(self.undo, self._why_not, "Bring it back.")

    def _show_file(self, row: int, file: ModelFile) -> None:
        header = file.header
        known = (date_of(header), kinds_of(header), score_of(header)) if header else ("", "", "")
        faded = self.palette().color(QPalette.ColorRole.WindowText)
        faded.setAlphaF(0.5)
        for column, text in enumerate((file.name, *known)):
            item = QTableWidgetItem(text)
            story = tell_story(header) if header else file.problem
            item.setToolTip(rich_tooltip(file.name, story))
            if header is None or column > 0:
                item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEditable)
            if header is None:
                item.setForeground(faded)
            self.table.setItem(row, column, item)

    def _is_shown(self, files: Sequence[ModelFile]) -> bool:
        """Return True if the table is as it should be; what is being typed is not disturbed."""
        items = [self.table.item(row, 0) for row in range(self.table.rowCount())]
        names = [item.text() for item in items if item is not None]
        return tuple(files) == self._files and names == [file.name for file in files]

    def _fit_height(self) -> None:
        columns = self.table.horizontalHeader()
        assert columns is not None
        height = columns.sizeHint().height() + 2 * self.table.frameWidth()
        rows = range(min(len(self._files), _ROWS_SHOWN))
        self.table.setFixedHeight(height + sum(self.table.rowHeight(row) for row in rows))
        self.table.setVisible(bool(self._files))

    def _on_item_changed(self, item: QTableWidgetItem) -> None:
        self.renamed.emit(self._files[item.row()], item.text().strip())

    def _on_delete(self) -> None:
        if self.delete.isEnabled():
            self.deleted.emit(self.selected)

    def _build(self) -> None:
        table = self.table
        table.setHorizontalHeaderLabels(list(_COLUMNS))
        table.setAccessibleName("Your models")
        table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked
            | QAbstractItemView.EditTrigger.EditKeyPressed
        )
        table.setTabKeyNavigation(False)  # Tab goes on to the buttons
        rows, columns = table.verticalHeader(), table.horizontalHeader()
        assert rows is not None
        assert columns is not None
        rows.hide()
        columns.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        columns.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        buttons = QGridLayout()  # two by two: three in a row would widen the dock
        buttons.addWidget(self.import_, 0, 0)
        buttons.addWidget(self.export, 0, 1)
        buttons.addWidget(self.delete, 1, 0)
        buttons.addWidget(self.undo, 1, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(table)
        column.addWidget(self.gone)
        column.addLayout(buttons)
        self.table.hide()
        self.show_deleted("")
        self._show_buttons()

    def _connect(self) -> None:
        self.table.itemChanged.connect(self._on_item_changed)
        self.table.currentCellChanged.connect(self._show_buttons)
        remove = QShortcut(QKeySequence(QKeySequence.StandardKey.Delete), self.table)
        remove.setContext(Qt.ShortcutContext.WidgetShortcut)
        remove.activated.connect(self._on_delete)
        self.delete.clicked.connect(self._on_delete)
        self.undo.clicked.connect(self.restored)
        self.import_.clicked.connect(self.import_clicked)
        self.export.clicked.connect(lambda: self.export_clicked.emit(self.selected))
