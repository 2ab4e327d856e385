"""A trained network and everything that is needed to use it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from napari_unet.config import NetworkConfig, Task
from napari_unet.engine.counts import count
from napari_unet.engine.errors import ImageError
from napari_unet.engine.network.record import ObjectSizes, TrainRecord
from napari_unet.engine.network.unet import UNet, initialise
from napari_unet.engine.stack.normalization import Normalization
from napari_unet.engine.stack.pixel_size import PixelSize, pixels_in
from napari_unet.engine.stack.planes import Planes
from napari_unet.engine.stack.reduction import Reduction

_FIRST = "down.0.0.weight"  # of the convolution that sees the image


@dataclass(frozen=True, slots=True)
class Model:
    """Network, weights, normalisation and the meaning of the outputs."""

    network: NetworkConfig
    weights: Mapping[str, Tensor]  # float32, on the CPU
    normalization: Normalization  # of the stack it was trained on
    task: Task
    values: tuple[int, ...]  # label value of each output channel; objects: (0, 1)
    # Of the images as they were given, (Y, X) µm; None: unknown, or of no meaning.
    pixel_size: PixelSize | None = None
    record: TrainRecord = field(default_factory=TrainRecord)
    # Side of the blocks that are averaged before the network sees an image, pixels; None: as large
    # as objects need when it is trained, and 1 until then.
    reduction: int | None = 1
    enlargement: int = 1  # a pixel is seen as so many by so many; above 1, reduction is 1

    def seen(self, planes: Planes) -> Reduction:
        """Return how the network sees a stack: things as large as in those that it knows.

        Where pixel sizes are known and differ, see `pixel_size.ALIKE`, they are brought together.
        """
        by = pixels_in(self.pixel_size, planes.pixel_size)
        return Reduction.scaled(planes.shape, self.reduction or 1, self.enlargement, by)

    def sizes_on(self, reduction: Reduction) -> tuple[ObjectSizes | None, int | None]:
        """Return the sizes of painted objects, and of a hole, in pixels of planes so seen."""
        sizes, hole = self.record.painted_objects, self.record.smallest_hole
        by = reduction.area / ((self.reduction or 1) / self.enlargement) ** 2
        if by == 1:
            return sizes, hole
        if sizes is not None:
            smallest = max(1, round(sizes.smallest * by))
            sizes = ObjectSizes(smallest, max(smallest, sizes.median * by))
        return sizes, None if hole is None else round(hole * by)

    @property
    def is_trained(self) -> bool:
        """Whether the weights have learned anything yet."""
        return self.record.steps > 0

    def build(self, device: torch.device) -> UNet:
        """Return the network with these weights, on the device, set for prediction."""
        network = _without_weights(self.network).to_empty(device=device)
        network.load_state_dict(dict(self.weights))
        return network.eval()


def _without_weights(config: NetworkConfig) -> UNet:
    """Return the network before any weights are drawn, so that nobody's random state changes."""
    with torch.device("meta"):
        return UNet(config)


def fresh_model(
    network: NetworkConfig,
    normalization: Normalization,
    task: Task,
    values: tuple[int, ...],
    *,
    seed: int = 0,
) -> Model:
    """Return an untrained model with the paper's initial weights."""
    fitted = network.fitted_to(task, in_channels=len(normalization.low), classes=len(values))
    built = _without_weights(fitted).to_empty(device="cpu")
    initialise(built, torch.Generator().manual_seed(seed))
    return Model(built.config, built.state_dict(), normalization, task, values)


def adapt(
    model: Model,
    normalization: Normalization,
    task: Task,
    values: tuple[int, ...],
    *,
    seed: int = 0,
) -> Model:
    """Return the model made ready to go on training, on another stack or with other classes.

    Output channels of labels that the model knows keep their weights, and so does the shape field
    of objects; new labels get zeros, or the paper's initial weights if the model has learned
    nothing yet. A model of one channel sees the
    mean of an image's channels at first, and learns to tell them apart.

    Raises
    ------
    ImageError
        If the image has another number of channels than the model, and the model more than one.
    """
    channels = len(normalization.low)
    if model.network.in_channels not in (1, channels):
        raise ImageError(
            f"The image has {count(channels, 'channel')}, but the model was trained on "
            f"{model.network.in_channels}; choose another image, or train from scratch."
        )
    known = model.values if task is model.task else ()
    fresh = fresh_model(model.network, normalization, task, values, seed=seed)
    weights = {**model.weights}
    if model.network.in_channels != channels:
        weights[_FIRST] = model.weights[_FIRST].repeat(1, channels, 1, 1) / channels  # (O, C, 3, 3)
    for name in ("head.weight", "head.bias"):
        head = fresh.weights[name].clone()
        if model.is_trained:
            head.zero_()  # features that mean something are not to be mixed at random
        for channel, value in enumerate(known):
            if value in values:
                head[values.index(value)] = model.weights[name][channel]
        if fresh.network.shape_field and model.network.shape_field:
            head[-1] = model.weights[name][-1]
        weights[name] = head
    return replace(
        fresh,
        weights=weights,
        pixel_size=model.pixel_size,
        record=model.record,
        reduction=model.reduction,
        enlargement=model.enlargement,
    )
