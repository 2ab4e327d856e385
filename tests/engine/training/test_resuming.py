"""A training that is interrupted goes on as if it had never stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from napari_unet.config import Optimiser, Task, TrainConfig, Unpainted
from napari_unet.engine.errors import EngineError, ImageError
from napari_unet.engine.events import (
    FinishReason,
    LabelsTaken,
    StateReached,
    StepDone,
    TrainDone,
    TrainEvent,
    TrainResumed,
    Validated,
)
from napari_unet.engine.network.device import pick_device
from napari_unet.engine.paint.label_scheme import LabelScheme
from napari_unet.engine.paint.training_set import TrainingSet
from napari_unet.engine.stack.planes import ArrayPlanes
from napari_unet.engine.training.fine_tuning import fit
from napari_unet.engine.training.plan import TrainingPlan
from napari_unet.engine.training.schedule import Schedule
from napari_unet.engine.training.state import TrainingState
from napari_unet.engine.training.trainer import Trainer
from tests.engine.scenes import QUICK, TINY, bright_squares, strokes
from tests.engine.training.test_live import User, of_type, second_plane
from tests.engine.training.test_losing_nothing import until_it_fails

IMAGE, TRUTH = bright_squares()
SGD = replace(QUICK, optimiser=Optimiser.SGD, validation_share=0.0)
DROPOUT = replace(TINY, dropout=0.3)
FIELD = replace(TINY, shape_field=True)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the state, and ask for strokes, after every step."""
    monkeypatch.setattr(Schedule, "may_keep", lambda *_: True)
    monkeypatch.setattr(Schedule, "may_ask_for_strokes", lambda _: True)


def train(
    config: TrainConfig = QUICK,
    *,
    start: Any = TINY,
    image: Any = IMAGE,
    labels: Any = None,
    **how: Any,
) -> Iterator[TrainEvent]:
    painted = strokes(TRUTH) if labels is None else labels
    scheme = LabelScheme(how.pop("task", Task.OBJECTS), Unpainted.IGNORED)
    plan = TrainingPlan(start=start, scheme=scheme, config=config, device=pick_device("cpu"))
    return fit(
        TrainingSet.of((ArrayPlanes(image), ArrayPlanes(painted))),
        plan,
        **{"keep_every": 0.0, **how},
    )


def states(events: Sequence[TrainEvent]) -> dict[int, TrainingState]:
    return {e.state.step: e.state for e in of_type(list(events), StateReached)}


def steps_after(events: Sequence[TrainEvent], step: int) -> list[tuple[int, float]]:
    return [(e.step, e.loss) for e in of_type(list(events), StepDone) if e.step > step]


def scores(events: Sequence[TrainEvent]) -> list[tuple[Any, ...]]:
    return [(e.step, e.loss, e.iou, e.best) for e in of_type(list(events), Validated)]


def assert_equal_from(step: int, resumed: list[TrainEvent], whole: list[TrainEvent]) -> None:
    """Make sure that all is as in the undisturbed run, to the last bit."""
    assert steps_after(resumed, 0) == steps_after(whole, step)
    later = [score for score in scores(whole) if score[0] > step]
    assert later == [score for score in scores(resumed) if score[0] > step]
    assert set(scores(resumed)) <= set(scores(whole))
    mine, others = resumed[-1], whole[-1]
    assert isinstance(mine, TrainDone)
    assert isinstance(others, TrainDone)
    assert mine.reason is others.reason
    one, other = (replace(e.model.record, seconds=0.0, started="") for e in (mine, others))
    assert one == other
    for name, weight in others.model.weights.items():
        assert torch.equal(mine.model.weights[name], weight), name


# --- to the last bit


