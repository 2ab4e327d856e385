"""A folder of files segmented in the window, by mouse and keys, as `many_files --window` wants it.

    xvfb-run -a python -m benchmarks.files_in_window IMAGES RESULTS --model light

Ends with status 1 if a file failed, as the command line does.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from qtpy.QtCore import Qt

from benchmarks.person import MOUSE_AND_KEYS, Person, wait_until
from napari_unet.io.batch_summary import Status
from napari_unet.ui.segment.files_dialog import FilesButton


def segment(images: Path, results: Path, model: str) -> int:
    """Click through it; return how many files failed."""
    person = Person()
    person.pick("Model", "Start from", model)
    person.click("Segment", "Segment files")
    button: FilesButton = person.step("Segment").findChild(FilesButton)
    dialog = button.dialog
    assert dialog is not None
    form = dialog.form
    for line, path in ((form.images.line, images), (form.folder.line, results)):
        line.setFocus()
        MOUSE_AND_KEYS.keyClicks(line, str(path))
        MOUSE_AND_KEYS.keyClick(line, Qt.Key.Key_Tab)
    form.tables.setChecked(True)
    wait_until(dialog.start.isEnabled, dialog.hint.text)
    MOUSE_AND_KEYS.mouseClick(dialog.start, Qt.MouseButton.LeftButton)
    person.wait()
    rows = dialog.table.outcomes
    ended = [rows.ended(row).outcome for row in range(rows.rowCount())]
    print(dialog.hint.text(), flush=True)
    person.viewer.close()
    return sum(outcome.status is Status.FAILED for outcome in ended)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--model", default="light")
    wish = parser.parse_args()
    sys.exit(bool(segment(wish.images, wish.results, wish.model)))


if __name__ == "__main__":
    main()
