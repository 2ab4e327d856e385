"""The current model in one line, with Open and Save."""

from __future__ import annotations

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from napari_unet.ui.parts.actions import set_ready

__all__ = ["ModelRow"]


class ModelRow(QWidget):
    """Says which model there is; a trained model is lost unless it is saved."""

    open_clicked = Signal()
    save_clicked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.text = QLabel("No model yet")
        self.open = QPushButton("Open…")
        self.save = QPushButton("Save…")
        self.text.setWordWrap(True)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.text, stretch=1)
        row.addWidget(self.open)
        row.addWidget(self.save)
        self.open.clicked.connect(self.open_clicked)
        self.save.clicked.connect(self.save_clicked)

    def show_model(self, name: str, story: str) -> None:
        """Name the model; how it came about is in the tooltip."""
        self.text.setText(name)
        self.text.setToolTip(story)

    def show_readiness(self, why_not_open: str | None, why_not_save: str | None) -> None:
        """Enable the buttons, or say why not."""
        set_ready(self.open, why_not_open, "Use a model that was saved before.")
        set_ready(self.save, why_not_save, "Keep this model in a file, to use it another day.")
