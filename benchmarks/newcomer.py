"""A newcomer's way through real images, click by click, in a real window.

    python -m benchmarks.newcomer usiigaci --output /tmp/newcomer [--seconds 40]
    xvfb-run -s "-screen 0 1600x1200x24" python -m benchmarks.newcomer isbi2012 --output FOLDER

Files are dropped onto the window, buttons clicked, strokes drawn with the mouse, as README and
docs/tutorial.md tell a newcomer. After each step the whole window is pictured in FOLDER, and a line
says what the dock's lines said. Pictures are made to be looked at: nothing is judged here. The
files are in ``$NAPARI_UNET_DATA``, or ``../shared/data`` beside the project.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from napari.qt.threading import WorkerBase
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QApplication, QDialog, QDialogButtonBox, QFileDialog, QRadioButton
from scipy import ndimage
from skimage.measure import find_contours, label
from skimage.morphology import skeletonize

from benchmarks.person import Person, Stroke, free_line, pause, wait_until
from napari_unet.ui.parts.text import Text
from napari_unet.ui.runner import JobState

DATA = Path(os.environ.get("NAPARI_UNET_DATA", Path(__file__).parents[2] / "shared" / "data"))
FIELDS = ("01", "02", "03", "05", "07")  # of usiigaci
SCRIBBLES = 6  # inside single cells
TOUCHING = 3  # cells painted whole
FINE = 8  # of the brush for them, pixels
MEMBRANE, INSIDE = 1, 2

Plane = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Way:
    """What is dropped onto the window, and what a newcomer sees in it."""

    image: Path
    truth: Path  # the file or folder that comes with the set
    truths: Plane  # (Z, Y, X): objects, 0 = background; or the two classes
    is_objects: bool
    planes: tuple[int, int]  # that are painted first, and while it trains


class Newcomer(Person):
    """A person whose every step is pictured and told."""

    def __init__(self, folder: Path, way: Way) -> None:
        self._folder, self._number, self._begun = folder, 0, time.monotonic()
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__()
        self.way = way
        self._dialogs = QTimer()
        self._dialogs.timeout.connect(self._answer_dialog)
        self._dialogs.start(1000)

    def see(self, what: str, title: str) -> None:
        """Picture the window with this step of the dock in sight, and tell its lines."""
        self.step(title)
        pause(0.8)
        self._number += 1
        self.look().save(self._folder / f"{self._number:02}-{what.replace(' ', '-')}.png")
        texts = self.step(title).findChildren(Text)
        lines = [text.text() for text in texts if text.isVisible() and text.text()]
        passed = time.monotonic() - self._begun
        said = " | ".join([*lines, f"below: {self.dock.progress.status.text()}"])
        print(f"{self._number:02} {what} ({passed:.0f} s): {said}", flush=True)

    def take_number(self, key: Qt.Key, strokes: Iterator[Stroke] | Sequence[Stroke]) -> None:
        """Press the key of a label, and draw with it."""
        self.press(key)
        for stroke in strokes:
            self.draw(stroke)

    def _answer_dialog(self) -> None:
        """Picture a dialog that napari opens, and say yes to U-Net Paint."""
        dialog = QApplication.activeModalWidget()
        if not isinstance(dialog, QDialog):
            return
        dialog.grab().save(str(self._folder / f"{self._number:02}-dialog.png"))
        print(f"   dialog: {dialog.windowTitle()}", flush=True)
        for choice in dialog.findChildren(QRadioButton):
            if "U-Net" in choice.text():
                choice.setChecked(True)
        box: Any = dialog.findChild(QDialogButtonBox)
        box.button(QDialogButtonBox.StandardButton.Ok).click()


def main() -> None:
    """Go one of the ways."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=("usiigaci", "isbi2012"))
    parser.add_argument("--output", type=Path, required=True, help="folder of the pictures")
    parser.add_argument("--seconds", type=int, default=40, help="of each training")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        way = cells(Path(folder)) if arguments.way == "usiigaci" else membranes()
        newcomer = Newcomer(arguments.output, way)
        begin(newcomer)
        train(newcomer, arguments.seconds)
        segment(newcomer)
        correct(newcomer)
        train_again(newcomer, arguments.seconds)
        compare(newcomer)
        export(newcomer, arguments.output / f"{arguments.way} labels.tif")
        close_while_segmenting(newcomer)


def cells(folder: Path) -> Way:
    """Return the way through some fields of cells, put into a folder of their own."""
    for kind in ("images", "labels"):
        (folder / kind).mkdir()
        for field in FIELDS:
            name = f"train_set{field}.tif"
            shutil.copy(DATA / "usiigaci" / kind / name, folder / kind / name)
    names = sorted((folder / "labels").iterdir())
    truths = np.stack([tifffile.imread(name) for name in names])
    return Way(folder / "images", folder / "labels", truths, is_objects=True, planes=(0, 2))


