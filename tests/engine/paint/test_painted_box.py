"""What is painted on a plane is found in one reading, and need not be read twice."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_unet.engine.paint.painted_box import RememberedLabels, find_painted_box
from napari_unet.engine.stack import tiles
from napari_unet.engine.stack.planes import ArrayPlanes
from tests.engine.scenes import CountedPlanes

stacks = arrays(
    np.uint16,
    st.tuples(st.integers(1, 3), st.integers(1, 12), st.integers(1, 12)),
    elements=st.sampled_from([0] * 9 + [1, 5, 700]),
)


@given(stacks, st.integers(1, 40))
def test_the_box_holds_all_paint_and_no_empty_rim(labels: npt.NDArray[Any], pixels: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiles, "_AT_ONCE", pixels)
        box = find_painted_box(ArrayPlanes(labels), 0)
    plane = labels[0]
    if box is None:
        assert not plane.any()
        return
    whole = np.zeros(plane.shape, np.int32)
    whole[box.y, box.x] = box.labels
    np.testing.assert_array_equal(whole, plane)
    assert box.found == frozenset(plane.ravel().tolist())
    for edge in (box.labels[0], box.labels[-1], box.labels[:, 0], box.labels[:, -1]):
        assert edge.any()


def test_no_pixel_is_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "_AT_ONCE", 30)
    labels = np.zeros((1, 20, 10), np.uint8)
    labels[0, 4:15, 3:8] = 2
    planes = CountedPlanes(labels)
    find_painted_box(planes, 0)
    assert planes.pixels == Counter({0: 200})


@given(stacks, st.data())
def test_remembered_labels_are_those_of_the_stack(
    labels: npt.NDArray[Any], data: st.DataObject
) -> None:
    planes = CountedPlanes(labels)
    remembered = RememberedLabels(planes)
    early = data.draw(st.sets(st.integers(0, len(labels) - 1)))
    with remembered.remembering():
        for plane in early:
            remembered.read(plane, slice(0, 1), slice(0, 1))
    planes.pixels.clear()
    number, *sides = data.draw(st.tuples(*(st.integers(0, length - 1) for length in labels.shape)))
    y, x = (
        slice(start, data.draw(st.integers(start + 1, length)))
        for start, length in zip(sides, labels.shape[1:], strict=True)
    )
    np.testing.assert_array_equal(remembered.read(number, y, x)[0], labels[number, y, x])
    assert (number in planes.pixels) == (number not in early)


def test_what_is_forgotten_is_read_as_it_is_now() -> None:
    labels = np.zeros((1, 8, 8), np.int32)
    labels[0, 2, 2] = 1
    remembered = RememberedLabels(ArrayPlanes(labels))
    everything = 0, slice(0, 8), slice(0, 8)
    with remembered.remembering():
        remembered.read(*everything)
    labels[0, 5, 5] = 2
    assert remembered.read(*everything)[0, 5, 5] == 0
    remembered.forget()
    assert remembered.read(*everything)[0, 5, 5] == 2
