"""Fine-tuning on painted labels, as an iterator of events."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

import numpy as np
from torch import Tensor

from napari_unet import __version__
from napari_unet.config import NetworkConfig, Task, TrainConfig, Unpainted
from napari_unet.engine.device import DeviceChoice, engine_errors
from napari_unet.engine.events import (
    FinishReason,
    StepDone,
    Stop,
    TrainDone,
    TrainEvent,
    TrainStarted,
    Validated,
    never,
)
from napari_unet.engine.model import Model, TrainRecord, adapt, fresh_model
from napari_unet.engine.normalize import measure
from napari_unet.engine.painted import PaintedStack, read_painted
from napari_unet.engine.planes import Planes
from napari_unet.engine.targets import LabelScheme
from napari_unet.engine.trainer import Trainer
from napari_unet.engine.unet import margin, valid_output_size
from napari_unet.engine.validation import hold_out

__all__ = ["fit"]

_VALIDATIONS = 20  # in a run that is limited by steps
_MOST_VALIDATIONS = 40  # in a run that is limited by seconds: patience grows with the limit
# A few held-out blocks tell no smaller differences of IoU apart; of equally good weights the later
# ones are kept, which the falling learning rate has settled.
_NOISE = 0.02
_PAUSE_FACTOR = 9  # in a run that is limited by seconds: at most 1/10 of them validates


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

    Yields
    ------
    TrainEvent
        `TrainStarted`, then `StepDone` and `Validated`, and in every case `TrainDone` at last.

    Raises
    ------
    ImageError, LabelsError
        If image or labels cannot be used; the text says what to do.
    EngineError
        If the device fails, for example for want of memory.

    Notes
    -----
    With a step limit and no time limit the run repeats exactly for the same seed, labels and
    number of threads. With a time limit the number of steps depends on the machine.
    """
    started = datetime.now(UTC)
    stack, model = _prepare(planes, labels, start, LabelScheme(task, unpainted), config)
    rng = np.random.default_rng(config.seed)
    training, held_out = hold_out(stack, config.validation_share, rng)
    yield TrainStarted(
        device=str(device),
        planes=tuple(plane.number for plane in stack.planes),
        labelled_pixels=training.labelled_pixels,
        held_out=held_out,
        values=model.values,
        parameters=sum(weight.numel() for weight in model.weights.values()),
    )
    with engine_errors(device):
        trainer = Trainer(
            model,
            config,
            stack=stack,
            training=training,
            held_out=held_out,
            device=device.torch_device,
        )
    run = _Run(trainer, config, device)
    reason = yield from run.events(stop)
    record = TrainRecord(
        started=started.isoformat(timespec="seconds"),
        version=__version__,
        start=_describe(start),
        device=str(device),
        steps=trainer.step,
        best_step=run.best.step,
        seconds=round(run.seconds, 3),
        finished=reason.value,
        labelled_pixels=training.labelled_pixels,
        held_out=held_out,
        validation_loss=run.best.loss,
        validation_iou=run.best.iou,
        settings=asdict(config),
    )
    yield TrainDone(
        reason, replace(model, weights=run.best.weights, pixel_size=pixel_size, record=record)
    )


def _prepare(
    planes: Planes,
    labels: Planes,
    start: NetworkConfig | Model,
    scheme: LabelScheme,
    config: TrainConfig,
) -> tuple[PaintedStack, Model]:
    """Read what is painted, and make the model to start from."""
    network = start.network if isinstance(start, Model) else start
    normalization = measure(planes)
    context = _context(config, network.levels)
    stack = read_painted(
        planes,
        labels,
        scheme,
        normalization,
        config,
        context=context,
        known=start.values if isinstance(start, Model) and start.task is scheme.task else (),
    )
    if isinstance(start, Model):
        model = adapt(start, normalization, scheme.task, stack.values, seed=config.seed)
    else:
        model = fresh_model(network, normalization, scheme.task, stack.values, seed=config.seed)
    return stack, model


