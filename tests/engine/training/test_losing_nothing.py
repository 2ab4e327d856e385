"""Whatever fails while training: it goes on where it can, and where not, the best weights come."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from napari_unet.config import Optimiser, Task, TrainConfig
from napari_unet.engine.errors import EngineError, OutOfMemoryError
from napari_unet.engine.events import (
    Corrected,
    FinishReason,
    LabelsTaken,
    MemoryShort,
    Previewed,
    Skipped,
    StepDone,
    TrainDone,
    TrainEvent,
)
from napari_unet.engine.network.model import Model
from napari_unet.engine.network.unet import UNet
from napari_unet.engine.stack.planes import ArrayPlanes
from napari_unet.engine.training import fine_tuning, painted_objects, trainer
from napari_unet.engine.training.lessons import Lessons
from napari_unet.engine.training.sampling import PatchSampler
from napari_unet.engine.training.schedule import Schedule
from napari_unet.engine.training.trainer import Trainer
from tests.engine import scenes
from tests.engine.scenes import QUICK, bright_squares, run, strokes
from tests.engine.training.test_live import WHOLE, User, of_type, second_plane

NO_VALIDATION = replace(QUICK, validation_share=0.0)
NO_MEMORY = "CUDA out of memory. Tried to allocate 20.00 GiB."


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask for new strokes after every step."""
    monkeypatch.setattr(Schedule, "may_ask_for_strokes", lambda schedule: True)


@dataclass
class Shelf:
    """An array on a network's drive: some planes cannot be read."""

    array: npt.NDArray[Any]
    gone: set[int]
    error: Exception

    def __getattr__(self, name: str) -> Any:
        return getattr(self.array, name)

    def __getitem__(self, index: Any) -> Any:
        if index[0] in self.gone:
            raise self.error
        return self.array[index]


def train(
    user: User, config: TrainConfig = QUICK, *, image: Any = None, labels: Any = None, **how: Any
) -> Iterator[TrainEvent]:
    return scenes.train(
        ArrayPlanes(bright_squares()[0] if image is None else image),
        ArrayPlanes(user.labels if labels is None else labels),
        config=config,
        **{"live": user, **how},
    )


def until_it_fails(
    events: Iterator[TrainEvent], kind: Any, match: str | None = None
) -> list[TrainEvent]:
    """Return the events before the error."""
    seen: list[TrainEvent] = []
    with pytest.raises(kind, match=match):  # noqa: PT012 what is seen before it counts
        for event in events:
            seen.append(event)  # noqa: PERF402
    return seen


def is_done(events: list[TrainEvent]) -> bool:
    done = events[-1]
    assert isinstance(done, TrainDone)
    assert done.model.record.steps == QUICK.steps
    return done.reason is FinishReason.COMPLETED


# --- previews


DAMAGE = [
    OSError("Stale file handle"),
    RuntimeError("error during blosc decompression: -1"),
    ValueError("chunk is damaged"),
    KeyError("c/1/0"),
    MemoryError(),
]


def damaged_plane(error: Exception, planes: int = 40) -> tuple[Shelf, int, npt.NDArray[np.int32]]:
    """Return an image, its plane that fails and is not needed to train, and labels."""
    image, truth = bright_squares(planes=planes)
    looked = np.unique(np.linspace(0, planes - 1, 32).astype(int))
    plane = next(n for n in range(3, planes) if n not in looked)
    labels = np.zeros(truth.shape, np.int32)
    labels[:1] = strokes(truth[:1])
    return Shelf(image, {plane}, error), plane, labels


@pytest.mark.parametrize("error", DAMAGE, ids=lambda error: type(error).__name__)
def test_looking_at_a_damaged_plane_is_told_of_once_and_training_goes_on(error: Exception) -> None:
    image, plane, labels = damaged_plane(error)
    user = User(looks_at=replace(WHOLE, plane=plane), labels=labels)

    events = list(train(user, image=image))

    assert is_done(events)
    assert of_type(events, Previewed) == []
    (skipped,) = of_type(events, Skipped)
    assert skipped.reason.startswith("There is no preview of what you look at: ")


