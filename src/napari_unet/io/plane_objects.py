"""What writers of outlines share: rows come in, and each plane's objects come out."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet.engine.errors import FileError, LabelsError
from napari_unet.engine.measurements import ObjectRuns
from napari_unet.engine.stack import LabelCollector, RunLabels
from napari_unet.io.checks import check_labels, check_rows
from napari_unet.io.provenance import FORMAT
from napari_unet.io.stack import Layout
from napari_unet.io.unfinished import UNFINISHED

_LARGEST = int(np.iinfo(np.int32).max)


class OutlineWriter(ABC):
    """Takes labels plane by plane, and holds one plane, as runs of pixels.

    Parameters
    ----------
    layout
        Of all planes. Axes other than T, C and Z have no place in a file of outlines.

    Raises
    ------
    FileError
        If it has such axes.
    """

    def __init__(self, layout: Layout, name: str) -> None:
        if not set(layout.axes[:-2]) <= set("TCZ"):
            raise FileError(
                f"Outlines have a place along T, C and Z only, and '{name}' has the axes "
                f"{layout.axes}; name them, or save it as .tif instead."
            )
        self.layout = layout
        self._name = name
        self._plane = 0
        self._rows = 0  # of the plane that is being taken
        self._collector = LabelCollector(layout.plane_shape)
        self._notes: dict[str, Any] = {}

    @abstractmethod
    def take_plane(self, labels: RunLabels, runs: ObjectRuns, plane: int) -> None:
        """Write the objects of a plane."""

    def write(self, rows: npt.NDArray[Any]) -> None:
        """Write the next rows (y, X) of whole numbers, up to the end of a plane at most.

        Raises
        ------
        LabelsError
            If the numbers are negative, fractions, or need more than 31 bits.
        """
        check_rows(rows, self.layout.plane_shape, self._rows)
        if check_labels(rows) > _LARGEST:
            raise LabelsError(
                f"The objects in '{self._name}' have numbers above {_LARGEST}; number them anew "
                "(in Python: skimage.segmentation.relabel_sequential)."
            )
        self._collector.add(rows)
        self._rows += len(rows)
        if self._rows == self.layout.plane_shape[0]:
            labels = self._collector.labels()
            self.take_plane(labels, ObjectRuns.of(labels), self._plane)
            self._plane += 1
            self.drop_rows()

    def drop_rows(self) -> None:
        """Forget the rows of a plane that is not complete."""
        self._rows = 0
        self._collector = LabelCollector(self.layout.plane_shape)

    def note_unfinished(self, planes: Iterable[int]) -> None:
        """Let the file say which planes are not segmented to their end."""
        unfinished = sorted(planes)
        if unfinished:
            self._notes[UNFINISHED] = unfinished

    def note_provenance(self, text: str) -> None:
        """Let the file say what made it, given as a line of JSON."""
        self._notes[FORMAT] = json.loads(text)

    def check_complete(self) -> None:
        """Raise unless every plane was written."""
        if self._plane != self.layout.count:
            raise ValueError(f"{self._plane} of {self.layout.count} planes were written")

    def place(self, plane: int) -> dict[str, int]:
        """Return the index of a plane along each axis before Y and X, from 0."""
        leading = self.layout.leading_shape
        at = np.unravel_index(plane, leading) if leading else ()
        return {axis: int(i) for axis, i in zip(self.layout.axes, at, strict=False)}
