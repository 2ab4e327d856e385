"""By how much the image is reduced, for objects of a known size."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from napari_unet.config import MAX_REDUCTION, Task, TrainConfig, Unpainted
from napari_unet.engine.errors import LabelsError
from napari_unet.engine.paint.label_scheme import LabelScheme
from napari_unet.engine.paint.object_size import OBJECT_DIAMETER, choose_reduction
from napari_unet.engine.stack.planes import ArrayPlanes

OBJECTS = LabelScheme(Task.OBJECTS, Unpainted.IGNORED)
LABEL_IMAGE = LabelScheme(Task.OBJECTS, Unpainted.BACKGROUND)
CLASSES = LabelScheme(Task.CLASSES, Unpainted.IGNORED)
AUTOMATIC = TrainConfig()


def discs(*diameters: float, first: int = 2) -> npt.NDArray[np.int32]:
    """Return discs side by side, with 1 on the rest of the plane."""
    side = int(max(diameters)) + 4
    y, x = np.mgrid[:side, :side] - side // 2
    pieces = [
        np.where(np.hypot(y, x) <= diameter / 2, first + number, 1)
        for number, diameter in enumerate(diameters)
    ]
    return np.concatenate(pieces, axis=1).astype(np.int32)


def chosen(labels: npt.NDArray[Any], scheme: LabelScheme = OBJECTS, **settings: Any) -> int:
    return choose_reduction([ArrayPlanes(labels)], scheme, AUTOMATIC, **settings)


@pytest.mark.parametrize(
    ("diameter", "reduction"),
    [(8, 1), (32, 1), (44, 1), (52, 2), (64, 2), (76, 2), (100, 3), (128, 4), (400, MAX_REDUCTION)],
)
def test_objects_come_close_to_the_wanted_width(diameter: int, reduction: int) -> None:
    assert chosen(discs(diameter, diameter)) == reduction
    assert OBJECT_DIAMETER == 32


def test_strokes_inside_objects_do_not_make_them_small() -> None:
    stroke = 12.0
    assert chosen(discs(96, 96, 96, *[stroke] * 6)) == 3
    assert chosen(discs(*[stroke] * 9)) == 1


def test_background_has_no_size() -> None:
    labels = discs(20, 20)
    assert chosen(np.pad(labels, 300, constant_values=1)) == 1
    assert chosen(np.ones((400, 400), np.int32)) == 1
    assert chosen(np.zeros((400, 400), np.int32)) == 1


def test_objects_of_a_label_image_count_from_1_on() -> None:
    labels = discs(96, 96, first=1)
    labels[labels == 1] = 0
    assert chosen(np.maximum(labels, discs(96, 96, first=1) - 1), LABEL_IMAGE) == 3


def test_separate_objects_of_one_number_are_separate() -> None:
    assert chosen(np.minimum(discs(*[40] * 9), 2)) == 1


def test_classes_are_seen_as_they_are() -> None:
    assert chosen(discs(96, 96), CLASSES) == 1


def test_what_was_decided_holds() -> None:
    labels = ArrayPlanes(discs(96, 96))
    assert choose_reduction([labels], OBJECTS, AUTOMATIC, known=1) == 1
    assert choose_reduction([labels], OBJECTS, AUTOMATIC, known=5) == 5
    by_hand = replace(AUTOMATIC, reduction=2)
    assert choose_reduction([labels], OBJECTS, by_hand, known=5) == 2
    assert choose_reduction([labels], CLASSES, by_hand) == 2


def test_of_many_painted_planes_some_are_looked_at_all_over_the_stack() -> None:
    stack = np.stack([discs(96)] * 40)
    read: set[int] = set()

    class Watched(ArrayPlanes):
        def read(self, plane: int, y: slice, x: slice) -> npt.NDArray[Any]:
            read.add(plane)
            return super().read(plane, y, x)

    assert choose_reduction([Watched(stack)], OBJECTS, AUTOMATIC) == 3
    assert len(read) == 16
    assert np.diff([-1, *sorted(read), 40]).max() <= 5


def test_labels_that_are_none_are_refused() -> None:
    with pytest.raises(LabelsError, match="whole numbers"):
        chosen(np.full((9, 9), 1.5))


@pytest.mark.parametrize("reduction", [0, -1, MAX_REDUCTION + 1])
def test_the_setting_has_limits(reduction: int) -> None:
    with pytest.raises(ValueError, match="reduction must be 1 to 8"):
        TrainConfig(reduction=reduction)
