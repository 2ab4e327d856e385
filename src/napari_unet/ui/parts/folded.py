"""What most people never need, folded away."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget
from superqt import QCollapsible

from napari_unet.ui.parts.settings import SettingsForm, narrow_form

__all__ = ["Folded", "FoldedSettings"]


class Folded(QWidget):
    """A title that opens and closes what is below it; closed at first."""

    def __init__(self, title: str, content: QWidget) -> None:
        super().__init__()
        collapsible = QCollapsible(title, expandedIcon="▾", collapsedIcon="▸")
        collapsible.setDuration(0)
        collapsible.setContent(content)
        collapsible.collapse(animate=False)
        for part in (collapsible, collapsible.content()):  # in line with the rows around them
            layout = part.layout()
            assert layout is not None
            layout.setContentsMargins(0, 0, 0, 0)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(collapsible)


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
