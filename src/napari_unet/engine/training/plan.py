"""What a training run is told before it begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_unet.config import NetworkConfig, ObjectsConfig, Task, TrainConfig
from napari_unet.engine.errors import SettingsError
from napari_unet.engine.events import PaintedPixels
from napari_unet.engine.paint.label_scheme import LabelScheme
from napari_unet.engine.training.size_memory import SizeMemory

if TYPE_CHECKING:  # the window makes plans before torch is loaded
    from napari_unet.engine.network.device import DeviceChoice
    from napari_unet.engine.network.model import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPlan:
    """From which network, on which reading of the labels, how and where to train.

    Everything but the images themselves and what goes on beside the run.

    Raises
    ------
    SettingsError
        If a diameter is given for classes.
    """

    # A network to train from the paper's initial weights, or a model to go on from. If the
    # painted classes differ from the model's, its head is extended and the rest kept.
    start: NetworkConfig | Model
    scheme: LabelScheme  # how the labels are read
    config: TrainConfig  # limits, optimiser, patches, weights of the loss, augmentation
    device: DeviceChoice
    # Gives how previews cut foreground into objects, asked from the training's thread.
    objects: Callable[[], ObjectsConfig] = ObjectsConfig
    # What the model to start from was trained on: `TrainDone.painted` of that run.
    known: Sequence[PaintedPixels] = ()
    # Of earlier jobs: what they have found out about the size of objects is not looked for again.
    sizes: SizeMemory = field(default_factory=SizeMemory, compare=False)

    def __post_init__(self) -> None:
        if self.config.diameter is not None and self.scheme.task is Task.CLASSES:
            raise SettingsError(
                "Classes have no diameter; give none, or choose the task objects if each thing has "
                "a number of its own."
            )

    @property
    def model(self) -> Model | None:
        """The model to go on from; None: from scratch."""
        return None if isinstance(self.start, NetworkConfig) else self.start

    @property
    def network(self) -> NetworkConfig:
        """The network that is trained."""
        return self.start if isinstance(self.start, NetworkConfig) else self.start.network

    @property
    def values(self) -> tuple[int, ...]:
        """Label values that the start can tell apart already, in this task."""
        model = self.model
        return model.values if model is not None and model.task is self.scheme.task else ()
