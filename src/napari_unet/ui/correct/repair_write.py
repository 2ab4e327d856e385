"""Pixels of a repair are written into a layer as one undo step, and taken back in two together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Labels

from napari_unet.engine.errors import LabelsError
from napari_unet.ui.correct.undo_step import UndoStep, Where
from napari_unet.ui.layers.geometry import full_resolution

_SAMPLE = 16  # pixels that tell whether it was undone: looked at whenever the layer is drawn anew
_MOST = 100  # repairs that are remembered; napari's history is as long

Values = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """Pixels of a layer, and what they are before and after."""

    layer: Labels
    where: Where
    before: Values
    after: Values

    @classmethod
    def of(
        cls,
        layer: Labels,
        index: tuple[int, ...],
        corner: tuple[int, int],
        before: Values,
        after: Values,
    ) -> Change:
        """Return what differs in a window (y, x) of a plane.

        Parameters
        ----------
        layer, index, corner
            The plane at this index of the leading axes, and the window's first pixel in it (Y, X).

        Raises
        ------
        LabelsError
            If the layer's type is too small for the numbers.
        """
        dtype = full_resolution(layer).dtype
        y, x = np.nonzero(before != after)
        values = after[y, x]
        if values.max(initial=0) > np.iinfo(dtype).max:
            raise LabelsError(
                f"'{layer.name}' holds numbers up to {np.iinfo(dtype).max:,} only, and they are "
                "used up. Right-click it in the layer list, take Convert data type ▸ Convert to "
                "int32, and try again."
            )
        leading = (np.full(len(y), at) for at in index)
        where = (*leading, y + corner[0], x + corner[1])
        return cls(layer, where, before[y, x].astype(dtype), values.astype(dtype))

    def paint(self) -> bool:
        """Write it as one undo step; False: nothing was written, as a stroke is under way.

        Raises
        ------
        LabelsError
            If the layer lies in a file that cannot be written.

        Notes
        -----
        napari keeps no history of a layer of several resolutions: there it is only written.
        """
        if not len(self.before):
            return True
        try:
            return self._paint()
        except OSError as error:
            raise LabelsError(
                f"'{self.layer.name}' cannot be written ({error.strerror or error}); nothing was "
                "changed. Free some disk space, or save the layer elsewhere, then try again."
            ) from error

    def take_back(self) -> None:
        """Undo `paint`, right after it."""
        if self.layer.multiscale:
            self.write(self.before)
        elif len(self.before):
            self.layer.undo()

    def _paint(self) -> bool:
        if self.layer.multiscale:
            self.write(self.after)
            self.layer.events.paint(value=[(self.where, self.before, self.after)])
            return True
        step = UndoStep(self.layer)
        try:
            is_painted = step.paint(self.where, self.after)
        except OSError:
            if step.has_begun:
                with suppress(OSError):  # it is written as little as before
                    self.layer.undo()
            raise
        if is_painted:
            step.end()
        return is_painted

    def write(self, values: Values) -> None:
        """Write into the layer, at all of its resolutions, and draw it."""
        *leading, y, x = self.where
        for at, level in enumerate(self.layer.data if self.layer.multiscale else [self.layer.data]):
            step = 2**at  # a coarser level holds the pixels at multiples
            there = (y % step == 0) & (x % step == 0)
            where = (*(axis[there] for axis in leading), y[there] // step, x[there] // step)
            level[where] = values[there]
        self.layer.refresh(extent=False)

    def is_there(self, values: Values) -> bool:
        """Return whether the layer holds these of its values, as far as some pixels tell."""
        every = slice(None, None, max(1, len(values) // _SAMPLE))
        where = tuple(axis[every] for axis in self.where)
        now = np.asarray(full_resolution(self.layer)[where])
        return bool((now == values[every]).all())


class Together:
    """Takes a repair back in both of its layers when it is undone in one; redone likewise.

    Parameters
    ----------
    on_undone
        Called when the last repair was undone.
    """

    def __init__(self, on_undone: Callable[[], None]) -> None:
        self._on_undone = on_undone
        self._done: list[tuple[Change, ...]] = []
        self._undone: list[tuple[Change, ...]] = []
        self._followed: list[Labels] = []
        self._is_busy = False

    def paint(self, changes: list[Change]) -> bool:
        """Paint a repair, and follow it from now on; False: a stroke is under way.

        What it changes is not taken for an undo of the repair before: a merge may bring back what
        there was before a split. What cannot be painted in both layers is painted in none.

        Raises
        ------
        LabelsError
            If a layer lies in a file that cannot be written.
        """
        painted: list[Change] = []
        with self._busy():
            try:
                painted += takewhile(Change.paint, changes)
            finally:
                if len(painted) < len(changes):
                    for change in reversed(painted):
                        change.take_back()
        if len(painted) < len(changes):
            return False
        self._add(tuple(change for change in changes if len(change.before)))
        return True

    @contextmanager
    def _busy(self) -> Iterator[None]:
        """Follow no undo meanwhile: what changes is our own doing."""
        self._is_busy = True
        try:
            yield
        finally:
            self._is_busy = False

    def _add(self, changes: tuple[Change, ...]) -> None:
        self._undone = []
        self._done = [*self._done, changes][-_MOST:]
        for change in changes:
            if change.layer not in self._followed:
                self._followed.append(change.layer)
                change.layer.events.set_data.connect(self._on_drawn)

    def release(self) -> None:
        """Let go of the layers."""
        for layer in self._followed:
            layer.events.set_data.disconnect(self._on_drawn)
        self._done, self._undone, self._followed = [], [], []

    def _on_drawn(self, event: Any) -> None:
        """See whether it was undone or redone; napari does not tell, but draws the layer anew."""
        if self._is_busy:
            return
        with self._busy():
            if self._done and _has(self._done[-1], event.source, "before"):
                self._undone.append(self._done.pop())
                self._on_undone()
                _follow(self._undone[-1], "before")
            elif self._undone and _has(self._undone[-1], event.source, "after"):
                self._done.append(self._undone.pop())
                _follow(self._done[-1], "after")


def _has(changes: tuple[Change, ...], layer: Labels, state: str) -> bool:
    return any(
        change.layer is layer and change.is_there(getattr(change, state)) for change in changes
    )


def _follow(changes: tuple[Change, ...], state: str) -> None:
    for change in changes:
        values = getattr(change, state)
        if not change.is_there(values):
            change.write(values)
