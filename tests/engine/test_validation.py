"""Holding painted pixels out in blocks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_unet.engine.painted import PaintedPlane, PaintedStack
from napari_unet.engine.targets import IGNORED
from napari_unet.engine.validation import Split


def stack_of(*classes: npt.NDArray[np.uint8], kinds: int = 2) -> PaintedStack:
    planes = (
        PaintedPlane(
            10 + index,
            (5, 7),
            np.zeros((1, *plane.shape), np.float32),
            plane,
            plane,
            np.ones(plane.shape, np.float32),
        )
        for index, plane in enumerate(classes)
    )
    return PaintedStack(tuple(planes), tuple(range(kinds)))


def split(share: float, seed: int = 0) -> Split:
    return Split((600, 600), share, np.random.default_rng(seed))


def random_strokes(seed: int, kinds: int) -> npt.NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    classes = np.full((160, 200), IGNORED, dtype=np.uint8)
    for _ in range(int(rng.integers(1, 40))):
        y, x = rng.integers(0, 150), rng.integers(0, 180)
        classes[y : y + rng.integers(1, 12), x : x + rng.integers(1, 25)] = rng.integers(kinds)
    return classes


@given(seed=st.integers(0, 10**6), kinds=st.integers(2, 4), share=st.floats(0.05, 0.5))
@settings(max_examples=80, deadline=None)
def test_held_out_pixels_are_never_trained_on(seed: int, kinds: int, share: float) -> None:
    before = stack_of(random_strokes(seed, kinds), random_strokes(seed + 1, kinds), kinds=kinds)

    after, blocks = split(share, seed).divide(before)

    held = [np.zeros(plane.classes.shape, dtype=bool) for plane in before.planes]
    for block in blocks:
        mask = held[block.plane - 10][
            block.y[0] - 5 : block.y[1] - 5, block.x[0] - 7 : block.x[1] - 7
        ]
        assert not mask.any()  # blocks do not overlap
        mask[:] = True
    for old, new, mask in zip(before.planes, after.planes, held, strict=True):
        assert (new.classes[mask] == IGNORED).all()
        np.testing.assert_array_equal(new.classes[~mask], old.classes[~mask])
    assert sum(block.pixels for block in blocks) == before.labelled_pixels - after.labelled_pixels


@given(seed=st.integers(0, 10**6), kinds=st.integers(2, 4))
@settings(max_examples=80, deadline=None)
def test_every_class_stays_on_both_sides_or_nothing_is_held_out(seed: int, kinds: int) -> None:
    before = stack_of(random_strokes(seed, kinds), kinds=kinds)

    after, blocks = split(0.2, seed).divide(before)

    whole = np.bincount(before.planes[0].classes.ravel(), minlength=256)[:kinds]
    kept = np.bincount(after.planes[0].classes.ravel(), minlength=256)[:kinds]
    if blocks:
        assert (kept[whole > 0] >= 8).all()
        assert ((whole - kept)[whole > 0] >= 8).all()
        assert (kept >= whole / 2).all()
    else:
        np.testing.assert_array_equal(kept, whole)


def test_a_dense_plane_holds_out_about_the_share() -> None:
    dense = np.zeros((512, 512), dtype=np.uint8)
    dense[:, ::3] = 1

    after, blocks = split(0.2).divide(stack_of(dense))

    assert 0.15 < 1 - after.labelled_pixels / dense.size < 0.3
    assert all(block.y[1] - block.y[0] in {64, 64 - 5, 5} for block in blocks)


def test_two_dots_of_paint_are_both_trained_on() -> None:
    dots = np.full((50, 50), IGNORED, dtype=np.uint8)
    dots[3, 3], dots[40, 40] = 0, 1

    after, blocks = split(0.2).divide(stack_of(dots))

    assert blocks == ()
    assert after.labelled_pixels == 2


@pytest.mark.parametrize("seed", range(3))
def test_a_share_of_zero_holds_nothing_out(seed: int) -> None:
    before = stack_of(random_strokes(seed, 2))

    assert split(0).divide(before) == (before, ())
