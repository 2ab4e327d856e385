"""One step of a layer's undo history that goes on growing, whatever else is painted meanwhile."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Labels

from napari_unet.ui.layers.geometry import full_resolution

Where = tuple[npt.NDArray[Any], ...]
"""Indices of some pixels, one array per axis."""

_SAMPLE = 1000  # pixels that tell whether the step is still there
_FEW = 16  # of them, once it has ended: looked at whenever the layer is drawn anew


class UndoStep:
    """Paints part after part; a single undo takes all of them back.

    Strokes that people paint between two parts stay steps of their own, above this one.

    Notes
    -----
    napari's `block_history` would put those strokes into the step, or end it with the first of
    them. So only the step's first pixel is painted in napari's own way: the event that follows
    hands out the step, a list of changes (indices, values before, values after), which is then
    added to here.
    """

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._changes: list[Any] | None = None  # napari's own list
        self._sample: tuple[Where, npt.NDArray[Any]] | None = None
        self.pixels = 0  # painted so far

    @property
    def has_begun(self) -> bool:
        """Whether something was painted."""
        return self._changes is not None

    @property
    def was_undone(self) -> bool:
        """Whether people have taken it back."""
        if self._sample is None:
            return False
        where, values = self._sample
        return not (np.asarray(full_resolution(self._labels)[where]) == values).any()

    def paint(self, where: Where, values: npt.NDArray[Any]) -> bool:
        """Paint some pixels, at least one, without drawing them.

        Returns
        -------
        bool
            False: nothing was painted, for a stroke is under way, which the first part would
            become a part of; to be tried again.
        """
        if self._changes is None and not self._begin(where, values):
            return False
        assert self._changes is not None
        data = full_resolution(self._labels)
        self._changes.append((where, np.array(data[where]), values))
        data[where] = values
        self.pixels += len(values)
        if self._sample is None:
            every = slice(None, None, max(1, len(values) // _SAMPLE))
            self._sample = tuple(axis[every] for axis in where), values[every]
        return True

    def end(self) -> None:
        """Draw what was painted, and tell those who follow the layer's paint of all of it."""
        if self._changes is not None:
            self._labels.events.paint(value=self._changes)
        self._labels.refresh(extent=False)
        if self._sample is not None:
            where, values = self._sample
            every = slice(None, None, max(1, len(values) // _FEW))
            self._sample = tuple(axis[every] for axis in where), values[every]

    def _begin(self, where: Where, values: npt.NDArray[Any]) -> bool:
        """Paint the first pixel; napari tells of a step unless a stroke is under way."""
        told: list[list[Any]] = []

        def remember(event: Any) -> None:
            told.append(event.value)

        first = tuple(axis[:1] for axis in where)
        before = np.array(full_resolution(self._labels)[first])
        if not self._labels.visible:
            self._labels.set_view_slice()  # napari writes into it, too, and has left it behind
        self._labels.events.paint.connect(remember)
        try:
            self._labels.data_setitem(first, values[:1], refresh=False)
        finally:
            self._labels.events.paint.disconnect(remember)
        if told:
            self._changes = told[0]
        else:
            full_resolution(self._labels)[first] = before
        return bool(told)
