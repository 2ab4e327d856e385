"""Foreground → label image, against plain-loop references, and tile by tile as at once."""

from __future__ import annotations

import time
from collections import deque
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from scipy.spatial import KDTree

from napari_unet.config import ObjectsConfig
from napari_unet.engine.errors import EngineError
from napari_unet.engine.objects.components import fill_enclosed
from napari_unet.engine.objects.decoder import (
    MAX_OBJECTS,
    ObjectDecoder,
    as_bytes,
    cut_objects,
    foreground_of,
    settle_objects,
)
from napari_unet.engine.paint.separation import separate
from napari_unet.engine.stack import tiles
from napari_unet.engine.stack.run_labels import RunLabels
from napari_unet.engine.stack.tiles import Span, Tile, cut_plane

Mask = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.int32]

PLAIN = ObjectsConfig(min_size=0, fill_holes=False, neck=0, gap=0)
shapes = st.tuples(st.integers(1, 14), st.integers(1, 14))


def speckled(shape: tuple[int, int], share: float, seed: int) -> Mask:
    """Return foreground in pieces of all sizes."""
    return np.random.default_rng(seed).random(shape) < share


masks = st.one_of(
    arrays(bool, shapes),
    st.builds(speckled, shapes, st.floats(0.2, 0.8), st.integers(0, 999)),
)


def drawing(*rows: str) -> npt.NDArray[np.int_]:
    """Return the digits of a drawing; a dot is 0."""
    return np.array([[int(c) for c in row.replace(".", "0")] for row in rows])


def flood(mask: Mask) -> Labels:
    """Number the 4-connected components in reading order, pixel by pixel."""
    labels = np.zeros(mask.shape, np.int32)
    number = 0
    for seed in product(*map(range, mask.shape)):
        if not mask[seed] or labels[seed]:
            continue
        number += 1
        queue = deque([seed])
        labels[seed] = number
        while queue:
            y, x = queue.popleft()
            for at in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                inside = 0 <= at[0] < mask.shape[0] and 0 <= at[1] < mask.shape[1]
                if inside and mask[at] and not labels[at]:
                    labels[at] = number
                    queue.append(at)
    return labels


def filled_one_by_one(labels: Labels) -> Labels:
    """Fill the holes of each object by itself; the innermost object around a hole has it."""
    background = labels == 0
    whole = {
        number: ndimage.binary_fill_holes(labels == number, np.ones((3, 3), bool))
        for number in range(1, labels.max() + 1)
    }
    result = labels.copy()
    for number, mask in sorted(whole.items(), key=lambda item: -item[1].sum()):
        result[mask & background] = number
    return result


def given_back(labels: Labels, gap: int) -> Labels:
    """Give the separation border back, pixel by pixel."""
    across = 2**0.5 * (2 * gap + 1)
    pixels = list(product(*map(range, labels.shape)))
    objects = [int(n) for n in np.unique(labels) if n]
    grown = {}
    for place in pixels if objects else []:
        away = {n: np.hypot(*(np.argwhere(labels == n) - place).T).min() for n in objects}
        nearest = min(objects, key=lambda n: (away[n], -n))
        if away[nearest] <= across:
            grown[place] = nearest, away[nearest]
    result = labels.copy()
    for (y, x), (own, radius) in grown.items():
        beside = [grown.get(place) for place in ((y - 1, x), (y, x - 1), (y, x + 1), (y + 1, x))]
        if radius > 0 and any(
            other is not None and other[0] != own and radius + other[1] + 1 <= across
            for other in beside
        ):
            for place, (number, _) in grown.items():
                if np.hypot(place[0] - y, place[1] - x) < radius:
                    result[place] = number
    return result


@given(masks)
def test_objects_are_the_four_connected_components(mask: Mask) -> None:
    labels, count = cut_objects(mask, PLAIN)
    np.testing.assert_array_equal(labels, flood(mask))
    assert count == labels.max(initial=0)
    assert labels.dtype == np.int32


