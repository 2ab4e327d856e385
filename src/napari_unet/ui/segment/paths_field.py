"""Fields for paths: they can be chosen or typed."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QPushButton, QWidget

from napari_unet.engine.counts import count

_IMAGES = "Images (*.tif *.tiff *.png)"
_SEPARATOR = ";"
_MOST_NAMED = 3  # paths; of more, their number is told


class _Field(QWidget):
    """A line, and buttons beside it."""

    changed = Signal()

    def __init__(self, name: str, tooltip: str) -> None:
        super().__init__()
        self.line = QLineEdit()
        self.line.setAccessibleName(name)
        self.line.setToolTip(tooltip)
        self.line.textChanged.connect(self.changed)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.addWidget(self.line, stretch=1)
        self.setFocusProxy(self.line)

    def _add_button(self, text: str, tooltip: str) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(tooltip)
        button.setAutoDefault(False)  # Enter in a line is no press
        self._row.addWidget(button)
        return button


class ImagesField(_Field):
    """Files, folders and patterns."""

    def __init__(self) -> None:
        super().__init__(
            "Images",
            "Files, folders with all that is in and below them, and patterns such as "
            "plates/**/*_w1.tif; several are parted by semicolons.",
        )
        self.line.setPlaceholderText("files, a folder, or a pattern")
        self._chosen: tuple[str, tuple[Path, ...]] = ("", ())  # what stands for them, and they
        files = self._add_button("Files…", "Choose one or more images.")
        folder = self._add_button("Folder…", "Choose a folder: all images in and below it.")
        files.clicked.connect(self._on_files_clicked)
        folder.clicked.connect(self._on_folder_clicked)

    @property
    def paths(self) -> tuple[Path, ...]:
        """What was chosen or typed."""
        text = self.line.text()
        if text == self._chosen[0]:
            return self._chosen[1]
        return tuple(Path(p.strip()) for p in text.split(_SEPARATOR) if p.strip())

    def choose(self, *paths: Path) -> None:
        """Take these."""
        many = f"{count(len(paths), 'file')} in {paths[0].parent}"
        text = many if len(paths) > _MOST_NAMED else f"{_SEPARATOR} ".join(map(str, paths))
        self._chosen = text, paths
        self.line.setText(text)
        self.line.setCursorPosition(0)

    def _on_files_clicked(self) -> None:
        chosen, _ = QFileDialog.getOpenFileNames(self, "Images to segment", _start(self), _IMAGES)
        if chosen:
            self.choose(*map(Path, chosen))

    def _on_folder_clicked(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder of images", _start(self))
        if chosen:
            self.choose(Path(chosen))


class FolderField(_Field):
    """A folder, which need not be there yet."""

    def __init__(self) -> None:
        super().__init__("Folder of results", "It is made if there is none.")
        self.line.setPlaceholderText("a folder for the results")
        choose = self._add_button("Choose…", "Choose a folder.")
        choose.clicked.connect(self._on_choose_clicked)

    @property
    def path(self) -> Path | None:
        """The folder, None if there is none yet."""
        text = self.line.text().strip()
        return Path(text) if text else None

    def _on_choose_clicked(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder of the results", _start(self))
        if chosen:
            self.line.setText(chosen)


def _start(field: _Field) -> str:
    """Return where to begin to look."""
    first = Path(field.line.text().split(_SEPARATOR)[0].strip())
    return str(next((p for p in (first, *first.parents) if p.is_dir() and p.name), Path.home()))
