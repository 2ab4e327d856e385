"""Several images with their labels, as one sequence of planes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from napari_unet.engine.errors import ImageError, LabelsError, UnetPaintError
from napari_unet.engine.paint.training_set import TrainingSet
from napari_unet.engine.stack.planes import ArrayPlanes


def planes(*shape: int, dtype: str = "uint8", channel_axis: int | None = None) -> ArrayPlanes:
    return ArrayPlanes(np.zeros(shape, dtype), channel_axis=channel_axis, name="cells")


def painted(*shape: int, at: tuple[int, ...]) -> npt.NDArray[Any]:
    labels = np.zeros(shape, np.uint16)
    labels[at] = 3
    return labels


def test_planes_of_images_of_any_size_are_numbered_through() -> None:
    pairs = TrainingSet.of(
        (planes(3, 8, 9), planes(3, 8, 9)),
        (planes(20, 10, dtype="float32"), planes(20, 10)),
        (planes(2, 4, 5, dtype="uint16"), ArrayPlanes(painted(2, 4, 5, at=(1, 2, 3)))),
    )
    assert pairs.count == 6
    places = [pairs.place(number) for number in range(6)]
    assert places == [(0, 0), (0, 1), (0, 2), (1, 0), (2, 0), (2, 1)]
    assert [pairs.number(*place) for place in places] == list(range(6))
    assert [pairs.shape(number) for number in (2, 3, 5)] == [(8, 9), (20, 10), (4, 5)]
    box = pairs.box(5)
    assert box is not None
    assert (box.number, box.y, box.x, box.plane_shape) == (5, slice(2, 3), slice(3, 4), (4, 5))
    assert [pairs.box(number) for number in range(5)] == [None] * 5


@pytest.mark.parametrize(
    ("pairs", "error", "says"),
    [
        ([], LabelsError, "no image with labels; choose at least one"),
        (
            [(planes(8, 9), planes(8, 9)), (planes(8, 9), planes(2, 8, 9))],
            LabelsError,
            "labels have 2 planes of 8×9 px, but the image has 1 of 8×9 px; use a labels layer",
        ),
        (
            [(planes(8, 9), planes(8, 9)), (planes(3, 8, 9, channel_axis=0), planes(8, 9))],
            ImageError,
            "'cells' has 3 channels, but 'cells' has 1; train on images with the same channels",
        ),
    ],
    ids=["no pair", "other shape", "other channels"],
)
def test_what_cannot_be_trained_on_together_is_refused_with_a_cure(
    pairs: list[Any], error: type[UnetPaintError], says: str
) -> None:
    with pytest.raises(error, match=says):
        TrainingSet.of(*pairs)
