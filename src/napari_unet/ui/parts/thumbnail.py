"""Small pictures of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QColor, QImage, QPainter, QPaintEvent, QPalette, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_unet.engine.errors import printable

_SIDE = 84  # pixels
_GAP = 2
_FRAME = "#ff9d1e"  # stands out from grey values, whatever the theme


class Thumbnail(QWidget):
    """A square picture above its name; nothing but the name before there is one.

    Parameters
    ----------
    name, tooltip
        What it shows.
    """

    def __init__(self, name: str, tooltip: str) -> None:
        super().__init__()
        self._name = name
        self._picture: QImage | None = None
        self._frame = 0.0  # distance of the frame from the edge, share of the side; 0: none
        self.setToolTip(printable(tooltip))
        self.setAccessibleName(name)
        self.setAccessibleDescription(tooltip)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(_SIDE + _GAP + self.fontMetrics().height())

    def show_colours(self, colours: npt.NDArray[Any], *, margin: int = 0) -> None:
        """Show an image.

        Parameters
        ----------
        colours
            (Y, X, 4): red, green, blue, opacity from 0 to 1. Where it is not opaque, the window
            shines through.
        margin
            Width of what lies outside of a frame, pixels; 0: no frame.
        """
        pixels = np.ascontiguousarray((np.asarray(colours) * 255).round().astype(np.uint8))
        height, width = pixels.shape[:2]
        picture = QImage(pixels.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888)
        self._picture = picture.copy()  # the bytes above are gone soon
        self._frame = margin / width
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: ARG002, N802 Qt
        """Draw picture, frame and name."""
        painter = QPainter(self)
        box = QRectF((self.width() - self._side) / 2, 0, self._side, self._side)
        if self._picture is not None:
            painter.drawImage(box, self._picture)
        if self._frame:
            inset = self._frame * box.width()
            painter.setPen(QPen(QColor(_FRAME), 2))
            painter.drawRect(box.adjusted(inset, inset, -inset, -inset))
        below = QRectF(0, self._side + _GAP, self.width(), self.fontMetrics().height())
        painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
        painter.drawText(below, Qt.AlignmentFlag.AlignHCenter, self._name)
        painter.end()

    @property
    def _side(self) -> float:
        return float(min(_SIDE, self.width()))