def test_a_diagonal_border_of_one_pixel_keeps_objects_apart() -> None:
    labels, count = cut_objects(~np.eye(8, dtype=bool), PLAIN)
    assert count == 2
    assert labels[7, 0] != labels[0, 7]


@given(masks)
def test_holes_go_to_the_object_around_them(mask: Mask) -> None:
    labels, _ = cut_objects(mask, ObjectsConfig(min_size=0, neck=0, gap=0))
    np.testing.assert_array_equal(labels, filled_one_by_one(flood(mask)))


def test_an_object_in_the_hole_of_another_stays() -> None:
    rings = drawing(
        ".........",
        ".1111111.",
        ".1.....1.",
        ".1.111.1.",
        ".1.1.1.1.",
        ".1.111.1.",
        ".1.....1.",
        ".1111111.",
        "......1.1",  # a bay that reaches the rim is no hole
    )
    labels, count = cut_objects(rings > 0, ObjectsConfig(min_size=0, neck=0, gap=0))
    assert count == 3
    assert (labels[1:8, 1:8] == 1).sum() == 49 - 9
    assert (labels[3:6, 3:6] == 2).all()
    assert labels[8, 7] == 0


@given(masks, st.integers(0, 8))
def test_small_objects_are_dropped_and_the_rest_renumbered(mask: Mask, min_size: int) -> None:
    labels, count = cut_objects(
        mask, ObjectsConfig(min_size=min_size, fill_holes=False, neck=0, gap=0)
    )
    reference = flood(mask)
    kept = [n for n in range(1, reference.max() + 1) if (reference == n).sum() >= min_size]
    expected = np.zeros_like(reference)
    for new, old in enumerate(kept, start=1):
        expected[reference == old] = new
    np.testing.assert_array_equal(labels, expected)
    assert count == len(kept)


def test_the_size_of_an_object_includes_its_holes() -> None:
    ring = drawing("111", "1.1", "111") > 0
    assert cut_objects(ring, ObjectsConfig(min_size=9))[1] == 1
    assert cut_objects(ring, ObjectsConfig(min_size=9, fill_holes=False))[1] == 0


@settings(deadline=None)
@given(masks, st.integers(1, 3))
def test_the_border_goes_to_the_nearer_object(mask: Mask, gap: int) -> None:
    labels, _ = cut_objects(mask, ObjectsConfig(min_size=0, fill_holes=False, neck=0, gap=gap))
    np.testing.assert_array_equal(labels, given_back(flood(mask), gap))


def test_only_the_gap_between_objects_is_given_back() -> None:
    pair = drawing(
        "............",
        ".1111...111.",
        ".1111...111.",
        "............",
    )
    labels, _ = cut_objects(pair > 0, ObjectsConfig(min_size=0, neck=0, gap=1))
    assert (labels[1:3, 1:11] > 0).all()
    new = (labels > 0) & (pair == 0)
    assert set(np.nonzero(new)[1]) == {5, 6, 7}  # columns


def test_the_outline_along_a_border_that_widens_has_one_end() -> None:
    """Not a comb of pixels given back and pixels that are not."""
    y, x = np.mgrid[:60, :40]
    slanted = 12 + 0.3 * y
    mask = (x < slanted) | (x > slanted + 1 + 0.1 * y)  # up to 7 px wide
    labels, count = cut_objects(mask, ObjectsConfig(min_size=0, neck=0, gap=1))
    assert count == 2
    end = np.flatnonzero((labels > 0).all(axis=1))[-1]
    assert end > 20
    assert (labels[:end] == 0).sum() <= 2


