"""The last estimate of how large objects are, kept for when the same is asked again."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the window makes plans before torch is loaded
    from napari_unet.engine.network.model import Model
    from napari_unet.engine.training.size_estimate import SizeEstimate


@dataclass(slots=True)
class SizeMemory:
    """Answers once more what a model was asked last; it takes seconds to find out.

    For jobs that run one after the other: an estimate, a look at the labels, and the training.
    """

    _model: Model | None = field(default=None, init=False)
    _asked: Hashable = field(default=None, init=False)
    _found: SizeEstimate | None = field(default=None, init=False)

    def recall(self, model: Model, asked: Hashable) -> SizeEstimate | None:
        """Return what this model has answered; None: something else was asked last."""
        return self._found if (model is self._model and asked == self._asked) else None

    def keep(self, model: Model, asked: Hashable, found: SizeEstimate) -> None:
        """Remember an answer in place of the last one."""
        self._model, self._asked, self._found = model, asked, found