def membranes() -> Way:
    """Return the way through a stack of sections, in which 0 is membrane."""
    folder = DATA / "isbi2012"
    truth = folder / "train-labels.tif"
    truths = np.where(tifffile.imread(truth) == 0, MEMBRANE, INSIDE)
    return Way(folder / "train-volume.tif", truth, truths, is_objects=False, planes=(4, 14))


def begin(newcomer: Newcomer) -> None:
    """Drop the image, make labels, and paint."""
    newcomer.see("start", "Image")
    newcomer.drop(newcomer.way.image)
    newcomer.see("dropped", "Image")
    newcomer.show_plane(newcomer.way.planes[0])
    newcomer.click("Labels", "New labels")
    newcomer.see("new labels", "Labels")
    if not newcomer.way.is_objects:
        newcomer.pick("Labels", "Task", "Classes")
        newcomer.see("classes", "Labels")
    paint(newcomer, newcomer.way.planes[0])
    newcomer.see("painted", "Labels")


def paint(newcomer: Newcomer, plane: int) -> None:
    """Paint on a plane as the tutorial advises."""
    truth = newcomer.way.truths[plane]
    if newcomer.way.is_objects:
        newcomer.take_number(Qt.Key.Key_G, free_lines(truth == 0, 5))
        group = touching_cells(truth)
        newcomer.labels.brush_size = FINE
        newcomer.draw(around(truth, group))
        for cell in group:
            newcomer.press(Qt.Key.Key_N)
            newcomer.fill(truth == cell)
        single = (cell for cell in inner_cells(truth) if cell not in group)
        for cell, _ in zip(single, range(SCRIBBLES), strict=False):
            newcomer.take_number(Qt.Key.Key_N, [free_line(truth == cell)])
    else:
        newcomer.labels.brush_size = FINE // 2
        for stroke in along(truth == MEMBRANE, 6):  # New labels took the brush with class 1
            newcomer.draw(stroke)
        newcomer.take_number(Qt.Key.Key_C, free_lines(truth == INSIDE, 6))


def train(newcomer: Newcomer, seconds: int) -> None:
    """Train, paint on another plane meanwhile, look at a third, and stop."""
    newcomer.write("Train", "Time, s", seconds)
    begun = time.monotonic()
    newcomer.click("Train", "Train on labels")
    layers = newcomer.viewer.layers
    wait_until(lambda: "preview" in layers and bool(layers["preview"].data.any()))
    newcomer.see("first preview", "Train")
    newcomer.show_plane(newcomer.way.planes[1])
    paint_a_little(newcomer, newcomer.way.planes[1])
    newcomer.see("painting meanwhile", "Train")
    newcomer.show_plane(newcomer.way.planes[1] + 1)
    pause(5)
    newcomer.see("another plane", "Train")
    wait_until(lambda: time.monotonic() - begun > seconds)
    newcomer.stop()
    newcomer.see("stopped", "Train")


def paint_a_little(newcomer: Newcomer, plane: int) -> None:
    """Add two strokes of either kind."""
    truth = newcomer.way.truths[plane]
    if newcomer.way.is_objects:
        newcomer.take_number(Qt.Key.Key_G, free_lines(truth == 0, 2))
        for cell in list(inner_cells(truth))[:2]:
            newcomer.take_number(Qt.Key.Key_N, [free_line(truth == cell)])
    else:
        newcomer.take_number(Qt.Key.Key_C, along(truth == MEMBRANE, 2))
        newcomer.take_number(Qt.Key.Key_C, free_lines(truth == INSIDE, 2))


def segment(newcomer: Newcomer) -> None:
    """Segment the stack, looking while tiles come."""
    newcomer.show_plane(newcomer.way.planes[0])
    newcomer.click("Segment", "Segment stack")
    pause(3)
    newcomer.see("segmenting", "Segment")
    newcomer.wait()
    newcomer.see("segmented", "Segment")
    newcomer.labels.visible = False
    newcomer.see("only the result", "Segment")
    newcomer.labels.visible = True


def correct(newcomer: Newcomer) -> None:
    """Ask where to paint, take the prediction there, and repair it."""
    newcomer.click("Correct", "Suggest")
    newcomer.wait()
    newcomer.see("suggested", "Correct")
    plane = newcomer.viewer.dims.current_step[0]
    newcomer.show_plane(plane)
    newcomer.click("Correct", "Take prediction")
    pause(2)
    wait_until(newcomer.button("Correct", "Take prediction").isEnabled)
    newcomer.see("taken", "Correct")
    truth = newcomer.way.truths[plane]
    if newcomer.way.is_objects:
        newcomer.press(Qt.Key.Key_N)
        newcomer.fill(truth == touching_cells(truth)[0])
    else:
        newcomer.take_number(Qt.Key.Key_C, along(truth == MEMBRANE, 3))
    newcomer.see("repaired", "Correct")


