"""A pane of glass on the canvas, to draw on: no layer is in the way, is selected or saved."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QColor, QPainter, QPainterPath, QPaintEvent, QPen
from qtpy.QtWidgets import QWidget

_LINES = ((QColor(0, 0, 0, 150), 4.0), (QColor(255, 221, 51), 1.8))  # seen on any image


class Glass(QWidget):
    """Lies on a canvas and is as large; the mouse does not feel it.

    What is drawn is the `outline` of a subclass, light on dark.
    """

    def __init__(self, canvas: QWidget) -> None:
        super().__init__(canvas)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setGeometry(canvas.rect())
        canvas.installEventFilter(self)

    def outline(self) -> QPainterPath:
        """Return what is drawn, logical pixels of the canvas; empty: nothing."""
        return QPainterPath()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802 Qt
        """Stay as large as the canvas."""
        canvas = self.parentWidget()
        if event is not None and event.type() == QEvent.Type.Resize and canvas is not None:
            self.setGeometry(canvas.rect())
        return super().eventFilter(watched, event)

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # noqa: N802 Qt
        """Draw the outline."""
        outline = self.outline()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for colour, width in _LINES:
            painter.setPen(QPen(colour, width))
            painter.drawPath(outline)
        painter.end()
