"""The course of a training run: what happens after which step."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TypeVar

from napari_unet.config import TrainConfig
from napari_unet.engine.corrections import find_new_paint, measure_wrong
from napari_unet.engine.events import (
    Corrected,
    FinishReason,
    LabelsTaken,
    Live,
    MemoryShort,
    PaintedPixels,
    Previewed,
    StepDone,
    Stop,
    TrainEvent,
    Validated,
)
from napari_unet.engine.keeper import Best, Keeper
from napari_unet.engine.lessons import Lessons
from napari_unet.engine.means import Means, within_means
from napari_unet.engine.pace import Pace
from napari_unet.engine.preview import Predict, Previewer
from napari_unet.engine.trainer import Trainer

__all__ = ["Course"]

_T = TypeVar("_T")


class Course:
    """A run on its way.

    Parameters
    ----------
    lessons
        What is learned from.
    trainer
        The network that learns it.
    previewer
        Shows what it has learned.
    config
        Limits and patience.
    means
        Size of the patches and device, which are reduced where memory is short.
    predict
        The network's prediction of a tile.
    live
        Asked between steps; None: nothing is previewed or painted meanwhile.
    """

    def __init__(
        self,
        lessons: Lessons,
        trainer: Trainer,
        previewer: Previewer,
        config: TrainConfig,
        *,
        means: Means,
        predict: Predict,
        live: Live | None,
    ) -> None:
        self._lessons = lessons
        self._trainer = trainer
        self._previewer = previewer
        self._patience = config.patience
        self._means = means
        self._predict = predict
        self._live = live
        self._pace = Pace(config)
        self._keeper = Keeper(Best(0, trainer.weights()))

    @property
    def seconds(self) -> float:
        """Seconds since the start of training."""
        return self._pace.seconds

    @property
    def best(self) -> Best:
        """The weights to keep; the last ones if nothing can be held out."""
        if self._trainer.can_validate:
            return self._keeper.best
        return Best(self._trainer.step, self._trainer.weights())

    def events(self, stop: Stop) -> Generator[TrainEvent, None, FinishReason]:
        """Train until a limit is reached; return the reason."""
        trainer, pace = self._trainer, self._pace
        yield from self._preview()
        if trainer.can_validate:
            yield from self._validate()
        reason = None
        while reason is None:
            loss = yield from self._within_means(
                lambda: trainer.advance(pace.progress(trainer.step))
            )
            yield StepDone(trainer.step, loss, self.seconds, pace.progress(trainer.step))
            reason = pace.reason_to_end(trainer.step, stop)
            if reason is not FinishReason.STOPPED and (
                yield from self._take_strokes(at_once=reason is not None)
            ):
                reason = None
            if trainer.can_validate and pace.validation_is_due(trainer.step, reason):
                yield from self._validate()
                reason = reason or self._out_of_patience()
            if reason is None:
                yield from self._preview()
        return reason

    def compare(
        self, before: Sequence[PaintedPixels], values: tuple[int, ...]
    ) -> Iterator[TrainEvent]:
        """Hold what is painted now, and was not before, against the network as it is."""
        stack = self._lessons.stack
        paint = find_new_paint(stack, before, values, self._lessons.unpainted)
        if paint:
            wrong = yield from self._within_means(
                lambda: measure_wrong(
                    paint, stack.values, self._predict, self._trainer.model.values
                )
            )
            pixels = sum(new.pixels for new in paint)
            yield Corrected(self._trainer.step, self.seconds, pixels, wrong)

    def _take_strokes(self, *, at_once: bool) -> Generator[TrainEvent, None, bool]:
        """Go on with what was painted meanwhile, if it is time to ask; return whether there is."""
        if self._live is None or not (at_once or self._pace.may_ask_for_strokes()):
            return False
        begin, before = self.seconds, self._lessons.stack
        changed = self._live.take_painted()
        is_new = bool(changed) and self._lessons.take(changed)
        if is_new:
            yield from self.compare(before.pixels, before.values)
            yield from self._within_means(self._learn_anew)
            yield LabelsTaken(
                self._trainer.step,
                self.seconds,
                planes=self._lessons.stack.numbers,
                labelled_pixels=self._lessons.training.labelled_pixels,
                held_out=self._lessons.held_out,
            )
        self._pace.took_strokes(begin)
        return is_new

    def _learn_anew(self) -> None:
        """Go on with the lessons as they are now."""
        values = self._lessons.stack.values
        self._keeper.outdate(self._trainer.extended(self._keeper.best.weights, values).weights)
        self._trainer.extend(values)
        self._trainer.teach(self._lessons)
        self._previewer.change_values(values)
        self._pace.start_anew(self._trainer.step)

    def _preview(self) -> Iterator[TrainEvent]:
        view = None if self._live is None else self._live.view()
        finished = yield from self._within_means(
            lambda: self._previewer.advance(view, self.seconds)
        )
        if finished is not None:
            yield Previewed(*finished, self._trainer.step, self.seconds)

    def _validate(self) -> Iterator[TrainEvent]:
        trainer, keeper, begin = self._trainer, self._keeper, self.seconds
        if keeper.is_outdated:
            keeper.update(
                *(yield from self._within_means(lambda: trainer.score(keeper.best.weights)))
            )
        loss, iou = yield from self._within_means(trainer.validate)
        is_best = keeper.offer(Best(trainer.step, trainer.weights(), loss, iou))
        self._pace.validated(begin)
        yield Validated(trainer.step, self.seconds, loss, iou, best=is_best)

    def _within_means(self, work: Callable[[], _T]) -> Generator[MemoryShort, None, _T]:
        """Do work on the device, with smaller patches or on the CPU if memory is short."""
        return (
            yield from within_means(work, self._means, lambda: self._trainer.adapt(self._means))
        )

    def _out_of_patience(self) -> FinishReason | None:
        exhausted = 0 < self._patience <= self._keeper.misses
        return FinishReason.NO_IMPROVEMENT if exhausted else None
