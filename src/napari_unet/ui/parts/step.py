"""A step of the dock: its title, one line that says where the user stands, and its content."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_unet.ui.parts.text import PlainLabel, Text
from napari_unet.ui.workbench import Workbench

_SPACING = 2  # pixels between what is in a step: the first ones are to be seen at once


class Step(QWidget):
    """One step of the column.

    A step writes its choices with `workbench.choose`, and shows what can be done in `refresh`,
    which is called whenever anything on the workbench has changed. It must be cheap.
    """

    def __init__(self, workbench: Workbench, title: str) -> None:
        super().__init__()
        self.workbench = workbench
        self.title = PlainLabel(title)
        self.status = Text()
        self.body = QVBoxLayout()
        self.body.setSpacing(_SPACING)
        font = self.title.font()
        font.setBold(True)
        self.title.setFont(font)
        self.status.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        self.header = QHBoxLayout()
        self.header.addWidget(self.title, alignment=Qt.AlignmentFlag.AlignTop)
        column.addLayout(self.header)
        column.addWidget(self.status)
        column.addLayout(self.body)
        self.tell("")

    def refresh(self) -> None:
        """Show what can be done now."""

    def release(self) -> None:
        """Let go of the viewer and of everything else that outlives the step."""

    def tell(self, line: str) -> None:
        """Say where the user stands, or what is missing and how to get it."""
        self.status.setText(line)
        self.status.setVisible(bool(line))
