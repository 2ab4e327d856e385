"""One model from images of any size, exposure and pixel size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from napari_unet.config import NetworkConfig, Task, TrainConfig, Unpainted
from napari_unet.engine.errors import ImageError
from napari_unet.engine.events import (
    Corrected,
    LabelsTaken,
    Previewed,
    SegmentStarted,
    StateReached,
    TrainDone,
    TrainEvent,
    TrainStarted,
    View,
)
from napari_unet.engine.network.model import Model
from napari_unet.engine.network.record import ObjectSizes
from napari_unet.engine.paint.label_scheme import LabelScheme
from napari_unet.engine.paint.training_set import TrainingSet
from napari_unet.engine.prediction.painted_review import review
from napari_unet.engine.scores.metrics import seg_score
from napari_unet.engine.stack.normalization import measure
from napari_unet.engine.stack.planes import ArrayPlanes, Planes
from napari_unet.engine.training.fine_tuning import fit
from napari_unet.engine.training.inspection import inspect
from napari_unet.engine.training.plan import TrainingPlan
from napari_unet.engine.training.state import TrainingState
from tests.engine.scenes import QUICK, TINY, bright_squares, strokes
from tests.engine.tiny import CPU, plane_values, segment

SMALL, SMALL_TRUTH = bright_squares(planes=2, seed=1)
LARGE, LARGE_TRUTH = bright_squares(planes=1, size=96, seed=2)
DIM = (200 + 12.0 * LARGE).astype(np.uint16)  # another type and exposure
SHORT = replace(QUICK, steps=3)
SCHEME = LabelScheme(Task.OBJECTS, Unpainted.IGNORED)
UM = 0.5  # pixel size

Array = npt.NDArray[Any]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def planes(array: Array, name: str = "image", um: float | None = UM) -> ArrayPlanes:
    return ArrayPlanes(array, name=name, pixel_size=None if um is None else (um, um))


def finer(stack: Array, factor: int = 2) -> Array:
    """Return the same with smaller pixels."""
    return stack.repeat(factor, axis=-2).repeat(factor, axis=-1)


def pairs_of(*pairs: tuple[Planes, Array]) -> TrainingSet:
    return TrainingSet.of(*((image, ArrayPlanes(labels)) for image, labels in pairs))


def two() -> TrainingSet:
    return pairs_of(
        (planes(SMALL, "small"), strokes(SMALL_TRUTH)),
        (planes(DIM, "dim"), LARGE_TRUTH[:] + 1),
    )


def plan(
    config: TrainConfig = SHORT, start: NetworkConfig | Model = TINY, **more: Any
) -> TrainingPlan:
    return TrainingPlan(start=start, scheme=SCHEME, config=config, device=CPU, **more)


def only(kind: type[Any], events: Iterable[TrainEvent]) -> Any:
    (event,) = [event for event in events if isinstance(event, kind)]
    return event


def result(pairs: TrainingSet, how: TrainingPlan) -> TrainDone:
    done: TrainDone = only(TrainDone, fit(pairs, how))
    return done


def test_one_model_learns_images_of_any_size_type_and_exposure() -> None:
    events = list(fit(two(), plan(replace(QUICK, steps=40))))
    started, done = only(TrainStarted, events), only(TrainDone, events)
    assert (started.images, started.planes, started.notes) == (2, (0, 2), ())
    assert {block.plane for block in started.held_out} == {0, 2}
    for image, truth in ((SMALL, SMALL_TRUTH), (DIM, LARGE_TRUTH)):
        found = plane_values(segment(done.model, planes(image), device=CPU))
        assert np.mean([seg_score(*both) for both in zip(found, truth, strict=True)]) > 0.65
    reviewed = review(done.model, two(), SCHEME, device=CPU)
    assert reviewed is not None
    assert reviewed.painted == 2 + 4
    assert {plane for plane, _, _ in reviewed.missed} <= {0, 2}


def test_each_image_is_seen_in_its_own_range_of_grey_values() -> None:
    done = result(two(), plan())
    assert done.model.normalization == measure(ArrayPlanes(SMALL))
    drawn = [inspect(two(), plan(), plane=n, seed=seed).patch for n in (0, 2) for seed in range(4)]
    assert all(patch.image.max() > 0.3 and patch.image.min() < -0.5 for patch in drawn)


def test_a_training_on_one_image_is_that_on_it_beside_an_unpainted_one() -> None:
    constant = planes(np.zeros((40, 30), np.uint8), "blank")  # nothing of it is read
    alone = pairs_of((planes(SMALL), strokes(SMALL_TRUTH)))
    beside = pairs_of(
        (planes(SMALL), strokes(SMALL_TRUTH)), (constant, np.zeros((40, 30), np.uint8))
    )
    one = result(alone, plan())
    events = list(fit(beside, plan()))
    assert only(TrainStarted, events).notes == ("Nothing is painted on 'blank': it is left out.",)
    for name, weight in one.model.weights.items():
        assert torch.equal(weight, only(TrainDone, events).model.weights[name])


def test_images_of_smaller_pixels_are_seen_alike_and_it_is_said() -> None:
    """An image whose pixels are repeated, and half as large, is the image again."""
    coarse = planes(LARGE, "coarse"), LARGE_TRUTH[:] + 1
    fine = planes(finer(SMALL), "fine", UM / 2), finer(strokes(SMALL_TRUTH))
    as_coarse = planes(SMALL, "fine"), strokes(SMALL_TRUTH)
    expected = result(pairs_of(coarse, as_coarse), plan())
    events = list(fit(pairs_of(coarse, fine), plan()))
    started, done = only(TrainStarted, events), only(TrainDone, events)
    assert started.notes == (
        "The pixels of 'fine' are 0.25 µm wide, those that were trained on 0.5 µm: 2×2 of them "
        "are seen as one.",
    )
    for name, weight in expected.model.weights.items():
        assert torch.equal(weight, done.model.weights[name])
    assert done.model.pixel_size == (UM, UM)
    blocks = [block for block in started.held_out if block.plane]
    before = [block for block in expected.model.record.held_out if block.plane]
    assert [(b.y, b.pixels) for b in blocks] == [
        (tuple(2 * y for y in b.y), 4 * b.pixels) for b in before
    ]
    (painted,) = [one for one in done.painted if one.plane]
    (as_blocks,) = [one for one in expected.painted if one.plane]
    np.testing.assert_array_equal(painted.classes, finer(as_blocks.classes))

    begun, *_ = segmented = list(segment(done.model, fine[0], device=CPU))
    assert isinstance(begun, SegmentStarted)
    assert begun.note == started.notes[0]
    sizes = ObjectSizes(4 * 144, 4.0 * 144)
    reduced = replace(done.model.record, painted_objects=sizes)
    by_hand = replace(done.model, reduction=2, pixel_size=None, record=reduced)
    for found, wanted in zip(
        plane_values(segmented), plane_values(segment(by_hand, fine[0], device=CPU)), strict=True
    ):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    ("um", "says"),
    [(None, "The pixel size of 'fine' is not known"), (UM / 1.4, None)],
    ids=["unknown", "alike"],
)
def test_images_are_seen_as_they_are_where_pixels_are_alike_or_unknown(
    um: float | None, says: str | None
) -> None:
    coarse = planes(LARGE, "coarse"), LARGE_TRUTH[:] + 1
    events = fit(pairs_of(coarse, (planes(SMALL, "fine", um), strokes(SMALL_TRUTH))), plan())
    *_, done = [next(events), *events]
    started = next(fit(pairs_of(coarse, (planes(SMALL, "fine", um), strokes(SMALL_TRUTH))), plan()))
    assert isinstance(started, TrainStarted)
    assert isinstance(done, TrainDone)
    assert [note.partition(" (")[0] for note in started.notes] == ([says] if says else [])
    assert done.model.pixel_size == (None if um is None else (UM, UM))


def test_images_of_other_things_are_seen_as_they_are() -> None:
    """Objects that are as many pixels wide at twice the magnification are half as large."""
    coarse = planes(LARGE, "coarse"), LARGE_TRUTH + 1
    events = list(fit(pairs_of(coarse, (planes(SMALL, "fine", UM / 2), SMALL_TRUTH + 1)), plan()))
    started, done = only(TrainStarted, events), only(TrainDone, events)
    assert started.notes == (
        "The pixels of these images differ in size, but what is painted would be less alike if "
        "they were brought together: all images are seen as they are.",
    )
    assert done.model.pixel_size is None
    as_they_are = pairs_of(coarse, (planes(SMALL, "fine"), SMALL_TRUTH + 1))
    for name, weight in result(as_they_are, plan()).model.weights.items():
        assert torch.equal(weight, done.model.weights[name])


def test_a_model_that_goes_on_keeps_its_pixel_size() -> None:
    first = result(pairs_of((planes(SMALL), strokes(SMALL_TRUTH))), plan()).model
    fine = planes(finer(SMALL), "fine", UM / 2), finer(strokes(SMALL_TRUTH))
    events = list(fit(pairs_of(fine), plan(start=first)))
    assert only(TrainDone, events).model.pixel_size == (UM, UM)
    assert "2×2 of them are seen as one" in only(TrainStarted, events).notes[0]


def test_objects_are_measured_in_pixels_of_the_first_image() -> None:
    config = replace(SHORT, reduction=None)
    painted = finer(bright_squares(planes=1, size=96, seed=3)[1] + 1)
    image = finer(bright_squares(planes=1, size=96, seed=3)[0])
    alone = next(fit(pairs_of((planes(image), painted)), plan(config)))
    both = pairs_of((planes(image), painted), (planes(finer(image), "b", UM / 2), finer(painted)))
    started = next(fit(both, plan(config)))
    assert isinstance(alone, TrainStarted)
    assert isinstance(started, TrainStarted)
    assert alone.diameter is not None
    assert started.diameter == alone.diameter


class Person:
    """Looks at the second image, and paints on the first and on it, once."""

    def __init__(self, labels: tuple[Array, Array]) -> None:
        self._labels = labels
        self._asked = 0

    def view(self) -> View:
        return View(2, slice(0, 90), slice(0, 96))

    def take_painted(self) -> frozenset[int]:
        self._asked += 1
        if self._asked != 1:
            return frozenset()
        self._labels[0][1] = SMALL_TRUTH[1] + 1
        self._labels[1][0] = LARGE_TRUTH[0] + 1
        return frozenset({1, 2})


def test_previews_and_new_strokes_are_of_whichever_image() -> None:
    labels = strokes(SMALL_TRUTH), np.zeros_like(LARGE_TRUTH)
    pairs = pairs_of((planes(SMALL), labels[0]), (planes(DIM), labels[1]))
    events = list(fit(pairs, plan(replace(QUICK, steps=5)), live=Person(labels)))
    preview = next(event for event in events if isinstance(event, Previewed))
    assert (preview.view.plane, preview.values.shape) == (2, (90, 96))
    assert only(LabelsTaken, events).planes == (0, 1, 2)
    new = SMALL[1].size + LARGE[0].size
    assert 0.9 * new < only(Corrected, events).pixels <= new

    done = only(TrainDone, events)
    again = fit(pairs, plan(start=done.model, known=done.painted))
    assert not [event for event in again if isinstance(event, Corrected)]


def interrupted(pairs: TrainingSet, step: int) -> TrainingState:
    def states() -> Iterator[TrainingState]:
        for event in fit(pairs, plan(), keep_every=0.0):
            if isinstance(event, StateReached) and event.state.step == step:
                assert isinstance(event.state, TrainingState)
                yield event.state

    return next(states())


def test_a_training_on_several_images_goes_on_as_if_undisturbed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("napari_unet.engine.training.schedule.Schedule.may_keep", lambda *_: True)
    whole = result(two(), plan())
    state = interrupted(two(), 2)
    again = only(TrainDone, fit(two(), plan(), interrupted=state))
    for name, weight in whole.model.weights.items():
        assert torch.equal(weight, again.model.weights[name])
    fewer = pairs_of((planes(SMALL, "small"), strokes(SMALL_TRUTH)))
    with pytest.raises(ImageError, match="was on 2 images, not 1; choose those"):
        next(fit(fewer, plan(), interrupted=state))
    other = pairs_of(
        (planes(SMALL, "small"), strokes(SMALL_TRUTH)), (planes(DIM[:, ::-1], "dim"), LARGE_TRUTH)
    )
    with pytest.raises(ImageError, match="another image than 'dim'"):
        next(fit(other, plan(), interrupted=state))
