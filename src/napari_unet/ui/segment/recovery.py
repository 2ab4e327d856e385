"""Offers to go on with a segmentation that a crash has ended, once its image is open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from napari.layers import Image
from qtpy.QtCore import QTimer

from napari_unet.engine.counts import count
from napari_unet.engine.errors import FileError
from napari_unet.engine.events import Stop
from napari_unet.io.kept_folders import DAYS_KEPT, KeptRun, find_kept
from napari_unet.ui.layers.geometry import spatial_shape
from napari_unet.ui.layers.inputs import image_planes
from napari_unet.ui.parts.offer_line import Offers, day_and_time
from napari_unet.ui.readiness import Readiness
from napari_unet.ui.runner import JobEnd
from napari_unet.ui.segment.control import Segmentation
from napari_unet.ui.segment.keeping import Earlier, model_to_go_on
from napari_unet.ui.workbench import CurrentModel, Workbench

_CONTINUE = "Segments only what is missing, with the model and the settings of then."
_PAINTED = (
    "Painted labels overrode what was predicted: bring them back, or open them, and choose them "
    "under Labels."
)
_DISCARD = f"Removes what was finished. Otherwise it waits for {DAYS_KEPT} days."


@dataclass(frozen=True, slots=True)
class _Offer:
    """A run that can be gone on with."""

    run: KeptRun
    finished: int  # planes

    def __str__(self) -> str:
        record = self.run.record
        when = day_and_time(self.run.saved)
        if self.finished >= record.planes:
            return f"A segmentation of '{record.name}' was not saved ({when})"
        done = f"{self.finished:,} of {count(record.planes, 'plane')}"
        return f"A segmentation of '{record.name}' stopped after {done} ({when})"

    def fits(self, image: Image) -> bool:
        """Return whether it may be of this image: by name and size, which cost no time."""
        record, shape = self.run.record, spatial_shape(image)
        planes = 1
        for length in shape[:-2]:
            planes *= length
        return (record.name, record.planes, record.shape) == (image.name, planes, shape[-2:])


class SegmentRecovery(Offers):
    """Knows which segmentations a crash has left, and goes on with that of the chosen image."""

    ACCEPT, REFUSE = "Continue", "Discard"

    def __init__(self, workbench: Workbench, segmentation: Segmentation) -> None:
        super().__init__(workbench)
        self._segmentation = segmentation
        self._left: list[_Offer] = []
        self._turn: _Offer | None = None  # that is being compared
        self._model: CurrentModel | None = None  # of it
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self._take)
        self._look(_find, then=self._on_found)

    @property
    def offered(self) -> _Offer | None:
        """What can be gone on with, the newest of several; None: nothing."""
        image = self._workbench.choices.image
        if image is None:
            return None
        return next((offer for offer in self._left if offer.fits(image)), None)

    @property
    def line(self) -> str:
        """What can be gone on with, or which image to open for it; empty: nothing."""
        if self.offered is not None:
            return f"{self.offered}."
        if self._left and not self._workbench.choices.images:
            return f"{self._left[0]}; to go on, open that image."
        return ""

    @property
    def is_offered(self) -> bool:
        """Whether a segmentation of the chosen image can be gone on with."""
        return self.offered is not None

    def tooltips(self) -> tuple[str, str]:
        """Return what the buttons do."""
        return _CONTINUE, _DISCARD

    def why_not(self) -> str | None:
        """Return why it cannot go on now, None if it can."""
        offer = self.offered
        if offer and offer.run.record.painted and self._workbench.choices.labels is None:
            return _PAINTED
        waits = None if self._workbench.device else "The device is being looked for."
        return Readiness.of(self._workbench).why_not_start() or waits

    def accept(self) -> None:
        """Segment what is missing, once it is known that nothing has changed."""
        offer, device = self.offered, self._workbench.device
        if offer is None or device is None or self.why_not() is not None:
            return
        planes = image_planes(self._workbench.choices.images)
        self._turn, self._model = offer, None

        def compare(_stop: Stop) -> Iterator[object]:
            yield model_to_go_on(offer.run, planes, device)

        self._workbench.run("Comparing the image", compare, self._on_compared, self._on_end)

    def refuse(self) -> None:
        """Remove what is offered."""
        offer = self.offered
        if offer is not None:
            self._drop(offer)
            try:
                offer.run.remove()
            except FileError as error:
                self._workbench.fail(error)

    def release(self) -> None:
        """Let go of the workbench."""
        super().release()
        self._soon.stop()

    def _on_found(self, left: list[_Offer]) -> None:
        self._left = left
        self.changed.emit()

    def _on_compared(self, model: object) -> None:
        if isinstance(model, CurrentModel):
            self._model = model

    def _on_end(self, end: JobEnd) -> None:
        if end is JobEnd.COMPLETED and self._model is not None:
            self._soon.start()  # when the end has been told

    def _take(self) -> None:
        offer, model = self._turn, self._model
        self._turn = self._model = None
        if offer is None or model is None or self.why_not() is not None or offer != self.offered:
            return  # people have begun or chosen something else
        self._drop(offer)
        try:
            earlier = Earlier(offer.run.record, offer.run.take(), model)
        except FileError as error:
            self._workbench.fail(error)
        else:
            self._segmentation.go_on(earlier)

    def _drop(self, offer: _Offer) -> None:
        self._left.remove(offer)
        self.changed.emit()


def _find() -> list[_Offer]:
    """Return what crashed windows have left."""
    return [_Offer(run, run.finished) for run in find_kept() if not run.record.output]
