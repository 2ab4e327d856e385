"""What most people never need, folded away."""

from __future__ import annotations

from typing import Any

from qtpy.QtGui import QIcon
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget
from superqt import QCollapsible

from napari_unet.ui.parts.settings import SettingsForm, narrow_form

_UNLIMITED = (1 << 24) - 1  # Qt's QWIDGETSIZE_MAX, pixels


class Folded(QWidget):
    """A title that opens and closes what is below it; closed at first.

    What is closed is hidden, so that the Tab key does not lead there; what is open is as high as
    it needs to be, also when it grows.
    """

    def __init__(self, title: str, content: QWidget) -> None:
        super().__init__()
        self._title = title
        self._content = content
        # The arrow is part of the text: as an icon it would keep its colour in another theme.
        self.fold = QCollapsible(title, expandedIcon=QIcon(), collapsedIcon=QIcon())
        self.fold.setDuration(0)
        self.fold.setContent(content)
        self.fold.toggleButton().setAccessibleName(title)
        self.fold.toggled.connect(self._on_toggled)
        self.fold.collapse(animate=False)
        for part in (self.fold, content):  # in line with the rows around them
            layout = part.layout()
            assert layout is not None
            layout.setContentsMargins(0, 0, 0, 0)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.fold)

    def _on_toggled(self, is_open: bool) -> None:  # noqa: FBT001 Qt's signal
        self.fold.setText(f"{'▾' if is_open else '▸'} {self._title}")
        self._content.setVisible(is_open)
        self._content.setMaximumHeight(_UNLIMITED)  # superqt sets what is needed now


class FoldedSettings(Folded):
    """One or more forms, and a button that restores their defaults."""

    def __init__(self, title: str, *forms: SettingsForm[Any]) -> None:
        content = QWidget()
        rows = narrow_form(content)
        restore = QPushButton("Restore defaults")
        for form in forms:
            form.add_to(rows)
            restore.clicked.connect(form.restore)
        rows.addRow(restore)
        super().__init__(title, content)
