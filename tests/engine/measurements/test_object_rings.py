"""Outlines along the edges of pixels: filling them gives the same pixels again."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from skimage.draw import polygon2mask

from napari_unet.engine.measurements import ObjectOutline, ObjectRuns, object_rings, trace_outlines
from napari_unet.engine.stack import RunLabels

Labels = npt.NDArray[np.int32]

labels_of_any_form = arrays.arrays(
    np.int32,
    arrays.array_shapes(min_dims=2, max_dims=2, max_side=9),
    elements=st.integers(0, 2),
)


def outlines(labels: Labels) -> list[ObjectOutline]:
    return list(trace_outlines(ObjectRuns.of(RunLabels.of(labels))))


def filled(outline: ObjectOutline, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Fill each ring as scikit-image does, in whose coordinates pixels have their centres at 0."""
    inside = np.zeros(shape, bool)
    for ring in outline.rings:
        inside ^= polygon2mask(shape, ring[:, ::-1] - 0.5)
    return inside


def area(ring: npt.NDArray[np.int64]) -> float:
    x, y = ring.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


@given(labels_of_any_form)
@settings(max_examples=60, deadline=None)
def test_filling_the_rings_gives_the_same_pixels(labels: Labels) -> None:
    found = outlines(labels)
    assert [outline.label for outline in found] == np.unique(labels[labels > 0]).tolist()
    for outline in found:
        np.testing.assert_array_equal(filled(outline, labels.shape), labels == outline.label)
        for ring in outline.rings:
            assert len(np.unique(ring, axis=0)) == len(ring)  # it does not touch itself
            is_down = np.roll(ring, -1, axis=0)[:, 0] == ring[:, 0]
            assert (is_down != np.roll(is_down, 1)).all()  # it turns at every point
        for outer, *holes in outline.parts:
            assert area(outer) > 0
            assert all(area(hole) < 0 for hole in holes)


@pytest.mark.parametrize(
    ("picture", "rings_of_parts"),
    [
        (["#"], [1]),
        (["###", "#.#", "###"], [2]),
        (["#.", ".#"], [1, 1]),  # touching at a corner
        (["####", "#.##", "##.#", "####"], [3]),  # two holes that touch at a corner
        (["###", "#.#", "##."], [2]),  # a bay that is open at a corner: its ring would touch itself
        (["#####", "#...#", "#.#.#", "#...#", "#####"], [2, 1]),  # an island in a hole
    ],
)
def test_parts_and_their_holes_belong_together(
    picture: list[str], rings_of_parts: list[int]
) -> None:
    labels = np.array([[letter == "#" for letter in row] for row in picture], np.int32)
    (outline,) = outlines(labels)
    assert [len(part) for part in outline.parts] == rings_of_parts


def test_objects_are_the_same_traced_alone_or_together(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 40, (30, 40), dtype=np.int32)
    together = outlines(labels)
    monkeypatch.setattr(object_rings, "_AT_ONCE", 5)
    alone = outlines(labels)
    assert [o.label for o in alone] == [o.label for o in together]
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(filled(one, labels.shape), filled(other, labels.shape))


def test_nothing_has_no_outline() -> None:
    assert outlines(np.zeros((4, 5), np.int32)) == []


def test_large_numbers_stay() -> None:
    (outline,) = outlines(np.full((1, 2), 2**31 - 1, np.int32))
    assert outline.label == 2**31 - 1
    assert outline.rings[0].tolist() == [[0, 1], [0, 0], [2, 0], [2, 1]]  # clockwise
