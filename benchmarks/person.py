"""A person in front of a real viewer with the dock: mouse and keyboard, and what is seen."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ["NAPARI_CONFIG"] = ""  # napari's own settings, not those of whoever runs this
os.environ["NAPARI_UNET_MODELS"] = tempfile.mkdtemp()

import napari
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageQt
from qtpy.QtCore import QEventLoop, QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QComboBox, QLabel, QPushButton, QScrollArea, QWidget
from scipy import ndimage

from napari_unet.ui.dock import UNetPaint
from napari_unet.ui.parts.folded import Folded
from napari_unet.ui.parts.step import Step
from napari_unet.ui.runner import JobState

__all__ = ["Person", "free_line", "pause", "rows", "wait_until"]

MOUSE_AND_KEYS: Any = QTest  # its overloads know no optional widgets
LONG = 900.0  # seconds

Mask = npt.NDArray[np.bool_]
Stroke = list[tuple[float, float]]
"""Points of an image, pixels (Y, X)."""


class Person:
    """Opens a viewer with the dock, and does there what people do."""

    def __init__(self, theme: str = "dark") -> None:
        self.viewer: Any = napari.Viewer(show=True)
        self.viewer.theme = theme
        self.viewer.window.resize(1300, 980)
        _, dock = self.viewer.window.add_plugin_dock_widget("napari-unet-paint", "U-Net Paint")
        self.dock: UNetPaint = dock
        self._canvas = _canvas(self.viewer.window)
        self.wait()

    @property
    def labels(self) -> Any:
        """The layer that is painted on."""
        return self.dock.workbench.choices.labels

    # The dock

    def step(self, title: str) -> Step:
        """Return the step of this title, scrolled into sight."""
        step = next(step for step in self.dock.steps if step.title.text() == title)
        self._scroll_to(step)
        return step

    def button(self, title: str, start: str) -> QPushButton:
        """Return the button of a step whose text begins like this."""
        found: list[QPushButton] = self.step(title).findChildren(QPushButton)
        return next(b for b in found if b.text().replace("&", "").startswith(start))

    def click(self, title: str, start: str) -> None:
        """Click a button of a step as soon as it can be clicked."""
        button = self.button(title, start)
        wait_until(button.isEnabled, button.toolTip)
        self._scroll_to(button)
        MOUSE_AND_KEYS.mouseClick(button, Qt.MouseButton.LeftButton)

    def write(self, title: str, label: str, value: float) -> None:
        """Write a number into the field with this label, by its keys."""
        field = self._field(title, label)
        field.setFocus()
        field.selectAll()
        MOUSE_AND_KEYS.keyClicks(field, str(value))
        MOUSE_AND_KEYS.keyClick(field, Qt.Key.Key_Tab)
        pause(0.2)

    def pick(self, title: str, label: str, name: str) -> None:
        """Pick a name in the box with this label."""
        box: QComboBox = self._field(title, label)
        box.setCurrentText(name)
        pause(0.2)

    def stop(self) -> None:
        """Press Stop, and wait until what runs has ended."""
        MOUSE_AND_KEYS.mouseClick(self.dock.progress.stop, Qt.MouseButton.LeftButton)
        self.wait()

    def wait(self) -> None:
        """Wait until nothing runs any more."""
        pause(0.3)
        wait_until(lambda: self.dock.workbench.runner.state is JobState.IDLE)
        pause(0.5)

    # The image

    def drop(self, *paths: Path) -> None:
        """Drop files or a folder onto the canvas."""
        urls = QMimeData()
        urls.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
        how = Qt.DropAction.CopyAction, urls, Qt.MouseButton.LeftButton
        middle, no_key = self._canvas.rect().center(), Qt.KeyboardModifier.NoModifier
        QApplication.sendEvent(self._canvas, QDragEnterEvent(middle, *how, no_key))
        QApplication.sendEvent(self._canvas, QDropEvent(QPointF(middle), *how, no_key))
        pause(1)

    def show_plane(self, plane: int) -> None:
        """Go to a plane and see it whole."""
        self.viewer.dims.set_current_step(0, plane)
        self.viewer.reset_view()
        pause(0.3)

    def press(self, key: Qt.Key) -> None:
        """Press a key on the canvas."""
        self._canvas.setFocus()
        MOUSE_AND_KEYS.keyClick(self._canvas, key)
        pause(0.2)

    def draw(self, points: Sequence[tuple[float, float]]) -> None:
        """Draw a stroke with the mouse through points of the image, pixels (Y, X)."""
        self.viewer.layers.selection.active = self.labels
        self.labels.mode = "paint"
        self.drag(points)

    def drag(self, points: Sequence[tuple[float, float]]) -> None:
        """Move the pressed mouse through points of the image, pixels (Y, X)."""
        places = [self._on_canvas(point) for point in points]
        left = Qt.MouseButton.LeftButton
        MOUSE_AND_KEYS.mouseMove(self._canvas, places[0])
        pause(0.02)  # a hover is seen as one: vispy then forgets the events of the stroke before
        MOUSE_AND_KEYS.mousePress(self._canvas, left, Qt.KeyboardModifier.NoModifier, places[0])
        for place in places[1:]:
            MOUSE_AND_KEYS.mouseMove(self._canvas, place)
            pause(0.02)
        MOUSE_AND_KEYS.mouseRelease(self._canvas, left, Qt.KeyboardModifier.NoModifier, places[-1])
        pause(0.2)

    def fill(self, cell: Mask) -> None:
        """Fill a cell with the brush, line by line."""
        for row in rows(cell, round(self.labels.brush_size)):
            self.draw(row)

    def undo(self) -> None:
        """Press Ctrl+Z on the canvas."""
        self._canvas.setFocus()
        MOUSE_AND_KEYS.keyClick(self._canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
        pause(0.5)

    def look(self) -> Image.Image:
        """Return a picture of the window."""
        return Image.fromarray(self.viewer.screenshot(canvas_only=False, flash=False)[..., :3])

    def look_at(self, window: QWidget) -> Image.Image:
        """Return a picture of a window of its own."""
        return ImageQt.fromqpixmap(window.grab()).convert("RGB")

    def _scroll_to(self, widget: QWidget) -> None:
        self._unfold(widget)
        area: Any = self.dock.findChild(QScrollArea)
        area.ensureWidgetVisible(widget, 0, 0)
        pause(0.1)

    def _unfold(self, widget: QWidget) -> None:
        parent = widget.parentWidget()
        while parent is not None:
            if isinstance(parent, Folded) and not parent.fold.isExpanded():
                MOUSE_AND_KEYS.mouseClick(parent.fold.toggleButton(), Qt.MouseButton.LeftButton)
                pause(0.2)  # its layout
            parent = parent.parentWidget()

    def _field(self, title: str, label: str) -> Any:
        labels = self.step(title).findChildren(QLabel)
        return next(text.buddy() for text in labels if text.text().replace("&", "") == label)

    def _on_canvas(self, point: tuple[float, float]) -> QPoint:
        layer = self.dock.workbench.choices.image
        assert layer is not None
        hidden = self.viewer.dims.current_step[: layer.ndim - 2]
        world = layer.data_to_world((*hidden, *point))[-2:]
        camera = getattr(self.viewer, "scene", self.viewer).camera  # napari < 0.9: viewer.camera
        offset = (np.array(world) - np.array(camera.center[-2:])) * camera.zoom
        middle = self._canvas.height() / 2, self._canvas.width() / 2
        return QPoint(round(middle[1] + offset[1]), round(middle[0] + offset[0]))


def wait_until(done: Callable[[], bool], why_not: Callable[[], str] = str) -> None:
    """Let the window live until `done`."""
    end = time.monotonic() + LONG
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(why_not())
        pause(0.02)


def pause(seconds: float) -> None:
    """Let the window live for so long: in a loop, as only that deletes what was let go of."""
    loop = QEventLoop()
    QTimer.singleShot(round(1000 * seconds), loop.quit)
    loop.exec()


def rows(cell: Mask, brush: int = 6) -> list[Stroke]:
    """Return strokes that fill a cell from the inside with a brush of this width, pixels."""
    strokes: list[Stroke] = []
    rim = brush // 2
    y, x = np.nonzero(cell)
    for row in range(y.min() + rim, y.max() - rim + 1, max(1, brush - 2)):
        inside = x[y == row]
        if len(inside) > brush:
            columns = np.linspace(inside.min() + rim, inside.max() - rim, 6)
            strokes.append([(float(row), float(column)) for column in columns])
    return strokes


def free_line(area: Mask) -> Stroke:
    """Return a straight stroke through an area, where there is most of it."""
    depth = ndimage.distance_transform_edt(np.pad(area, 1))[1:-1, 1:-1]
    y, x = np.unravel_index(depth.argmax(), depth.shape)
    reach = depth.max() - 4  # pixels to either side; the brush has a width
    return [(float(y), float(column)) for column in np.linspace(x - reach, x + reach, 8)]


def _canvas(window: Any) -> QWidget:
    """Return the widget that napari draws the layers on."""
    tops = QApplication.topLevelWidgets()
    found = [w for top in tops for w in top.findChildren(QWidget) if "Canvas" in type(w).__name__]
    assert found, window
    return next(widget for widget in found if widget.isVisible())