def _context(config: TrainConfig, levels: int) -> int:
    """Return how far a patch around a painted pixel can reach, pixels."""
    half = valid_output_size(config.patch, levels) / 2 + margin(levels)
    elastic = 4 * config.augment.elastic_sigma
    return math.ceil(half * math.sqrt(2) + config.augment.shift + elastic)


def _describe(start: NetworkConfig | Model) -> str:
    if isinstance(start, NetworkConfig):
        return f"{start.name}, from scratch"
    record = start.record
    return f"{start.network.name}, after {record.steps} steps ({record.started})"


@dataclass(frozen=True, slots=True)
class _Best:
    step: int
    weights: Mapping[str, Tensor]
    loss: float | None = None  # None: nothing was held out
    iou: float | None = None


class _Run:
    """The course of a run: when to validate, what to keep, when to end."""

    def __init__(self, trainer: Trainer, config: TrainConfig, device: DeviceChoice) -> None:
        self._trainer = trainer
        self._config = config
        self._device = device
        self._begin = time.perf_counter()
        self._validated_at = 0.0  # seconds since the start
        self._validation_cost = 0.0  # seconds
        self._highest_iou = 0.0  # of all validations
        self._misses = 0  # validations since the best one
        self.best = _Best(0, trainer.weights())

    @property
    def seconds(self) -> float:
        """Seconds since the start of training."""
        return time.perf_counter() - self._begin

    def events(self, stop: Stop) -> Generator[TrainEvent, None, FinishReason]:
        """Train until a limit is reached; return the reason."""
        if self._trainer.can_validate:
            yield self._validate()
        while True:
            with engine_errors(self._device):
                loss = self._trainer.advance(self._progress())
            yield StepDone(self._trainer.step, loss, self.seconds, self._progress())
            reason = self._reason_to_end(stop)
            if self._trainer.can_validate and (reason or self._validation_is_due()):
                yield self._validate()
                reason = reason or self._out_of_patience()
            if reason:
                break
        if not self._trainer.can_validate:
            self.best = _Best(self._trainer.step, self._trainer.weights())
        return reason

    def _progress(self) -> float:
        """Return the share of the tightest limit that is used up, 0 to 1."""
        steps, seconds = self._config.steps, self._config.seconds
        shares = [self._trainer.step / steps] if steps else []
        shares += [self.seconds / seconds] if seconds else []
        return min(1.0, max(shares))

    def _reason_to_end(self, stop: Stop) -> FinishReason | None:
        if stop():
            return FinishReason.STOPPED
        if self._config.steps and self._trainer.step >= self._config.steps:
            return FinishReason.COMPLETED
        if self._config.seconds and self.seconds >= self._config.seconds:
            return FinishReason.TIME
        return None

    def _validation_is_due(self) -> bool:
        if self._config.steps:
            return self._trainer.step % max(1, self._config.steps // _VALIDATIONS) == 0
        pause = max(
            self._config.validate_every,
            (self._config.seconds or 0) / _MOST_VALIDATIONS,
            _PAUSE_FACTOR * self._validation_cost,
        )
        return self.seconds - self._validated_at >= pause

    def _out_of_patience(self) -> FinishReason | None:
        exhausted = 0 < self._config.patience <= self._misses
        return FinishReason.NO_IMPROVEMENT if exhausted else None

    def _validate(self) -> Validated:
        begin = self.seconds
        with engine_errors(self._device):
            loss, iou = self._trainer.validate()
        self._highest_iou = max(self._highest_iou, iou)
        is_best = iou >= self._highest_iou - _NOISE or self.best.loss is None
        if is_best:
            self.best = _Best(self._trainer.step, self._trainer.weights(), loss, iou)
        self._misses = 0 if is_best else self._misses + 1
        self._validated_at = self.seconds
        self._validation_cost = self._validated_at - begin
        return Validated(self._trainer.step, self._validated_at, loss, iou, best=is_best)
