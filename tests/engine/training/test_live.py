"""Training beside a user who looks and paints: previews, and new strokes without a restart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from napari_unet.config import ObjectsConfig, Task, TrainConfig
from napari_unet.engine.events import (
    Corrected,
    FinishReason,
    LabelsTaken,
    Previewed,
    StepDone,
    TrainDone,
    TrainEvent,
    TrainStarted,
    Validated,
    View,
)
from napari_unet.engine.paint.label_scheme import IGNORED
from napari_unet.engine.stack.planes import ArrayPlanes
from napari_unet.engine.training.lessons import Lessons
from napari_unet.engine.training.schedule import Schedule
from napari_unet.engine.training.trainer import Trainer
from tests.engine import scenes
from tests.engine.scenes import QUICK, TINY, bright_squares, strokes
from tests.engine.tiny import CPU, plane_values, segment

WHOLE = View(0, slice(0, 64), slice(0, 64))
Labels = npt.NDArray[np.int32]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask for new strokes after every step."""
    monkeypatch.setattr(Schedule, "may_ask_for_strokes", lambda schedule: True)


@dataclass
class User:
    """Looks at a view, and paints after some steps."""

    looks_at: View | None = None
    paints: dict[int, Callable[[Labels], object]] = field(default_factory=dict)  # after step
    labels: Labels = field(default_factory=lambda: strokes(bright_squares()[1]))
    asked: int = 0

    def view(self) -> View | None:
        return self.looks_at

    def take_painted(self) -> frozenset[int]:
        self.asked += 1
        before = self.labels.copy()
        if self.asked in self.paints:
            self.paints[self.asked](self.labels)
        changed = (before != self.labels).any(axis=(1, 2))
        return frozenset(np.flatnonzero(changed).tolist())


def train(user: User, config: TrainConfig = QUICK, **changes: Any) -> Iterator[TrainEvent]:
    image, _ = bright_squares()
    planes = ArrayPlanes(changes.pop("image", image))
    arguments = {"config": config, "live": user, **changes}
    return scenes.train(planes, ArrayPlanes(user.labels), **arguments)


def of_type(events: list[TrainEvent], *kinds: type) -> list[Any]:
    return [event for event in events if isinstance(event, kinds)]


def result(events: list[TrainEvent]) -> TrainDone:
    done = events[-1]
    assert isinstance(done, TrainDone)
    return done


def third_square(labels: Labels) -> None:
    truth = bright_squares()[1]
    labels[0][truth[0] == 3] = 4


def second_plane(labels: Labels) -> None:
    labels[1] = strokes(bright_squares()[1][[1]])[0]


# --- previews


def test_the_first_preview_comes_before_the_first_validation_and_within_three_steps() -> None:
    events = list(train(User(looks_at=WHOLE)))

    kinds = [type(event) for event in events]
    assert kinds[:2] == [TrainStarted, Previewed]
    assert kinds.index(Previewed) < kinds.index(Validated)
    assert of_type(events, Previewed)[0].step <= 3
    assert kinds[-1] is TrainDone


def still(**changes: Any) -> TrainConfig:
    """Return settings that leave the weights as they are."""
    return replace(QUICK, learning_rate=1e-20, steps=2, **changes)


