"""One training run's state: network, optimiser, patches, validation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from napari_unet.config import Sampling, TrainConfig
from napari_unet.engine.network.model import Model, adapt
from napari_unet.engine.network.precision import arrange, multiplies_faster_in_bfloat16
from napari_unet.engine.network.unet import UNet, margin
from napari_unet.engine.paint.painted_planes import PaintedStack
from napari_unet.engine.prediction.overlap_tile import OverlapTiler, network_probabilities
from napari_unet.engine.random_state import RandomState
from napari_unet.engine.stack.planes import Planes
from napari_unet.engine.stack.tiles import Tile, read_mirrored
from napari_unet.engine.training.corrections import NewPaint
from napari_unet.engine.training.head import fit_head
from napari_unet.engine.training.lessons import Lessons
from napari_unet.engine.training.little_paint import enough_steps, pull_to_first_answer
from napari_unet.engine.training.loss import shape_loss
from napari_unet.engine.training.memory_shortage import Means
from napari_unet.engine.training.optimiser import (
    forget_half_made,
    give_memory,
    make_optimiser,
    read_memory,
)
from napari_unet.engine.training.sampling import Batch, PatchSampler, Spot, validation_batches
from napari_unet.engine.training.shape_teacher import ShapeTarget, ShapeTeacher, predict_field
from napari_unet.engine.training.state import (
    ANCHOR,
    NOW,
    PLACES,
    TrainerRecord,
    TrainingState,
    differing,
)
from napari_unet.engine.training.unsettled import Unsettled
from napari_unet.engine.training.validation import loss_of_classes, validate

_SHAPE = 4.0  # weight of the shape field's loss beside the classes' one
_VALIDATION_PIXELS = 1 << 18  # input pixels of a validation batch, at most
_VALIDATION_SHARE = 4  # times the input pixels of a step, which needs more memory for each
_HEAD_PULL = 3.0  # times the pull to the first answer: the penalty with which it is fitted
_HEAD_BATCHES = 6  # that the head of a trained network is fitted to before the first step


class Trainer:
    """A network that is being trained.

    Parameters
    ----------
    model
        Weights to start from.
    config
        Optimiser, patches and augmentation.
    lessons
        The painted planes, and which of their pixels validate.
    interrupted
        The state to go on from; None: begin anew.
    """

    def __init__(
        self,
        model: Model,
        config: TrainConfig,
        *,
        lessons: Lessons,
        device: torch.device,
        interrupted: TrainingState | None = None,
    ) -> None:
        self.step = 0
        self.model = model  # as it was at the start, but with today's outputs
        self._config = config
        self._settle(device)
        self._network = self._build(model, device)
        self._teacher = ShapeTeacher(self._first_field) if model.network.shape_field else None
        self._optimiser = make_optimiser(self._network, config)
        self._rng = np.random.default_rng(config.seed)
        self._unsettled = Unsettled()
        self._is_half_done = False  # a step
        self._patch = config.patch  # of the last step that did not fail, pixels
        self._anchors: list[tuple[Tensor, Tensor]] = []
        if interrupted is not None:
            self._go_on_from(interrupted)
        self.teach(lessons)
        if model.is_trained and interrupted is None:
            self._answer_at_once()

    def _go_on_from(self, state: TrainingState) -> None:
        network, record = self._network, state.record.trainer
        self.step = record.step
        network.load_state_dict(state.weights(NOW))
        give_memory(network, self._optimiser, state.arrays)
        record.random.give(self._rng)
        self._unsettled.restore(record.places, state.arrays)
        if state.model.is_trained:
            before = state.weights(ANCHOR)
            self._anchors = [
                (weight, torch.empty_like(weight.detach()).copy_(before[name]))
                for name, weight in network.named_parameters()
            ]

    @property
    def is_between_steps(self) -> bool:
        """Whether no step has failed while the weights were changed."""
        return not self._is_half_done

    def state(self) -> tuple[TrainerRecord, dict[str, Tensor]]:
        """Return all that is needed to go on, see `TrainingState`; the arrays are copies."""
        names = [name for name, _ in self._network.named_parameters()]
        anchors = {
            name: before.to("cpu")
            for name, (_, before) in zip(names, self._anchors, strict=False)  # none, or all
        }
        places, pixels = self._unsettled.recorded()
        random = RandomState.of(self._rng)
        return TrainerRecord(self.step, self._patch, random, places), {
            **{f"{NOW}/{name}": tensor for name, tensor in self.weights().items()},
            **differing(ANCHOR, anchors, self.model),
            **read_memory(self._network, self._optimiser),
            PLACES: pixels,
        }

    def adapt(self, means: Means) -> None:
        """Go on with other patches, or on another device, where the memory suffices.

        May be called after whatever ran out of memory, this included: nothing is half done then.
        """
        device = means.device.torch_device
        self._config = replace(self._config, patch=means.patch)
        forget_half_made(self._optimiser)
        if device != self._device:
            self._move(device)
        self.teach(self._lessons)

    def _move(self, device: torch.device) -> None:
        """Take the network and all that belongs to it to another device."""
        network = self._build(self.snapshot(), device)
        optimiser = make_optimiser(network, self._config)
        optimiser.load_state_dict(self._optimiser.state_dict())
        anchors: list[tuple[Tensor, Tensor]] = [
            (weight, before.to(device))
            for weight, (_, before) in zip(network.parameters(), self._anchors, strict=False)
        ]  # none, or all
        self._network, self._optimiser, self._anchors = network, optimiser, anchors
        self._settle(device)

    def _settle(self, device: torch.device) -> None:
        """Compute here from now on."""
        self._device = device
        self._cuda = [device] if device.type == "cuda" else []
        self._mixed = self._is_mixed(device)

    def _is_mixed(self, device: torch.device) -> bool:
        return self._config.mixed_precision and multiplies_faster_in_bfloat16(device)

    def _build(self, model: Model, device: torch.device) -> UNet:
        network = model.build(device)
        arrange(network, device, mixed=self._is_mixed(device))
        return network

    def teach(self, lessons: Lessons) -> None:
        """Draw patches from these lessons from now on, and validate on their held-out blocks."""
        self._lessons = lessons
        self._unsettled.keep(lessons.training.numbers)
        self._pull = pull_to_first_answer(lessons.training.labelled_pixels)
        levels, device = self.model.network.levels, self._device
        self._sampler = PatchSampler(
            lessons.training,
            self._config.augment,
            size=self._config.patch,
            levels=levels,
            device=device,
            sampling=self._config.sampling,
            shapes=self._shapes(lessons.training),
        )
        step_pixels = self._config.batch * (self._sampler.size + 2 * margin(levels)) ** 2
        self._validation = validation_batches(
            lessons.stack,
            lessons.held_out,
            levels=levels,
            device=device,
            pixels=min(_VALIDATION_PIXELS, _VALIDATION_SHARE * step_pixels),
            shapes=self._shapes(lessons.stack),
        )

    def correct(self, paint: Sequence[NewPaint]) -> None:
        """Cut patches more often around what is newly painted, until it is right.

        Not where all painted pixels are drawn alike, as in the paper.
        """
        if self._config.sampling is Sampling.CLASSES:
            self._unsettled.add(paint, self._lessons.training)

    def _shapes(self, stack: PaintedStack) -> list[ShapeTarget]:
        return [] if self._teacher is None else self._teacher.targets(stack.planes)

    def _first_field(self, image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the shape field that the network gave at the start of this run."""
        return predict_field(self._build(self.model, self._device), self._device, image)

    def extend(self, values: tuple[int, ...]) -> None:
        """Give the network an output for each of these label values.

        The other weights stay, and so does the optimiser's state wherever shapes agree. If memory
        runs out meanwhile, all is as it was before.
        """
        if values == self.model.values:
            return
        model = self.extended(self.snapshot(), values)
        network = self._build(model, self._device)
        optimiser = make_optimiser(network, self._config)
        before, states = dict(self._network.named_parameters()), self._optimiser.state
        for name, parameter in network.named_parameters():
            if before[name].shape == parameter.shape and before[name] in states:
                optimiser.state[parameter] = states[before[name]]
        anchors = _anchored(network) if self._anchors else []
        self.model, self._network = model, network
        self._optimiser, self._anchors = optimiser, anchors

    def answer_for_new_classes(self) -> None:
        """Let the head of a trained network know the classes that it was given by `extend`.

        Left at zero they would be held there, as the first answer holds all weights.
        """
        head = self._network.head.weight[: len(self.model.values)]
        if self._anchors and bool((head == 0).flatten(1).all(dim=1).any()):
            self._answer_at_once()

    def _answer_at_once(self) -> None:
        """Fit the head to what is painted; this is the first answer, to which weights go back."""
        batches = [self._draw() for _ in range(_HEAD_BATCHES)]
        fit_head(self._network, batches, pull=_HEAD_PULL * self._pull)
        self._anchors = _anchored(self._network)

    def extended(self, model: Model, values: tuple[int, ...]) -> Model:
        """Return a model of this run with an output for each value."""
        if values == model.values:
            return model
        return adapt(model, model.normalization, model.task, values, seed=self._config.seed)

    def snapshot(self) -> Model:
        """Return the model as it is now, on the CPU."""
        return replace(self.model, weights=self.weights())

    @property
    def enough_steps(self) -> int | None:
        """Steps in which a trained network learns what is painted; None: it may take any number.

        Not known of a network from random weights, and of no interest to those without patience.
        """
        if not self._anchors or self._config.patience == 0:
            return None
        return enough_steps(self._lessons.training.labelled_pixels)

    @property
    def can_validate(self) -> bool:
        """Whether anything was held out."""
        return bool(self._validation)

    def advance(self, progress: float) -> float:
        """Do one gradient update and return its loss; where that fails, draw the same once more.

        Parameters
        ----------
        progress
            Share of the run that is over, 0 to 1, for the learning rate.
        """
        random, step = RandomState.of(self._rng), self.step
        try:
            return self._update(progress)
        finally:
            if self.step == step:
                random.give(self._rng)

    def _update(self, progress: float) -> float:
        rate = self._learning_rate(progress)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        corrected = self._unsettled.draw(self._rng, self._config.batch)
        batch = self._draw([spot for _, spot in corrected])
        if not self._network.training:  # after a validation or a preview
            self._network.train()
        self._optimiser.zero_grad(set_to_none=True)
        with self._repeatable_dropout():
            outputs = self._learn_from(batch.images)
            loss = _loss(outputs, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        if self._config.clip_gradient > 0:
            nn.utils.clip_grad_norm_(self._network.parameters(), self._config.clip_gradient)
        self._is_half_done = True
        self._optimiser.step()
        self._pull_back(self._pull * rate / self._config.learning_rate)
        self.step += 1
        self._is_half_done, self._patch = False, self._config.patch
        if corrected:
            self._unsettled.note([place for place, _ in corrected], outputs, batch)
        return float(loss.detach())

    @contextmanager
    def _repeatable_dropout(self) -> Iterator[None]:
        """Let dropout repeat with the seed, and disturb nobody else's random numbers."""
        seed = int(self._rng.integers(2**31))  # drawn by every network: patches depend on it, too
        if self._network.config.dropout == 0:
            yield
            return
        with torch.random.fork_rng(devices=self._cuda):
            torch.manual_seed(seed)
            yield

    def _learn_from(self, images: Tensor) -> Tensor:
        """Return float32 logits, by products of bfloat16 numbers where these are faster.

        Weights, gradients, loss and update stay in float32; so does all that is shown or scored.
        """
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._mixed):
            logits: Tensor = self._network(images)
        return logits.float()

    def validate(self) -> tuple[float, float]:
        """Return loss and mean IoU over the held-out pixels."""
        return validate(self._network, self._validation)

    def score(self, weights: Mapping[str, Tensor]) -> tuple[float, float]:
        """Return loss and mean IoU that other weights reach on today's held-out pixels."""
        current = self.weights()
        self._network.load_state_dict(dict(weights))
        try:
            return self.validate()
        finally:
            self._network.load_state_dict(dict(current))

    def predict(self, planes: Planes, plane: int, tile: Tile) -> npt.NDArray[np.float32]:
        """Return the probabilities (K, y, x) of a tile, with the weights as they are now.

        The planes are in normalised grey values.

        Raises
        ------
        ImageError
            If the image holds NaN or infinite values there.
        """

        def read(wanted: Tile) -> npt.NDArray[np.float32]:
            return read_mirrored(planes, plane, wanted)

        self._network.eval()
        compute = network_probabilities(self._network, self._device, slice(None))
        return OverlapTiler(compute, self.model.network.levels).predict(read, tile)

    def weights(self) -> Mapping[str, Tensor]:
        """Return a copy of the weights, on the CPU."""
        state = self._network.state_dict()
        return {name: tensor.detach().to("cpu", copy=True) for name, tensor in state.items()}

    def _draw(self, around: Sequence[Spot] = ()) -> Batch:
        return self._sampler.draw(self._rng, self._config.batch, around)

    @torch.no_grad()
    def _pull_back(self, share: float) -> None:
        """Move each weight a share of the way back to where it was.

        The share falls with the learning rate, as decoupled weight decay does: small late steps
        would otherwise be undone.
        """
        for weight, before in self._anchors:
            weight.lerp_(before, share)

    def _learning_rate(self, progress: float) -> float:
        rate = self._config.learning_rate
        if self._config.warm_up:
            rate *= min(1.0, (self.step + 1) / self._config.warm_up)
        if self._config.anneal:
            rate *= (1 + math.cos(math.pi * min(1.0, progress))) / 2
        return rate


def _anchored(network: UNet) -> list[tuple[Tensor, Tensor]]:
    """Return each weight with its present value, the first answer's, to which it goes back."""
    return [(weight, weight.detach().clone()) for weight in network.parameters()]


def _loss(outputs: Tensor, batch: Batch) -> Tensor:
    if batch.shape is None:
        return loss_of_classes(outputs, batch)
    return loss_of_classes(outputs, batch) + _SHAPE * shape_loss(outputs[:, -1], batch.shape)