@pytest.mark.parametrize(("gap", "share"), [(1, 0.99), (2, 0.99)])
def test_cutting_undoes_the_separation_of_the_training_targets(gap: int, share: float) -> None:
    rng = np.random.default_rng(3)
    cells = KDTree(rng.integers(0, 160, (40, 2)))
    _, nearest = cells.query(np.indices((160, 160)).reshape(2, -1).T)
    touching = (nearest + 1).reshape(160, 160).astype(np.int32)  # no background at all
    mask = separate(touching, gap) > 0
    labels, count = cut_objects(mask, ObjectsConfig(min_size=0, neck=0, gap=gap))
    assert count >= 38
    assert (labels > 0).mean() > share
    for number in range(1, count + 1):
        original = touching[labels == number]
        assert (original == np.bincount(original).argmax()).mean() > 0.97


def decode(mask: Mask, tile: int, config: ObjectsConfig, seed: int) -> Any:
    decoder = ObjectDecoder(mask.shape, config)
    tiles = cut_plane(mask.shape, tile, 1)
    for at in np.random.default_rng(seed).permutation(len(tiles)):
        part = mask[tiles[at].y.as_slice, tiles[at].x.as_slice]
        answers = np.where(part, 0.9, 0.1).astype(np.float32)[np.newaxis]
        decoder.add(tiles[at], settle_objects(answers, config.threshold, 0))
    labels, count = decoder.finish().cut().finish()
    return np.asarray(labels), count


configs = st.builds(
    ObjectsConfig,
    min_size=st.integers(0, 6),
    fill_holes=st.booleans(),
    gap=st.integers(0, 2),
)


@given(masks, st.integers(1, 14), configs, st.integers(0, 99))
def test_tiles_in_any_order_give_what_the_whole_plane_gives(
    mask: Mask, tile: int, config: ObjectsConfig, seed: int
) -> None:
    labels, count = decode(mask, tile, config, seed)
    expected, expected_count = cut_objects(mask, config)
    np.testing.assert_array_equal(labels, expected)
    assert count == expected_count


def shown(mask: Mask, tile: int, config: ObjectsConfig, offset: int = 0) -> Labels:
    """Return the provisional numbers of tiles that come in reading order."""
    decoder = ObjectDecoder(mask.shape, config, offset=offset)
    result = np.zeros(mask.shape, np.int32)
    for part in cut_plane(mask.shape, tile, 1):
        at = part.y.as_slice, part.x.as_slice
        result[at] = decoder.add(part, mask[np.newaxis, *at].astype(np.uint8))
    return result


@pytest.mark.parametrize("with_field", [True, False])
def test_a_plane_is_the_same_whether_or_not_its_tiles_were_numbered(*, with_field: bool) -> None:
    rng = np.random.default_rng(2)
    settled = rng.integers(1, 255, (2, 30, 26), np.uint8)
    settled[0] = rng.random((30, 26)) < 0.7
    settled = settled[: 2 if with_field else 1]
    planes = []
    for provisional in (True, False):
        decoder = ObjectDecoder((30, 26), ObjectsConfig(min_size=2), provisional=provisional)
        for part in cut_plane((30, 26), 12, 1):
            tile = settled[:, part.y.as_slice, part.x.as_slice]
            values = decoder.add(part, tile.copy())
            if not provisional:
                np.testing.assert_array_equal(values, tile[0])
        planes.append(np.asarray(decoder.finish().cut().finish()[0]))

    np.testing.assert_array_equal(planes[0], planes[1])
    assert planes[0].max() > 2


def test_an_object_keeps_its_number_across_tiles() -> None:
    mask = np.zeros((30, 30), bool)
    mask[2:28, 3:8] = True
    mask[12:18, 12:28] = True
    numbers = shown(mask, 7, PLAIN, offset=40)
    assert set(np.unique(numbers[2:28, 3:8])) == {41}
    assert len(np.unique(numbers[12:18, 12:28])) == 1
    assert numbers[15, 20] > 41
    np.testing.assert_array_equal(numbers > 0, mask)


@given(masks, st.integers(2, 14))
def test_provisional_numbers_never_join_separate_objects(mask: Mask, tile: int) -> None:
    numbers, final = shown(mask, tile, PLAIN), flood(mask)
    for number in np.unique(numbers[numbers > 0]):
        assert len(np.unique(final[numbers == number])) == 1
    np.testing.assert_array_equal(numbers > 0, mask)


