"""Make docs/images/dock.png by driving a real viewer as a person would.

Needs a screen, or on Linux `xvfb-run -s "-screen 0 1600x1200x24" python docs/make_screenshot.py`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["NAPARI_CONFIG"] = ""  # napari's own settings, not those of whoever runs this

import napari
from qtpy.QtWidgets import QApplication, QLabel, QPushButton, QWidget

PICTURE = Path(__file__).parent / "images" / "dock.png"
STEPS = 300  # about two minutes of training on two cores
LONG = 3600  # seconds


def main(theme: str = "dark") -> None:
    """Open the sample, train on its strokes, segment it, and take a picture of the window."""
    viewer = napari.Viewer(show=True)
    viewer.theme = theme
    viewer.window.resize(1300, 860)
    _, dock = viewer.window.add_plugin_dock_widget("napari-unet-paint", "U-Net Paint")
    viewer.open_sample("napari-unet-paint", "cells")
    viewer.dims.set_current_step(0, 4)  # a plane with strokes
    write(dock, "Steps", STEPS)
    write(dock, "Time, s", LONG)
    press(dock, "Train on labels")
    press(dock, "Segment stack")
    viewer.layers["strokes"].visible = False
    viewer.reset_view()
    write(dock, "Time, s", 60)  # what people find there
    pause(1)
    PICTURE.parent.mkdir(exist_ok=True)
    viewer.screenshot(str(PICTURE), canvas_only=False, flash=False)
    viewer.close()


def write(dock: QWidget, label: str, value: float) -> None:
    """Write a number into the field with this label."""
    fields: dict[str, Any] = {text.text(): text.buddy() for text in dock.findChildren(QLabel)}
    fields[label].setValue(value)


def press(dock: QWidget, text: str) -> None:
    """Press a button as soon as it can be pressed, and wait until its work is done."""
    buttons = {button.text(): button for button in dock.findChildren(QPushButton)}
    wait_until(buttons[text].isEnabled)
    buttons[text].click()
    wait_until(lambda: not buttons["Stop"].isEnabled() and buttons[text].isEnabled())


def wait_until(done: Callable[[], bool]) -> None:
    """Let the window live until `done`."""
    end = time.monotonic() + LONG
    while not done():
        if time.monotonic() > end:
            raise TimeoutError
        pause(0.01)


def pause(seconds: float) -> None:
    """Let the window live for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.005)


if __name__ == "__main__":
    main(*sys.argv[1:])