def test_what_cannot_be_previewed_is_tried_again_when_it_was_left() -> None:
    image, plane, labels = damaged_plane(OSError("Stale file handle"))
    user = User(looks_at=replace(WHOLE, plane=plane), labels=labels)
    seen: list[TrainEvent] = []

    def is_previewed() -> bool:
        return plane in {event.view.plane for event in of_type(seen, Previewed)}

    for event in train(user, replace(QUICK, steps=5000), image=image, stop=is_previewed):
        seen.append(event)
        if isinstance(event, Skipped):
            user.looks_at = WHOLE
        elif isinstance(event, StepDone) and event.step == 5:
            image.gone.clear()
            user.looks_at = replace(WHOLE, plane=plane)

    assert is_previewed()


@pytest.mark.parametrize("error", [torch.OutOfMemoryError(NO_MEMORY), RuntimeError("cuDNN error")])
def test_a_device_that_fails_while_previewing_ends_nothing(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(Trainer, "predict", fail)

    events = list(train(User(looks_at=WHOLE, paints={3: second_plane})))

    assert isinstance(events[-1], TrainDone)
    assert events[-1].reason is FinishReason.COMPLETED
    assert of_type(events, Previewed, Corrected, MemoryShort) == []
    assert len(of_type(events, LabelsTaken)) == 1
    assert len(of_type(events, Skipped)) == 2  # the preview, the correction


def test_a_preview_that_failed_is_tried_again_with_smaller_means(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    predict, advance = Trainer.predict, Trainer.advance
    short = [True]

    def fail(self: Trainer, *arguments: Any) -> Any:
        if short[0]:
            raise torch.OutOfMemoryError(NO_MEMORY)
        return predict(self, *arguments)

    def fail_once(self: Trainer, progress: float) -> float:
        if self.step == 4 and short[0]:
            short[0] = False
            raise torch.OutOfMemoryError(NO_MEMORY)
        return advance(self, progress)

    monkeypatch.setattr(Trainer, "predict", fail)
    monkeypatch.setattr(Trainer, "advance", fail_once)

    events = list(train(User(looks_at=WHOLE), replace(QUICK, patch=64)))

    assert of_type(events, MemoryShort)
    assert of_type(events, Previewed)[0].step == 5


# --- new strokes


def test_a_plane_that_cannot_be_read_is_learned_when_it_can_be_and_others_meanwhile() -> None:
    image, truth = bright_squares(planes=3)
    labels = strokes(truth)
    shelf = Shelf(image, set(), OSError("Stale file handle"))

    def both(labels: npt.NDArray[np.int32]) -> None:
        shelf.gone.add(2)
        labels[1], labels[2] = strokes(truth[[1]])[0], strokes(truth[[2]])[0]

    user = User(paints={3: both}, labels=labels)
    seen: list[TrainEvent] = []
    for event in train(user, image=shelf):
        seen.append(event)
        if isinstance(event, StepDone) and event.step == 8:
            shelf.gone.clear()

    taken = of_type(seen, LabelsTaken)
    assert [(event.step, event.planes) for event in taken] == [(3, (0, 1)), (8, (0, 1, 2))]
    (skipped,) = of_type(seen, Skipped)
    assert skipped.step == 3
    assert "not learned yet: Plane 2 of 'image' cannot be read" in skipped.reason


def test_labels_that_cannot_be_read_change_nothing() -> None:
    user = User(paints={3: second_plane})
    labels = Shelf(user.labels, set(), OSError("Stale file handle"))
    seen: list[TrainEvent] = []

    for event in train(user, labels=labels):
        seen.append(event)
        if isinstance(event, StepDone) and event.step == 2:
            labels.gone.add(1)

    assert is_done(seen)
    assert of_type(seen, LabelsTaken) == []
    assert len(of_type(seen, Skipped)) == 1


def test_strokes_that_there_is_no_memory_for_are_taken_when_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use, asked = Lessons._use, [0]

    def fail_once(lessons: Lessons, *stack: Any) -> None:
        asked[0] += 1
        if asked[0] == 2:
            raise MemoryError
        use(lessons, *stack)

    monkeypatch.setattr(Lessons, "_use", fail_once)

    events = list(train(User(paints={3: second_plane})))

    assert [event.step for event in of_type(events, LabelsTaken)] == [4]
    assert "too little memory" in of_type(events, Skipped)[0].reason


def test_a_window_that_cannot_say_what_was_painted_ends_nothing() -> None:
    class Absent(User):
        def take_painted(self) -> frozenset[int]:
            raise MemoryError

    events = list(train(Absent()))

    assert is_done(events)
    assert len(of_type(events, Skipped)) == 1


def test_weights_come_where_there_is_no_memory_to_measure_the_painted_objects(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(painted_objects, "measure_holes", fail)

    events = list(train(User()))

    assert is_done(events)
    (done,) = of_type(events, TrainDone)
    assert done.model.record.painted_objects is None


# --- what cannot go on


def test_a_network_that_there_is_no_memory_for_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(fine_tuning, "fresh_model", fail)

    with pytest.raises(OutOfMemoryError, match="ran out of memory; choose a smaller patch"):
        list(train(User()))


def failing_at(step: int, error: Exception) -> Callable[[Trainer, float], float]:
    advance = Trainer.advance

    def fail(self: Trainer, progress: float) -> float:
        if self.step == step:
            raise error
        return advance(self, progress)

    return fail


@pytest.mark.parametrize("config", [QUICK, NO_VALIDATION], ids=["validated", "not validated"])
@pytest.mark.parametrize(
    ("error", "becomes", "match"),
    [
        (torch.OutOfMemoryError(NO_MEMORY), OutOfMemoryError, "smaller patch"),
        (RuntimeError("CUDA error: an illegal memory access"), EngineError, "illegal memory"),
        (ValueError("a fault of ours"), ValueError, "a fault of ours"),
    ],
)
def test_the_best_weights_come_before_the_error(
    error: Exception,
    becomes: type[Exception],
    match: str,
    config: TrainConfig,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Trainer, "advance", failing_at(7, error))

    events = until_it_fails(run(config), becomes, match)

    done = events[-1]
    assert isinstance(done, TrainDone)
    assert done.reason is FinishReason.FAILED
    assert done.model.record.finished == "failed"
    assert done.model.record.steps == 7
    assert 0 < done.model.record.best_step <= 7
    assert done.painted


def test_a_validation_that_fails_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    validate = Trainer.validate

    def fail(self: Trainer) -> tuple[float, float]:
        if self.step == 6:
            raise RuntimeError("CUDA error")
        return validate(self)

    monkeypatch.setattr(Trainer, "validate", fail)

    events = until_it_fails(run(), EngineError, "CUDA error")

    done = events[-1]
    assert isinstance(done, TrainDone)
    assert 0 < done.model.record.best_step < 6


def test_what_fails_before_anything_is_learned_gives_the_error_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Trainer, "advance", failing_at(0, RuntimeError("CUDA error")))

    events = until_it_fails(run(), EngineError, "CUDA error")

    assert of_type(events, TrainDone) == []


# --- training that diverges


@pytest.mark.parametrize("config", [QUICK, NO_VALIDATION], ids=["validated", "not validated"])
def test_training_that_diverges_says_so_and_gives_the_best_finite_weights(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    advance = Trainer.advance

    def explode(self: Trainer, progress: float) -> float:
        if self.step == 5:
            self._config = replace(self._config, learning_rate=1e30, clip_gradient=0.0)
        return advance(self, progress)

    monkeypatch.setattr(Trainer, "advance", explode)

    events = until_it_fails(
        run(replace(config, optimiser=Optimiser.SGD)),
        EngineError,
        "diverged.* lower learning rate",
    )

    done = events[-1]
    assert isinstance(done, TrainDone)
    assert 0 < done.model.record.best_step <= 6
    assert all(bool(torch.isfinite(weight).all()) for weight in done.model.weights.values())
    assert all(math.isfinite(event.loss) for event in of_type(events, StepDone))


def test_one_step_is_one_step_in_the_sentence_about_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trainer, "advance", diverging)

    until_it_fails(run(), EngineError, "after 1 step the loss")


def diverging(self: Trainer, progress: float) -> float:
    self.step += 1
    return math.nan


def test_a_last_update_that_spoils_the_weights_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    advance = Trainer.advance

    def spoil(self: Trainer, progress: float) -> float:
        loss = advance(self, progress)
        if self.step == QUICK.steps:
            with torch.no_grad():
                next(self._network.parameters()).fill_(math.nan)
        return loss

    monkeypatch.setattr(Trainer, "advance", spoil)

    for config in (QUICK, NO_VALIDATION):
        events = until_it_fails(run(config), EngineError, "diverged")
        done = events[-1]
        assert isinstance(done, TrainDone)
        assert done.model.record.best_step == 19


# --- memory that runs out while a class is added, and elsewhere


def third_class(labels: npt.NDArray[np.int32]) -> None:
    labels[:, :6] = 6


def three_classes(**how: Any) -> Iterator[TrainEvent]:
    labels = np.where(bright_squares()[1] > 0, 9, 4).astype(np.int32)
    user = User(paints={6: third_class}, labels=labels)
    return train(user, replace(QUICK, patch=64), task=Task.CLASSES, **how)


def fail_on(
    monkeypatch: pytest.MonkeyPatch, place: Any, name: str, when: Callable[..., bool], times: int
) -> None:
    """Let a method run out of memory so many times."""
    method, failed = getattr(place, name), [0]

    def fail(*arguments: Any, **named: Any) -> Any:
        if failed[0] < times and when(*arguments):
            failed[0] += 1
            raise torch.OutOfMemoryError(NO_MEMORY)
        return method(*arguments, **named)

    monkeypatch.setattr(place, name, fail)


PLACES: dict[str, tuple[Any, str, Callable[..., bool]]] = {
    "the network": (Model, "build", lambda model, _: len(model.values) == 3),
    "the patches": (PatchSampler, "__init__", lambda _, stack, *__: len(stack.values) == 3),
    "the held-out blocks": (trainer, "validation_batches", lambda s, *_: len(s.values) == 3),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_class_is_added_with_smaller_means_if_memory_runs_out(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_on(monkeypatch, *PLACES[place], times=1)

    *events, done = three_classes()

    assert of_type(events, MemoryShort)
    assert len(of_type(events, LabelsTaken)) == 1
    assert isinstance(done, TrainDone)
    assert done.reason is FinishReason.COMPLETED
    assert done.model.values == (4, 6, 9)
    assert done.model.network.classes == 3
    assert len(done.model.weights["head.bias"]) == 3
    assert isinstance(done.model.build(torch.device("cpu")), UNet)


@pytest.mark.parametrize("place", PLACES)
def test_a_class_that_there_is_no_memory_for_loses_nothing(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_on(monkeypatch, *PLACES[place], times=99)

    events = until_it_fails(three_classes(), OutOfMemoryError, "smaller patch")

    done = events[-1]
    assert isinstance(done, TrainDone)
    assert done.model.values == (4, 9)  # as they were when it was validated
    assert isinstance(done.model.build(torch.device("cpu")), UNet)


def test_memory_that_runs_out_in_the_first_update_leaves_no_half_made_state(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    zeros_like, made = torch.zeros_like, [0]

    def fail_once(*arguments: Any, **named: Any) -> torch.Tensor:
        made[0] += 1
        if made[0] == 4:  # of the second weight, one of two
            raise torch.OutOfMemoryError(NO_MEMORY)
        return zeros_like(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(torch, "zeros_like", fail_once)
        *events, done = run(replace(QUICK, patch=64))

    assert made[0] > 4
    assert len(of_type(events, MemoryShort)) == 1
    assert isinstance(done, TrainDone)
    assert done.reason is FinishReason.COMPLETED
