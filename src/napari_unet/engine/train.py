"""Fine-tuning on painted labels, as an iterator of events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial

import numpy as np

from napari_unet import __version__
from napari_unet.config import NetworkConfig, ObjectsConfig, Task, TrainConfig, Unpainted
from napari_unet.engine.course import Course
from napari_unet.engine.device import DeviceChoice, engine_errors
from napari_unet.engine.events import (
    Live,
    PaintedPixels,
    Stop,
    TrainDone,
    TrainEvent,
    TrainStarted,
    never,
)
from napari_unet.engine.lessons import Lessons
from napari_unet.engine.model import Model, TrainRecord, adapt, fresh_model
from napari_unet.engine.normalize import measure
from napari_unet.engine.painted import PaintedReader
from napari_unet.engine.planes import Planes
from napari_unet.engine.preview import Previewer
from napari_unet.engine.sampling import patch_context
from napari_unet.engine.targets import LabelScheme
from napari_unet.engine.trainer import Trainer
from napari_unet.engine.unet import stride
from napari_unet.engine.validation import Split

__all__ = ["fit"]


def fit(
    planes: Planes,
    labels: Planes,
    *,
    start: NetworkConfig | Model,
    task: Task,
    unpainted: Unpainted,
    config: TrainConfig,
    device: DeviceChoice,
    pixel_size: tuple[float, float] | None = None,
    stop: Stop = never,
    live: Live | None = None,
    objects: ObjectsConfig = ObjectsConfig(),  # noqa: B008 frozen
    known: Sequence[PaintedPixels] = (),
) -> Iterator[TrainEvent]:
    """Train on painted labels.

    Parameters
    ----------
    planes, labels
        Image and labels: the same number of planes of the same shape.
    start
        A network to train from the paper's initial weights, or a model to go on from. If the
        painted classes differ from the model's, its head is extended and the rest kept.
    task, unpainted
        How the labels are read.
    config
        Limits, optimiser, patches, weights of the loss, augmentation.
    device
        Where to compute.
    pixel_size
        (Y, X) in µm/px, stored with the model.
    stop
        Asked after each step; True ends training, and the best weights are kept.
    live
        Asked between steps what to preview, and which planes were painted on meanwhile; their
        labels are read again, and training goes on with them. None: neither.
    objects
        How foreground is cut into objects in previews.
    known
        What the model to start from was trained on: `TrainDone.painted` of that course.

    Yields
    ------
    TrainEvent
        `TrainStarted`; `Corrected`, if `known` is given and something else is painted now; then
        `Previewed`, `Validated` and `StepDone`, new strokes as `Corrected` and `LabelsTaken`; and
        in every case `TrainDone` at last.

    Raises
    ------
    ImageError, LabelsError
        If image or labels cannot be used; the text says what to do. Labels that cannot be used
        while training goes on are no error: it goes on with what was painted before.
    EngineError
        If the device fails, for example for want of memory.

    Notes
    -----
    With a step limit and no time limit the run repeats exactly for the same seed, labels and
    number of threads, if nothing is painted meanwhile. With a time limit the number of steps
    depends on the machine.

    With new strokes, the limits, the falling learning rate and the patience start anew. What was
    held out stays held out, and the best weights so far compete with the later ones on the pixels
    that are held out then. After a stop there is a last validation only if it takes less than a
    second.
    """
    started = datetime.now(UTC)
    scheme = LabelScheme(task, unpainted)
    lessons, model = _prepare(planes, labels, start, scheme, config)
    yield TrainStarted(
        device=str(device),
        planes=lessons.stack.numbers,
        labelled_pixels=lessons.training.labelled_pixels,
        held_out=lessons.held_out,
        values=model.values,
        parameters=sum(weight.numel() for weight in model.weights.values()),
    )
    with engine_errors(device):
        trainer = Trainer(model, config, lessons=lessons, device=device.torch_device)
    predict = partial(trainer.predict, planes)
    previewer = Previewer(
        predict,
        shape=(planes.count, *planes.shape),
        stride=stride(model.network.levels),
        task=task,
        values=model.values,
        objects=objects,
    )
    course = Course(lessons, trainer, previewer, config, device=device, predict=predict, live=live)
    if isinstance(start, Model) and start.task is task and known:
        yield from course.compare(known, start.values)
    reason = yield from course.events(stop)
    best = course.best
    record = TrainRecord(
        started=started.isoformat(timespec="seconds"),
        version=__version__,
        start=_describe(start),
        device=str(device),
        steps=trainer.step,
        best_step=best.step,
        seconds=round(course.seconds, 3),
        finished=reason.value,
        labelled_pixels=lessons.training.labelled_pixels,
        held_out=lessons.held_out,
        validation_loss=best.loss,
        validation_iou=best.iou,
        settings=asdict(config),
    )
    trained = replace(trainer.model, weights=best.weights, pixel_size=pixel_size, record=record)
    yield TrainDone(reason, trained, lessons.stack.pixels)


def _prepare(
    planes: Planes,
    labels: Planes,
    start: NetworkConfig | Model,
    scheme: LabelScheme,
    config: TrainConfig,
) -> tuple[Lessons, Model]:
    """Read what is painted, and make the model to start from."""
    network = start.network if isinstance(start, Model) else start
    normalization = measure(planes)
    reader = PaintedReader(
        planes,
        labels,
        scheme,
        normalization,
        config,
        context=patch_context(config, network.levels),
        known=start.values if isinstance(start, Model) and start.task is scheme.task else (),
    )
    rng = np.random.default_rng(config.seed)
    split = Split(planes.shape, config.validation_share, rng)
    lessons = Lessons(reader, split, planes.count, scheme.unpainted)
    values = lessons.stack.values
    if isinstance(start, Model):
        model = adapt(start, normalization, scheme.task, values, seed=config.seed)
    else:
        model = fresh_model(network, normalization, scheme.task, values, seed=config.seed)
    return lessons, model


def _describe(start: NetworkConfig | Model) -> str:
    if isinstance(start, NetworkConfig):
        return f"{start.name}, from scratch"
    record = start.record
    return f"{start.network.name}, after {record.steps} steps ({record.started})"
