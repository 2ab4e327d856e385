"""How large objects are, found out before training, and remembered for each image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from napari.layers import Image
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_unet.config import NetworkConfig, TrainConfig
from napari_unet.engine.errors import UnetPaintError
from napari_unet.engine.events import Stop
from napari_unet.engine.network import DiameterSource
from napari_unet.engine.paint import TrainingSet
from napari_unet.engine.training import TrainingPlan
from napari_unet.ui.progress import Progress
from napari_unet.ui.runner import JobEnd
from napari_unet.ui.workbench import CurrentModel, Workbench
from napari_unet.ui.worker import Job

if TYPE_CHECKING:
    from napari_unet.engine.network import Diameter


@dataclass(frozen=True, slots=True)
class SizeFound:
    """How wide objects are; None: no object was found."""

    diameter: Diameter | None


class Sizing(QObject):
    """Finds out how wide the objects of the chosen image are, as training would."""

    found = Signal()  # it is known how wide the objects of an image are, anew or once more

    def __init__(self, workbench: Workbench) -> None:
        super().__init__()
        self._workbench = workbench
        self._known: WeakKeyDictionary[Image, Diameter] = WeakKeyDictionary()

    @property
    def diameter(self) -> Diameter | None:
        """What was found out about the chosen image; None: nothing yet."""
        image = self._workbench.choices.image
        return None if image is None else self._known.get(image)

    def note(self, image: Image, diameter: Diameter | None) -> None:
        """Remember what a training has found out; what people gave is none of it."""
        if diameter is None or diameter.source is DiameterSource.GIVEN:
            return
        if diameter != self._known.get(image):
            self._known[image] = diameter
            self.found.emit()

    def estimate(self, network: NetworkConfig, config: TrainConfig) -> None:
        """Find it out, with the choices and settings with which training would begin now."""
        choices, device = self._workbench.choices, self._workbench.device
        layers, start = self._workbench.pairs, choices.start
        assert layers
        assert device is not None
        try:
            pairs = TrainingSet([pair.read() for pair in layers])
        except UnetPaintError as error:
            self._workbench.fail(error)
            return
        plan = TrainingPlan(
            start=start.model if isinstance(start, CurrentModel) else network,
            scheme=choices.scheme,
            config=replace(config, diameter=None),
            device=device,
            sizes=self._workbench.sizes,
        )
        job = find_size(pairs, plan)
        self._workbench.run(
            "Looking for the size of objects",
            job,
            partial(self._take, layers[0].image),
            self._on_end,
        )

    def _take(self, image: Image, event: SizeFound) -> None:
        if event.diameter is not None:
            self._known[image] = event.diameter
            self.found.emit()
        self._workbench.progressed.emit(Progress(_in_words(event.diameter), 1))

    def _on_end(self, end: JobEnd) -> None:
        if end is JobEnd.STOPPED:
            self._workbench.progressed.emit(Progress("Stopped before the size was found."))


def find_size(pairs: TrainingSet, plan: TrainingPlan) -> Job:
    """Look how wide objects are, as training would; unless stopped, the event is `SizeFound`."""

    def run(stop: Stop) -> Iterator[SizeFound]:
        from napari_unet.engine.training import choose_size  # noqa: PLC0415

        with pairs.remembering():
            found = choose_size(plan, pairs, stop=stop)
        pairs.forget()
        if not stop():
            yield SizeFound(found.diameter)

    return run


def _in_words(diameter: Diameter | None) -> str:
    if diameter is None:
        return "No objects were found under the paint: give their diameter, or paint in more."
    return f"Objects are about {diameter.pixels:.0f} px wide ({diameter.source})."
