"""A run on a reduced stack learns what it should, and reports in pixels of the plane.

An image whose pixels are repeated r times along both axes, reduced by r, is the image again: so
everything can be held against a run that reduces nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from napari_unet.config import ENLARGED, Task, TrainConfig, Unpainted
from napari_unet.engine.errors import LabelsError
from napari_unet.engine.events import (
    Corrected,
    LabelsTaken,
    PaintedPixels,
    Previewed,
    TrainDone,
    TrainEvent,
    TrainStarted,
    Validated,
    View,
)
from napari_unet.engine.network.record import TrainRecord
from napari_unet.engine.paint.label_scheme import LabelScheme
from napari_unet.engine.paint.training_set import TrainingSet
from napari_unet.engine.scores.metrics import seg_score
from napari_unet.engine.stack.planes import ArrayPlanes
from napari_unet.engine.stack.reduction import Reduction
from napari_unet.engine.training.block_events import known_in_blocks, pixels_on_plane
from napari_unet.engine.training.inspection import inspect
from napari_unet.engine.training.plan import TrainingPlan
from tests.engine.scenes import QUICK, TINY, bright_squares, strokes, train
from tests.engine.tiny import CPU, plane_values, segment

IMAGE, TRUTH = bright_squares()
FACTOR = 3
CROP = 2  # the last blocks are not whole
SHORT = replace(QUICK, steps=3)
SHORT_REDUCED = replace(SHORT, reduction=FACTOR, sigma=FACTOR * SHORT.sigma)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def magnified(stack: npt.NDArray[Any], factor: int = FACTOR) -> npt.NDArray[Any]:
    return stack.repeat(factor, axis=-2).repeat(factor, axis=-1)


def run(
    image: npt.NDArray[Any], labels: npt.NDArray[Any], config: TrainConfig, **changes: Any
) -> list[TrainEvent]:
    return list(train(ArrayPlanes(image), ArrayPlanes(labels), config=config, **changes))


def only(kind: type[Any], events: Iterable[TrainEvent]) -> Any:
    (event,) = [event for event in events if isinstance(event, kind)]
    return event


def test_a_reduced_run_is_that_of_the_small_image() -> None:
    labels = strokes(TRUTH)
    small = run(IMAGE, labels, SHORT)
    large = run(magnified(IMAGE), magnified(labels), SHORT_REDUCED)

    expected, started = only(TrainStarted, small), only(TrainStarted, large)
    assert (expected.reduction, started.reduction) == (1, FACTOR)
    assert started.labelled_pixels == FACTOR**2 * expected.labelled_pixels
    assert len(started.held_out) == len(expected.held_out) > 0
    for block, original in zip(started.held_out, expected.held_out, strict=True):
        assert block.y == tuple(FACTOR * y for y in original.y)
        assert block.x == tuple(FACTOR * x for x in original.x)
        assert block.pixels == FACTOR**2 * original.pixels

    losses = [[e.loss for e in events if isinstance(e, Validated)] for events in (small, large)]
    assert losses[0] == losses[1]
    before, after = only(TrainDone, small), only(TrainDone, large)
    assert (before.model.reduction, after.model.reduction) == (1, FACTOR)
    for name, tensor in before.model.weights.items():
        assert torch.equal(after.model.weights[name], tensor)
    assert after.model.record.held_out == started.held_out
    assert after.model.record.labelled_pixels == started.labelled_pixels
    for painted, original in zip(after.painted, before.painted, strict=True):
        assert painted.origin == tuple(FACTOR * first for first in original.origin)
        np.testing.assert_array_equal(painted.classes, magnified(original.classes))


def test_nothing_is_reported_beyond_the_plane() -> None:
    image, labels = (magnified(stack)[:, CROP:, :-CROP] for stack in (IMAGE, strokes(TRUTH)))
    events = run(image, labels, SHORT_REDUCED)
    height, width = image.shape[1:]
    for block in only(TrainStarted, events).held_out:
        assert 0 <= block.y[0] < block.y[1] <= height
        assert 0 <= block.x[0] < block.x[1] <= width
        assert 0 < block.pixels <= (block.y[1] - block.y[0]) * (block.x[1] - block.x[0])
    for painted in only(TrainDone, events).painted:
        far = np.add(painted.origin, painted.classes.shape)
        assert (far <= (height, width)).all()


class Person:
    """Looks at a view, and paints once, before the second question."""

    def __init__(self, labels: npt.NDArray[Any], new: npt.NDArray[Any], view: View) -> None:
        self._labels = labels
        self._new = new
        self._view = view
        self._asked = 0

    def view(self) -> View:
        return self._view

    def take_painted(self) -> frozenset[int]:
        self._asked += 1
        if self._asked != 1:
            return frozenset()
        self._labels[1] = self._new
        return frozenset({1})


def test_previews_and_corrections_while_it_trains_are_in_pixels_of_the_plane() -> None:
    image, labels = magnified(IMAGE), magnified(strokes(TRUTH))
    new = np.where(magnified(TRUTH)[1] > 0, magnified(TRUTH)[1] + 1, 1)
    wanted = View(0, slice(20, 141), slice(31, 190))
    events = run(image, labels, SHORT_REDUCED, live=Person(labels, new, wanted))
    previews = [event for event in events if isinstance(event, Previewed)]
    assert previews[0].view == wanted
    assert previews[0].values.shape == (121, 159)
    corrected, taken = only(Corrected, events), only(LabelsTaken, events)
    assert 0.9 * new.size < corrected.pixels <= new.size  # but for the separation border
    assert 0 <= corrected.wrong <= 1
    before = only(TrainStarted, events).labelled_pixels
    assert taken.labelled_pixels > before
    assert taken.labelled_pixels % FACTOR**2 == 0
    assert {block.plane for block in taken.held_out} <= {0, 1}


def test_a_model_goes_on_as_it_was_trained_and_knows_what_it_learned_from() -> None:
    image, labels = (magnified(stack)[:, :-1, :-CROP] for stack in (IMAGE, strokes(TRUTH)))
    first = only(TrainDone, run(image, labels, SHORT_REDUCED))
    again = run(image, labels, SHORT, start=first.model, known=first.painted)
    assert not [event for event in again if isinstance(event, Corrected)]
    assert only(TrainStarted, again).reduction == FACTOR
    assert only(TrainDone, again).model.reduction == FACTOR

    labels = labels.copy()
    labels[2, 30:60, 30:60] = 1
    more = run(image, labels, SHORT, start=first.model, known=first.painted)
    assert only(Corrected, more).pixels == 900

    by_hand = replace(SHORT, reduction=2)
    other = run(image, labels, by_hand, start=first.model, known=first.painted)
    assert only(TrainDone, other).model.reduction == 2  # on another grid: nothing to compare
    assert not [event for event in other if isinstance(event, Corrected)]


def test_a_bundled_model_is_fitted_to_the_objects() -> None:
    image, labels = magnified(IMAGE, 5), magnified(strokes(TRUTH), 5)
    bundled = replace(only(TrainDone, run(IMAGE, strokes(TRUTH), SHORT)).model, reduction=None)
    assert only(TrainDone, run(image, labels, SHORT, start=bundled)).model.reduction == 2


def test_large_objects_are_learned_and_found() -> None:
    """Squares of 60 px: a plane with its label image, and another one to segment."""
    image, truth = (magnified(stack, 5)[:, :-3, :-2] for stack in bright_squares(planes=2))
    labels = truth.copy()
    labels[1] = 0
    config = replace(QUICK, steps=60)
    model = only(TrainDone, run(image, labels, config, unpainted=Unpainted.BACKGROUND)).model
    assert model.reduction == 2
    (found,) = plane_values(segment(model, ArrayPlanes(image), device=CPU, numbers=[1]))
    assert found.max() == 4
    assert seg_score(found, truth[1]) > 0.85


def test_labels_of_another_size_are_refused_though_they_have_as_many_blocks() -> None:
    labels = magnified(strokes(TRUTH))
    with pytest.raises(LabelsError, match="191×192 px, but the image has 3 of 192×192"):
        run(magnified(IMAGE), labels[:, :-1], SHORT_REDUCED)


def test_the_inspection_shows_the_plane() -> None:
    labels = strokes(TRUTH)
    scheme = LabelScheme(Task.OBJECTS, Unpainted.IGNORED)
    plan = TrainingPlan(start=TINY, scheme=scheme, config=SHORT, device=CPU)
    pairs = TrainingSet.of((ArrayPlanes(IMAGE), ArrayPlanes(labels)))
    small = inspect(pairs, plan, plane=0, seed=1)
    stacks = ArrayPlanes(magnified(IMAGE)), ArrayPlanes(magnified(labels))
    large = inspect(TrainingSet.of(stacks), replace(plan, config=SHORT_REDUCED), plane=0, seed=1)
    assert large.origin == tuple(FACTOR * first for first in small.origin)
    np.testing.assert_array_equal(large.weights, magnified(small.weights))
    np.testing.assert_array_equal(large.classes, magnified(small.classes))
    assert [b.y for b in large.held_out] == [tuple(FACTOR * y for y in b.y) for b in small.held_out]
    np.testing.assert_array_equal(large.patch.image, small.patch.image)


@pytest.mark.parametrize("shape", [(12, 15), (13, 16), (14, 17)])
def test_blocks_become_pixels_and_blocks_again(shape: tuple[int, int]) -> None:
    reduction = Reduction(FACTOR, shape)
    rows, columns = reduction.shape
    blocks = np.arange((rows - 1) * (columns - 2), dtype=np.uint8).reshape(rows - 1, columns - 2)
    pixels, origin = pixels_on_plane(blocks, (1, 2), reduction)
    assert origin == (3, 6)
    assert pixels.shape == (shape[0] - 3, shape[1] - 6)
    assert (pixels[0, 0], pixels[-1, -1]) == (blocks[0, 0], blocks[-1, -1])
    (back,) = known_in_blocks([PaintedPixels(4, origin, pixels)], lambda _: reduction)
    assert (back.plane, back.origin) == (4, (1, 2))
    np.testing.assert_array_equal(back.classes, blocks)


def test_a_run_on_an_enlarged_stack_reports_in_pixels_of_the_plane() -> None:
    shaped = replace(TINY, shape_field=True)
    first = only(TrainDone, run(IMAGE, strokes(TRUTH), SHORT, start=shaped)).model
    bundled = replace(first, reduction=None, record=TrainRecord(steps=1))
    small = replace(SHORT, diameter=8.0)
    events = run(IMAGE, strokes(TRUTH), small, start=bundled)
    plain = run(IMAGE, strokes(TRUTH), replace(SHORT, reduction=1), start=bundled)

    started, expected = only(TrainStarted, events), only(TrainStarted, plain)
    assert (started.reduction, started.enlargement) == (1, ENLARGED)
    assert (expected.reduction, expected.enlargement) == (1, 1)
    assert started.labelled_pixels == pytest.approx(expected.labelled_pixels, rel=0.3)
    height, width = IMAGE.shape[1:]
    for block in started.held_out:
        assert 0 <= block.y[0] < block.y[1] <= height
        assert 0 <= block.x[0] < block.x[1] <= width
        assert 0 < block.pixels <= (block.y[1] - block.y[0]) * (block.x[1] - block.x[0])
    done = only(TrainDone, events)
    assert (done.model.reduction, done.model.enlargement) == (1, ENLARGED)
    (painted,) = done.painted
    far = np.add(painted.origin, painted.classes.shape)
    assert (far <= (height, width)).all()
    here = tuple(slice(a, b) for a, b in zip(painted.origin, far, strict=True))
    np.testing.assert_array_equal(painted.classes != 255, strokes(TRUTH)[0][here] > 0)

    again = run(IMAGE, strokes(TRUTH), SHORT, start=done.model, known=done.painted)
    assert not [event for event in again if isinstance(event, Corrected)]
    assert only(TrainDone, again).model.enlargement == ENLARGED


def test_on_an_enlarged_stack_previews_and_corrections_are_in_pixels_of_the_plane() -> None:
    shaped = replace(TINY, shape_field=True)
    first = only(TrainDone, run(IMAGE, strokes(TRUTH), SHORT, start=shaped)).model
    bundled = replace(first, reduction=None, record=TrainRecord(steps=1))
    labels, new = strokes(TRUTH), np.where(TRUTH[1] > 0, TRUTH[1] + 1, 1)
    wanted = View(0, slice(5, 42), slice(3, 60))
    person = Person(labels, new, wanted)
    events = run(IMAGE, labels, replace(SHORT, diameter=8.0), start=bundled, live=person)

    preview = next(event for event in events if isinstance(event, Previewed))
    assert preview.view == wanted
    assert preview.values.shape == (37, 57)
    assert only(Corrected, events).pixels == new.size
    assert only(LabelsTaken, events).planes == (0, 1)


@pytest.mark.parametrize("origin", [(0, 0), (1, 3), (4, 1)])
@pytest.mark.parametrize("shape", [(9, 8), (6, 7)])
def test_pixels_seen_as_several_come_back(origin: tuple[int, int], shape: tuple[int, int]) -> None:
    plane = np.arange(12 * 10).reshape(12, 10)
    seen = magnified(plane, 2)[origin[0] : origin[0] + shape[0], origin[1] : origin[1] + shape[1]]
    reduction = Reduction(1, plane.shape, 2)
    pixels, (top, left) = pixels_on_plane(seen, origin, reduction)
    np.testing.assert_array_equal(
        pixels, plane[top : top + pixels.shape[0], left : left + pixels.shape[1]]
    )
    assert pixels.size >= (shape[0] // 2 - 1) * (shape[1] // 2 - 1)
    (known,) = known_in_blocks([PaintedPixels(0, (top, left), pixels)], lambda _: reduction)
    assert known.origin == (2 * top, 2 * left)
    np.testing.assert_array_equal(known.classes, magnified(pixels, 2))
