"""The count of what is painted follows the brush, off the main thread."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from napari.components import ViewerModel
from napari.layers import Labels
from pytestqt.qtbot import QtBot

from napari_unet.config import Task, Unpainted
from napari_unet.engine.paint.label_scheme import LabelScheme
from napari_unet.ui.layers import paint_counter, painted_planes
from napari_unet.ui.layers.paint_count import PaintCount, why_not_enough
from napari_unet.ui.layers.paint_counter import PaintCounter

OBJECTS, CLASSES = Task.OBJECTS, Task.CLASSES
IGNORED, BACKGROUND = Unpainted.IGNORED, Unpainted.BACKGROUND


@pytest.fixture
def counter(
    labels: Labels, viewer: ViewerModel, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PaintCounter]:
    """A counter that has counted once."""
    monkeypatch.setattr(paint_counter, "_SETTLE_MS", 10)
    counter = PaintCounter(labels, viewer)
    _count(counter, qtbot)
    yield counter
    counter.release()


def _count(counter: PaintCounter, qtbot: QtBot) -> PaintCount:
    with qtbot.waitSignal(counter.counted) as told:
        pass
    assert counter.latest is not None
    assert told.args == [counter.latest]
    return counter.latest


def _square(plane: int, corner: int, side: int) -> tuple[np.ndarray, ...]:
    y, x = np.mgrid[corner : corner + side, corner : corner + side]
    return np.full(y.size, plane), y.ravel(), x.ravel()


def test_nothing_is_painted_on_new_labels(counter: PaintCounter) -> None:
    assert counter.latest is not None
    assert (counter.latest.planes, counter.latest.largest, counter.largest) == (0, 0, 0)


def test_the_count_says_what_each_reading_of_the_labels_makes_of_it(
    counter: PaintCounter, labels: Labels, qtbot: QtBot
) -> None:
    labels.data_setitem(_square(0, 0, 4), 1)
    labels.data_setitem(_square(2, 10, 2), 2)
    labels.data_setitem(_square(2, 20, 2), 9)
    count = _count(counter, qtbot)
    assert count.planes == 2
    assert count.background(LabelScheme(OBJECTS, IGNORED)) == 16
    assert count.background(LabelScheme(OBJECTS, BACKGROUND)) == 2 * 64 * 48 - 16 - 8
    assert count.kinds(LabelScheme(OBJECTS, IGNORED)) == 2
    assert count.kinds(LabelScheme(OBJECTS, BACKGROUND)) == 3
    assert count.kinds(LabelScheme(CLASSES, IGNORED)) == 3
    assert count.kinds(LabelScheme(CLASSES, BACKGROUND)) == 4
    assert count.largest == 9


def test_what_is_undone_or_erased_no_longer_counts(
    counter: PaintCounter, labels: Labels, qtbot: QtBot
) -> None:
    labels.data_setitem(_square(0, 0, 4), 1)
    labels.data_setitem(_square(1, 0, 4), 5)
    assert _count(counter, qtbot).planes == 2
    labels.undo()
    count = _count(counter, qtbot)
    assert (count.planes, count.largest) == (1, 1)


def test_only_planes_that_have_changed_are_read_again(
    counter: PaintCounter, labels: Labels, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels.data_setitem(_square(0, 0, 4), 1)
    _count(counter, qtbot)
    read = []
    threads = []
    count_plane = paint_counter._count_plane

    def spy(planes: object, plane: int) -> object:
        read.append(plane)
        threads.append(threading.current_thread())
        return count_plane(planes, plane)  # type: ignore[arg-type]

    monkeypatch.setattr(paint_counter, "_count_plane", spy)
    labels.data_setitem(_square(1, 0, 4), 2)
    assert _count(counter, qtbot).planes == 2
    assert read == [1]
    assert threading.main_thread() not in threads


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.int64])
def test_negative_and_large_numbers_are_counted(
    viewer: ViewerModel, qtbot: QtBot, dtype: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paint_counter, "_SETTLE_MS", 10)
    data: npt.NDArray[Any] = np.zeros((2, 64, 48), dtype)
    largest = min(int(np.iinfo(dtype).max), 10**12)
    data[0, 0, 0] = largest
    if data.dtype.kind == "i":
        data[1, 0, 0] = -3
    counter = PaintCounter(viewer.add_layer(Labels(data)), viewer)
    assert _count(counter, qtbot).largest == largest
    counter.release()


def test_the_largest_number_is_known_before_the_count(
    counter: PaintCounter, labels: Labels, qtbot: QtBot
) -> None:
    labels.selected_label = 7
    assert counter.largest == 0  # it is not painted yet
    labels.paint((0, 10, 10), 7)
    assert counter.largest == 7


def test_labels_replaced_by_fewer_planes_are_counted_anew(
    counter: PaintCounter, labels: Labels, qtbot: QtBot
) -> None:
    labels.data_setitem(_square(2, 0, 4), 5)
    _count(counter, qtbot)
    labels.data = np.full((1, 64, 48), 3, np.uint16)
    count = _count(counter, qtbot)
    assert (count.planes, count.numbers.tolist()) == (1, [3])


def test_a_plane_larger_than_a_band_is_counted_whole(
    counter: PaintCounter, labels: Labels, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_unet.ui.layers.painted_planes._BAND", 48 * 5)
    labels.data_setitem(_square(1, 2, 20), 1)
    assert _count(counter, qtbot).ones == 400


def test_a_released_counter_counts_no_more_and_is_held_by_nobody(
    labels: Labels, viewer: ViewerModel, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paint_counter, "_SETTLE_MS", 1)
    counter = PaintCounter(labels, viewer)
    _count(counter, qtbot)
    told: list[object] = []
    counter.counted.connect(told.append)
    labels.paint((0, 1, 1), 3)
    counter.release()
    labels.paint((1, 1, 1), 3)
    qtbot.wait(50)
    assert told == []
    held = weakref.ref(counter)
    del counter
    gc.collect()
    assert held() is None


def test_a_label_image_that_is_read_as_painted_is_told_until_more_background_is_painted(
    viewer: ViewerModel, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paint_counter, "_SETTLE_MS", 10)
    labels = Labels(np.zeros((2, 64, 48), np.uint16))
    for number in range(1, 8):
        labels.data[0, 8 * number : 8 * number + 5, 10:16] = number
    counter = PaintCounter(viewer.add_layer(labels), viewer)
    count = _count(counter, qtbot)

    reason = why_not_enough(count, LabelScheme(OBJECTS, IGNORED))
    assert reason is not None
    assert "set Unpainted to 'is background'" in reason
    assert why_not_enough(count, LabelScheme(OBJECTS, BACKGROUND)) is None
    labels.data_setitem(_square(0, 40, 8), 1)
    assert why_not_enough(_count(counter, qtbot), LabelScheme(OBJECTS, IGNORED)) is None
    counter.release()


@pytest.mark.parametrize(
    ("numbers", "ones", "told"),
    [([1], 50, True), ([255], 0, True), (list(range(2, 9)), 0, True), ([2], 0, False)],
)
def test_the_cure_for_masks_is_told_where_the_paint_may_be_one(
    numbers: list[int], ones: int, *, told: bool
) -> None:
    count = PaintCount(1, ones, 900, np.array(numbers))

    assert ("is background" in str(why_not_enough(count, LabelScheme(OBJECTS, IGNORED)))) == told
    assert why_not_enough(count, LabelScheme(OBJECTS, BACKGROUND)) is None


def test_a_label_image_is_told_whatever_the_bands_are(
    viewer: ViewerModel, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(painted_planes, "_BAND", 48 * 3)  # three rows
    labels = Labels(np.zeros((1, 64, 48), np.uint16))
    for number in range(1, 8):
        labels.data[0, 8 * number : 8 * number + 7, 10:16] = number
    counter = PaintCounter(viewer.add_layer(labels), viewer)
    assert _count(counter, qtbot).is_label_image
    counter.release()


def test_what_seems_odd_is_told_for_each_reading(
    counter: PaintCounter, labels: Labels, qtbot: QtBot
) -> None:
    for number in range(2, 8):
        labels.data[1, 8 * number : 8 * number + 4, 4:12] = number
    labels.data[1, :2] = 1
    labels.refresh()
    hints = _count(counter, qtbot).hints
    assert hints[LabelScheme(OBJECTS, IGNORED)] is None
    assert "choose task objects" in str(hints[LabelScheme(CLASSES, IGNORED)])
