"""Small untrained models and images that the tests of prediction share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from napari_unet.config import NetworkConfig, OutputKind, Task
from napari_unet.engine.events import SegmentEvent
from napari_unet.engine.network.device import DeviceChoice
from napari_unet.engine.network.model import Model, fresh_model
from napari_unet.engine.prediction import SegmentationPlan, segmentation, whole_planes
from napari_unet.engine.stack.normalization import Normalization
from napari_unet.engine.stack.planes import ArrayPlanes, Planes

CPU = DeviceChoice("cpu", "CPU", "test")


def tiny_model(
    *,
    levels: int = 2,
    base_channels: int = 4,
    channels: int = 1,
    task: Task = Task.OBJECTS,
    values: tuple[int, ...] = (0, 1),
    seed: int = 0,
    shape_field: bool = False,
) -> Model:
    """Return an untrained model; every output channel wins somewhere on noise."""
    network = NetworkConfig(
        name="tiny", base_channels=base_channels, levels=levels, shape_field=shape_field
    )
    grey = Normalization((0.0,) * channels, (255.0,) * channels)
    model = fresh_model(network, grey, task, values, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    shape = (1, channels, 188, 188)
    with torch.inference_mode():
        logits = model.build(torch.device("cpu"))(torch.randn(shape, generator=generator))
        mean, deviation = logits.mean(dim=(0, 2, 3)), logits.std(dim=(0, 2, 3))
    weights = dict(model.weights)
    weights["head.bias"] = -mean / deviation
    weights["head.weight"] = weights["head.weight"] / deviation[:, None, None, None]
    return replace(model, weights=weights)


def noise(*shape: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Return noise that holds the lowest and the highest grey value where it can."""
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def segment(
    model: Model, planes: Planes, *, device: DeviceChoice = CPU, **settings: Any
) -> Iterator[SegmentEvent]:
    """Segment by a plan of these settings; what is left out of it is as usual."""
    parts = {name: settings.pop(name) for name in ("tiling", "objects", "kind") if name in settings}
    plan = replace(SegmentationPlan.usual(model), **parts)
    return segmentation.segment(plan, planes, device=device, **settings)


def plane_values(events: Iterable[SegmentEvent]) -> list[npt.NDArray[Any]]:
    """Run a segmentation and return the values of its planes."""
    return [values for _, values in whole_planes(events)]


def segmented(model: Model, image: npt.NDArray[Any], **settings: Any) -> npt.NDArray[Any]:
    """Return the values of a single plane, (Y, X) or (C, Y, X)."""
    planes = ArrayPlanes(image, channel_axis=0 if image.ndim == 3 else None)
    (values,) = plane_values(segment(model, planes, device=CPU, **settings))
    return values


def probabilities(model: Model, image: npt.NDArray[Any], **settings: Any) -> npt.NDArray[Any]:
    """Return the probabilities of a single plane, (K, Y, X)."""
    return segmented(model, image, kind=OutputKind.PROBABILITIES, **settings)
