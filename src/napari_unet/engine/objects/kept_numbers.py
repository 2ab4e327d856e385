"""What is cut anew keeps the numbers of what it was, so that little changes on the screen."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from napari_unet.engine.objects.label_overlaps import count_run_overlaps
from napari_unet.engine.objects.linking import find_partners
from napari_unet.engine.stack.run_labels import RunLabels


class KeptNumbers:
    """New numbers → those that the objects had before; no two objects get the same.

    Parameters
    ----------
    largest
        Number in use before; the numbers to be replaced are above it, and what is at most this is
        a number of an object that stays.
    taken
        Numbers that no object may get, as they are in use elsewhere.

    Notes
    -----
    Partners are found as from plane to plane (see `linking.find_partners`), on the first plane on
    which an object comes. One without a partner gets a number that nothing had.
    """

    def __init__(self, largest: int, taken: Iterable[int] = ()) -> None:
        self._first_new = largest + 1
        self._next = largest + 1
        self._taken = set(taken)
        self._numbers: dict[int, int] = {}

    def renumber(self, labels: RunLabels, before: RunLabels) -> RunLabels:
        """Return a plane with its final numbers.

        Parameters
        ----------
        labels
            As it was cut anew.
        before
            As it was.
        """
        found, places = np.unique(labels.values, return_inverse=True)
        ids = found.tolist()
        known = {number: self._numbers[number] for number in ids if number in self._numbers}
        new = [number for number in ids if number >= self._first_new and number not in known]
        if new:
            partners = find_partners([(count_run_overlaps(labels, before), 1.0)], known)
            for number in new:
                self._numbers[number] = self._choose(partners.get(number))
        table = np.array([self._numbers.get(number, number) for number in ids], np.int32)
        return RunLabels(labels.shape, labels.starts, table[places])

    def _choose(self, before: int | None) -> int:
        """Return the number that an object had, or a new one if it had none or it is taken."""
        chosen = before
        if chosen is None or chosen in self._taken:
            chosen, self._next = self._next, self._next + 1
        self._taken.add(chosen)
        return chosen