def train_again(newcomer: Newcomer, seconds: int) -> None:
    """Train on, and segment anew."""
    newcomer.write("Train", "Time, s", seconds)
    newcomer.click("Train", "Train on labels")
    newcomer.wait()
    newcomer.see("trained again", "Train")
    newcomer.click("Segment", "Segment stack")
    newcomer.wait()
    newcomer.see("segmented again", "Segment")


def compare(newcomer: Newcomer) -> None:
    """Drop the truth that comes with the set, and compare with it."""
    newcomer.drop(newcomer.way.truth)
    newcomer.see("truth dropped", "Compare")
    step: Any = newcomer.step("Compare")
    dropped = newcomer.viewer.layers[-1]
    dropped.visible = False
    if step.truth.findText(dropped.name) < 0 or not newcomer.way.is_objects:
        image = newcomer.dock.workbench.choices.image
        assert image is not None
        dropped = newcomer.viewer.add_labels(newcomer.way.truths, name="truth", scale=image.scale)
    dropped.visible = False
    newcomer.pick("Compare", "Truth", dropped.name)
    newcomer.labels.visible = False
    newcomer.click("Compare", "Compare")
    newcomer.wait()
    newcomer.see("compared", "Compare")


def export(newcomer: Newcomer, path: Path) -> None:
    """Export the labels, and read the file."""
    chooser: Any = QFileDialog  # answered in place of the person
    chooser.getSaveFileName = lambda *_, **__: (str(path), "")
    newcomer.click("Export", "Export")
    newcomer.wait()
    newcomer.see("exported", "Export")
    labels, result = tifffile.imread(path), newcomer.dock.workbench.choices.result
    assert result is not None
    assert np.array_equal(labels, result.data)
    print(f"   {path.name}: {labels.shape} {labels.dtype}, {len(np.unique(labels))} values")


def close_while_segmenting(newcomer: Newcomer) -> None:
    """Close the window while it segments once more."""
    newcomer.show_plane(newcomer.way.planes[1])
    newcomer.click("Segment", "Segment")
    pause(1.5)
    newcomer.see("segmenting once more", "Segment")
    is_running = newcomer.dock.workbench.runner.state is not JobState.IDLE
    begun = time.monotonic()
    newcomer.viewer.close()
    pause(1)
    print(f"   closed in {time.monotonic() - begun - 1:.1f} s while it ran: {is_running}")
    WorkerBase.await_workers()  # as napari does before the program ends


def free_lines(area: Plane, count: int) -> Iterator[Stroke]:
    """Yield straight strokes, each where most of the area is left."""
    left = np.array(area, dtype=bool)
    for _ in range(count):
        stroke = free_line(left)
        yield stroke
        (y, first), (_, last) = stroke[0], stroke[-1]
        left[max(0, int(y) - 40) : int(y) + 40, max(0, int(first) - 40) : int(last) + 40] = False


def around(truth: Plane, cells: Sequence[int]) -> Stroke:
    """Return a stroke around some cells, as far as there is background."""
    away = ndimage.distance_transform_edt(~np.isin(truth, cells))
    ring = max(find_contours(away, FINE), key=len)[::8]
    return [(float(y), float(x)) for y, x in ring if truth[round(y), round(x)] == 0]


def along(membrane: Plane, count: int) -> Iterator[Stroke]:
    """Yield strokes along the middle of walls, the longest pieces between two junctions first."""
    middle = skeletonize(membrane)
    junctions = ndimage.convolve(middle.astype(int), np.ones((3, 3)), mode="constant") > 3
    pieces = label(middle & ~junctions, connectivity=2)
    for number in np.argsort(-np.bincount(pieces.ravel()))[1 : count + 1]:
        points = np.argwhere(pieces == number)
        _, _, axes = np.linalg.svd(points - points.mean(0), full_matrices=False)
        ordered = points[np.argsort(points @ axes[0])][3:-3:3]
        yield [(float(y), float(x)) for y, x in ordered]


def inner_cells(truth: Plane) -> Iterator[int]:
    """Yield cells away from the border, the largest first."""
    border = set(np.unique(np.concatenate([truth[0], truth[-1], truth[:, 0], truth[:, -1]])))
    for cell in np.argsort(-np.bincount(truth.ravel())):
        if cell and cell not in border:
            yield int(cell)


def touching_cells(truth: Plane) -> list[int]:
    """Return a few cells that touch one another, the first of them the largest such."""
    inner = list(inner_cells(truth))
    for cell in inner:
        around = truth[ndimage.binary_dilation(truth == cell, iterations=2)]
        others = [int(other) for other in np.unique(around) if other in inner and other != cell]
        if others:
            return [cell, *others][:TOUCHING]
    return inner[:TOUCHING]


if __name__ == "__main__":
    main()
