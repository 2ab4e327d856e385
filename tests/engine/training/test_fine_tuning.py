"""Training as an iterator of events: order, limits, best weights, repeatability."""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from napari_unet.config import Balance, Optimiser, Sampling, Task, TrainConfig, Unpainted
from napari_unet.engine.errors import EngineError, ImageError, LabelsError
from napari_unet.engine.events import (
    FinishReason,
    StepDone,
    TrainDone,
    TrainEvent,
    TrainStarted,
    Validated,
    never,
)
from napari_unet.engine.network.model import Model
from napari_unet.engine.network.record import ObjectSizes
from napari_unet.engine.paint.label_image import looks_like_label_image
from napari_unet.engine.paint.label_scheme import LabelScheme
from napari_unet.engine.paint.painted_box import RememberedLabels
from napari_unet.engine.stack.normalization import measure
from napari_unet.engine.stack.planes import ArrayPlanes
from napari_unet.engine.stack.reduction import Reduction
from napari_unet.engine.training.little_paint import pull_to_first_answer
from napari_unet.engine.training.trainer import Trainer
from tests.engine.conftest import BuiltNetworks
from tests.engine.scenes import (
    QUICK,
    TINY,
    CountedPlanes,
    bright_squares,
    result,
    run,
    strokes,
    train,
)


def same_weights(first: Model, second: Model) -> bool:
    return all(torch.equal(first.weights[name], second.weights[name]) for name in first.weights)


def test_events_come_in_order() -> None:
    events = list(run())

    assert isinstance(events[0], TrainStarted)
    assert isinstance(events[1], Validated)
    assert isinstance(events[-1], TrainDone)
    assert [e.step for e in events if isinstance(e, StepDone)] == list(range(1, 21))


def test_training_learns_the_task() -> None:
    validated = [e for e in run(replace(QUICK, steps=60)) if isinstance(e, Validated)]

    assert validated[0].iou < 0.6
    assert max(e.iou for e in validated) > 0.9


def test_the_same_seed_gives_the_same_weights() -> None:
    network = replace(TINY, dropout=0.3)

    first, second = (result(start=network).model for _ in range(2))
    other = result(replace(QUICK, seed=1), start=network).model

    assert same_weights(first, second)
    assert not same_weights(first, other)


def test_the_more_is_painted_the_less_is_pulled_back() -> None:
    pulls = [pull_to_first_answer(pixels) for pixels in (0, 300, 2000, 10**4, 10**5, 10**7)]

    assert pulls == sorted(pulls, reverse=True)
    assert pulls[0] == pulls[1] == 0.3  # the first answer is all but kept
    assert pulls[3] == 0.005
    assert pulls[-1] < 1e-4  # whole planes are labelled


def test_a_step_without_length_moves_nothing_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_unet.engine.training.little_paint._PULL", 1e6)
    trainers: list[Trainer] = []
    validate = Trainer.validate

    def remember(trainer: Trainer) -> tuple[float, float]:
        trainers.append(trainer)
        return validate(trainer)

    monkeypatch.setattr(Trainer, "validate", remember)
    result(start=result().model)
    trainer = trainers[-1]

    trainer.advance(0.0)
    moved = trainer.weights()
    trainer.advance(1.0)  # the end of the cosine: the learning rate is 0

    assert all(torch.equal(moved[name], value) for name, value in trainer.weights().items())


def test_the_way_back_leads_to_the_first_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_unet.engine.training.trainer._HEAD_PULL", 0.0)
    for name, value in (("_PULL", 1e6), ("_STRONGEST", 1.0)):
        monkeypatch.setattr(f"napari_unet.engine.training.little_paint.{name}", value)
    seen: list[tuple[Trainer, Mapping[str, torch.Tensor]]] = []
    validate = Trainer.validate

    def remember(trainer: Trainer) -> tuple[float, float]:
        seen.append((trainer, trainer.weights()))
        return validate(trainer)

    monkeypatch.setattr(Trainer, "validate", remember)
    start = result().model
    seen.clear()
    result(start=start)
    trainer, answer = seen[0]  # before the first step, with the head fitted
    trainer.advance(0.0)  # at the full learning rate, and so all the way back

    assert not torch.equal(answer["head.weight"], start.weights["head.weight"])
    assert all(torch.equal(answer[name], value) for name, value in trainer.weights().items())