@pytest.mark.parametrize(
    ("config", "start"),
    [(QUICK, DROPOUT), (SGD, TINY), (replace(QUICK, patience=3, steps=40), TINY), (QUICK, FIELD)],
    ids=["Adam and dropout", "SGD, nothing held out", "patience", "shape field"],
)
def test_a_run_goes_on_as_if_it_had_never_stopped(config: TrainConfig, start: Any) -> None:
    whole = list(train(config, start=start))
    kept = states(whole)

    for step in np.random.default_rng(0).choice(sorted(kept), 3, replace=False):
        resumed = list(train(config, start=start, interrupted=kept[step]))
        assert_equal_from(step, resumed, whole)


def test_so_does_the_training_of_a_trained_network_with_its_pull_to_the_first_answer() -> None:
    trained = list(train(start=FIELD))[-1]
    assert isinstance(trained, TrainDone)
    whole = list(train(start=trained.model))

    for step, state in list(states(whole).items())[::5]:
        # Whatever it was to start from: the state brings all that is needed.
        assert_equal_from(step, list(train(start=TINY, interrupted=state)), whole)


def test_a_stopped_run_goes_on_as_if_it_had_never_stopped() -> None:
    whole = list(train())
    asked = iter(range(20))

    stopped = list(train(stop=lambda: next(asked) == 6))

    (reached,) = [e for e in of_type(stopped, StateReached) if e.is_last]
    assert isinstance(stopped[-1], TrainDone)
    assert stopped[-1].reason is FinishReason.STOPPED
    assert_equal_from(7, list(train(interrupted=reached.state)), whole)


def test_it_can_be_interrupted_again_and_again() -> None:
    whole = list(train())
    seen: list[TrainEvent] = []
    state: TrainingState | None = None
    for _ in range(5):
        for event in train(interrupted=state):
            seen.append(event)
            if isinstance(event, StateReached) and event.state.step % 4 == 3:
                state = states([event])[event.state.step]
                break
    resumed = list(train(interrupted=state))

    assert steps_after(seen, 0) == steps_after(whole, 0)[:19]
    assert_equal_from(19, resumed, whole)
    (told,) = of_type(resumed, TrainResumed)
    assert [(e.step, e.loss) for e in told.steps] == steps_after(whole, 0)[:19]
    assert [e.step for e in told.validations] == list(range(19))
    assert told.is_same_paint


def one_more(labels: Any) -> None:
    labels[0, 20:26] = 7


@pytest.mark.parametrize("task", list(Task))
def test_strokes_that_were_taken_in_before_are_part_of_it(task: Task) -> None:
    user = User(
        paints={6: second_plane, 9: lambda labels: labels.__setitem__((0, slice(20, 26)), 7)}
    )
    whole = list(train(labels=user.labels, live=user, task=task))
    assert len(of_type(whole, LabelsTaken)) == 2
    kept = states(whole)
    assert any(state.record.trainer.places for state in kept.values())

    for step in (10, 13, 17):
        resumed = list(train(labels=user.labels, task=task, interrupted=kept[step]))
        assert of_type(resumed, TrainResumed)[0].is_same_paint
        assert_equal_from(step, resumed, whole)


def test_a_time_limit_goes_on_with_the_seconds_that_were_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr("napari_unet.engine.training.schedule.time.perf_counter", lambda: now[0])
    advance = Trainer.advance

    def second(self: Trainer, progress: float) -> float:
        now[0] += 1
        return advance(self, progress)

    monkeypatch.setattr(Trainer, "advance", second)
    config = replace(QUICK, steps=None, seconds=10.0)
    whole = list(train(config))
    state = states(whole)[6]
    now[0] = 5000.0

    resumed = list(train(config, interrupted=state))

    assert len(of_type(resumed, StepDone)) == 4
    assert_equal_from(6, resumed, whole)


# --- with what has changed since


