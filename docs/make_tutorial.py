"""Go through a whole session in a real viewer, and take the pictures of docs/tutorial.md.

Everything is done as a person would: buttons are clicked, keys pressed, strokes drawn with the
mouse on the canvas. Takes about six minutes on two cores. Needs a screen, or on Linux
`xvfb-run -s "-screen 0 1600x1200x24" python docs/make_tutorial.py`.
"""

from __future__ import annotations

import argparse
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
import tifffile
from PIL import Image
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QFileDialog, QLabel, QPushButton, QScrollArea, QWidget
from scipy import ndimage

from napari_unet.io.samples import synthetic_cells
from napari_unet.ui.dock import UNetPaint
from napari_unet.ui.jobs.runner import JobState
from napari_unet.ui.steps.step import Step

PICTURES = Path(__file__).parent / "images"
MOUSE_AND_KEYS: Any = QTest  # its overloads know no optional widgets
LONG = 900.0  # seconds
FRESH = 6  # a plane of the sample without strokes


class Session:
    """A person in front of the viewer."""

    def __init__(self, pictures: Path, theme: str) -> None:
        self._pictures = pictures
        self.viewer: Any = napari.Viewer(show=True)
        self.viewer.theme = theme
        self.viewer.window.resize(1300, 980)
        _, dock = self.viewer.window.add_plugin_dock_widget("napari-unet-paint", "U-Net Paint")
        self.dock: UNetPaint = dock
        self._canvas = _canvas(self.viewer.window)
        self.wait()

    def step(self, title: str) -> Step:
        """Return the step of this title, scrolled into sight."""
        step = next(step for step in self.dock.steps if step.title.text() == title)
        self.dock.findChild(QScrollArea).ensureWidgetVisible(step, 0, 0)
        pause(0.1)
        return step

    def button(self, title: str, start: str) -> QPushButton:
        """Return the button of a step whose text begins like this."""
        found: list[QPushButton] = self.step(title).findChildren(QPushButton)
        return next(b for b in found if b.text().replace("&", "").startswith(start))

    def click(self, title: str, start: str) -> None:
        """Click a button of a step as soon as it can be clicked."""
        button = self.button(title, start)
        wait_until(button.isEnabled)
        self.dock.findChild(QScrollArea).ensureWidgetVisible(button)
        pause(0.1)
        MOUSE_AND_KEYS.mouseClick(button, Qt.MouseButton.LeftButton)

    def wait(self) -> None:
        """Wait until nothing runs any more."""
        pause(0.3)
        wait_until(lambda: self.dock.workbench.runner.state is JobState.IDLE)
        pause(0.5)

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
        self.viewer.layers.selection.active = self.dock.workbench.choices.labels
        self.viewer.layers.selection.active.mode = "paint"
        places = [self._on_canvas(point) for point in points]
        left = Qt.MouseButton.LeftButton
        MOUSE_AND_KEYS.mouseMove(self._canvas, places[0])
        MOUSE_AND_KEYS.mousePress(self._canvas, left, Qt.KeyboardModifier.NoModifier, places[0])
        for place in places[1:]:
            MOUSE_AND_KEYS.mouseMove(self._canvas, place)
            pause(0.02)
        MOUSE_AND_KEYS.mouseRelease(self._canvas, left, Qt.KeyboardModifier.NoModifier, places[-1])
        pause(0.2)

    def picture(self, name: str, *, step: str) -> None:
        """Take a picture of the window with this step in sight."""
        self.step(step)
        pause(0.8)
        PICTURES.mkdir(exist_ok=True)
        shot = Image.fromarray(self.viewer.screenshot(canvas_only=False, flash=False)[..., :3])
        colours = shot.quantize(255, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        colours.save(self._pictures / f"{name}.png", optimize=True)
        print(f"{name}: {self.dock.progress.status.text()}", flush=True)

    def _on_canvas(self, point: tuple[float, float]) -> QPoint:
        layer = self.dock.workbench.choices.image
        assert layer is not None
        plane = self.viewer.dims.current_step[0]
        world = layer.data_to_world((plane, *point))[-2:]
        camera = getattr(self.viewer, "scene", self.viewer).camera  # napari < 0.9: viewer.camera
        offset = (np.array(world) - np.array(camera.center[-2:])) * camera.zoom
        middle = self._canvas.height() / 2, self._canvas.width() / 2
        return QPoint(round(middle[1] + offset[1]), round(middle[0] + offset[0]))


def main() -> None:
    """Open the sample, paint, train, segment, correct, train again, compare, export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--theme", default="dark", choices=("dark", "light"))
    parser.add_argument("--pictures", type=Path, default=PICTURES)
    parser.add_argument("--seconds", type=int, default=90, help="of the first training")
    arguments = parser.parse_args()
    session = Session(arguments.pictures, arguments.theme)
    truth = synthetic_cells().truth
    session.picture("1-start", step="Image")
    paint(session, truth)
    train(session, arguments.seconds)
    segment(session)
    correct(session, truth)
    compare(session, truth)
    export(session)
    session.viewer.close()


def paint(session: Session, truth: Any) -> None:
    """Open the sample with its strokes, and add a cell and some background to it."""
    session.click("Image", "Show me")
    wait_until(lambda: "strokes" in session.viewer.layers)
    session.show_plane(FRESH)
    session.viewer.layers["strokes"].brush_size = 6
    session.press(Qt.Key.Key_N)
    fill(session, truth[FRESH] == _inner_cell(truth[FRESH]))
    session.press(Qt.Key.Key_G)
    session.draw(_free_line(truth[FRESH]))
    pause(1)
    session.picture("2-paint", step="Labels")


def fill(session: Session, cell: Any) -> None:
    """Fill a cell with the brush, line by line."""
    for row in _rows(cell):
        session.draw(row)


def train(session: Session, seconds: int) -> None:
    """Train, and look at the preview meanwhile."""
    write(session, "Train", "Time, s", seconds)
    begin = time.monotonic()
    session.click("Train", "Train on labels")
    layers = session.viewer.layers
    wait_until(lambda: "preview" in layers and layers["preview"].data.any())
    print(f"first preview after {time.monotonic() - begin:.1f} s", flush=True)
    wait_until(lambda: time.monotonic() - begin > seconds / 2)
    session.picture("3-train", step="Train")
    session.wait()


def segment(session: Session) -> None:
    """Segment the stack."""
    session.show_plane(FRESH)
    session.click("Segment", "Segment stack")
    session.wait()
    session.viewer.layers["strokes"].visible = False
    session.picture("4-segment", step="Segment")


def correct(session: Session, truth: Any) -> None:
    """Go where the network is unsure, correct a mistake there, and train on."""
    session.click("Correct", "Suggest")
    session.wait()
    session.viewer.layers["strokes"].visible = True
    session.picture("5-suggest", step="Correct")
    plane = session.viewer.dims.current_step[0]
    session.show_plane(plane)
    session.click("Correct", "Take prediction")
    pause(2)
    wait_until(session.button("Correct", "Take prediction").isEnabled)
    merged = _merged(session.viewer.layers["strokes"].data[plane], truth[plane])
    print(f"plane {plane}: {len(merged)} cells to be painted again", flush=True)
    for cell in merged:
        session.press(Qt.Key.Key_N)
        fill(session, truth[plane] == cell)
    session.picture("6-correct", step="Correct")
    write(session, "Train", "Time, s", 60)
    session.click("Train", "Train on labels")
    session.wait()
    session.picture("7-train-again", step="Train")


def compare(session: Session, truth: Any) -> None:
    """Segment anew, and compare with the truth, which a made-up sample has."""
    session.click("Segment", "Segment stack")
    session.wait()
    image = session.dock.workbench.choices.image
    assert image is not None
    session.viewer.add_labels(truth, name="truth", scale=image.scale, units=image.units)
    session.viewer.layers["truth"].visible = False
    compare_step: Any = session.step("Compare")
    compare_step.result.value = session.dock.workbench.choices.result
    compare_step.truth.value = session.viewer.layers["truth"]
    session.viewer.layers["strokes"].visible = False
    session.click("Compare", "Compare")
    session.wait()
    session.picture("8-compare", step="Compare")


def export(session: Session) -> None:
    """Export the labels, and read the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cells labels.tif"
        chooser: Any = QFileDialog  # answered in place of the person
        chooser.getSaveFileName = lambda *_, **__: (str(path), "")
        session.click("Export", "Export")
        session.wait()
        session.picture("9-export", step="Export")
        labels, result = tifffile.imread(path), session.dock.workbench.choices.result
        assert result is not None
        assert np.array_equal(labels, result.data)
        print(f"exported {labels.shape} {labels.dtype}, {len(np.unique(labels)) - 1} objects")


def write(session: Session, title: str, label: str, value: float) -> None:
    """Write a number into the field with this label, by its keys."""
    labels = session.step(title).findChildren(QLabel)
    field: Any = next(text.buddy() for text in labels if text.text() == label)
    field.setFocus()
    field.selectAll()
    MOUSE_AND_KEYS.keyClicks(field, str(value))
    MOUSE_AND_KEYS.keyClick(field, Qt.Key.Key_Tab)
    pause(0.2)


def wait_until(done: Callable[[], bool]) -> None:
    """Let the window live until `done`."""
    end = time.monotonic() + LONG
    while not done():
        if time.monotonic() > end:
            raise TimeoutError
        pause(0.02)


def pause(seconds: float) -> None:
    """Let the window live for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.003)


def _canvas(window: Any) -> QWidget:
    """Return the widget that napari draws the layers on."""
    tops = QApplication.topLevelWidgets()
    found = [w for top in tops for w in top.findChildren(QWidget) if "Canvas" in type(w).__name__]
    assert found, window
    return next(widget for widget in found if widget.isVisible())


def _inner_cell(truth: Any) -> int:
    """Return a large cell away from the border."""
    border = set(np.unique(np.concatenate([truth[0], truth[-1], truth[:, 0], truth[:, -1]])))
    areas = np.bincount(truth.ravel())
    inner = [cell for cell in range(1, len(areas)) if cell not in border]
    return max(inner, key=lambda cell: areas[cell])


def _merged(labels: Any, truth: Any) -> list[int]:
    """Return the cells that lie in an object with others, all but the largest in each."""
    cells: dict[int, list[int]] = {}
    for cell in np.unique(truth[truth > 0]):
        values, pixels = np.unique(labels[truth == cell], return_counts=True)
        if values[pixels.argmax()] > 1:
            cells.setdefault(int(values[pixels.argmax()]), []).append(int(cell))
    areas = np.bincount(truth.ravel())
    return [cell for group in cells.values() for cell in sorted(group, key=areas.__getitem__)[:-1]]


def _rows(cell: Any) -> list[list[tuple[float, float]]]:
    """Return strokes that fill a cell from the inside."""
    rows: list[list[tuple[float, float]]] = []
    y, x = np.nonzero(cell)
    for row in range(y.min() + 3, y.max() - 2, 4):
        inside = x[y == row]
        if len(inside) > 7:
            columns = np.linspace(inside.min() + 3, inside.max() - 3, 6)
            rows.append([(float(row), float(column)) for column in columns])
    return rows


def _free_line(truth: Any) -> list[tuple[float, float]]:
    """Return a straight stroke through the background, where there is most of it."""
    depth = ndimage.distance_transform_edt(np.pad(truth == 0, 1))[1:-1, 1:-1]
    y, x = np.unravel_index(depth.argmax(), depth.shape)
    reach = depth.max() - 4  # pixels to either side; the brush has a width
    return [(float(y), float(column)) for column in np.linspace(x - reach, x + reach, 8)]


if __name__ == "__main__":
    main()