def test_dropout_leaves_the_random_state_of_others_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)

    result(start=replace(TINY, dropout=0.3))

    assert torch.equal(torch.rand(3), expected)


def test_the_weights_of_the_best_validation_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    ious = iter([0.1, 0.5, 0.8, 0.9, 0.7, *[0.85] * 30])
    snapshots: list[tuple[float, dict[str, torch.Tensor]]] = []

    def validate(trainer: Trainer) -> tuple[float, float]:
        iou = next(ious)
        snapshots.append((iou, dict(trainer.weights())))
        return 1 - iou, iou

    monkeypatch.setattr(Trainer, "validate", validate)
    done = result()

    best = max(snapshots, key=lambda snapshot: snapshot[0])[1]
    assert all(torch.equal(best[name], done.model.weights[name]) for name in best)
    assert done.model.record.validation_iou == 0.9
    assert 0 < done.model.record.best_step < done.model.record.steps


def test_of_equally_good_weights_the_later_ones_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    ious = iter([0.1, 0.8, 0.79, 0.785, *[0.7] * 30])
    monkeypatch.setattr(Trainer, "validate", lambda trainer: (1 - (iou := next(ious)), iou))

    assert result().model.record.validation_iou == 0.785


def test_weights_of_the_lowest_loss_are_kept_though_their_iou_is_lower(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scores = iter([(0.9, 0.1), (0.5, 0.9), (0.2, 0.85), *[(0.4, 0.8)] * 30])
    monkeypatch.setattr(Trainer, "validate", lambda trainer: next(scores))

    assert result().model.record.validation_loss == 0.2


def worse_and_worse(trainer: Trainer) -> tuple[float, float]:
    return (0.1, 0.9) if trainer.step == 0 else (0.5, 0.5)


def test_training_ends_when_nothing_improves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trainer, "validate", worse_and_worse)

    done = result(replace(QUICK, steps=400, patience=3))

    assert done.reason is FinishReason.NO_IMPROVEMENT
    assert done.model.record.steps == 3 * 20


def test_patience_of_zero_never_ends_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trainer, "validate", worse_and_worse)

    assert result(replace(QUICK, patience=0)).reason is FinishReason.COMPLETED


