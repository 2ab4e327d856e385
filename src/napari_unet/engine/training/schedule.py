"""When a training run validates, looks at new strokes, and ends."""

from __future__ import annotations

import time
from dataclasses import dataclass

from napari_unet.config import TrainConfig
from napari_unet.engine.events import FinishReason, Stop

_VALIDATIONS = 20  # in a run that is limited by steps
_MOST_VALIDATIONS = 40  # in a run that is limited by seconds: patience grows with the limit
_PAUSE_FACTOR = 9  # at most 1/10 of the time validates (with a limit in seconds), or reads strokes
_STROKES_EVERY = 1.0  # seconds between questions for new strokes, at least
_LAST_VALIDATION = 1.0  # seconds that one may cost after the user pressed stop
_KEEPING = 66  # times as long as the state took to be kept, at least, until it is kept again


@dataclass(frozen=True, slots=True)
class ScheduleRecord:
    """How far a run's clock has come; all in seconds since the start but the costs and the step."""

    seconds: float = 0.0
    first_second: float = 0.0  # the limits count from here
    first_step: int = 0
    validated_at: float = 0.0
    validation_cost: float = 0.0
    asked_at: float = 0.0
    taking_cost: float = 0.0


class Schedule:
    """The clock of a run and its limits.

    Parameters
    ----------
    config
        Limits in seconds and steps, and the pause between validations.
    record
        How far it had come when the run was interrupted.
    enough
        Steps in which all that is painted is learned; None: any number.
    """

    def __init__(
        self,
        config: TrainConfig,
        record: ScheduleRecord | None = None,
        *,
        enough: int | None = None,
    ) -> None:
        before = record or ScheduleRecord()
        self._config = config
        self._enough = enough
        self._begin = time.perf_counter() - before.seconds
        self._first_second = before.first_second  # the limits count from here
        self._first_step = before.first_step
        self._validated_at = before.validated_at  # seconds since the start
        self._validation_cost = before.validation_cost  # seconds
        self._asked_at = before.asked_at
        self._taking_cost = before.taking_cost
        self._kept_at = before.seconds
        self._keeping_cost = 0.0

    def record(self) -> ScheduleRecord:
        """Return how far it has come."""
        return ScheduleRecord(
            seconds=self.seconds,
            first_second=self._first_second,
            first_step=self._first_step,
            validated_at=self._validated_at,
            validation_cost=self._validation_cost,
            asked_at=self._asked_at,
            taking_cost=self._taking_cost,
        )

    @property
    def seconds(self) -> float:
        """Seconds since the start of training."""
        return time.perf_counter() - self._begin

    def start_anew(self, step: int, enough: int | None) -> None:
        """Count the limits from now on, of which `enough` is one."""
        self._first_second, self._first_step = self.seconds, step
        self._enough = enough

    def progress(self, step: int) -> float:
        """Return the share of the tightest limit that is used up, 0 to 1."""
        steps, seconds = self._config.steps, self._config.seconds
        shares = [(step - self._first_step) / most for most in (steps, self._enough) if most]
        shares += [(self.seconds - self._first_second) / seconds] if seconds else []
        return min(1.0, max(shares))

    def reason_to_end(self, step: int, stop: Stop) -> FinishReason | None:
        """Return why the run ends after this step, None if it goes on."""
        if stop():
            return FinishReason.STOPPED
        if self._config.steps and step - self._first_step >= self._config.steps:
            return FinishReason.COMPLETED
        if self._config.seconds and self.seconds - self._first_second >= self._config.seconds:
            return FinishReason.TIME
        if self._enough and step - self._first_step >= self._enough:
            return FinishReason.LEARNED
        return None

    def validation_is_due(self, step: int, reason: FinishReason | None) -> bool:
        """Return whether to validate after this step, the last one if there is a reason to end.

        After a stop only if it costs little: people who press it do not want to wait.
        """
        if reason is FinishReason.STOPPED:
            return self._validation_cost < _LAST_VALIDATION
        if reason:
            return True
        if self._config.steps:
            return step % max(1, self._config.steps // _VALIDATIONS) == 0
        pause = max(
            self._config.validate_every,
            (self._config.seconds or 0) / _MOST_VALIDATIONS,
            _PAUSE_FACTOR * self._validation_cost,
        )
        return self.seconds - self._validated_at >= pause

    def validated(self, begin: float) -> None:
        """Note that a validation that began at this second is over."""
        self._validated_at = self.seconds
        self._validation_cost = self._validated_at - begin

    def may_keep(self, every: float) -> bool:
        """Return whether so many seconds have passed since the state was kept, or more."""
        pause = max(every, _KEEPING * self._keeping_cost)
        return self.seconds - self._kept_at >= pause

    def kept(self, begin: float) -> None:
        """Note that the state has been kept since this second."""
        self._kept_at = self.seconds
        self._keeping_cost = self._kept_at - begin

    def may_ask_for_strokes(self) -> bool:
        """Return whether enough time has passed since new strokes were asked for."""
        pause = max(_STROKES_EVERY, _PAUSE_FACTOR * self._taking_cost)
        return self.seconds - self._asked_at >= pause

    def took_strokes(self, begin: float) -> None:
        """Note that new strokes were asked for at this second, and dealt with by now."""
        self._asked_at = self.seconds
        self._taking_cost = self._asked_at - begin
