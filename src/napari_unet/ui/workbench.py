"""What lies on the table: the viewer, the choices made so far, the device, the running job.

The steps of the dock write their choices here, and read those of the others from here; the
controls start jobs with them. It knows neither buttons nor what a job does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_unet.config import NETWORKS, NetworkConfig, Task, Unpainted
from napari_unet.engine.errors import UnetPaintError
from napari_unet.engine.paint import LabelScheme
from napari_unet.engine.training import SizeMemory
from napari_unet.ui.layers.layer_pairs import LayerPair
from napari_unet.ui.layers.paint_count import PaintCount
from napari_unet.ui.progress import Progress
from napari_unet.ui.runner import JobEnd, JobRunner, OnEnd, OnEvent
from napari_unet.ui.worker import Job

if TYPE_CHECKING:
    from napari_unet.engine.network import DeviceChoice, Model


_STOPPING = Progress("Stopping after the current step or tile…")


@dataclass(frozen=True, slots=True, eq=False)
class CurrentModel:
    """The model that segments, and that training goes on from."""

    name: str  # as people know it
    model: Model
    path: Path | None = None  # None: it is in no file that people know of


@dataclass(frozen=True, slots=True)
class Choices:
    """A snapshot of what is chosen."""

    images: tuple[Image, ...] = ()  # one, or one per channel
    labels: Labels | None = None  # painted on
    task: Task = Task.OBJECTS
    unpainted: Unpainted = Unpainted.IGNORED
    start: NetworkConfig | CurrentModel = NETWORKS["light"]  # what is trained; a model segments
    result: Layer | None = None  # the last segmentation, or another that was picked

    @property
    def image(self) -> Image | None:
        """The image, or the first of several channels: others are placed onto it."""
        return self.images[0] if self.images else None

    @property
    def scheme(self) -> LabelScheme:
        """How the numbers of the labels are read."""
        return LabelScheme(self.task, self.unpainted)

    @property
    def model(self) -> Model | None:
        """The model that segments; None while a new network is chosen."""
        return self.start.model if isinstance(self.start, CurrentModel) else None


@dataclass(frozen=True, slots=True)
class Taught:
    """Images with their labels that training learns from, and what is painted on all of them."""

    pairs: tuple[LayerPair, ...]
    painted: PaintCount | None = None  # None: not counted yet


class Workbench(QObject):
    """Viewer, choices, device and runner of one dock.

    All signals are emitted on the main thread. `changed` follows every change of the choices,
    the device or the job's state, and of whether enough is painted; several at once are told once.
    """

    changed = Signal()
    counted = Signal()  # what is painted on the chosen labels
    entered = Signal()  # people turn to the dock
    progressed = Signal(object)  # Progress
    failed = Signal(str)  # what is wrong and what to do
    ended = Signal(object)  # JobEnd
    exported = Signal(object, float)  # a layer, which is in a file as it was at `time.monotonic()`

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self.viewer = viewer
        self.runner = JobRunner()
        self.device: DeviceChoice | None = None
        self.choices = Choices()
        self.painted: PaintCount | None = None  # on the chosen labels; None: not counted yet
        # What training learns from, and what is painted there; None: what is chosen.
        self.taught: Taught | None = None
        self.held_out: int | None = None  # blocks of theirs; None: they were not trained on
        self.sizes = SizeMemory()  # what was found out last about how large objects are
        self.runner.state_changed.connect(self.changed)
        self.runner.failed.connect(self.fail)
        self._last = Progress("")  # told of the job that runs
        self.progressed.connect(self._on_progressed)
        self.runner.finished.connect(self._on_finished)
        viewer.layers.events.removed.connect(self._on_layer_removed)

    def choose(self, **choices: Any) -> None:
        """Change some of the choices, named as in `Choices`."""
        chosen = replace(self.choices, **choices)
        if chosen != self.choices:
            self.choices = chosen
            self.changed.emit()

    @property
    def pairs(self) -> tuple[LayerPair, ...]:
        """What training learns from: what is ticked, or else what is chosen; the latter first."""
        return self.chosen_pair if self.taught is None else self.taught.pairs

    @property
    def chosen_pair(self) -> tuple[LayerPair, ...]:
        """The chosen image with the chosen labels; empty: one of them is not chosen."""
        chosen = self.choices
        if chosen.labels is None or not chosen.images:
            return ()
        return (LayerPair(chosen.images, chosen.labels),)

    def use_device(self, device: DeviceChoice) -> None:
        """Compute there from now on."""
        self.device = device
        self.changed.emit()

    def run(
        self,
        name: str,
        job: Job,
        on_event: OnEvent | None = None,
        on_end: OnEnd | None = None,
        *,
        quiet: bool = False,
    ) -> None:
        """Run a job in the background; see `JobRunner.start`.

        A quiet one leaves the line about the last job as it is, and buttons too if it is short.
        """
        if not quiet:
            self.progressed.emit(Progress(f"{name}…"))
        self.runner.start(name, job, on_event, on_end, quiet=quiet)

    def stop(self) -> None:
        """Ask the job to end after its current step or tile, keeping what is done."""
        self.progressed.emit(_STOPPING)
        self.runner.stop()

    def fail(self, error: UnetPaintError) -> None:
        """Tell what went wrong, in its words."""
        self.failed.emit(str(error))

    def close(self) -> None:
        """Stop the job and let go of the viewer."""
        self.viewer.layers.events.removed.disconnect(self._on_layer_removed)
        self.runner.abandon()

    def _on_progressed(self, progress: Progress) -> None:
        self._last = progress

    def _on_finished(self, end: JobEnd) -> None:
        """Tell the end; a job that says nothing of its own about it was stopped."""
        if end is JobEnd.STOPPED and self._last is _STOPPING:
            self.progressed.emit(Progress("Stopped.", 0))
        self.ended.emit(end)

    def _on_layer_removed(self) -> None:
        """Hold on to no layer that is gone."""
        layers, chosen = self.viewer.layers, self.choices
        self.choose(
            images=tuple(image for image in chosen.images if image in layers),
            labels=chosen.labels if chosen.labels in layers else None,
            result=chosen.result if chosen.result in layers else None,
        )