def test_other_paint_is_taken_in_as_new_strokes_are() -> None:
    state = states(list(train(task=Task.CLASSES)))[9]
    painted = strokes(TRUTH)
    painted[1, 20:40] = 9

    events = list(train(labels=painted, task=Task.CLASSES, interrupted=state))

    (told,) = of_type(events, TrainResumed)
    assert not told.is_same_paint
    assert [e.step for e in of_type(events, StepDone)] == list(range(10, 30))  # its limits anew
    done = events[-1]
    assert isinstance(done, TrainDone)
    assert 9 in done.model.values
    before = set(state.record.split.blocks)
    held = {(b.plane, b.y, b.x) for b in done.model.record.held_out}
    assert {(b.plane, b.y, b.x) for b in before} & held  # what was held out stays so


@pytest.mark.parametrize("image", [IMAGE[:, :60], 255 - IMAGE], ids=["shape", "grey values"])
def test_another_image_is_refused(image: Any) -> None:
    state = states(list(train()))[9]

    with pytest.raises(ImageError, match="was on another image than 'image'; open that one"):
        list(train(image=image, labels=strokes(TRUTH)[:, : image.shape[1]], interrupted=state))


# --- how it comes to be interrupted


def failing_at(step: int, error: BaseException, name: str = "_update") -> Callable[..., Any]:
    method = getattr(Trainer, name)

    def fail(self: Trainer, *arguments: Any) -> Any:
        if self.step == step:
            if name == "_update":
                self._draw()  # the step that fails has drawn its patches
            raise error
        return method(self, *arguments)

    return fail


@pytest.mark.parametrize("place", ["_update", "validate"])
@pytest.mark.parametrize(
    "error",
    [ValueError("a fault of ours"), MemoryError(), KeyboardInterrupt(), RuntimeError("CUDA error")],
    ids=lambda error: type(error).__name__,
)
def test_whatever_fails_the_state_and_the_best_weights_come_before_the_error(
    error: BaseException, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = list(train())
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, place, failing_at(7, error, place))
        patch.setattr(Schedule, "may_keep", lambda *_: False)
        seen = until_it_fails(train(), (type(error), EngineError))

    state, done = seen[-2:]
    assert isinstance(state, StateReached)
    assert state.is_last
    assert isinstance(done, TrainDone)
    assert done.reason is FinishReason.FAILED
    assert 0 < done.model.record.best_step <= 7
    assert_equal_from(7, list(train(interrupted=state.state)), whole)


def test_a_step_that_is_half_done_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    pull = Trainer._pull_back

    def fail(self: Trainer, share: float) -> None:
        if self.step == 7:
            raise KeyboardInterrupt
        pull(self, share)

    monkeypatch.setattr(Trainer, "_pull_back", fail)

    seen = until_it_fails(train(), KeyboardInterrupt)

    assert max(states(seen)) == 7
    assert not any(e.is_last for e in of_type(seen, StateReached))
    assert isinstance(seen[-1], TrainDone)


def test_spoilt_weights_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    advance = Trainer.advance

    def explode(self: Trainer, progress: float) -> float:
        if self.step == 5:
            self._config = replace(self._config, learning_rate=1e30, clip_gradient=0.0)
        return advance(self, progress)

    monkeypatch.setattr(Trainer, "advance", explode)

    seen = until_it_fails(train(replace(SGD, validation_share=0.2)), EngineError, "diverged")

    kept = states(seen)
    assert kept
    assert all(state.is_finite for state in kept.values())
    assert isinstance(seen[-1], TrainDone)


def test_nothing_is_told_of_the_state_unless_it_is_asked_for() -> None:
    assert of_type(list(train(keep_every=None)), StateReached) == []


def test_keeping_takes_little_of_the_time_on_a_slow_disk_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    now = [0.0]
    monkeypatch.setattr("napari_unet.engine.training.schedule.time.perf_counter", lambda: now[0])
    schedule = Schedule(QUICK)
    keeping = 0.0
    for _ in range(10_000):
        now[0] += 0.5
        if schedule.may_keep(5.0):
            begin = schedule.seconds
            now[0] += 1.5  # a slow disk
            keeping += 1.5
            schedule.kept(begin)

    assert 0 < keeping <= 0.016 * now[0]
