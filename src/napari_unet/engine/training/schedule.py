"""When a training run validates, looks at new strokes, and ends."""

from __future__ import annotations

import time

from napari_unet.config import TrainConfig
from napari_unet.engine.events import FinishReason, Stop

_VALIDATIONS = 20  # in a run that is limited by steps
_MOST_VALIDATIONS = 40  # in a run that is limited by seconds: patience grows with the limit
_PAUSE_FACTOR = 9  # at most 1/10 of the time validates (with a limit in seconds), or reads strokes
_STROKES_EVERY = 1.0  # seconds between questions for new strokes, at least
_LAST_VALIDATION = 1.0  # seconds that one may cost after the user pressed stop


class Schedule:
    """The clock of a run and its limits.

    Parameters
    ----------
    config
        Limits in seconds and steps, and the pause between validations.
    """

    def __init__(self, config: TrainConfig) -> None:
        self._config = config
        self._begin = time.perf_counter()
        self._first_second = 0.0  # the limits count from here
        self._first_step = 0
        self._validated_at = 0.0  # seconds since the start
        self._validation_cost = 0.0  # seconds
        self._asked_at = 0.0
        self._taking_cost = 0.0

    @property
    def seconds(self) -> float:
        """Seconds since the start of training."""
        return time.perf_counter() - self._begin

    def start_anew(self, step: int) -> None:
        """Count the limits from now on."""
        self._first_second, self._first_step = self.seconds, step

    def progress(self, step: int) -> float:
        """Return the share of the tightest limit that is used up, 0 to 1."""
        steps, seconds = self._config.steps, self._config.seconds
        shares = [(step - self._first_step) / steps] if steps else []
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

    def may_ask_for_strokes(self) -> bool:
        """Return whether enough time has passed since new strokes were asked for."""
        pause = max(_STROKES_EVERY, _PAUSE_FACTOR * self._taking_cost)
        return self.seconds - self._asked_at >= pause

    def took_strokes(self, begin: float) -> None:
        """Note that new strokes were asked for at this second, and dealt with by now."""
        self._asked_at = self.seconds
        self._taking_cost = self._asked_at - begin
