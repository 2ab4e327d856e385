"""Go through a whole session in a real viewer, and take the pictures of docs/tutorial.md.

Everything is done as a person would: buttons are clicked, keys pressed, strokes drawn with the
mouse on the canvas. Takes about six minutes on two cores. Needs a screen, or on Linux
`xvfb-run -s "-screen 0 1600x1200x24" python -m docs.make_tutorial`.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import Qt

from benchmarks.person import free_line, pause, wait_until
from benchmarks.session import PICTURES, Session
from napari_unet.config import Task, Unpainted
from napari_unet.engine.scores import Comparison, evaluate_objects
from napari_unet.io.samples import synthetic_cells

FRESH = 6  # a plane of the sample without strokes
_SCORES = ("seg", "average_precision", "mean_average_precision", "foreground_iou")
_LOOK = 15  # seconds into the training; it ends by itself when what is painted is learned


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
    tell_scores(session, truth)
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
    session.fill(truth[FRESH] == _inner_cell(truth[FRESH]))
    session.press(Qt.Key.Key_G)
    session.draw(free_line(truth[FRESH] == 0))
    pause(1)
    session.picture("2-paint", step="Labels")


def train(session: Session, seconds: int) -> None:
    """Train, and look at the preview meanwhile."""
    session.write("Train", "Time, s", seconds)
    begin = time.monotonic()
    session.click("Train", "Train on labels")
    layers = session.viewer.layers
    wait_until(lambda: "preview" in layers and layers["preview"].data.any())
    print(f"first preview after {time.monotonic() - begin:.1f} s", flush=True)
    wait_until(lambda: time.monotonic() - begin > _LOOK)
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
        session.fill(truth[plane] == cell)
    session.picture("6-correct", step="Correct")
    session.write("Train", "Time, s", 60)
    session.click("Train", "Train on labels")
    session.wait()
    session.picture("7-train-again", step="Train")


def tell_scores(session: Session, truth: Any) -> None:
    """Print the scores of the result on all planes."""
    result = session.dock.workbench.choices.result
    assert result is not None
    pairs = (
        Comparison.read(*planes, Task.OBJECTS, Unpainted.BACKGROUND)
        for planes in zip(result.data, truth, strict=True)
    )
    scores = evaluate_objects(pairs).as_dict()
    print(", ".join(f"{name} {scores[name]:.3f}" for name in _SCORES), flush=True)


def compare(session: Session, truth: Any) -> None:
    """Segment anew, and compare with the truth, which a made-up sample has."""
    session.click("Segment", "Segment stack")
    session.wait()
    tell_scores(session, truth)
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
    session.export()
    session.picture("9-export", step="Export")


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


if __name__ == "__main__":
    main()
