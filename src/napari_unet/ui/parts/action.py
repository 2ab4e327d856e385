"""A button that is never grey without saying why."""

from __future__ import annotations

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_unet.engine.errors import printable
from napari_unet.ui.parts.text import Text


class Action(QWidget):
    """A button, and below it one line: why it cannot run, or what it will do."""

    clicked = Signal()

    def __init__(self, text: str, tooltip: str) -> None:
        super().__init__()
        self.button = QPushButton(text)
        self.hint = Text()
        self._tooltip = tooltip
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.button)
        column.addWidget(self.hint)
        self.button.clicked.connect(self.clicked)

    def show_readiness(self, reason: str | None, ready: str) -> None:
        """Enable the button, or disable it for a reason; `ready` is the line when it can run."""
        set_ready(self.button, reason, self._tooltip)
        self.hint.setText(reason or ready)


def set_ready(button: QPushButton, reason: str | None, tooltip: str) -> None:
    """Enable a button, or disable it and say in its tooltip why."""
    button.setEnabled(reason is None)
    button.setToolTip(printable(reason or tooltip))
