"""A window that is killed while a person paints, and the strokes that the next one brings back.

    python -m benchmarks.kill_window FOLDER JOURNAL SEED     # the window that `kills` kills

What is painted is noted in a journal, outside of the program's own folders: after each stroke the
pixels that it has changed, and when. The next window is asked to bring the strokes back by the
button that offers them, and notes what it got (nothing is offered of labels that were exported and
not painted on since: they are in the file); each pixel of it must have a value that it had less
than five seconds before the kill, or later. Training, segmenting and exporting run meanwhile.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int64]

PLANES, SIDE = 3, 192
OLDEST = 5.0  # seconds: what is older must be there
START = "start.npz"
DOING = "doing.json"
RESULT = "exported {}.tif"


@dataclass(slots=True)
class Expected:
    """The labels after each action, and when it had ended, seconds since the epoch."""

    states: list[Labels]
    times: list[float]
    is_new: bool = False  # nothing was brought back
    begun: dict[str, Any] = field(default_factory=dict)  # an action that had not ended

    def lost(self, found: Labels, killed: float) -> float | None:
        """Return the age of the oldest action that is missing, seconds; 0: none is.

        None: the labels are wrong, and nothing that was missing would explain them.
        """
        for first in range(len(self.states) - 1, -1, -1):
            allowed = np.zeros(found.shape, bool)
            for state in self.states[first:]:
                allowed |= found == state
            if self.begun.get("what") == "paint":
                allowed |= found == self.begun["label"]
            elif self.begun and first:
                allowed |= found == self.states[first - 1]  # an undo
            if allowed.all():
                is_last = first + 1 == len(self.states)
                return 0.0 if is_last else killed - self.times[first + 1]
        return None


def read_journal(journal: Path) -> Expected | None:
    """Return what a window noted before it was killed; None: it had not begun to paint."""
    if not (journal / START).exists():
        return None
    with np.load(journal / START) as noted:
        state = noted["labels"].astype(np.int64)
        expected = Expected([state], [float(noted["time"])], bool(noted["is_new"]))
    entries = sorted(journal.glob("[0-9]*.npz"))
    for entry in entries:
        state = state.copy()
        with np.load(entry) as noted:
            state.flat[noted["where"]] = noted["values"]
            expected.times.append(float(noted["time"]))
        expected.states.append(state)
    if (journal / DOING).exists():
        begun = json.loads((journal / DOING).read_text())
        if begun["number"] > len(entries):
            expected.begun = begun
    return expected


class Journal:
    """Notes what is painted; each file appears whole."""

    def __init__(self, folder: Path, labels: npt.NDArray[Any], *, is_new: bool = True) -> None:
        self._folder = folder
        self._labels = labels
        self._before = labels.copy()
        self._number = 0
        self._write(START, labels=labels, is_new=is_new)

    def begin(self, what: str, label: int = 0) -> None:
        """Note that something is about to be done."""
        self._number += 1
        temporary = self._folder / "doing.part"
        temporary.write_text(json.dumps({"number": self._number, "what": what, "label": label}))
        temporary.replace(self._folder / DOING)

    def end(self) -> None:
        """Note what it has changed."""
        where = np.flatnonzero(self._labels != self._before)
        self._before.flat[where] = self._labels.flat[where]
        self._write(f"{self._number:06}.npz", where=where, values=self._labels.flat[where])

    def _write(self, name: str, **arrays: Any) -> None:
        temporary = self._folder / f"part-{name}"
        np.savez(temporary, time=time.time(), **arrays)
        temporary.replace(self._folder / name)


def work(folder: Path, journal: Path, seed: int) -> None:
    """Bring back what there is, then paint until the kill comes."""
    from qtpy.QtWidgets import QFileDialog  # noqa: PLC0415  # only here is a window

    from benchmarks.person import Person, wait_until  # noqa: PLC0415
    from benchmarks.random_hands import TINY, TINY_TRAINING  # noqa: PLC0415
    from napari_unet.io.library import FOLDER_VARIABLE  # noqa: PLC0415
    from napari_unet.io.samples import synthetic_cells  # noqa: PLC0415
    from napari_unet.io.unsaved import find_leftovers, usual_folder  # noqa: PLC0415
    from napari_unet.ui.labels.step import LabelsStep  # noqa: PLC0415
    from napari_unet.ui.train.step import TrainStep  # noqa: PLC0415

    os.environ[FOLDER_VARIABLE] = str(folder / "models")
    is_left = bool(find_leftovers(usual_folder()))
    person = Person()
    sample = synthetic_cells(seed=0, planes=PLANES, shape=(SIDE, SIDE))
    person.viewer.add_image(sample.image, name="cells")
    steps = {type(step): step for step in person.dock.steps}
    if is_left:
        offer: Any = steps[LabelsStep]
        wait_until(lambda: bool(offer.recovery.offered))
        person.click("Labels", "Bring them back")
        wait_until(lambda: person.labels is not None)
    else:
        person.click("Labels", "New labels")
    person.dock.workbench.choose(start=TINY)
    train: Any = steps[TrainStep]
    train.settings.train.set_value(replace(TINY_TRAINING, seconds=5))
    chooser: Any = QFileDialog  # answered in place of the person
    files = (str(journal / RESULT.format(number)) for number in count())
    chooser.getSaveFileName = lambda *_, **__: (next(files), "")
    noted = Journal(journal, person.labels.data, is_new=not is_left)
    hands = _Hands(person, noted, sample.truth, seed)
    while True:
        hands.act()


class _Hands:
    """Paint, undo, and press what runs beside it, in random order."""

    def __init__(self, person: Any, journal: Journal, truth: npt.NDArray[Any], seed: int) -> None:
        self._person = person
        self._journal = journal
        self._truth = truth
        self._rng = np.random.default_rng(seed)
        self._plane = 0

    def act(self) -> None:
        """Do one thing; mostly, paint a stroke."""
        chance = self._rng.random()
        if chance < 0.12:
            self._take_back()
        elif chance < 0.25:
            self._press()
        elif chance < 0.35:
            self._plane = int(self._rng.integers(PLANES))
            self._person.show_plane(self._plane)
        else:
            self._paint()

    def _paint(self) -> None:
        """Paint background where there is none, a cell, or erase."""
        from qtpy.QtCore import Qt  # noqa: PLC0415

        from benchmarks.person import free_line  # noqa: PLC0415

        keys = [Qt.Key.Key_G, Qt.Key.Key_N, Qt.Key.Key_N, Qt.Key.Key_D]
        key = keys[self._rng.integers(len(keys))]
        truth = self._truth[self._plane]
        cell = int(self._rng.integers(1, truth.max() + 1))
        stroke = free_line(truth == (0 if key is Qt.Key.Key_G else cell))
        shift = self._rng.integers(-8, 9, 2)
        self._person.press(key)
        self._journal.begin("paint", int(self._person.labels.selected_label))
        self._person.draw([(y + shift[0], x + shift[1]) for y, x in stroke])
        self._journal.end()

    def _take_back(self) -> None:
        self._journal.begin("undo")
        self._person.labels.undo()
        self._journal.end()

    def _press(self) -> None:
        """Press one of the buttons that start something, if one can be pressed."""
        buttons = [("Train", "Train on labels"), ("Segment", "Segment stack"), ("Export", "Export")]
        wanted = buttons[self._rng.integers(len(buttons))]
        step = self._person.step(wanted[0])
        from qtpy.QtWidgets import QPushButton  # noqa: PLC0415

        for button in step.findChildren(QPushButton):
            if button.text().replace("&", "").startswith(wanted[1]) and button.isEnabled():
                button.click()
                return


if __name__ == "__main__":
    work(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
