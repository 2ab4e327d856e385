"""Paint, train, segment in a real viewer, as the moving picture of the README.

    python -m docs.make_animation
    xvfb-run -s "-screen 0 1600x1200x24" python -m docs.make_animation     # without a screen

A person opens the sample without strokes, paints six cells and some background with the mouse,
trains, and segments the stack. A picture of the window is taken every so often, and all of them
become an animated WebP, `docs/images/paint-train-segment.webp`. Takes about a minute.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from PIL import Image
from qtpy.QtCore import Qt, QTimer

from benchmarks.newcomer import free_lines, inner_cells
from benchmarks.person import Person, free_line, pause, wait_until
from benchmarks.session import PICTURES
from napari_unet.io.samples import Sample, synthetic_cells

_PLANE = 5
_CELLS = 6
_WIDTH = 900  # of the pictures, pixels
_BETWEEN = 700  # ms from one picture to the next, each of which takes a while
_SHOWN = 260  # ms that a picture is shown
_LAST = 2500  # ms that the last one is
_SECONDS = 12  # of training, at most
_QUALITY = 45  # of WebP


class Film(Person):
    """A person who is filmed."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[Image.Image] = []
        self._is_shooting = False  # the window answers events meanwhile

    @contextmanager
    def filmed(self) -> Iterator[None]:
        """Take pictures while the block runs."""
        timer = QTimer()
        timer.setInterval(_BETWEEN)
        timer.timeout.connect(self.shoot)
        timer.start()
        try:
            yield
        finally:
            timer.stop()

    def shoot(self) -> None:
        """Take a picture, unless it is the same as the last."""
        if self._is_shooting:
            return
        self._is_shooting = True
        whole = self.look()
        self._is_shooting = False
        frame = whole.resize((_WIDTH, round(whole.height * _WIDTH / whole.width)))
        if not self.frames or frame.tobytes() != self.frames[-1].tobytes():
            self.frames.append(frame)


def main() -> None:
    """Read what is wished, and make the film."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=PICTURES / "paint-train-segment.webp")
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory() as data:
        os.environ["XDG_DATA_HOME"] = data  # nothing that the user has not saved is in the picture
        make(wish.output)


def make(output: Path) -> None:
    """Work, film it, and write the film."""
    film, sample = Film(), synthetic_cells()
    film.viewer.add_image(sample.image, name="cells", scale=(1, *sample.pixel_size))
    film.show_plane(_PLANE)
    film.click("Labels", "New labels")
    with film.filmed():
        work(film, sample)
    first, *others = film.frames
    times = [_SHOWN] * len(others) + [_LAST]
    first.save(
        output, save_all=True, append_images=others, duration=times, loop=0, quality=_QUALITY
    )
    print(f"{len(film.frames)} pictures, {output.stat().st_size / 1e6:.1f} MB", flush=True)
    film.viewer.close()


def work(film: Film, sample: Sample) -> None:
    """Paint, train, and segment."""
    truth: Any = sample.truth[_PLANE]
    film.labels.brush_size = 6
    for cell in islice(inner_cells(truth), _CELLS):
        film.press(Qt.Key.Key_N)
        film.fill(truth == cell)
    film.press(Qt.Key.Key_G)
    for stroke in free_lines(truth == 0, 3):
        film.draw(stroke)
    film.draw(free_line(truth == 0))
    pause(1)
    film.write("Train", "Time, s", _SECONDS)
    film.click("Train", "Train on labels")
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > 1)
    film.wait()
    film.click("Segment", "Segment stack")
    film.wait()
    film.labels.visible = False
    for plane in range(_PLANE, _PLANE + 4):
        film.show_plane(plane)
        pause(0.6)


if __name__ == "__main__":
    main()
