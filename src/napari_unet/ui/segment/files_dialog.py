"""The window *Segment files*: which, where to, how far they are, and what became of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QDialog,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_unet.batch.events import FileEnded
from napari_unet.config import ObjectsConfig, OutputKind, TilingConfig
from napari_unet.ui.parts.action import set_ready
from napari_unet.ui.parts.progress_panel import ProgressPanel
from napari_unet.ui.parts.settings import narrow_form
from napari_unet.ui.parts.text import PlainLabel, Text
from napari_unet.ui.runner import JobState
from napari_unet.ui.segment.files_control import SegmentingFiles
from napari_unet.ui.segment.files_job import FilesWish
from napari_unet.ui.segment.files_table import FilesTable, tell
from napari_unet.ui.segment.paths_field import FolderField, ImagesField
from napari_unet.ui.workbench import CurrentModel

_WIDTH = 44  # at first, in widths of the letter M
_START = "Segments each file that is not done yet; stop at any time and go on later."
_ANEW = "Files that are done are skipped, unless the image, the model or the settings have changed."


class HowToSegment(NamedTuple):
    """What is set in the step Segment."""

    kind: OutputKind
    tiling: TilingConfig
    objects: ObjectsConfig


class FilesForm(QWidget):
    """Which files, and where their results go."""

    def __init__(self) -> None:
        super().__init__()
        self.images = ImagesField()
        self.folder = FolderField()
        self.suffix = QLineEdit()
        self.subfolders = QCheckBox("Same subfolders as the images")
        self.tables = QCheckBox("Measure the objects, too: a table for each file")
        self._build()

    def wish(self) -> FilesWish:
        """Return what stands in the form."""
        return FilesWish(
            images=self.images.paths,
            folder=self.folder.path,
            suffix=self.suffix.text(),
            subfolders=self.subfolders.isChecked(),
            tables=self.tables.isChecked(),
        )

    def when_changed(self, callback: Callable[[], object]) -> None:
        """Call this whenever files or folder are others."""
        self.images.changed.connect(callback)
        self.folder.changed.connect(callback)

    def _build(self) -> None:
        self.subfolders.setChecked(True)
        self.subfolders.setToolTip("Otherwise all results lie side by side in the folder.")
        self.tables.setToolTip("NAME.csv beside each result, with a row per object and plane.")
        self.suffix.setPlaceholderText("nothing, or for example _labels")
        self.suffix.setToolTip("Put behind the name of each image; results are label TIFFs.")
        self.suffix.setAccessibleName("Put behind each name")
        rows = narrow_form(self)
        fields = (("Images", self.images), ("Results in", self.folder), ("Suffix", self.suffix))
        for text, field in fields:
            label = PlainLabel(text)
            label.setBuddy(field)
            rows.addRow(label, field)
        rows.addRow("", self.subfolders)
        rows.addRow("", self.tables)


class FilesDialog(QDialog):
    """Asks for files, and shows how far they are; it may be closed while they run."""

    def __init__(
        self, files: SegmentingFiles, how: Callable[[], HowToSegment], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.files = files
        self.form = FilesForm()
        self.model = Text()
        self.start = QPushButton("Segment files")
        self.pause = QPushButton("Pause")
        self.hint = Text()
        self.progress = ProgressPanel()
        self.table = FilesTable()
        self.message = Text()
        self.show_result = QPushButton("Open image and result")
        self._how = how
        self._build()
        self._connect()
        self.refresh()
        self.resize(_WIDTH * self.fontMetrics().horizontalAdvance("M"), self.sizeHint().height())

    def refresh(self) -> None:
        """Show what a press would do, or why it cannot."""
        workbench, running = self.files.workbench, self.files.is_running
        start = workbench.choices.start
        named = start.name if isinstance(start, CurrentModel) else "none is chosen yet"
        self.model.setText(f"Model: {named} · {self._how().kind.value}. {_ANEW}")
        reason = self.files.why_not(self.form.wish())
        set_ready(self.start, reason, _START)
        self.form.setEnabled(not running)
        line = self.files.line if running else reason or self.files.line
        self.hint.setText(line)
        self.hint.setVisible(bool(line))
        state = workbench.runner.state
        self.pause.setVisible(running)
        self.pause.setText("Resume" if state is JobState.PAUSED else "Pause")
        stopping = "It is being stopped." if state is JobState.CANCELLING else None
        set_ready(self.pause, stopping, "Wait after the current tiles.")
        self.progress.setVisible(running)
        self.progress.show_readiness(stopping)
        self._show_files()

    def _build(self) -> None:
        self.setWindowTitle("Segment files")
        self.setWindowFlag(Qt.WindowType.WindowContextHelpButtonHint, on=False)
        self.start.setAutoDefault(False)
        self.pause.setAutoDefault(False)
        self.show_result.setAutoDefault(False)
        buttons = QHBoxLayout()
        buttons.addWidget(self.start, stretch=1)
        buttons.addWidget(self.pause)
        column = QVBoxLayout(self)
        column.addWidget(self.form)
        column.addWidget(self.model)
        column.addLayout(buttons)
        column.addWidget(self.hint)
        column.addWidget(self.progress)
        column.addWidget(self.table, stretch=100)
        column.addWidget(self.message)
        column.addWidget(self.show_result)
        column.addStretch(1)  # while there is no table

    def _connect(self) -> None:
        workbench = self.files.workbench
        self.form.when_changed(self.refresh)
        self.start.clicked.connect(self._on_start_clicked)
        self.pause.clicked.connect(self.files.pause)
        self.progress.stop_clicked.connect(workbench.stop)
        self.table.picked.connect(self._show_files)
        self.table.wanted.connect(self.files.open_result)
        self.show_result.clicked.connect(self._on_open_clicked)
        self.files.began.connect(self.table.outcomes.clear)
        self.files.ended_one.connect(self._on_ended_one)
        self.files.told.connect(self.refresh)
        workbench.changed.connect(self.refresh)
        workbench.progressed.connect(self.progress.show_progress)

    def _show_files(self) -> None:
        """Show what became of the files, once something has, and of the one that is selected."""
        is_any = self.table.outcomes.rowCount() > 0
        self.table.setVisible(is_any)
        self.show_result.setVisible(is_any)
        ended = self.table.selected
        self.message.setText("" if ended is None else tell(ended.outcome))
        self.message.setVisible(ended is not None)
        reason = None if ended is not None else "Select a file in the list first."
        set_ready(self.show_result, reason, "Adds both to the viewer; so does a double click.")

    def _on_ended_one(self, ended: FileEnded) -> None:
        self.table.outcomes.add(ended)
        if not self.table.isVisible():
            self._show_files()

    def _on_start_clicked(self) -> None:
        self.refresh()
        if self.start.isEnabled():
            self.files.start(self.form.wish(), *self._how())

    def _on_open_clicked(self) -> None:
        ended = self.table.selected
        if ended is not None:
            self.files.open_result(ended)


class FilesButton(QPushButton):
    """Opens the window, which is made when it is wanted."""

    def __init__(self, files: SegmentingFiles, how: Callable[[], HowToSegment]) -> None:
        super().__init__("Segment files…")
        self.setToolTip("Segments many files with this model and these settings, into a folder.")
        self.dialog: FilesDialog | None = None
        self._files = files
        self._how = how
        self.clicked.connect(self._on_clicked)

    def _on_clicked(self) -> None:
        if self.dialog is None:
            self.dialog = FilesDialog(self._files, self._how, self)
        self.dialog.refresh()  # the settings are the step's, which tells nobody
        self.dialog.show()
        self.dialog.raise_()
        self.dialog.activateWindow()
