"""Train on two images, segment a folder, measure and repair in a real viewer, with pictures.

Everything is done with mouse and keys; the pictures are those of docs/several_images.md,
docs/many_files.md and docs/tutorial.md (*Repair in seconds*). Takes about two minutes on two
cores. Needs a screen, or on Linux
`xvfb-run -s "-screen 0 1600x1200x24" python -m docs.make_several_images`.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from qtpy.QtCore import QPoint, Qt

from benchmarks.person import MOUSE_AND_KEYS, free_line, pause, wait_until
from benchmarks.session import PICTURES, Session
from napari_unet.io.samples import Sample, synthetic_cells
from napari_unet.ui.segment.files_dialog import FilesButton, FilesDialog

SHAPES = {"monday": (256, 256), "tuesday": (200, 320)}
FILES = 12  # in the folder
CELLS = 4  # painted on each image


def main() -> None:
    """Paint two images, train on both, segment a folder, measure, repair, train again, export."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--theme", default="dark", choices=("dark", "light"))
    parser.add_argument("--pictures", type=Path, default=PICTURES)
    parser.add_argument("--seconds", type=int, default=60, help="of a training, at most")
    wish = parser.parse_args()
    session = Session(wish.pictures, wish.theme)
    samples = {
        name: synthetic_cells(seed=seed, planes=2, shape=shape)
        for seed, (name, shape) in enumerate(SHAPES.items(), start=1)
    }
    for name, sample in samples.items():
        paint(session, name, sample)
    train(session, wish.seconds)
    session.picture("several-images-trained", step="Train")
    with tempfile.TemporaryDirectory() as folder:
        segment_files(session, Path(folder))
    measure(session)
    repair(session, samples["tuesday"])
    train(session, wish.seconds)
    export(session)
    session.viewer.close()


def paint(session: Session, name: str, sample: Sample) -> None:
    """Open an image, make labels for it, and paint some cells and background."""
    viewer = session.viewer
    for layer in viewer.layers:
        layer.visible = False
    viewer.add_image(sample.image, name=name)
    picker: Any = session.step("Image").picker  # type: ignore[attr-defined]
    if picker.currentText() != name:
        picker.setCurrentIndex(picker.findText(name))
        picker.activated.emit(picker.currentIndex())
    session.click("Labels", "New labels")
    session.show_plane(0)
    session.labels.brush_size = 6
    truth = sample.truth[0]
    for cell in inner_cells(truth)[:CELLS]:
        session.press(Qt.Key.Key_N)
        session.fill(truth == cell)
    session.press(Qt.Key.Key_G)
    for half in (slice(None, len(truth) // 2), slice(len(truth) // 2, None)):
        ground = np.zeros_like(truth, dtype=bool)
        ground[half] = truth[half] == 0
        session.draw(free_line(ground))
    pause(1)


def train(session: Session, seconds: int) -> None:
    """Train on all pairs."""
    session.write("Train", "Time, s", seconds)
    session.click("Train", "Train on labels")
    session.wait()


def segment_files(session: Session, folder: Path) -> None:
    """Segment a folder of files, of which one is broken."""
    (folder / "images").mkdir()
    for number in range(FILES):
        sample = synthetic_cells(seed=10 + number, planes=1, shape=(200 + 16 * number, 240))
        path = folder / "images" / f"field {number + 1:02}.tif"
        tifffile.imwrite(path, sample.image[0], photometric="minisblack")
    path.write_bytes(path.read_bytes()[:5000])
    session.click("Segment", "Segment files")
    button: Any = session.step("Segment").findChild(FilesButton)
    dialog: FilesDialog = button.dialog
    for line, text in (
        (dialog.form.images.line, str(folder / "images")),
        (dialog.form.folder.line, str(folder / "labels")),
    ):
        line.setFocus()
        MOUSE_AND_KEYS.keyClicks(line, text)
        MOUSE_AND_KEYS.keyClick(line, Qt.Key.Key_Tab)
    MOUSE_AND_KEYS.mouseClick(dialog.form.tables, Qt.MouseButton.LeftButton, pos=QPoint(8, 8))
    wait_until(dialog.start.isEnabled, dialog.hint.text)
    MOUSE_AND_KEYS.mouseClick(dialog.start, Qt.MouseButton.LeftButton)
    session.wait()
    dialog.table.selectRow(0)
    dialog.resize(620, 640)
    pause(0.8)
    session.keep("many-files", session.look_at(dialog))
    print(dialog.hint.text())
    assert len(list((folder / "labels").rglob("*.csv"))) == FILES  # one is the summary
    dialog.close()


def measure(session: Session) -> None:
    """Segment the stack on screen, measure it, and go to an object by its row."""
    session.click("Segment", "Segment stack")
    session.wait()
    step: Any = session.step("Measure")
    step.fold.fold.expand(animate=False)
    session.click("Measure", "Measure")
    session.wait()
    table = step.results.table
    table.scrollTo(table.model().index(3, 0))
    place = table.visualRect(table.model().index(3, 1)).center()
    MOUSE_AND_KEYS.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    pause(0.5)
    result = session.dock.workbench.choices.result
    assert result is not None
    row = table.model().index(3, 0).data()
    assert str(result.selected_label) == str(row), (result.selected_label, row)


def repair(session: Session, sample: Sample) -> None:
    """Split an object, take that back, merge two, take that back, and split again."""
    result: Any = session.dock.workbench.choices.result
    session.show_plane(0)
    cell = inner_cells(sample.truth[0])[CELLS]
    y, x = (round(float(n.mean())) for n in np.nonzero(sample.truth[0] == cell))
    before = result.data[0].copy()
    number = before[y, x]
    line = [(float(y + dy), float(x)) for dy in range(-40, 41, 8)]
    session.click("Correct", "Split")
    session.drag(line)
    pause(1)
    assert len(np.unique(result.data[0][before == number])) == 2, "it is not split"
    session.picture("repair", step="Correct")
    session.undo()
    assert np.array_equal(result.data[0], before), "undo does not take the split back"
    session.click("Correct", "Merge")
    session.drag(line)
    pause(1)
    session.undo()
    assert np.array_equal(result.data[0], before), "undo does not take the merge back"
    session.press(Qt.Key.Key_Escape)


def export(session: Session) -> None:
    """Segment again, and export the labels."""
    session.click("Segment", "Segment stack")
    session.wait()
    session.export()


def inner_cells(truth: Any) -> list[int]:
    """Return the cells away from the border, the largest first."""
    border = set(np.unique(np.concatenate([truth[0], truth[-1], truth[:, 0], truth[:, -1]])))
    areas = np.bincount(truth.ravel())
    inner = [cell for cell in range(1, len(areas)) if cell not in border and areas[cell]]
    return sorted(inner, key=lambda cell: -areas[cell])


if __name__ == "__main__":
    main()
