"""The course of a training run: what happens after which step."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from napari_unet.engine.counts import count
from napari_unet.engine.errors import EngineError, OutOfMemoryError, UnetPaintError
from napari_unet.engine.events import (
    Corrected,
    FinishReason,
    LabelsTaken,
    Live,
    MemoryShort,
    PaintedPixels,
    Previewed,
    Skipped,
    StepDone,
    Stop,
    TrainEvent,
    Validated,
    View,
    never,
)
from napari_unet.engine.network.device import engine_errors, free_cached_memory
from napari_unet.engine.training.best_weights import Best
from napari_unet.engine.training.corrections import find_new_paint, measure_wrong
from napari_unet.engine.training.keeping import Keeper, RunProgress
from napari_unet.engine.training.lessons import Lessons
from napari_unet.engine.training.memory_shortage import Means, within_means
from napari_unet.engine.training.preview import Predict, Previewer
from napari_unet.engine.training.trainer import Trainer

_T = TypeVar("_T")


class TrainingRun:
    """A run on its way.

    Parameters
    ----------
    lessons
        What is learned from.
    trainer
        The network that learns it.
    previewer
        Shows what it has learned.
    progress
        How far the run has come.
    means
        Size of the patches and device, which are reduced where memory is short.
    predict
        The network's prediction of a tile.
    live
        Asked between steps; None: nothing is previewed or painted meanwhile.
    keeper
        Takes the state, to be kept.
    """

    def __init__(
        self,
        lessons: Lessons,
        trainer: Trainer,
        previewer: Previewer,
        progress: RunProgress,
        *,
        means: Means,
        predict: Predict,
        live: Live | None,
        keeper: Keeper,
    ) -> None:
        self._lessons = lessons
        self._trainer = trainer
        self._previewer = previewer
        self._means = means
        self._predict = predict
        self._live = live
        self._keeper = keeper
        self._told = ""  # what could not be done last
        self._progress = progress
        self._schedule, self._best_weights = progress.schedule, progress.best_weights

    @property
    def seconds(self) -> float:
        """Seconds since the start of training."""
        return self._schedule.seconds

    @property
    def best(self) -> Best:
        """The model to keep; the last one of all numbers finite if nothing can be held out."""
        return self._best_weights.best

    @property
    def has_learned(self) -> bool:
        """Whether the model to keep is of use, however the run ends."""
        best = self._best_weights.best
        return self._trainer.step > 0 and (best.step > 0 or best.model.is_trained)

    def events(self, stop: Stop) -> Generator[TrainEvent, None, FinishReason]:
        """Train until a limit is reached; return the reason.

        Raises
        ------
        EngineError
            If the device fails, or the loss is not finite any more. `best` is what was before.
        """
        trainer, schedule, progress = self._trainer, self._schedule, self._progress
        reason = yield from self._begin()
        while reason is None or not progress.is_settled:
            if progress.is_settled:
                reason = yield from self._step(stop)
            if schedule.validation_is_due(trainer.step, reason):
                yield from self._validate()
                if reason is None and progress.is_out_of_patience:
                    reason = FinishReason.NO_IMPROVEMENT
            progress.is_settled = True
            if reason is None:
                yield from self._preview()
        if not trainer.can_validate or self._best_weights.is_outdated:
            self._keep_last()  # stopped before the new strokes were validated: what was seen last
        return reason

    def compare(
        self, before: Sequence[PaintedPixels], values: tuple[int, ...]
    ) -> Iterator[TrainEvent]:
        """Hold what is painted now, and was not before, against the network as it is."""
        lessons, model = self._lessons, self._trainer.model
        paint = find_new_paint(lessons.stack, before, values, lessons.unpainted)
        if not paint:
            return
        self._trainer.correct(paint)
        try:
            with engine_errors(self._means.device):
                wrong = measure_wrong(paint, lessons.stack.values, self._predict, model.values)
        except UnetPaintError as error:
            yield from self._skip(f"The last correction could not be measured: {error}")
            return
        pixels = sum(lessons.seen.on_plane(new.plane, new.pixels) for new in paint)
        yield Corrected(self._trainer.step, self.seconds, round(pixels), wrong)

    def last_state(self) -> Iterator[TrainEvent]:
        """Tell the state after a failure, if it is to be kept and is of use."""
        if self._keeper.every is not None and self._trainer.step > 0:
            reached: list[TrainEvent] = []
            with suppress(UnetPaintError), engine_errors(self._means.device):
                reached += self._keeper.reached(self._progress, is_last=True)
            yield from reached

    def _begin(self) -> Generator[TrainEvent, None, FinishReason | None]:
        """Do what comes before the next step; return the reason to end if there is one."""
        progress = self._progress
        if not progress.is_resumed:
            yield from self._preview()
            if self._trainer.can_validate:
                yield from self._validate()
            return None
        yield progress.resumed(self._trainer.step)
        if not progress.is_same_paint:
            yield from self._learn_anew()
        yield from self._preview()
        return self._schedule.reason_to_end(self._trainer.step, never)

    def _step(self, stop: Stop) -> Generator[TrainEvent, None, FinishReason | None]:
        """Do one step, and take new strokes in; return the reason to end if there is one."""
        yield from self._advance()
        reason = self._schedule.reason_to_end(self._trainer.step, stop)
        if reason is not FinishReason.STOPPED and (
            yield from self._take_strokes(at_once=reason is not None)
        ):
            reason = None
        yield from self._keep(reason)
        return reason

    def _keep(self, reason: FinishReason | None) -> Iterator[TrainEvent]:
        """Tell the state every few seconds, and after a stop; a run that ends whole needs none."""
        every, is_stopped = self._keeper.every, reason is FinishReason.STOPPED
        if every is None or (reason is not None and not is_stopped):
            return
        if is_stopped or self._schedule.may_keep(every):
            begin = self.seconds
            yield from self._keeper.reached(self._progress, is_last=is_stopped)
            self._schedule.kept(begin)

    def _advance(self) -> Iterator[TrainEvent]:
        """Do one step."""
        trainer, schedule = self._trainer, self._schedule
        loss = yield from self._within_means(
            lambda: trainer.advance(schedule.progress(trainer.step))
        )
        self._progress.is_settled = False
        if not math.isfinite(loss):
            raise self._diverged()
        done = StepDone(trainer.step, loss, self.seconds, schedule.progress(trainer.step))
        self._progress.steps.append(done)
        yield done

    def _take_strokes(self, *, at_once: bool) -> Generator[TrainEvent, None, bool]:
        """Go on with what was painted meanwhile, if it is time to ask; return whether there is."""
        if self._live is None or not (at_once or self._schedule.may_ask_for_strokes()):
            return False
        begin, before, lessons = self.seconds, self._lessons.stack, self._lessons
        changed = yield from self._ask_for_strokes(self._live)
        is_new = bool(changed or lessons.may_be_read_by_now) and lessons.take(changed)
        if lessons.hindrance is not None:
            yield from self._skip(f"New strokes are not learned yet: {lessons.hindrance}")
        if is_new:
            yield from self.compare(before.pixels, before.values)
            yield from self._learn_anew()
            yield LabelsTaken(
                self._trainer.step,
                self.seconds,
                planes=lessons.stack.numbers,
                labelled_pixels=lessons.labelled_pixels,
                held_out=lessons.held_out,
                whole_objects=lessons.stack.whole_objects,
            )
        self._schedule.took_strokes(begin)
        return is_new

    def _ask_for_strokes(self, live: Live) -> Generator[TrainEvent, None, frozenset[int]]:
        try:
            with engine_errors(self._means.device):
                return live.take_painted()
        except UnetPaintError as error:
            yield from self._skip(f"New strokes are not learned yet: {error}")
            return frozenset()

    def _learn_anew(self) -> Iterator[TrainEvent]:
        """Go on with the lessons as they are now."""
        trainer, values = self._trainer, self._lessons.stack.values
        best = trainer.extended(self._best_weights.best.model, values)

        def learn() -> None:
            trainer.extend(values)
            trainer.teach(self._lessons)
            trainer.answer_for_new_classes()

        yield from self._within_means(learn)
        self._best_weights.outdate(best)
        self._previewer.change_values(values)
        self._schedule.start_anew(trainer.step, trainer.enough_steps)

    def _preview(self) -> Iterator[TrainEvent]:
        """Show what is visible; where that fails, training goes on without."""
        view = None if self._live is None else self._live.view()

        def advance() -> tuple[View, npt.NDArray[np.int32]] | None:
            with engine_errors(self._means.device):
                return self._previewer.advance(view, self.seconds)

        try:
            try:
                finished = advance()
            except OutOfMemoryError:
                free_cached_memory()  # that training has left over
                finished = advance()
        except UnetPaintError as error:
            self._previewer.give_up(view)
            yield from self._skip(f"There is no preview of what you look at: {error}")
            return
        if finished is not None:
            yield Previewed(*finished, self._trainer.step, self.seconds)

    def _validate(self) -> Iterator[TrainEvent]:
        """Keep the weights as they are now if they are the best."""
        trainer, best_weights, begin = self._trainer, self._best_weights, self.seconds
        if not trainer.can_validate:
            self._keep_last()
            self._schedule.validated(begin)
            return
        if best_weights.is_outdated:
            best = best_weights.best.model.weights
            best_weights.update(*(yield from self._within_means(lambda: trainer.score(best))))
        loss, iou = yield from self._within_means(trainer.validate)
        if not math.isfinite(loss):
            raise self._diverged()
        is_best = best_weights.offer(Best(trainer.step, trainer.snapshot(), loss, iou))
        self._schedule.validated(begin)
        validated = Validated(trainer.step, self.seconds, loss, iou, best=is_best)
        self._progress.validations.append(validated)
        yield validated

    def _keep_last(self) -> None:
        """Keep the weights as they are now, for want of a validation."""
        if not self._best_weights.take(Best(self._trainer.step, self._trainer.snapshot())):
            raise self._diverged()

    def _diverged(self) -> EngineError:
        return EngineError(
            f"Training diverged: after {count(self._trainer.step, 'step')} the loss or the weights "
            "were not finite any more. Train again with a lower learning rate."
        )

    def _skip(self, reason: str) -> Iterator[TrainEvent]:
        """Tell of what could not be done, once as long as the reason is the same."""
        free_cached_memory()  # too little of it may be the reason
        if reason != self._told:
            self._told = reason
            yield Skipped(self._trainer.step, self.seconds, reason)

    def _within_means(self, work: Callable[[], _T]) -> Generator[MemoryShort, None, _T]:
        """Do work on the device, with smaller patches or on the CPU if memory is short."""

        def adapt() -> None:
            self._trainer.adapt(self._means)
            self._previewer.try_again()

        return (yield from within_means(work, self._means, adapt))