@pytest.fixture
def _head_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do without the fit of the head with which training on begins."""
    monkeypatch.setattr("napari_unet.engine.training.trainer.fit_head", lambda *_, **__: None)


@pytest.mark.usefixtures("_head_stays")
@pytest.mark.parametrize("task", Task)
def test_a_preview_is_what_segmenting_gives(task: Task) -> None:
    user = User(looks_at=WHOLE)
    if task is Task.CLASSES:
        user.labels = np.where(bright_squares()[1] > 0, 9, 4)
    objects = ObjectsConfig(threshold=0.6, min_size=30)
    first = result(list(train(user, replace(QUICK, steps=40), task=task))).model

    events = list(train(user, still(), start=first, task=task, objects=lambda: objects))

    (preview, *_) = of_type(events, Previewed)
    (expected,) = plane_values(
        segment(first, ArrayPlanes(bright_squares()[0]), device=CPU, objects=objects, numbers=[0])
    )
    assert len(np.unique(expected)) > 1
    assert preview.view == WHOLE
    assert preview.values.dtype == np.int32
    np.testing.assert_array_equal(preview.values, expected)


@pytest.mark.usefixtures("_head_stays")
def test_a_preview_of_a_part_fits_into_the_plane() -> None:
    part = View(1, slice(7, 50), slice(-3, 33))
    user = User(looks_at=part, labels=np.where(bright_squares()[1] > 0, 9, 4))
    first = result(list(train(user, task=Task.CLASSES))).model

    (preview, *_) = of_type(list(train(user, still(), start=first, task=Task.CLASSES)), Previewed)

    planes = ArrayPlanes(bright_squares()[0])
    (whole,) = plane_values(segment(first, planes, device=CPU, numbers=[1]))
    assert preview.view == View(1, slice(7, 50), slice(0, 33))
    np.testing.assert_array_equal(preview.values, whole[7:50, 0:33])


def test_previews_leave_the_training_as_it_would_be() -> None:
    network = replace(TINY, dropout=0.3)

    watched = result(list(train(User(looks_at=WHOLE), start=network))).model
    alone = result(list(train(User(), start=network, live=None))).model

    assert all(torch.equal(watched.weights[name], alone.weights[name]) for name in alone.weights)


def test_a_view_of_nan_is_not_previewed_and_training_goes_on() -> None:
    image = bright_squares(planes=40)[0].astype(np.float32)
    image[1, 20, 20] = np.nan  # a plane that the range of grey values is not measured on
    labels = np.zeros(image.shape, np.int32)
    labels[:3] = strokes(bright_squares()[1])
    looked = np.unique(np.linspace(0, 39, 32).astype(int))
    plane = next(n for n in range(3, 40) if n not in looked)
    image[[1, plane]] = image[[plane, 1]]
    user = User(looks_at=replace(WHOLE, plane=plane), labels=labels)

    events = list(train(user, image=image))

    assert of_type(events, Previewed) == []
    assert result(events).model.record.steps == 20


# --- new strokes


def test_new_strokes_are_learned_without_a_restart() -> None:
    events = list(train(User(paints={7: second_plane})))

    taken = of_type(events, LabelsTaken)
    assert len(of_type(events, TrainStarted)) == len(taken) == 1
    assert taken[0].step == 7
    assert taken[0].planes == (0, 1)
    assert taken[0].labelled_pixels > of_type(events, TrainStarted)[0].labelled_pixels
    assert [e.step for e in of_type(events, StepDone)] == list(range(1, 28))
    assert result(events).model.record.labelled_pixels == taken[0].labelled_pixels
    assert [type(e) for e in of_type(events, Corrected, LabelsTaken)] == [Corrected, LabelsTaken]


def test_what_is_newly_painted_is_really_learned() -> None:
    image, truth = bright_squares()
    image[0][truth[0] == 3] -= np.minimum(image[0][truth[0] == 3], 60)  # taken for background
    user = User(paints={30: third_square})

    events = list(train(user, replace(QUICK, steps=120, patience=0), image=image))

    (corrected,) = of_type(events, Corrected)
    (labels,) = plane_values(
        segment(result(events).model, ArrayPlanes(image), device=CPU, numbers=[0])
    )
    inside = truth[0] == 3
    assert corrected.wrong > 0.9
    assert corrected.pixels == inside.sum()
    assert (labels[inside] > 0).mean() > 0.5


def test_new_strokes_start_the_limits_anew() -> None:
    events = list(train(User(paints={15: second_plane})))

    progress = [event.progress for event in of_type(events, StepDone)]
    assert progress[14] == 15 / 20
    assert progress[15] == 1 / 20
    assert len(progress) == 35


def test_new_strokes_let_a_trained_network_learn_as_long_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("napari_unet.engine.training.little_paint._ENOUGH", 9)
    monkeypatch.setattr("napari_unet.engine.training.little_paint._PIXELS_PER_STEP", 10**9)
    start = result(list(train(User()))).model

    events = list(train(User(paints={4: second_plane}), replace(QUICK, steps=400), start=start))

    taken = of_type(events, LabelsTaken)[0].step
    assert result(events).reason is FinishReason.LEARNED
    assert len(of_type(events, StepDone)) == taken + 9


def test_new_strokes_start_the_patience_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trainer, "validate", lambda t: (0.1 + 0.01 * t.step, 0.9 - 0.005 * t.step))
    monkeypatch.setattr(Trainer, "score", lambda *_: (0.1, 0.9))
    config = replace(QUICK, steps=200, patience=3)  # validates every 10 steps

    alone = result(list(train(User(), config)))
    painted = result(list(train(User(paints={28: second_plane}), config)))

    assert alone.reason is painted.reason is FinishReason.NO_IMPROVEMENT
    assert alone.model.record.steps == 30
    assert painted.model.record.steps == 30 + 20  # the first miss is a new one


def test_strokes_of_the_last_moment_are_learned_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Schedule, "may_ask_for_strokes", lambda schedule: False)

    events = list(train(User(paints={1: second_plane})))

    assert of_type(events, LabelsTaken)[0].step == 20
    assert result(events).model.record.steps == 40


def test_labels_that_did_not_change_are_not_taken() -> None:
    class Scribbler(User):
        def take_painted(self) -> frozenset[int]:
            return frozenset({0, 1})

    events = list(train(Scribbler()))

    assert of_type(events, LabelsTaken, Corrected) == []


def test_erasing_is_taken_in_and_corrects_nothing() -> None:
    def erase(labels: Labels) -> None:
        labels[0, -4:] = 0

    events = list(train(User(paints={3: erase})))

    assert of_type(events, Corrected) == []
    assert (
        of_type(events, LabelsTaken)[0].labelled_pixels
        < of_type(events, TrainStarted)[0].labelled_pixels
    )


def test_half_painted_labels_change_nothing_until_they_can_be_used() -> None:
    def erase_all(labels: Labels) -> None:
        labels[:] = 0

    events = list(train(User(paints={3: erase_all, 6: second_plane})))

    (taken,) = of_type(events, LabelsTaken)
    assert taken.step == 6
    assert taken.planes == (1,)  # plane 0 is read again, and found erased
    assert [pixels.plane for pixels in result(events).painted] == [1]


def test_strokes_on_a_plane_that_cannot_be_read_change_nothing() -> None:
    image = bright_squares(planes=40)[0].astype(np.float32)
    looked = np.unique(np.linspace(0, 39, 32).astype(int))
    plane = next(n for n in range(3, 40) if n not in looked)
    image[plane, 20, 20] = np.nan
    labels = np.zeros(image.shape, np.int32)
    labels[:3] = strokes(bright_squares()[1])

    def paint(labels: Labels) -> None:
        labels[plane, 15:30, 15:30] = 2

    events = list(train(User(paints={3: paint}, labels=labels), image=image))

    assert of_type(events, LabelsTaken) == []
    assert result(events).reason is FinishReason.COMPLETED


def test_a_new_class_joins_a_running_training() -> None:
    def third_class(labels: Labels) -> None:
        labels[:, :6] = 6

    labels = np.where(bright_squares()[1] > 0, 9, 4)
    user = User(looks_at=WHOLE, paints={30: third_class}, labels=labels)

    events = list(train(user, replace(QUICK, steps=60, patience=0), task=Task.CLASSES))

    done, (corrected,) = result(events), of_type(events, Corrected)
    (first,) = plane_values(
        segment(done.model, ArrayPlanes(bright_squares()[0]), device=CPU, numbers=[0])
    )
    assert len(of_type(events, TrainStarted)) == 1
    assert corrected.wrong == 1  # it could not know
    assert done.model.values == (4, 6, 9)
    assert done.model.network.classes == 3
    assert done.model.record.best_step > 30
    assert {4, 6, 9} >= set(np.unique(first).tolist()) >= {4, 9}


def test_a_class_that_is_new_to_a_trained_network_is_found_at_once() -> None:
    image = bright_squares()[0].astype(np.float32)
    image[:, :6] = 3 * image.max()  # a third kind of thing, of which nothing is known yet

    def third_class(labels: Labels) -> None:
        labels[0, 1:5, :40] = 6

    labels = np.where(bright_squares()[1] > 0, 9, 4)
    labels[:, :6] = 0
    first = result(list(train(User(labels=labels), image=image, task=Task.CLASSES))).model
    user = User(paints={2: third_class}, labels=labels.copy())

    events = list(train(user, still(), image=image, start=first, task=Task.CLASSES))

    (found, *_) = plane_values(
        segment(result(events).model, ArrayPlanes(image), device=CPU, numbers=[0])
    )
    assert float((found[1:5, :40] == 6).mean()) > 0.8


def test_validation_begins_when_enough_is_painted() -> None:
    truth = bright_squares()[1]
    dots = np.zeros_like(truth)
    dots[0, 0, 0], dots[0, 40, 40] = 1, 2

    events = list(train(User(paints={5: second_plane}, labels=dots)))

    assert of_type(events, TrainStarted)[0].held_out == ()
    assert of_type(events, LabelsTaken)[0].held_out
    assert of_type(events, Validated)[0].step >= 5
    assert result(events).model.record.validation_iou is not None


@pytest.mark.parametrize(("old_on_new_labels", "kept"), [(0.3, 25), (0.8, 0)])
def test_the_old_best_competes_on_the_new_held_out_pixels(
    monkeypatch: pytest.MonkeyPatch, old_on_new_labels: float, kept: int
) -> None:
    monkeypatch.setattr(Trainer, "validate", lambda t: (0.5, 0.5) if t.step else (0.1, 0.9))
    monkeypatch.setattr(Trainer, "score", lambda *_: (1 - old_on_new_labels, old_on_new_labels))

    record = result(list(train(User(paints={5: second_plane})))).model.record

    assert record.best_step == kept
    assert record.validation_iou == (old_on_new_labels if kept == 0 else 0.5)


def test_scoring_other_weights_leaves_the_network_as_it_is() -> None:
    scores: list[tuple[float, float]] = []

    def spy(trainer: Trainer, *arguments: Any) -> tuple[float, float]:
        before = trainer.weights()
        scores.append(score(trainer, *arguments))
        after = trainer.weights()
        assert all(torch.equal(before[name], after[name]) for name in before)
        return scores[-1]

    score = Trainer.score
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "score", spy)
        list(train(User(paints={5: second_plane})))

    assert len(scores) == 1


def test_the_optimiser_goes_on_where_shapes_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: dict[str, float] = {}
    extend = Trainer.extend

    def spy(trainer: Trainer, values: tuple[int, ...]) -> None:
        extend(trainer, values)
        state = trainer._optimiser.state
        for name, parameter in trainer._network.named_parameters():
            counts[name] = float(state[parameter]["step"]) if parameter in state else 0.0

    monkeypatch.setattr(Trainer, "extend", spy)
    labels = np.where(bright_squares()[1] > 0, 9, 4)

    def third_class(labels: Labels) -> None:
        labels[:, :6] = 6

    list(train(User(paints={8: third_class}, labels=labels), task=Task.CLASSES))

    assert {name: n for name, n in counts.items() if n != 8} == {"head.weight": 0, "head.bias": 0}


def test_no_pixel_is_both_trained_on_and_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    trained = np.zeros((3, 64, 64), dtype=bool)
    held = np.zeros((3, 64, 64), dtype=bool)
    teach = Trainer.teach

    def spy(trainer: Trainer, lessons: Lessons) -> None:
        for plane in lessons.training.planes:
            y, x = np.nonzero(plane.classes != IGNORED)
            trained[plane.number, y + plane.origin[0], x + plane.origin[1]] = True
        for block in lessons.held_out:
            held[block.plane, slice(*block.y), slice(*block.x)] = True
        teach(trainer, lessons)

    monkeypatch.setattr(Trainer, "teach", spy)

    def more(labels: Labels) -> None:
        labels[1:] = bright_squares()[1][1:] + 1

    list(train(User(paints={2: third_square, 4: second_plane, 6: more})))

    assert trained.any(axis=(1, 2)).all()
    assert held[1:].any()
    assert not (trained & held).any()


# --- what an earlier run knew


def test_training_on_from_a_model_tells_what_it_had_wrong() -> None:
    user = User()
    first = result(list(train(user)))
    third_square(user.labels)

    events = list(train(user, start=first.model, known=first.painted))

    assert [type(event) for event in events[:2]] == [TrainStarted, Corrected]
    corrected = events[1]
    assert isinstance(corrected, Corrected)
    assert corrected.step == 0
    assert corrected.pixels == (bright_squares()[1][0] == 3).sum()


def test_nothing_new_corrects_nothing() -> None:
    first = result(list(train(User())))

    events = list(train(User(), start=first.model, known=first.painted))

    assert of_type(events, Corrected) == []


def test_the_result_says_what_was_trained_on() -> None:
    done = result(list(train(User(paints={3: second_plane}))))

    for pixels in done.painted:
        painted = strokes(bright_squares()[1][[pixels.plane]])[0]
        top, left = pixels.origin
        height, width = pixels.classes.shape
        shown = painted[top : top + height, left : left + width]
        np.testing.assert_array_equal(
            pixels.classes, np.select([shown == 0, shown == 1], [IGNORED, 0], 1)
        )
    assert [pixels.plane for pixels in done.painted] == [0, 1]


# --- the pace


@pytest.mark.parametrize(("cost", "validates"), [(0.9, True), (1.1, False)])
def test_a_costly_validation_is_left_out_after_a_stop(cost: float, validates: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        clock = [0.0]
        patch.setattr("napari_unet.engine.training.schedule.time.perf_counter", lambda: clock[0])
        schedule = Schedule(QUICK)
        clock[0] = cost
        schedule.validated(begin=0.0)

        assert schedule.validation_is_due(7, FinishReason.STOPPED) is validates
        assert schedule.validation_is_due(7, FinishReason.TIME)


def test_who_stops_before_new_strokes_are_validated_keeps_what_has_learned_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("napari_unet.engine.training.schedule._LAST_VALIDATION", 0.0)
    config = replace(QUICK, steps=None, seconds=600.0)  # never validated but at the start
    seen: list[TrainEvent] = []

    def has_gone_on() -> bool:
        taken = of_type(seen, LabelsTaken)
        return bool(taken) and len(of_type(seen, StepDone)) > taken[0].step

    for event in train(User(paints={2: second_plane}), config, stop=has_gone_on):
        seen.append(event)  # noqa: PERF402 looked at meanwhile

    record = result(seen).model.record
    assert [event.step for event in of_type(seen, Validated)] == [0]
    assert (record.steps, record.best_step) == (3, 3)
    assert record.validation_iou is None
    assert record.held_out


def test_new_strokes_are_asked_for_once_a_second_or_less_if_they_cost_much() -> None:
    with pytest.MonkeyPatch.context() as patch:
        clock = [0.0]
        patch.setattr("napari_unet.engine.training.schedule.time.perf_counter", lambda: clock[0])
        schedule = Schedule(QUICK)
        asked = []
        for tick in range(400):
            clock[0] = tick / 10
            if ask(schedule):
                asked.append(clock[0])
                begin = schedule.seconds
                clock[0] += 0.5 if len(asked) > 10 else 0.0
                schedule.took_strokes(begin)

    pauses = np.diff(asked)
    np.testing.assert_allclose(pauses[:10], 1.0)
    assert (pauses[10:] >= 4.5).all()


ask = Schedule.may_ask_for_strokes  # the real one
