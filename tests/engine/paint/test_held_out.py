"""Holding painted pixels out in blocks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_unet.engine.network.record import HeldOut
from napari_unet.engine.paint.held_out import Split
from napari_unet.engine.paint.label_scheme import IGNORED
from napari_unet.engine.paint.painted_planes import PaintedPlane, PaintedStack


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
    return Split(lambda _: (600, 600), share, np.random.default_rng(seed))


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


def pixels_of(blocks: tuple[HeldOut, ...], shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Return which pixels of the two planes are held out, (2, Y, X)."""
    held = np.zeros((2, *shape), dtype=bool)
    for block in blocks:
        held[block.plane - 10, slice(*block.y), slice(*block.x)] = True
    return held


@given(seed=st.integers(0, 10**6), share=st.floats(0.05, 0.5), rounds=st.integers(2, 5))
@settings(max_examples=40, deadline=None)
def test_painting_on_never_mixes_what_trains_and_what_validates(
    seed: int, share: float, rounds: int
) -> None:
    side = split(share, seed)
    painted = [np.full((160, 200), IGNORED, np.uint8) for _ in range(2)]
    trained, held = np.zeros((2, 2, 170, 210), dtype=bool)
    for turn in range(rounds):
        for index, classes in enumerate(painted):
            new = random_strokes(seed + 10 * turn + index, 2)
            classes[:] = np.where(new == IGNORED, classes, new)
            classes[turn * 10 : turn * 10 + 9] = IGNORED  # and something is erased
        training, blocks = side.divide(stack_of(*painted))
        for plane in training.planes:
            trained[plane.number - 10, 5:165, 7:207] |= plane.classes != IGNORED
        now = pixels_of(blocks, (170, 210))
        whole = np.stack([np.pad(p, ((5, 5), (7, 3)), constant_values=IGNORED) for p in painted])
        assert not (trained & now & (whole != IGNORED)).any()
        assert now[held & (whole != IGNORED)].all()  # what was held out stays so
        held |= now & (whole != IGNORED)

    assert not (trained & held).any()


def test_of_new_paint_the_share_is_held_out_too() -> None:
    dense = np.zeros((512, 512), dtype=np.uint8)
    dense[:, ::3] = 1
    side = split(0.2)
    first = stack_of(dense)

    _, before = side.divide(first)
    both = stack_of(dense, dense)
    training, after = side.divide(both)

    share = 1 - training.labelled_pixels / both.labelled_pixels
    assert set(before) <= set(after)
    assert any(block.plane == 11 for block in after)
    assert 0.15 < share < 0.3


def test_at_least_half_of_a_correction_is_trained_on() -> None:
    classes = np.full((512, 512), IGNORED, dtype=np.uint8)
    classes[:200, :300:2], classes[:200, 1:300:2] = 0, 1
    side = split(0.2)
    side.divide(stack_of(classes))
    corrected = classes.copy()
    corrected[400:420, 300:320] = 1

    training, _ = side.divide(stack_of(corrected))

    assert (training.planes[0].classes[400:420, 300:320] == 1).sum() >= 200


def test_what_is_painted_in_a_held_out_block_validates() -> None:
    classes = np.full((256, 256), IGNORED, dtype=np.uint8)
    classes[::8], classes[4::8] = 0, 1
    side = split(0.2)
    _, before = side.divide(stack_of(classes))
    filled = np.where(classes == IGNORED, 0, classes).astype(np.uint8)

    training, after = side.divide(stack_of(filled))

    for old in before:
        (new,) = (block for block in after if (block.y, block.x) == (old.y, old.x))
        inside = slice(old.y[0] - 5, old.y[1] - 5), slice(old.x[0] - 7, old.x[1] - 7)
        assert new.pixels == (filled[inside] != IGNORED).sum() > old.pixels
        assert (training.planes[0].classes[inside] == IGNORED).all()


def test_blocks_whose_paint_is_erased_are_not_named() -> None:
    dense = np.zeros((256, 256), dtype=np.uint8)
    dense[:, ::3] = 1
    side = split(0.2)
    _, before = side.divide(stack_of(dense))
    first = before[0]
    erased = dense.copy()
    erased[first.y[0] - 5 : first.y[1] - 5, first.x[0] - 7 : first.x[1] - 7] = IGNORED

    _, after = side.divide(stack_of(erased))

    assert (first.y, first.x) not in {(block.y, block.x) for block in after}
    assert {(b.y, b.x) for b in before[1:]} <= {(b.y, b.x) for b in after}
