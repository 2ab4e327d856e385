"""What a training run is told before it begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from napari_unet.config import RECIPES, NetworkConfig, ObjectsConfig, Task, TrainConfig
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


def usual_config(
    start: NetworkConfig | Model,
    *,
    seconds: float | None,
    steps: int | None,
    reduction: int | None = None,
    diameter: float | None = None,
    **others: Any,
) -> TrainConfig:
    """Return the recipe of a network with these settings; steps alone set no time limit.

    A network's own reduction holds if neither it nor a diameter is given; a model goes on with what
    it was trained with.

    Raises
    ------
    ValueError
        If a number is out of range.
    """
    network = start if isinstance(start, NetworkConfig) else start.network
    recipe = RECIPES.get(network.name, RECIPES["light"])
    if seconds is None and steps is None:
        seconds = recipe.seconds
    if reduction is None and diameter is None and start is network:
        reduction = recipe.reduction
    return replace(
        recipe, seconds=seconds, steps=steps, reduction=reduction, diameter=diameter, **others
    )
