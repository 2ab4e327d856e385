"""The buttons Split, Merge and Delete, their keys, and the line that the mouse draws."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import (
    QHBoxLayout,
    QPushButton,
    QWidget,
)

from napari_unet.ui.correct.line_glass import LineGlass, Spots
from napari_unet.ui.correct.repair import Tool
from napari_unet.ui.correct.repairing import Repairing
from napari_unet.ui.parts import keys
from napari_unet.ui.parts.action import set_ready
from napari_unet.ui.parts.canvases import canvases
from napari_unet.ui.workbench import Workbench

KEYS = {Tool.SPLIT: keys.SPLIT, Tool.MERGE: keys.MERGE, Tool.DELETE: keys.DELETE}

_TOOLTIPS = {
    Tool.SPLIT: "Cuts an object along a line that you draw through it. The larger part keeps its "
    "number.",
    Tool.MERGE: "Makes one object of two that you click, or of all that you draw a line through. "
    "It has the number of the first.",
    Tool.DELETE: "Makes background of an object that you click, or of all that you draw a line "
    "through.",
}
_ALL = (
    "Acts on the shown plane of the result; what was repaired is paint in your labels, to train "
    "on. Undo takes it back."
)


class RepairRow(QWidget):
    """Three buttons beside one another; the one whose tool is held is pressed down.

    Parameters
    ----------
    workbench, repairing
        What is chosen, and what works on it.
    others
        Keys of the step that are bound with those of the tools → what they do.
    """

    def __init__(
        self,
        workbench: Workbench,
        repairing: Repairing,
        others: dict[str, Callable[[], None]],
    ) -> None:
        super().__init__()
        self.repairing = repairing
        self.buttons = {tool: QPushButton(tool.value) for tool in Tool}
        self._glass = LineGlass()
        tools = {key: partial(self._on_pressed, tool) for tool, key in KEYS.items()}
        self.keys = keys.ViewerKeys(workbench.viewer, others | tools)
        self._canvas: QWidget | None = None  # that is listened to while a tool is held
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for button in self.buttons.values():  # in no group: Tab would skip the others
            button.setCheckable(True)
            button.clicked.connect(self._on_clicked)
            row.addWidget(button)
        repairing.taken.connect(self.refresh)
        repairing.drawn.connect(self._on_drawn)
        self.refresh()

    def refresh(self) -> None:
        """Show which tool is held, and whether one can be taken."""
        reason, held = self.repairing.why_not(), self.repairing.tool
        for tool, button in self.buttons.items():
            key = f" Key: {KEYS[tool]}." if KEYS[tool] in self.keys else ""
            set_ready(button, reason, f"{_TOOLTIPS[tool]} {_ALL}{key}")
            button.setChecked(tool is held)
        self._listen(None if held is None else next(iter(canvases(self)), None))

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802 Qt
        """Lay the tool down when Escape is pressed on the canvas; napari goes on as ever."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            self._end_at(event)
        return super().eventFilter(watched, event)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802 Qt
        """Lay the tool down when Escape is pressed on a button."""
        if event is not None and not self._end_at(event):
            super().keyPressEvent(event)

    def release(self) -> None:
        """Let go of the keys and the canvas."""
        self._listen(None)
        self.keys.release()
        self._glass.hide()
        self.repairing.taken.disconnect(self.refresh)
        self.repairing.drawn.disconnect(self._on_drawn)

    def _on_clicked(self) -> None:
        pressed = self.sender()
        self._on_pressed(next(tool for tool, button in self.buttons.items() if button is pressed))

    def _on_pressed(self, tool: Tool) -> None:
        self.repairing.take(tool)
        self.refresh()

    def _end_at(self, event: QKeyEvent) -> bool:
        is_escape = event.key() == Qt.Key.Key_Escape
        if is_escape:
            self.repairing.lay_down()
        return bool(is_escape)

    def _listen(self, canvas: QWidget | None) -> None:
        if canvas is self._canvas:
            return
        if self._canvas is not None:
            self._canvas.removeEventFilter(self)
        self._canvas = canvas
        if canvas is not None:
            canvas.installEventFilter(self)

    def _on_drawn(self, spots: Spots) -> None:
        canvas = next(iter(canvases(self)), None)
        if spots and canvas is not None:
            self._glass.show(canvas, spots)
        else:
            self._glass.hide()
