"""What is perhaps not meant as it is painted is noticed; what people usually paint is not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from napari_unet.config import Task, Unpainted
from napari_unet.engine.paint.hints import Hint, Look, Oddity, find_hint, look_for_hint
from napari_unet.engine.paint.label_scheme import LabelScheme
from napari_unet.engine.stack.planes import ArrayPlanes
from napari_unet.io.samples import paint_strokes, synthetic_cells

OBJECTS = LabelScheme(Task.OBJECTS, Unpainted.IGNORED)
CLASSES = LabelScheme(Task.CLASSES, Unpainted.IGNORED)
SIDE = 400
Labels = npt.NDArray[np.int32]


def painted(*strokes: tuple[int, int, int, int], planes: int = 1) -> Labels:
    """Return strokes, 5 px thick, on planes of 400×400 px: number, y, x, length."""
    labels = np.zeros((planes, SIDE, SIDE), np.int32)
    for number, y, x, length in strokes:
        labels[0, y : y + 5, x : x + length] = number
    return labels


def hint(labels: Labels, scheme: LabelScheme) -> Hint | None:
    return look_for_hint([ArrayPlanes(labels)], scheme)


def oddity(labels: Labels, scheme: LabelScheme) -> Oddity | None:
    found = hint(labels, scheme)
    return None if found is None else found.oddity


BACKGROUND = ((1, 10, 10, 300), (1, 390, 10, 300))


def test_an_object_in_places_far_apart_is_noticed() -> None:
    labels = painted(*BACKGROUND, (2, 50, 50, 20), (2, 300, 300, 20), (3, 150, 50, 20))
    found = hint(labels, OBJECTS)
    assert found == Hint(Oddity.SEPARATE, (2,))
    assert str(found) == (
        "Number 2 is painted in several separate places: give each object its own number; for "
        "kinds of regions choose task classes."
    )


def test_strokes_in_one_large_object_are_not_far_apart() -> None:
    labels = painted(*BACKGROUND, (2, 50, 50, 20), (2, 100, 60, 20), (3, 300, 50, 20))
    assert hint(labels, OBJECTS) is None  # 45 px between strokes of 20 px
    labels = painted(*BACKGROUND, (2, 50, 50, 80), (2, 260, 50, 80))
    assert hint(labels, OBJECTS) is None  # nor 205 px between strokes of 80 px


def test_many_strokes_near_each_other_are_no_single_object() -> None:
    strokes = [(2, 60 + 40 * n, 50, 60) for n in range(6)]  # 35 px apart
    assert oddity(painted(*BACKGROUND, *strokes), OBJECTS) is Oddity.SEPARATE
    assert hint(painted(*BACKGROUND, *strokes[:5]), OBJECTS) is None


def test_a_slip_of_the_brush_is_no_place() -> None:
    labels = painted(*BACKGROUND, (2, 50, 50, 20))
    labels[0, 300:302, 300:302] = 2
    assert hint(labels, OBJECTS) is None


def test_an_object_on_several_planes_is_one() -> None:
    labels = painted(*BACKGROUND, (2, 50, 50, 20), planes=2)
    labels[1, 300:305, 300:320] = 2  # it has moved
    assert hint(labels, OBJECTS) is None


def test_a_few_numbers_all_over_are_noticed_as_classes() -> None:
    places = [(y, x) for y in (60, 200, 340) for x in (20, 200, 370)]
    strokes = [(2 + n % 2, y, x, 20) for n, (y, x) in enumerate(places)]
    found = hint(painted(*BACKGROUND, *strokes), OBJECTS)
    assert found == Hint(Oddity.ARE_CLASSES, (2, 3))
    assert str(found).startswith("Numbers 2 and 3 are painted all over, as kinds of regions are")
    assert "choose task classes" in str(found)
    assert hint(painted(*BACKGROUND, *strokes), CLASSES) is None


def test_many_numbers_in_one_place_each_are_noticed_as_objects() -> None:
    strokes = [(2 + n, 30 + 50 * n, 20, 20) for n in range(6)]
    labels = painted(*BACKGROUND, *strokes)
    found = hint(labels, CLASSES)
    assert found == Hint(Oddity.ARE_OBJECTS, (2, 3, 4, 5, 6, 7))
    assert "6 numbers is painted in one place" in str(found)
    assert hint(labels, OBJECTS) is None
    assert hint(np.where(labels < 7, labels, 0), CLASSES) is None  # five classes were begun


def test_a_label_image_read_as_classes_is_noticed() -> None:
    sample = synthetic_cells(seed=1, planes=2, shape=(120, 140))
    reading = LabelScheme(Task.CLASSES, Unpainted.BACKGROUND)
    assert oddity(sample.truth.astype(np.int32), reading) is Oddity.ARE_OBJECTS
    as_objects = LabelScheme(Task.OBJECTS, Unpainted.BACKGROUND)
    assert hint(sample.truth.astype(np.int32), as_objects) is None


def test_a_class_with_almost_no_paint_is_noticed() -> None:
    labels = painted((1, 10, 10, 300), (2, 100, 10, 200), (3, 200, 10, 14))
    found = hint(labels, CLASSES)
    assert found == Hint(Oddity.LITTLE, (3,), 70)
    assert str(found) == ("Of number 3 almost nothing is painted (70 px): paint some more strokes.")
    labels = painted((1, 10, 10, 200), (2, 100, 10, 200), (3, 200, 10, 20))
    assert hint(labels, CLASSES) is None  # a dab of the brush
    labels = painted((1, 10, 10, 20), (2, 100, 10, 20), (3, 200, 10, 10))
    assert hint(labels, CLASSES) is None  # little is painted of all


def test_almost_no_background_is_noticed() -> None:
    labels = painted((1, 10, 10, 6), *[(n, 30 * n, 10, 60) for n in range(2, 9)])
    assert oddity(labels, OBJECTS) is Oddity.LITTLE
    assert hint(painted((2, 10, 10, 60)), OBJECTS) is None  # none at all is told of elsewhere


def test_usual_strokes_are_not_odd() -> None:
    sample = synthetic_cells(seed=1, planes=4, shape=(160, 200))
    for cells in (1, 3, 8):
        strokes = paint_strokes(sample.truth, [0, 2], cells=cells).astype(np.int32)
        assert hint(strokes, OBJECTS) is None
    assert hint(np.zeros((1, 20, 20), np.int32), OBJECTS) is None


@pytest.mark.parametrize("side", [2, 7])
def test_large_planes_are_looked_at_in_blocks(monkeypatch: pytest.MonkeyPatch, side: int) -> None:
    labels = painted(*BACKGROUND, (2, 50, 50, 20), (2, 300, 300, 20), (3, 150, 50, 20))[0]
    monkeypatch.setattr("napari_unet.engine.paint.hints._LOOKED_AT", SIDE**2 // side**2)
    look = Look((SIDE, SIDE))
    assert look._blocks.size <= SIDE**2 // side**2
    for top in range(0, SIDE, 45):
        look.add(top, labels[top : top + 45].astype(np.uint16))
    numbers, pixels = np.unique(labels[labels > 0], return_counts=True)
    paint = look.paint(numbers.astype(np.int64), pixels)
    assert paint.places.tolist() == [2, 2, 1]
    assert find_hint([paint], OBJECTS) == Hint(Oddity.SEPARATE, (2,))


def test_many_numbers_are_told_in_short() -> None:
    assert "Numbers 2, 3, 4, 5 and 3 others are" in str(Hint(Oddity.SEPARATE, tuple(range(2, 9))))