def test_specks_inside_a_tile_are_not_shown_but_pieces_at_its_border_are() -> None:
    mask = np.zeros((20, 20), bool)
    mask[4, 4] = mask[9, 12] = True
    numbers = shown(mask, 10, ObjectsConfig(min_size=5))
    assert numbers[4, 4] == 0
    assert numbers[9, 12] > 0


def test_foreground_begins_at_the_threshold() -> None:
    settled = settle_objects(np.array([[[0.2, 0.25, 0.6]]], np.float32), 0.25, 0)
    np.testing.assert_array_equal(settled, [[[0, 1, 1]]])


def test_more_objects_than_int32_can_number_are_an_error() -> None:
    two = np.array([[True, False, False, False, False, True]])
    assert shown(two, 6, PLAIN, offset=MAX_OBJECTS - 2).max() == MAX_OBJECTS
    with pytest.raises(EngineError, match="raise the smallest object size"):
        shown(two, 6, PLAIN, offset=MAX_OBJECTS - 1)


def test_a_tile_costs_the_same_in_a_large_plane() -> None:
    decoder = ObjectDecoder((8_000, 8_000), ObjectsConfig())
    part = np.ones((1, 32, 32), np.uint8)
    started = time.process_time()
    for left in range(0, 8_000, 80):
        decoder.add(Tile(Span(64, 96), Span(left, left + 32)), part)
    assert time.process_time() - started < 0.5  # 100 passes over the plane take seconds


def shaped(shape: tuple[int, int], seed: int) -> npt.NDArray[np.float32]:
    """Return the foreground's probability and the shape field of a random scene, (2, Y, X)."""
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.random(shape), rng.uniform(0.5, 3))
    field = (field - field.min()) / max(np.ptp(field), 1e-6)
    return np.stack([ndimage.gaussian_filter(rng.random(shape), 1.5) + 0.02, field]).astype("f4")


@given(
    st.integers(0, 10**6),
    st.tuples(st.integers(3, 60), st.integers(3, 60)),
    st.sampled_from([8, 16, 24, 64]),
    st.floats(0.2, 0.95),
    st.integers(0, 30),
)
def test_with_a_shape_field_tiles_give_the_labels_of_the_whole_plane(
    seed: int, shape: tuple[int, int], side: int, neck: float, smallest: int
) -> None:
    answers = shaped(shape, seed)
    config = ObjectsConfig(min_size=smallest, neck=neck)
    decoder = ObjectDecoder(shape, config)
    for index in np.random.default_rng(seed).permutation(len(cut_plane(shape, side, 8))):
        tile = cut_plane(shape, side, 8)[index]
        part = answers[:, tile.y.as_slice, tile.x.as_slice]
        decoder.add(tile, settle_objects(part, config.threshold, 0.08))

    labels, count = decoder.finish().cut().finish()

    expected, number = cut_objects(foreground_of(answers, 0.5, 0.08), config, as_bytes(answers[1]))
    assert count == number
    np.testing.assert_array_equal(np.asarray(labels), expected)


def test_touching_objects_are_cut_where_the_shape_field_is_low_and_lose_no_rim() -> None:
    foreground = np.ones((20, 41), dtype=bool)
    field = np.abs(np.arange(41) - 20) / 20 * np.ones((20, 1))
    field[:, [0, -1]] = 0.1

    labels, count = cut_objects(
        foreground, ObjectsConfig(min_size=0), as_bytes(field.astype(np.float32))
    )

    assert count == 2
    assert (labels > 0).all()
    assert len(np.unique(labels[:, :20])) == len(np.unique(labels[:, 21:])) == 1


