"""What is kept of a run, so that it can go on after an interruption."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import torch

from napari_unet.config import TrainConfig
from napari_unet.engine.events import StateReached, StepDone, TrainResumed, Validated
from napari_unet.engine.paint.painted_planes import PaintedStack
from napari_unet.engine.training.best_weights import Best, BestWeights
from napari_unet.engine.training.lessons import Lessons
from napari_unet.engine.training.schedule import Schedule
from napari_unet.engine.training.size_choice import SizeChoice
from napari_unet.engine.training.state import (
    BEST,
    SIDES,
    ImageRecord,
    Planned,
    RunRecord,
    TrainingState,
    differing,
    past_arrays,
    print_paint,
)
from napari_unet.engine.training.trainer import Trainer


@dataclass(slots=True)
class RunProgress:
    """How far a run has come, beside the network itself."""

    schedule: Schedule
    best_weights: BestWeights
    patience: int  # validations without improvement before the end; 0: any number
    is_settled: bool = True  # the last step's validation is over
    steps: list[StepDone] = field(default_factory=list)
    validations: list[Validated] = field(default_factory=list)
    is_resumed: bool = False
    is_same_paint: bool = True  # as before it was interrupted

    @classmethod
    def begin(cls, config: TrainConfig, trainer: Trainer) -> RunProgress:
        """Return that of a run before its first step."""
        best = BestWeights(Best(0, trainer.snapshot()))
        return cls(Schedule(config, enough=trainer.enough_steps), best, config.patience)

    @classmethod
    def of(cls, state: TrainingState, trainer: Trainer, *, is_same_paint: bool) -> RunProgress:
        """Return that of an interrupted run."""
        record, config = state.record, state.record.plan.config
        steps, validations = state.past()
        return cls(
            Schedule(config, record.schedule, enough=trainer.enough_steps),
            BestWeights.recorded(record.best, replace(state.model, weights=state.weights(BEST))),
            config.patience,
            is_settled=record.is_settled,
            steps=steps,
            validations=validations,
            is_resumed=True,
            is_same_paint=is_same_paint,
        )

    @property
    def is_out_of_patience(self) -> bool:
        """Whether the best weights have stayed the best for too long."""
        return 0 < self.patience <= self.best_weights.misses

    def resumed(self, step: int) -> TrainResumed:
        """Return the event that tells how it went until it was interrupted."""
        seconds, same = self.schedule.seconds, self.is_same_paint
        return TrainResumed(step, seconds, tuple(self.steps), tuple(self.validations), same)


@dataclass(frozen=True, slots=True)
class Begun:
    """What does not change while a run is on."""

    plan: Planned
    images: tuple[ImageRecord, ...]
    size: SizeChoice
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @classmethod
    def of(cls, state: TrainingState) -> Begun:
        """Return that of an interrupted run."""
        record = state.record
        return cls(record.plan, record.images, record.size, record.started)


class Keeper:
    """Takes the state of a run.

    Parameters
    ----------
    begun
        What does not change.
    lessons, trainer
        What is learned, and the network that learns it.
    every
        Seconds after which the state is to be kept again, at least; None: never.
    """

    def __init__(
        self, begun: Begun, lessons: Lessons, trainer: Trainer, every: float | None
    ) -> None:
        self.every = every
        self._begun = begun
        self._lessons = lessons
        self._trainer = trainer
        self._printed: tuple[PaintedStack, int] | None = None

    def progress(self, interrupted: TrainingState | None) -> RunProgress:
        """Return how far the run has come."""
        if interrupted is None:
            return RunProgress.begin(self._begun.plan.config, self._trainer)
        is_same_paint = interrupted.record.paint == self.paint
        return RunProgress.of(interrupted, self._trainer, is_same_paint=is_same_paint)

    @property
    def paint(self) -> int:
        """The fingerprint of what is learned now."""
        stack = self._lessons.stack
        if self._printed is None or self._printed[0] is not stack:
            self._printed = stack, print_paint(stack)
        return self._printed[1]

    def state(self, progress: RunProgress) -> TrainingState:
        """Return all that is needed to go on from here."""
        begun, best = self._begun, progress.best_weights
        split, sides = self._lessons.split()
        trainer, arrays = self._trainer.state()
        record = RunRecord(
            plan=begun.plan,
            images=begun.images,
            paint=self.paint,
            started=begun.started,
            size=begun.size,
            trainer=trainer,
            is_settled=progress.is_settled,
            best=best.record(),
            schedule=progress.schedule.record(),
            split=split,
        )
        model = self._trainer.model
        arrays |= {f"{SIDES}/{n}": torch.from_numpy(cells.copy()) for n, cells in sides.items()}
        arrays |= differing(BEST, best.best.model.weights, model)
        arrays |= past_arrays(progress.steps, progress.validations)
        return TrainingState(model, record, arrays)

    def reached(self, progress: RunProgress, *, is_last: bool = False) -> Iterator[StateReached]:
        """Tell the state, unless something was half done when it failed, or the weights are spoilt.

        Where nothing is told, what was kept before stays.
        """
        best = progress.best_weights.best.model
        if not self._trainer.is_between_steps or best.values != self._trainer.model.values:
            return
        state = self.state(progress)
        if state.is_finite:
            yield StateReached(state, is_last)
