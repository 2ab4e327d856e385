"""Offers to go on with a training that was interrupted, once its image is open."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari.layers import Image
from qtpy.QtCore import Signal  # type: ignore[attr-defined]

from napari_unet.engine.counts import count
from napari_unet.engine.errors import FileError, LabelsError
from napari_unet.io.training_places import DAYS_KEPT, find_places
from napari_unet.ui.layers.geometry import spatial_shape
from napari_unet.ui.layers.layer_pairs import LayerPair
from napari_unet.ui.parts.offer_line import Offers, day_and_time
from napari_unet.ui.readiness import Readiness
from napari_unet.ui.train.pairs import TrainingPairs
from napari_unet.ui.workbench import Workbench

if TYPE_CHECKING:
    from napari_unet.io.interrupted import Interrupted

_RESUME = (
    "Goes on as if it had not stopped, with its settings of then and the strokes as they are now. "
    "Bring kept strokes back first."
)
_DISCARD = f"Removes what it has learned. Otherwise it waits for {DAYS_KEPT} days."


class TrainRecovery(Offers):
    """Knows which trainings were interrupted, and which of them was on the chosen image."""

    ACCEPT, REFUSE = "Resume", "Discard"

    resumed = Signal(object)  # Interrupted, which people want to go on with

    def __init__(self, workbench: Workbench) -> None:
        super().__init__(workbench)
        self._left: list[Interrupted] = []
        self.look()

    @property
    def offered(self) -> Interrupted | None:
        """What can be gone on with, the newest of several; None: nothing."""
        image = self._workbench.choices.image
        if image is None:
            return None
        return next((left for left in self._left if self._fits(left, image)), None)

    @property
    def line(self) -> str:
        """What can be gone on with, or which image to open for it; empty: nothing."""
        if self.offered is not None:
            return f"{_describe(self.offered)}."
        if self._left and not self._workbench.choices.images:
            return f"{_describe(self._left[0])}; to go on, open that image."
        return ""

    @property
    def is_offered(self) -> bool:
        """Whether a training on the chosen image can be gone on with."""
        return self.offered is not None

    def tooltips(self) -> tuple[str, str]:
        """Return what the buttons do."""
        return _RESUME, _DISCARD

    def why_not(self) -> str | None:
        """Return why it cannot go on now, None if it can."""
        waits = None if self._workbench.device else "The device is being looked for."
        return Readiness.of(self._workbench).why_not_train() or waits

    def look(self) -> None:
        """See what there is, in the background."""
        if self.is_looking:
            return
        if find_places():  # else there is no need to load torch
            self._look(_find, then=self._on_found)
        elif self._left:
            self._left = []
            self.changed.emit()

    def accept(self) -> None:
        """Tell that people want to go on with what is offered, unless something is in the way."""
        if self.why_not() is None and (offered := self._take()) is not None:
            self.resumed.emit(offered)

    def _fits(self, left: Interrupted, image: Image) -> bool:
        """Return whether it may be on the chosen image, and whether its other images are there."""
        shown = [layer for layer in self._workbench.viewer.layers if isinstance(layer, Image)]
        is_known = [
            [layer for layer in shown if _is_image(layer, name, record.shape)]
            for name, record in zip(left.about.images, left.record.images, strict=True)
        ]
        return all(is_known) and any(image in layers for layers in is_known)

    def _take(self) -> Interrupted | None:
        """Return what is offered, which is offered no more."""
        offered = self.offered
        if offered is not None:
            self._left.remove(offered)
            self.changed.emit()
        return offered

    def refuse(self) -> None:
        """Remove what is offered."""
        offered = self._take()
        if offered is not None:
            try:
                offered.remove()
            except FileError as error:
                self._workbench.fail(error)

    def _on_found(self, left: list[Interrupted]) -> None:
        self._left = left
        self.changed.emit()


def _find() -> list[Interrupted]:
    """Return what ended windows have left."""
    from napari_unet.io.interrupted import find_interrupted  # noqa: PLC0415 loads torch

    return find_interrupted()


def find_interrupted_pairs(
    left: Interrupted, workbench: Workbench, pairs: TrainingPairs
) -> tuple[LayerPair, ...]:
    """Return the images of an interrupted training, with their labels of now.

    Of a single image they are what is chosen.

    Raises
    ------
    LabelsError
        If one of several images has no labels.
    """
    if len(left.record.images) == 1:
        return workbench.chosen_pair
    found = []
    for name, record in zip(left.about.images, left.record.images, strict=True):
        own = [row.pair for row in pairs.rows if _is_image(row.pair.image, name, record.shape)]
        if not own:
            raise LabelsError(
                f"'{name}' has no labels to go on with; bring kept strokes back, or choose its "
                "labels beside it once."
            )
        found.append(own[0])
    return tuple(found)


def _is_image(image: Image, name: str, shape: tuple[int, int, int]) -> bool:
    """Return whether it may be this image: by name and size, which cost no time."""
    own = spatial_shape(image)
    return (image.name, (math.prod(own[:-2]), *own[-2:])) == (name, shape)


def _describe(left: Interrupted) -> str:
    when, step = day_and_time(left.saved), count(left.record.trainer.step, "step")
    image, labels = left.about.images[0], left.about.labels[0]
    what = f"'{image}' on '{labels}'"
    if len(left.about.images) > 1:
        what = f"'{image}' and {count(len(left.about.images) - 1, 'image')} more"
    return f"A training of {what} was interrupted after {step} ({when})"
