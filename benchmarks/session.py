"""A session in a real viewer of which pictures are taken, for the pages of docs/."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image
from qtpy.QtWidgets import QFileDialog

from benchmarks.person import Person, pause

PICTURES = Path(__file__).parents[1] / "docs" / "images"


class Session(Person):
    """A person who takes pictures."""

    def __init__(self, pictures: Path, theme: str = "dark") -> None:
        self._pictures = pictures
        super().__init__(theme)

    def picture(self, name: str, *, step: str) -> None:
        """Take a picture of the window with this step in sight."""
        self.step(step)
        pause(0.8)
        self.keep(name, self.look())

    def keep(self, name: str, picture: Image.Image) -> None:
        """Write a picture."""
        self._pictures.mkdir(exist_ok=True)
        median_cut, none = Image.Quantize.MEDIANCUT, Image.Dither.NONE
        colours = picture.quantize(255, method=median_cut, dither=none)
        colours.save(self._pictures / f"{name}.png", optimize=True)
        print(f"{name}: {self.dock.progress.status.text()}", flush=True)

    def export(self) -> None:
        """Export the result, and make sure that the file holds it."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "labels.tif"
            chooser: Any = QFileDialog  # answered in place of the person
            chooser.getSaveFileName = lambda *_, **__: (str(path), "")
            self.click("Export", "Export")
            self.wait()
            labels, result = tifffile.imread(path), self.dock.workbench.choices.result
        assert result is not None
        assert np.array_equal(labels, result.data)
        print(f"exported {labels.shape} {labels.dtype}, {len(np.unique(labels)) - 1} objects")
