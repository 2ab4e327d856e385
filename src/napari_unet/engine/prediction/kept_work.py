"""Finished work that outlives the program: given to be kept, and taken up again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from napari_unet.engine.errors import ImageError
from napari_unet.engine.events import PlaneDone, Resume
from napari_unet.engine.prediction.decode import Settled
from napari_unet.engine.stack.planes import DerivedPlanes, Planes
from napari_unet.engine.stack.run_labels import RunLabels
from napari_unet.engine.stack.tiles import Tile


class KeptWork(Protocol):
    """What was finished of one segmentation, by this run and by those before it.

    Tiles may be given and asked for by several threads at the same time.
    """

    @property
    def finished(self) -> Collection[int]:
        """Planes whose objects are final."""
        ...

    def plane(self, number: int) -> PlaneDone:
        """Return a finished plane."""
        ...

    def tile(self, plane: int, tile: Tile) -> Settled | None:
        """Return a tile, None if it was not kept."""
        ...

    def keep_tile(self, plane: int, tile: Tile, settled: Settled) -> None:
        """Keep a tile as it was settled."""
        ...

    def keep_plane(self, done: PlaneDone) -> None:
        """Keep a whole plane; of objects its tiles are not needed any more."""
        ...


class NothingKept:
    """Keeps nothing, and has nothing."""

    finished: frozenset[int] = frozenset()

    def plane(self, number: int) -> PlaneDone:
        """Raise: there is no such plane."""
        raise KeyError(number)

    def tile(self, plane: int, tile: Tile) -> None:
        """Return that it was not kept."""

    def keep_tile(self, plane: int, tile: Tile, settled: Settled) -> None:
        """Let it go."""

    def keep_plane(self, done: PlaneDone) -> None:
        """Let it go."""


def resumed(resume: Resume, kept: KeptWork, order: Sequence[int], planes: Planes) -> Resume:
    """Return what a run is to know of the planes of its order that were kept, too.

    Numbers go on above theirs, and other planes can be linked to them.

    Raises
    ------
    ImageError
        If a kept plane is of another size than the image.
    """
    again = frozenset(kept.finished).intersection(order)
    if not again:
        return resume
    largest, new = resume.largest, 0
    for number in again:
        done = kept.plane(number)
        assert done.labels is not None
        if done.labels.shape != planes.shape:
            raise ImageError(
                f"What was kept of plane {number} is of another size; discard it and begin anew."
            )
        largest = max(largest, int(done.labels.values.max()))
        new += done.objects
    return Resume(
        finished=resume.finished | again,
        largest=max(largest, resume.largest + new),
        labels=KeptLabels(kept.plane, again, resume.labels, planes),
    )


class KeptLabels(DerivedPlanes):
    """The labels of kept planes, and of those that another array has."""

    def __init__(
        self,
        kept: Callable[[int], PlaneDone],
        again: frozenset[int],
        others: Planes | None,
        planes: Planes,
    ) -> None:
        super().__init__(planes, dtype=np.dtype(np.int32))
        self.channels = 1
        self._kept = kept
        self._again = again
        self._others = others
        self._last: tuple[int, RunLabels] | None = None  # a plane is read in bands

    def read(self, plane: int, y: slice, x: slice) -> npt.NDArray[Any]:
        """Return the region as (1, y, x)."""
        if plane not in self._again:
            assert self._others is not None, "not finished"
            return self._others.read(plane, y, x)
        if self._last is None or self._last[0] != plane:
            labels = self._kept(plane).labels
            assert labels is not None
            self._last = plane, labels
        return self._last[1].rows(y)[np.newaxis, :, x]