def test_a_trained_network_ends_when_what_is_painted_is_learned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start = result().model
    labelled = start.record.labelled_pixels
    monkeypatch.setattr("napari_unet.engine.training.little_paint._ENOUGH", 7)
    monkeypatch.setattr("napari_unet.engine.training.little_paint._PIXELS_PER_STEP", labelled // 2)

    learned = result(replace(QUICK, steps=400), start=start)
    impatient = result(replace(QUICK, steps=8), start=start)
    unending = result(replace(QUICK, steps=12, patience=0), start=start)
    from_scratch = result(replace(QUICK, steps=12))

    assert (learned.reason, learned.model.record.steps) == (FinishReason.LEARNED, 9)
    assert impatient.reason is FinishReason.COMPLETED
    assert unending.model.record.steps == from_scratch.model.record.steps == 12


def test_a_longer_limit_changes_nothing_of_what_is_learned_from_little_paint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("napari_unet.engine.training.little_paint._ENOUGH", 7)
    monkeypatch.setattr("napari_unet.engine.training.little_paint._PIXELS_PER_STEP", 10**9)
    start = result().model
    config = replace(QUICK, validation_share=0.0)

    short, long = (result(replace(config, steps=n), start=start) for n in (7, 400))

    assert same_weights(short.model, long.model)
    assert not same_weights(short.model, start)


@pytest.mark.parametrize("after", [1, 7])
def test_stopping_takes_effect_after_the_current_step_and_keeps_the_best_weights(
    after: int,
) -> None:
    seen: list[TrainEvent] = []

    events = run(stop=lambda: sum(isinstance(e, StepDone) for e in seen) >= after)
    for event in events:
        seen.append(event)  # noqa: PERF402  `stop` looks at the list while it grows

    done = seen[-1]
    assert isinstance(done, TrainDone)
    assert done.reason is FinishReason.STOPPED
    assert done.model.record.steps == after
    assert done.model.record.validation_loss is not None


def test_closing_the_iterator_half_way_lets_go_of_the_network(built: BuiltNetworks) -> None:
    events = run()
    assert any(isinstance(event, StepDone) for event in events)  # the rest waits
    assert built[-1]() is not None

    events.close()  # type: ignore[attr-defined]
    gc.collect()

    assert list(events) == []
    assert {network() for network in built} == {None}


def test_a_time_limit_ends_training() -> None:
    done = result(replace(QUICK, steps=None, seconds=0.3))

    assert done.reason is FinishReason.TIME
    assert 0.3 <= done.model.record.seconds < 5


def test_with_too_little_paint_nothing_is_held_out_and_the_last_weights_are_kept() -> None:
    _, truth = bright_squares()
    labels = np.zeros_like(truth)
    labels[0, 0, 0], labels[0, 40, 40] = 1, 2

    events = list(run(labels=labels))

    started, done = events[0], events[-1]
    assert isinstance(started, TrainStarted)
    assert isinstance(done, TrainDone)
    assert started.held_out == ()
    assert not any(isinstance(e, Validated) for e in events)
    assert done.model.record.best_step == 20
    assert done.model.record.validation_loss is None


def test_the_held_out_blocks_are_named_in_the_result() -> None:
    events = list(run())

    started, done = events[0], events[-1]
    assert isinstance(started, TrainStarted)
    assert isinstance(done, TrainDone)
    assert started.held_out == done.model.record.held_out
    assert {block.plane for block in started.held_out} == {0}
    assert done.model.record.settings["steps"] == 20


def test_the_model_knows_how_large_the_painted_objects_were() -> None:
    labels = np.zeros_like(bright_squares()[1])
    labels[0, :60] = 1
    labels[0, 10:30, 10:30], labels[0, 10:20, 40:50] = 2, 3
    config = replace(QUICK, steps=1, seconds=None)

    assert result(config, labels=labels).model.record.painted_objects == ObjectSizes(100, 250.0)
    classes = result(config, labels=labels, task=Task.CLASSES)
    assert classes.model.record.painted_objects is None


def test_the_model_knows_that_the_painted_objects_had_holes() -> None:
    labels = np.zeros_like(bright_squares()[1])
    labels[0, :60] = 1
    labels[0, 10:30, 10:30], labels[0, 16:24, 16:24] = 2, 1
    config = replace(QUICK, steps=1, seconds=None)

    assert result(config, labels=labels).model.record.smallest_hole == 64
    labels[labels > 1] = 1
    labels[0, 10:30, 10:30] = 2
    assert result(config, labels=labels).model.record.smallest_hole is None


def test_classes_are_learned_with_their_own_numbers() -> None:
    _, truth = bright_squares()

    done = result(labels=np.where(truth > 0, 9, 4), task=Task.CLASSES)

    assert done.model.values == (4, 9)
    assert done.model.network.classes == 2


def test_training_goes_on_from_a_model() -> None:
    first = result(replace(QUICK, steps=60)).model

    events = list(run(start=first))

    assert isinstance(events[1], Validated)
    assert events[1].iou > 0.8  # before the first step


def test_labels_that_a_trained_model_does_not_know_are_told_apart_before_the_first_step() -> None:
    first = result(replace(QUICK, steps=60)).model
    labels = np.where(bright_squares()[1] > 0, 7, 4)

    events = list(run(start=first, labels=labels, task=Task.CLASSES))

    assert isinstance(events[1], Validated)
    assert events[1].iou > 0.8


def test_few_strokes_change_a_trained_model_less_than_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in (("_PULL", 1000.0), ("_STRONGEST", 0.3)):  # felt within 20 steps
        monkeypatch.setattr(f"napari_unet.engine.training.little_paint.{name}", value)
    first = result(replace(QUICK, steps=60)).model
    many = bright_squares()[1] + 1
    few = np.where(np.arange(many.shape[2]) < many.shape[2] // 6, many, 0)

    def moved(labels: npt.NDArray[Any]) -> float:
        config = replace(QUICK, steps=20, validation_share=0.0)
        model = result(config, start=first, labels=labels).model
        return sum(
            float((model.weights[name] - weight).square().sum())
            for name, weight in first.weights.items()
            if not name.startswith("head.")
        )

    assert moved(few) < 0.7 * moved(many)


def test_a_new_class_extends_the_head_and_keeps_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_unet.engine.training.trainer.fit_head", lambda *_, **__: None)
    _, truth = bright_squares()
    labels = np.where(truth > 0, 3, 1)
    first = result(labels=labels, task=Task.CLASSES).model
    labels[:, :2] = 2

    second = result(
        replace(QUICK, steps=1, learning_rate=1e-12), start=first, labels=labels, task=Task.CLASSES
    ).model

    assert second.values == (1, 2, 3)
    torch.testing.assert_close(second.weights["head.weight"][[0, 2]], first.weights["head.weight"])
    torch.testing.assert_close(second.weights["down.0.0.weight"], first.weights["down.0.0.weight"])


def with_channels(count: int, start: Model) -> Iterator[TrainEvent]:
    """Train on an image of which every channel is the same."""
    image, truth = bright_squares()
    return train(
        ArrayPlanes(np.stack([image] * count, axis=1), channel_axis=1),
        ArrayPlanes(strokes(truth)),
        start=start,
    )


def test_a_model_of_one_channel_goes_on_with_several() -> None:
    first = result(replace(QUICK, steps=60)).model

    *events, done = with_channels(3, first)

    assert isinstance(events[1], Validated)
    assert events[1].iou > 0.8  # before the first step
    assert isinstance(done, TrainDone)
    assert done.model.network.in_channels == 3


def test_a_model_of_another_number_of_channels_is_refused() -> None:
    *_, two = with_channels(2, result(replace(QUICK, steps=1)).model)
    assert isinstance(two, TrainDone)

    for channels, told in ((1, "1 channel"), (3, "3 channels")):
        with pytest.raises(ImageError, match=f"{told}, .* was trained on 2"):
            list(with_channels(channels, two.model))


def test_unusable_input_fails_before_the_first_event() -> None:
    image, truth = bright_squares()

    with pytest.raises(LabelsError, match="Nothing is painted"):
        next(run(labels=truth * 0))
    with pytest.raises(ImageError, match="constant"):
        next(run(image=image * 0))


def test_a_failing_device_gives_one_typed_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def out_of_memory(*_: object) -> float:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Trainer, "advance", out_of_memory)

    with pytest.raises(EngineError, match="smaller patch"):
        list(run())


CHANGES: dict[str, Any] = {
    "seconds": 1e-9,
    "steps": 3,
    "optimiser": Optimiser.SGD,
    "learning_rate": 1e-3,
    "momentum": 0.1,
    "weight_decay": 0.5,
    "warm_up": 0,
    "anneal": False,
    "clip_gradient": 1e-3,
    "patch": 40,
    "batch": 3,
    "w0": 0.0,
    "sigma": 1.0,
    "gap": 3,
    "reduction": 2,
    "diameter": 64.0,
    "balance": Balance.NEVER,
    "most_weight": 1.0,
    "sampling": Sampling.PIXELS,
    "validation_share": 0.3,
    "seed": 9,
    "augment": replace(QUICK.augment, rotation=0.0),
}


SHOWN_ELSEWHERE = {"patience", "validate_every", "mixed_precision"}


def test_no_setting_is_left_untested() -> None:
    assert CHANGES.keys() | SHOWN_ELSEWHERE == {field.name for field in fields(TrainConfig)}


@pytest.mark.parametrize("setting", CHANGES)
def test_every_setting_reaches_the_training(setting: str) -> None:
    _, truth = bright_squares()
    truth[:, 30:34, 20:40] = 5  # touching objects, so that gap, w0 and sigma matter
    truth[:, 34:38, 20:40] = 6
    arguments = {"labels": truth, "unpainted": Unpainted.BACKGROUND}
    config = replace(QUICK, steps=6, validation_share=0.0)  # so that the last weights are kept

    usual = result(config, **arguments).model
    changed = result(replace(config, **{setting: CHANGES[setting]}), **arguments).model

    assert not same_weights(usual, changed)


def test_validations_take_at_most_a_tenth_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("napari_unet.engine.training.schedule.time.perf_counter", lambda: clock[0])

    def advance(trainer: Trainer, progress: float) -> float:
        trainer.step += 1
        clock[0] += 0.1
        return 1.0

    def validate(trainer: Trainer) -> tuple[float, float]:
        clock[0] += 2.0
        return 1 / clock[0], 0.0

    monkeypatch.setattr(Trainer, "advance", advance)
    monkeypatch.setattr(Trainer, "validate", validate)
    config = replace(QUICK, steps=None, seconds=400.0, validate_every=1.0)
    validations = [e for e in run(config) if isinstance(e, Validated)]

    assert 18 <= len(validations) <= 22


def test_time_between_validations_is_as_set(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("napari_unet.engine.training.schedule.time.perf_counter", lambda: clock[0])

    def advance(trainer: Trainer, progress: float) -> float:
        trainer.step += 1
        clock[0] += 1.0
        return 1.0

    monkeypatch.setattr(Trainer, "advance", advance)
    monkeypatch.setattr(Trainer, "validate", lambda trainer: (1 / (1 + clock[0]), 0.0))
    config = replace(QUICK, steps=None, seconds=100.0, validate_every=10.0)
    steps = [e.step for e in run(config) if isinstance(e, Validated)]

    assert steps == [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]


def test_never_is_false() -> None:
    assert never() is False


@pytest.mark.parametrize("reduction", [None, 1, 3])
def test_labels_are_read_once_and_the_image_once_around_the_paint(reduction: int | None) -> None:
    image, truth = bright_squares(planes=4)
    labels = CountedPlanes(np.concatenate([strokes(truth), np.zeros_like(truth[:1])]))
    planes = CountedPlanes(np.concatenate([image, image[:1]]))
    whole = math.prod(planes.shape)
    measure(Reduction(reduction or 1, planes.shape).image(planes))
    measured = planes.pixels.copy()
    planes.pixels.clear()

    remembered = RememberedLabels(labels)
    with remembered.remembering():
        looks_like_label_image([remembered], LabelScheme(Task.OBJECTS, Unpainted.IGNORED))
    next(train(planes, remembered, config=replace(QUICK, reduction=reduction)))

    assert labels.pixels == dict.fromkeys(range(5), whole)
    assert planes.pixels - measured == {0: whole}


@pytest.mark.parametrize("shape_field", [False, True])
def test_it_is_told_how_many_objects_are_painted_whole(shape_field: bool) -> None:
    once, start = replace(QUICK, steps=1), replace(TINY, shape_field=shape_field)
    _, truth = bright_squares()
    whole = np.where((truth > 0) & (truth <= 2), truth + 1, 1)
    whole[1:] = 0
    scribbles = whole.copy()
    scribbles[scribbles > 1] = 0
    for number in (1, 2):
        y, x = np.argwhere(truth[0] == number).mean(axis=0).astype(int)
        scribbles[0, y - 1 : y + 2, x - 4 : x + 4] = number + 1

    begun, *_, done = run(once, labels=whole, start=start)
    assert isinstance(begun, TrainStarted)
    assert isinstance(done, TrainDone)
    assert begun.whole_objects == done.model.record.whole_objects == 2
    assert result(once, labels=scribbles, start=start).model.record.whole_objects == 0
    assert result(once, task=Task.CLASSES).model.record.whole_objects is None
