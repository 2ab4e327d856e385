"""Train, segment and measure from Python: the calls of `napari_unet`.

They do what the window and the command line do, by the same code. Images may be arrays, files, or
what `open_image` returns; nothing here needs napari or a screen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from napari_unet.config import NetworkConfig, OutputKind, Task, Unpainted, preset_of
from napari_unet.engine.events import SegmentEvent, TrainDone, TrainEvent
from napari_unet.engine.measurements import Measures, ObjectTable
from napari_unet.engine.measurements import measure as measure_planes
from napari_unet.engine.network import Model, pick_device
from napari_unet.engine.paint import LabelScheme, TrainingSet
from napari_unet.engine.prediction import SegmentationPlan, whole_planes
from napari_unet.engine.prediction import segment as segment_planes
from napari_unet.engine.stack import ArrayPlanes
from napari_unet.engine.training import TrainingPlan, fit, usual_config
from napari_unet.io.axes import name_axes
from napari_unet.io.checkpoints import load_model as load_file
from napari_unet.io.checkpoints import save_model
from napari_unet.io.images import open_image
from napari_unet.io.library import find_model
from napari_unet.io.stack import ImageStack

__all__ = ["load_model", "measure", "open_image", "save_model", "segment", "train"]

Image: TypeAlias = npt.NDArray[Any] | ImageStack | str | Path
"""An array (…, Y, X), an open image, or its file."""


def load_model(name: str | Path) -> Model:
    """Load a model: a bundled one, one of your own by its name, or a file.

    Parameters
    ----------
    name
        For example "light", "large", "my cells", or "cells.safetensors".

    Raises
    ------
    FileError, CheckpointError
        If there is none, or it is damaged; the text says what to do.

    Examples
    --------
    >>> load_model("light").task.value
    'objects'
    """
    return load_file(find_model(str(name)))


def train(
    image: Image | Sequence[Image],
    labels: Image | Sequence[Image],
    *,
    start: str | Path | Model | NetworkConfig = "light",
    task: str = "objects",
    unpainted: str = "ignored",
    seconds: float | None = None,
    steps: int | None = None,
    diameter: float | None = None,
    channel_axis: int | None = None,
    seed: int = 0,
    device: str = "auto",
    on_event: Callable[[TrainEvent], object] | None = None,
) -> Model:
    """Train a model on painted labels.

    Parameters
    ----------
    image, labels
        An image and labels of its planes; or a list of images of any sizes and one of labels, for
        one model from all. Labels are whole numbers: 0 is not painted, 1 background, and 2, 3, …
        objects (or classes).
    start
        A model, its name or its file; or a network from random weights.
    task
        "objects", or "classes".
    unpainted
        What 0 means: "ignored", or "background" for usual label images, in which 1 is an object.
    seconds, steps
        Limits; neither: a minute. A trained network ends before that when it has learned what is
        painted.
    diameter
        Of the objects, pixels; None: measured.
    channel_axis
        Axis of the arrays that holds channels; None: there is one channel.
    seed
        The same seed, labels and number of steps give the same model on one machine.
    device
        "auto", "cpu", "cuda", "cuda:1" or "mps".
    on_event
        Called with everything that is told on the way: losses, scores, what was left out.

    Returns
    -------
    Model
        The best weights, to be handed to `segment` or `save_model`.

    Raises
    ------
    UnetPaintError
        If image, labels or device cannot be used; the text says what to do.

    Examples
    --------
    >>> from napari_unet.io.samples import synthetic_cells, paint_strokes
    >>> sample = synthetic_cells(planes=4, shape=(96, 96))
    >>> model = train(sample.image, paint_strokes(sample.truth), steps=2)
    >>> model.record.steps
    2
    """
    images, painted = _listed(image), _listed(labels)
    if len(images) != len(painted):
        raise ValueError(f"{len(images)} images need as many labels, got {len(painted)}")
    beginning = start if isinstance(start, Model | NetworkConfig) else load_model(start)
    plan = TrainingPlan(
        start=beginning,
        scheme=LabelScheme(Task(task), Unpainted(unpainted)),
        config=usual_config(beginning, seconds=seconds, steps=steps, diameter=diameter, seed=seed),
        device=pick_device(device),
    )
    pairs = [
        (_planes(one, channel_axis), _planes(other, None, name="labels"))
        for one, other in zip(images, painted, strict=True)
    ]
    for event in fit(TrainingSet.of(*pairs), plan):
        if on_event is not None:
            on_event(event)
        if isinstance(event, TrainDone):
            done = event
    return done.model  # `fit` ends with it, or raises


def segment(
    image: Image,
    model: str | Path | Model = "light",
    *,
    probabilities: bool = False,
    min_size: int | None = None,
    link: bool = False,
    rotations: int = 1,
    channel_axis: int | None = None,
    device: str = "auto",
    on_event: Callable[[SegmentEvent], object] | None = None,
) -> npt.NDArray[Any]:
    """Segment a stack of planes, whatever its size: it is computed tile by tile.

    Parameters
    ----------
    image
        Planes.
    model
        A model, its name or its file.
    probabilities
        Return what the network answers instead of labels.
    min_size
        Pixels of the smallest object; None: from the objects that were painted.
    link
        Give objects that overlap from plane to plane one number.
    rotations
        Average over so many rotations of the image, 1 to 8.
    channel_axis
        Axis of the array that holds channels; None: there is one channel.
    device, on_event
        As of `train`.

    Returns
    -------
    array
        Objects: (…, Y, X) int32, one number each on each plane, or over planes with `link`; 0 is
        background. Classes: the number of each pixel's class. Probabilities: (…, K, Y, X) float32,
        one for each class, or that of the foreground.

    Raises
    ------
    UnetPaintError
        If image, model or device cannot be used; the text says what to do.

    Examples
    --------
    >>> from napari_unet.io.samples import synthetic_cells
    >>> labels = segment(synthetic_cells(planes=1, shape=(96, 96)).image)
    >>> labels.shape, bool(labels.max() > 3)
    ((1, 96, 96), True)
    """
    chosen = model if isinstance(model, Model) else load_model(model)
    preset = preset_of(chosen.network)
    planes = _planes(image, channel_axis, channels=chosen.network.in_channels)
    plan = SegmentationPlan(
        chosen,
        replace(preset.objects, min_size=min_size, link=link),
        replace(preset.tiling, rotations=rotations),
        OutputKind.PROBABILITIES if probabilities else OutputKind.LABELS,
    )
    events = segment_planes(plan, planes, device=pick_device(device), provisional=False)

    def told() -> Any:
        for event in events:
            if on_event is not None:
                on_event(event)
            yield event

    found = np.stack([values for _, values in whole_planes(told())])
    return found.reshape(*planes.leading_shape, *found.shape[1:])


def measure(
    labels: Image,
    image: Image | None = None,
    *,
    pixel_size: float | None = None,
    channel_axis: int | None = None,
) -> Mapping[str, npt.NDArray[Any]]:
    """Measure the objects: one row for each on each plane.

    Parameters
    ----------
    labels
        (…, Y, X), one number per object, 0 = background.
    image
        For grey values, too.
    pixel_size
        Height and width of a pixel, µm; None: as a file says, else lengths are in pixels.
    channel_axis
        Axis of the image that holds channels; None: there is one channel.

    Returns
    -------
    dict
        Columns by name, all of one length: "label", "plane", "area_px" or "area_um2", … as
        docs/measurements.md explains them. `pandas.DataFrame(dict(table))` takes it.

    Raises
    ------
    UnetPaintError
        If labels or image cannot be used; the text says what to do.

    Examples
    --------
    >>> import numpy as np
    >>> table = measure(np.array([[0, 1, 1], [0, 1, 1], [2, 0, 0]]))
    >>> table["label"].tolist(), table["area_px"].tolist()
    ([1, 2], [4.0, 1.0])
    """
    opened = _opened(labels)
    if not isinstance(opened, ImageStack):
        opened = ImageStack(opened, name_axes("?" * (opened.ndim - 2) + "YX"), {}, "labels")
    numbers, grid = opened.planes(), opened.layout()
    if pixel_size is not None:
        grid = replace(grid, spacing={**grid.spacing, "Y": pixel_size, "X": pixel_size})
    grey = None if image is None else _planes(image, channel_axis)
    channels = () if grey is None else ("",) * grey.channels
    measures = Measures(grid, channels)
    parts = [event.rows for event in measure_planes(numbers, measures, image=grey)]
    return ObjectTable.joined(parts).columns


def _listed(given: Image | Sequence[Image]) -> list[Image]:
    return list(given) if isinstance(given, list | tuple) else [given]  # type: ignore[list-item]


def _planes(
    image: Image, channel_axis: int | None, *, name: str = "image", channels: int | None = None
) -> ArrayPlanes:
    """Return the planes; where a model takes one channel, those of a file are planes."""
    opened = _opened(image)
    if isinstance(opened, ImageStack):
        return (opened.channels_as_planes() if channels == 1 else opened).planes()
    return ArrayPlanes(opened, channel_axis=channel_axis, name=name)


def _opened(image: Image) -> ImageStack | npt.NDArray[Any]:
    """Return an open image, or an array as it is: a lazy one is not read here."""
    if isinstance(image, str | Path):
        return open_image(image)
    is_array = isinstance(image, ImageStack) or hasattr(image, "dtype")
    return image if is_array else np.asarray(image)
