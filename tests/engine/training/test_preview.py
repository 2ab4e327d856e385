"""Previews: exact, in time, and with numbers that stay."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_unet.config import ObjectsConfig, Task
from napari_unet.engine.errors import ImageError, OutOfMemoryError
from napari_unet.engine.events import View
from napari_unet.engine.objects.decoder import cut_objects
from napari_unet.engine.stack.tiles import Tile
from napari_unet.engine.training.preview import Previewer, keep_numbers

STEP = 0.2  # seconds of a training step
EXACT = ObjectsConfig(min_size=0, neck=0, gap=0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return now


class Network:
    """Predicts what is painted on a canvas, at a cost per tile."""

    def __init__(self, planes: npt.NDArray[Any], clock: list[float] | None = None) -> None:
        self.planes = planes  # (planes, Y, X), the channel of each pixel
        self.clock = [0.0] if clock is None else clock
        self.cost = 0.1  # seconds per 256x256 pixels
        self.spent = 0.0
        self.tiles: list[tuple[int, Tile]] = []

    def __call__(self, plane: int, tile: Tile) -> npt.NDArray[np.float32]:
        self.tiles.append((plane, tile))
        seconds = self.cost * tile.y.length * tile.x.length / 256**2
        self.clock[0] += seconds
        self.spent += seconds
        channel = self.planes[plane, tile.y.as_slice, tile.x.as_slice]
        one_hot: npt.NDArray[np.bool_] = channel == np.arange(3)[:, None, None]
        return one_hot.astype(np.float32)

    def previewer(self, **changes: Any) -> Previewer:
        arguments: dict[str, Any] = {
            "shape": lambda n: self.planes.shape[1:] if 0 <= n < len(self.planes) else None,
            "stride": 8,
            "task": Task.OBJECTS,
            "values": (0, 1),
            "objects": lambda: EXACT,
            **changes,
        }
        return Previewer(arguments.pop("predict", self), **arguments)


def view(plane: int = 0, y: tuple[int, int] = (0, 512), x: tuple[int, int] = (0, 512)) -> View:
    return View(plane, slice(*y), slice(*x))


def blank(planes: int = 2, side: int = 512) -> npt.NDArray[np.uint8]:
    return np.zeros((planes, side, side), dtype=np.uint8)


def squares(seed: int = 0) -> npt.NDArray[np.uint8]:
    planes = blank()
    rng = np.random.default_rng(seed)
    for plane in planes:
        for y, x in rng.integers(0, 480, (30, 2)):
            plane[y : y + 20, x : x + 20] = 1
    return planes


def finished(
    previewer: Previewer, wanted: View, clock: list[float], until: float
) -> Iterator[tuple[float, View, npt.NDArray[np.int32]]]:
    """Train until then; yield the previews and when they came."""
    while clock[0] < until:
        clock[0] += STEP
        done = previewer.advance(wanted, clock[0])
        if done is not None:
            yield clock[0], *done


def test_the_first_preview_is_computed_at_once() -> None:
    planes = squares()

    done = Network(planes).previewer().advance(view(1), 0.0)

    assert done is not None
    shown, values = done
    assert shown == view(1)
    np.testing.assert_array_equal(values, cut_objects(planes[1] == 1, EXACT)[0])


def test_a_hole_stays_open_once_it_is_painted_while_training_goes_on() -> None:
    planes = blank()
    planes[0, 10:50, 10:50], planes[0, 20:40, 20:40] = 1, 0
    now = [EXACT]
    previewer = Network(planes).previewer(objects=lambda: now[0])
    filled = previewer.advance(view(), 0.0)
    now[0] = replace(EXACT, largest_hole=100)
    _, _, opened = next(finished(previewer, view(), [0.0], 1e6))

    assert filled is not None
    assert filled[1][30, 30] == 1
    assert opened[30, 30] == 0


def test_a_tile_that_memory_was_too_short_for_is_tried_again() -> None:
    planes = squares()
    network = Network(planes)
    failing = iter([False, True, True, False, True])

    def predict(plane: int, tile: Tile) -> npt.NDArray[np.float32]:
        if next(failing, False):
            raise OutOfMemoryError("full")
        return network(plane, tile)

    previewer, failed, done = network.previewer(predict=predict), 0, None
    while done is None:
        try:
            done = previewer.advance(view(1), 0.0)
        except OutOfMemoryError:  # training goes on with smaller means
            failed += 1

    assert failed == 3
    np.testing.assert_array_equal(done[1], cut_objects(planes[1] == 1, EXACT)[0])


def test_classes_are_shown_by_their_label_values() -> None:
    planes = np.random.default_rng(0).integers(0, 3, (1, 300, 300)).astype(np.uint8)
    previewer = Network(planes).previewer(task=Task.CLASSES, values=(4, 9, 300))

    done = previewer.advance(view(), 0.0)

    assert done is not None
    assert done[0] == view(y=(0, 300), x=(0, 300))
    assert done[1].dtype == np.int32
    np.testing.assert_array_equal(done[1], np.array([4, 9, 300])[planes[0]])


@given(
    y=st.tuples(st.integers(-20, 290), st.integers(1, 310)),
    x=st.tuples(st.integers(-20, 590), st.integers(1, 310)),
)
def test_every_pixel_that_is_visible_is_predicted_once(
    y: tuple[int, int], x: tuple[int, int]
) -> None:
    network = Network(np.random.default_rng(1).integers(0, 3, (1, 300, 600)).astype(np.uint8))
    wanted = view(y=(y[0], y[0] + y[1]), x=(x[0], x[0] + x[1]))
    inside = slice(max(0, y[0]), max(0, sum(y))), slice(max(0, x[0]), max(0, sum(x)))
    covered = np.zeros((300, 600), dtype=int)

    done = network.previewer(task=Task.CLASSES, values=(0, 1, 2)).advance(wanted, 0.0)

    for _, tile in network.tiles:
        covered[tile.y.as_slice, tile.x.as_slice] += 1
    assert covered.max(initial=0) <= 1
    assert covered.sum() == covered[inside].size == covered[inside].sum()
    if done is None:
        assert covered[inside].size == 0
    else:
        np.testing.assert_array_equal(done[1], network.planes[0][inside])


@pytest.mark.parametrize("cost", [0.01, 0.1, 0.5])
def test_previews_slow_training_by_less_than_a_tenth(clock: list[float], cost: float) -> None:
    network = Network(squares(), clock)
    network.cost = cost
    previewer = network.previewer()
    previewer.advance(view(), 0.0)
    clock[0] = network.spent = 0.0

    previews, slowest = 0, 0.0
    for now, _, _ in finished(previewer, view(), clock, until=120.0):
        previews += 1
        slowest = max(slowest, network.spent / (now - network.spent))

    assert previews >= 12 if cost < 0.5 else previews >= 2
    assert slowest < 0.1


def test_one_tile_is_computed_between_two_steps(clock: list[float]) -> None:
    network = Network(squares(), clock)
    network.cost = 1e-6
    previewer = network.previewer()
    previewer.advance(view(), 1000.0)
    network.tiles.clear()

    for done in range(1, 4):
        assert previewer.advance(view(), 1000.0) is None
        assert len(network.tiles) == done
    assert previewer.advance(view(), 1000.0) is not None


def test_another_plane_is_shown_soon(clock: list[float]) -> None:
    network = Network(squares(), clock)
    previewer = network.previewer()
    shown = [now for now, _, _ in finished(previewer, view(), clock, until=40.0)]

    (now, first, _) = next(finished(previewer, view(1), clock, until=50.0))

    assert first == view(1)
    assert now - 40.0 < 2.5 < np.diff(shown)[3:].mean()


def test_time_that_nobody_looked_is_not_made_up_for(clock: list[float]) -> None:
    network = Network(squares(), clock)
    previewer = network.previewer()
    previewer.advance(view(), 0.0)
    clock[0], network.spent = 600.0, 0.0

    list(finished(previewer, view(), clock, until=630.0))

    assert network.spent < 0.065 * 30 + 1.1


def test_what_was_begun_for_another_view_is_dropped(clock: list[float]) -> None:
    planes = squares()
    network = Network(planes, clock)
    previewer = network.previewer()
    previewer.advance(view(), 1000.0)
    assert previewer.advance(view(), 1000.0) is None  # one tile of plane 0
    network.tiles.clear()

    *_, (_, shown, values) = finished(previewer, view(1, x=(64, 512)), clock, until=1002.0)

    assert shown == view(1, x=(64, 512))
    assert {plane for plane, _ in network.tiles} == {1}
    np.testing.assert_array_equal(values > 0, planes[1, :, 64:] == 1)


def side_of_unseen(values: npt.NDArray[np.int32]) -> tuple[int, int, int, int]:
    """Return how far from each side of a view what has come begins, pixels."""
    rows, columns = np.flatnonzero(values.any(axis=1)), np.flatnonzero(values.any(axis=0))
    height, width = values.shape
    return rows[0], height - 1 - rows[-1], columns[0], width - 1 - columns[-1]


def test_a_large_view_comes_from_the_middle_outwards_until_all_is_there(
    clock: list[float],
) -> None:
    network = Network(blank(1, 2048) + 1, clock)
    network.cost = 0.05
    wanted = view(y=(0, 2048), x=(0, 1024))
    previewer = network.previewer(task=Task.CLASSES)

    first = previewer.advance(wanted, 0.0)
    later = [values for _, _, values in finished(previewer, wanted, clock, until=60.0)]

    assert first is not None
    assert first[0] == wanted
    assert 0 < (first[1] > 0).sum() <= 512**2
    top, bottom, left, right = side_of_unseen(first[1])
    assert top == bottom
    assert left == right
    covered = [int((values > 0).sum()) for values in (first[1], *later)]
    assert covered == sorted(covered)
    assert covered[-1] == 2048 * 1024


def test_the_middle_of_a_large_view_is_never_older_than_a_few_seconds(
    clock: list[float],
) -> None:
    network = Network(blank(1, 2048), clock)
    network.cost = 0.05  # all 64 tiles take longer than a minute of training allows
    wanted = view(y=(0, 2048), x=(0, 2048))
    previewer = network.previewer(task=Task.CLASSES)
    previewer.advance(wanted, 0.0)

    came = [now for now, _, _ in finished(previewer, wanted, clock, until=60.0)]
    assert max(np.diff([0.0, *came])) <= 6.0

    for _ in finished(previewer, wanted, clock, until=80.0):
        assert any(tile.y.distance(1024) + tile.x.distance(1024) <= 1 for _, tile in network.tiles)
        network.tiles.clear()


def test_what_has_come_stays_while_the_view_moves(clock: list[float]) -> None:
    planes = squares()
    previewer = Network(planes, clock).previewer()
    previewer.advance(view(), 0.0)

    (_, shown, values) = next(finished(previewer, view(x=(64, 512)), clock, until=40.0))

    assert shown == view(x=(64, 512))
    np.testing.assert_array_equal(values > 0, planes[0, :, 64:] == 1)


@given(
    step=st.integers(1, 5),
    y=st.tuples(st.integers(-20, 290), st.integers(1, 310)),
    x=st.tuples(st.integers(-20, 590), st.integers(1, 310)),
)
def test_a_coarser_view_shows_one_pixel_of_several(
    step: int, y: tuple[int, int], x: tuple[int, int]
) -> None:
    network = Network(np.random.default_rng(1).integers(0, 3, (1, 300, 600)).astype(np.uint8))
    wanted = replace(view(y=(y[0], y[0] + y[1]), x=(x[0], x[0] + x[1])), step=step)

    done = network.previewer(task=Task.CLASSES, values=(0, 1, 2)).advance(wanted, 0.0)

    if done is not None:
        shown, values = done
        assert shown.step == step
        assert shown.y.start % step == shown.x.start % step == 0
        middle = step // 2
        rows, columns = (
            slice(side.start // step, side.stop // step) for side in (shown.y, shown.x)
        )
        expected = network.planes[0, middle::step, middle::step][rows, columns]
        np.testing.assert_array_equal(values, expected)
        inside = range(max(0, y[0]), min(300, sum(y)))
        assert shown.y.start <= inside[0]
        assert shown.y.stop >= inside[-1] - middle


def test_objects_are_cut_otherwise_at_once_and_without_predicting(clock: list[float]) -> None:
    planes = blank()
    planes[0, 10:30, 10:30] = planes[0, 100, 100] = 1
    now = [EXACT]
    network = Network(planes, clock)
    previewer = network.previewer(objects=lambda: now[0])
    previewer.advance(view(), 0.0)
    network.tiles.clear()

    now[0] = replace(EXACT, min_size=9)
    done = previewer.advance(view(), STEP)

    assert done is not None
    assert network.tiles == []
    assert done[1][20, 20] == 1
    assert done[1][100, 100] == 0


def test_a_slow_device_computes_smaller_tiles(clock: list[float]) -> None:
    network = Network(blank(1), clock)
    network.cost = 2.0
    previewer = network.previewer()
    previewer.advance(view(), 0.0)
    network.tiles.clear()

    previews = list(finished(previewer, view(), clock, until=100.0))

    sizes = [tile.y.length * tile.x.length for _, tile in network.tiles]
    assert max(sizes) / 256**2 * network.cost <= 1.0
    assert len(previews) >= 3


@pytest.mark.parametrize(
    "nowhere", [None, view(7), view(-1), view(y=(600, 700)), view(x=(-50, 0)), view(y=(9, 9))]
)
def test_what_does_not_exist_is_not_previewed(nowhere: View | None) -> None:
    network = Network(squares())

    assert network.previewer().advance(nowhere, 1000.0) is None
    assert network.tiles == []


def test_a_view_that_cannot_be_predicted_is_tried_once() -> None:
    class Broken(Network):
        def __call__(self, plane: int, tile: Tile) -> npt.NDArray[np.float32]:
            probabilities = super().__call__(plane, tile)
            if plane == 0:
                raise ImageError("NaN")
            return probabilities

    network = Broken(squares())
    previewer = network.previewer()

    with pytest.raises(ImageError, match="NaN"):
        previewer.advance(view(), 1000.0)
    previewer.give_up(view())
    assert [previewer.advance(view(), 1000.0) for _ in range(5)] == [None] * 5
    assert len(network.tiles) == 1
    assert previewer.advance(view(1), 1000.0) is not None
    with pytest.raises(ImageError, match="NaN"):  # people came back: it may be mended by now
        previewer.advance(view(), 2000.0)
    previewer.give_up(view())
    previewer.try_again()
    with pytest.raises(ImageError, match="NaN"):
        previewer.advance(view(), 3000.0)


def test_other_values_begin_a_new_preview(clock: list[float]) -> None:
    network = Network(blank(), clock)
    previewer = network.previewer(task=Task.CLASSES, values=(4, 9))
    previewer.advance(view(), 1000.0)
    previewer.advance(view(), 1000.0)

    previewer.change_values((5, 6, 9))
    *_, (_, _, values) = finished(previewer, view(), clock, until=1003.0)

    assert np.unique(values).tolist() == [5]


# --- numbers


def labels_of(seed: int) -> npt.NDArray[np.int32]:
    return cut_objects(squares(seed)[0, ::4, ::4] == 1, EXACT)[0]


@given(seed=st.integers(0, 50))
def test_the_same_objects_keep_their_numbers(seed: int) -> None:
    previous = labels_of(seed)
    rng = np.random.default_rng(seed)
    other_numbers = np.append(0, rng.permutation(previous.max()) + 1).astype(np.int32)

    np.testing.assert_array_equal(keep_numbers(other_numbers[previous], previous), previous)


@given(seed=st.integers(0, 50))
def test_renumbering_keeps_the_objects_apart(seed: int) -> None:
    labels, previous = labels_of(seed), labels_of(seed + 1)

    kept = keep_numbers(labels, previous)

    pairs = np.unique(np.stack([labels.ravel(), kept.ravel()]), axis=1)
    assert pairs.shape[1] == labels.max() + 1 == len(np.unique(kept))
    assert ((labels == 0) == (kept == 0)).all()


def test_the_largest_overlap_has_the_number_and_others_get_free_ones() -> None:
    previous = np.zeros((10, 30), np.int32)
    previous[:, :20], previous[:, 22:25] = 5, 1
    labels = np.zeros_like(previous)
    labels[:, :6], labels[:, 8:20], labels[:, 22:25], labels[:, 28:] = 1, 2, 3, 4

    kept = keep_numbers(labels, previous)

    assert [int(kept[0, x]) for x in (0, 9, 23, 29, 7)] == [2, 5, 1, 3, 0]


def test_nothing_before_or_now_is_no_problem() -> None:
    empty = np.zeros((4, 4), np.int32)
    one = empty.copy()
    one[1] = 1

    np.testing.assert_array_equal(keep_numbers(one, empty), one)
    np.testing.assert_array_equal(keep_numbers(empty, one), empty)


def test_numbers_stay_while_the_view_moves_over_a_plane(clock: list[float]) -> None:
    planes = blank()
    for number, x in enumerate(range(10, 500, 50)):
        planes[:, 100 + number : 120 + number, x : x + 20] = 1
    previewer = Network(planes, clock).previewer()
    first = previewer.advance(view(), 0.0)
    clock[0] = 1000.0

    (_, _, moved) = next(finished(previewer, view(x=(200, 512)), clock, until=1002.0))

    assert first is not None
    np.testing.assert_array_equal(moved, first[1][:, 200:])


def test_another_plane_is_numbered_from_one(clock: list[float]) -> None:
    planes = blank()
    planes[0, 10:20, 10:20] = planes[0, 50:60, 10:20] = 1
    planes[1, 50:60, 10:20] = 1
    previewer = Network(planes, clock).previewer()
    previewer.advance(view(), 0.0)
    clock[0] = 1000.0

    *_, (_, _, other) = finished(previewer, view(1), clock, until=1006.0)

    assert np.unique(other).tolist() == [0, 1]


@pytest.mark.parametrize(("outline", "is_object"), [(0.03, True), (0.12, False)])
def test_objects_end_in_the_preview_where_the_field_must_have_risen(
    outline: float, *, is_object: bool
) -> None:
    def predict(_plane: int, tile: Tile) -> npt.NDArray[np.float32]:
        answers = np.array([0.1, 0.9, 0.1], np.float32)  # background, foreground, shape field
        return np.tile(answers[:, None, None], (1, tile.y.length, tile.x.length))

    previewer = Network(blank(side=64)).previewer(predict=predict, outline=lambda: outline)

    shown = previewer.advance(view(y=(0, 64), x=(0, 64)), 10.0)

    assert shown is not None
    assert bool(shown[1].any()) is is_object