def test_tiles_that_are_missing_hold_nothing_with_a_shape_field_either() -> None:
    answers = np.ones((2, 24, 16), dtype=np.float32)
    first, second, third = (Tile(Span(top, top + 8), Span(0, 16)) for top in (0, 8, 16))
    decoder = ObjectDecoder((24, 16), ObjectsConfig(min_size=0))
    for tile in (first, third):
        decoder.add(tile, settle_objects(answers[:, tile.y.as_slice], 0.5, 0.08))

    labels, count = decoder.finish().cut().finish([second])

    assert count == 2
    assert not np.asarray(labels)[8:16].any()


def ring_of_cells() -> tuple[Mask, npt.NDArray[np.float32], Labels]:
    """Return four touching squares around background, their shape field, and their numbers."""
    truth = np.zeros((30, 30), dtype=np.int32)
    field = np.zeros((30, 30), dtype=np.float32)
    tall = np.minimum(np.arange(1, 21), np.arange(20, 0, -1))
    wide = np.minimum(np.arange(1, 11), np.arange(10, 0, -1))
    places = (((0, 10), (0, 20)), ((0, 20), (20, 30)), ((20, 30), (10, 30)), ((10, 30), (0, 10)))
    for number, ((top, bottom), (left, right)) in enumerate(places, start=1):
        truth[top:bottom, left:right] = number
        rows = tall if bottom - top == 20 else wide
        columns = tall if right - left == 20 else wide
        field[top:bottom, left:right] = np.minimum.outer(rows, columns) / 5
    return truth > 0, field.clip(0, 1), truth


def test_background_in_a_ring_of_touching_cells_is_no_hole() -> None:
    foreground, field, truth = ring_of_cells()

    labels, count = cut_objects(foreground, ObjectsConfig(min_size=0), as_bytes(field))

    assert count == 4
    np.testing.assert_array_equal(labels > 0, truth > 0)


def test_a_hole_in_one_cell_is_filled_up_to_the_largest_size() -> None:
    foreground, field, truth = ring_of_cells()
    foreground[3:6, 8:12] = False

    filled, _ = cut_objects(foreground, ObjectsConfig(min_size=0), as_bytes(field))
    kept, _ = cut_objects(foreground, ObjectsConfig(min_size=0, largest_hole=11), as_bytes(field))

    np.testing.assert_array_equal(filled > 0, truth > 0)
    assert (filled[3:6, 8:12] == filled[3, 7]).all()
    assert not kept[3:6, 8:12].any()


@given(masks, st.integers(1, 6), st.sampled_from([None, 1, 3]))
def test_holes_of_single_objects_are_filled_whatever_the_bands_are(
    mask: Mask, rows: int, largest: int | None
) -> None:
    numbers = flood(mask) % 3 * mask  # neighbours across a corner share a number, too
    labels = RunLabels.of(numbers.astype(np.int32))
    expected = numbers.copy()
    holes, count = ndimage.label(numbers == 0, np.ones((3, 3)))
    for hole in range(1, count + 1):
        mine = holes == hole
        edge = np.zeros_like(mine)
        edge[[0, -1]] = edge[:, [0, -1]] = True
        beside = np.unique(numbers[ndimage.binary_dilation(mine) & ~mine])
        beside = beside[beside > 0]
        small = largest is None or mine.sum() <= largest
        if not (mine & edge).any() and len(beside) == 1 and small:
            expected[mine] = beside[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiles, "_AT_ONCE", rows * mask.shape[1])
        found = fill_enclosed(labels, 2, largest)

    np.testing.assert_array_equal(np.asarray(found), expected)


def test_where_the_field_has_not_risen_there_is_no_foreground() -> None:
    """Strokes alone say little about where an object ends."""
    halo = np.array([[[0.9, 0.9, 0.9, 0.4]], [[0.0, 0.05, 0.2, 0.9]]], dtype=np.float32)

    np.testing.assert_array_equal(foreground_of(halo, 0.5, 0.08), [[False, False, True, False]])
    np.testing.assert_array_equal(foreground_of(halo[:1], 0.5, 0.08), [[True, True, True, False]])
