"""Layers are removed in the canvas's own graphics context; elsewhere it ends the program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from napari.components import ViewerModel
from napari.layers import Image
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtGui import QOpenGLContext
from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import QDockWidget, QMainWindow, QTabWidget, QWidget
from vispy.app.canvas import MouseEvent

from napari_unet.ui.canvas import CanvasContext, StrokeEvents, forget_strokes

pytestmark = pytest.mark.viewer

DELETE = """
import os

import napari
import numpy as np
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QWidget

from napari_unet.ui.canvas import CanvasContext

viewer, inside = napari.Viewer(), QWidget()
viewer.window.add_dock_widget(inside)
context = CanvasContext(viewer, inside)
viewer.add_image(np.eye(8))
viewer.add_labels(np.ones((8, 8), int))
for deleted in range(2):
    for zoom in (10, 20, 30):  # draw
        viewer.camera.zoom = zoom
        QTest.qWait(100)
    if not deleted:
        viewer.layers.pop(0)  # what was drawn last is another
print("survived", flush=True)
os._exit(0)
"""


def test_the_program_survives_that_all_layers_but_one_are_deleted(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", DELETE],
        check=False,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout == "survived\n", done.stderr  # a segmentation fault before
    assert done.returncode == 0


@pytest.fixture
def window(qtbot: QtBot) -> QMainWindow:
    """A window with a canvas in its middle and another one in a dock."""
    window, dock, middle = QMainWindow(), QDockWidget(), QTabWidget()
    middle.addTab(QOpenGLWidget(), "canvas")
    dock.setWidget(QOpenGLWidget())
    window.setCentralWidget(middle)
    window.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, dock)
    qtbot.addWidget(window)
    window.show()
    return window


@pytest.mark.parametrize("floating", [False, True])
def test_a_layer_is_removed_in_the_context_of_the_canvas(
    window: QMainWindow, image: Image, qtbot: QtBot, *, floating: bool
) -> None:
    viewer, inside = ViewerModel(), QDockWidget()
    window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, inside)
    inside.setFloating(floating)
    canvas = window.findChild(QTabWidget).findChild(QOpenGLWidget)
    qtbot.waitUntil(canvas.isValid)
    context = CanvasContext(viewer, inside)
    current: list[bool] = []
    viewer.layers.events.removed.connect(lambda: current.append(is_current(canvas)))
    for used in (True, False):
        viewer.add_layer(image)
        canvas.doneCurrent()
        if not used:
            context.release()
        viewer.layers.remove(image)
    assert current == [True, False]


def test_without_a_window_there_is_nothing_to_be_done(image: Image, qtbot: QtBot) -> None:
    viewer, inside = ViewerModel(), QWidget()
    qtbot.addWidget(inside)
    context = CanvasContext(viewer, inside)
    viewer.add_layer(image)
    viewer.layers.remove(image)
    assert list(viewer.layers) == []
    context.release()


def is_current(canvas: QOpenGLWidget) -> bool:
    context = QOpenGLContext.currentContext()
    return context is not None and context == canvas.context()


@pytest.mark.parametrize("hovers", [True, False])
def test_the_mouse_events_of_a_stroke_are_forgotten_as_the_next_begins(
    viewer: ViewerModel, hovers: bool
) -> None:
    events = StrokeEvents(viewer)
    last: Any = None
    for _ in range(3):
        if hovers:
            if last is not None:
                last._forget_last_event()  # as vispy does at each move without a button
            last = MouseEvent("mouse_move", last_event=last)
        press = MouseEvent("mouse_press", last_event=last)
        for callback in viewer.mouse_drag_callbacks:
            callback(viewer, press)
        move = MouseEvent("mouse_move", last_event=press, press_event=press)
        last = MouseEvent("mouse_release", last_event=move, press_event=press)
    seen, known = [last], set()
    while seen:
        event = seen.pop()
        if event is not None and event not in known:
            known.add(event)
            seen += [event._last_event, event._press_event]
    assert len(known) == (4 if hovers else 5)  # the last stroke, and what was just before it
    events.release()
    assert forget_strokes not in viewer.mouse_drag_callbacks
