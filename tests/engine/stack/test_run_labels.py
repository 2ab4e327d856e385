"""Planes as runs, bitmaps, and objects found band by band, against whole arrays."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from napari_unet.config import ObjectsConfig
from napari_unet.engine.objects import basins, finishing
from napari_unet.engine.objects.components import find_objects
from napari_unet.engine.objects.decoder import ObjectDecoder, cut_objects, settle_objects
from napari_unet.engine.objects.label_overlaps import count_overlaps, count_run_overlaps
from napari_unet.engine.stack import run_labels, tiles
from napari_unet.engine.stack.bitmap import Bitmap
from napari_unet.engine.stack.run_labels import LabelCollector, RunLabels
from napari_unet.engine.stack.tiles import bands, cut_plane

Labels = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]

shapes = st.tuples(st.integers(1, 12), st.integers(1, 12))
labels = arrays(np.int32, shapes, elements=st.integers(0, 4))
masks = arrays(np.bool_, shapes)


def in_bands(mask: Mask, rows: int) -> Iterator[Mask]:
    for top in range(0, len(mask), rows):
        yield mask[top : top + rows]


@given(labels, st.data())
def test_a_plane_comes_back_from_its_runs(plane: Labels, data: st.DataObject) -> None:
    runs = RunLabels.of(plane)
    np.testing.assert_array_equal(runs, plane)
    stop = data.draw(st.integers(0, len(plane)))
    start = data.draw(st.integers(0, stop))
    np.testing.assert_array_equal(runs.rows(slice(start, stop)), plane[start:stop])


@given(labels, st.integers(1, 12))
def test_rows_may_come_in_any_bands(plane: Labels, rows: int) -> None:
    collector = LabelCollector((plane.shape[0], plane.shape[1]))
    for top in range(0, len(plane), rows):
        collector.add(plane[top : top + rows])
    np.testing.assert_array_equal(collector.labels(), plane)


@given(labels)
def test_every_label_gets_another_and_its_box(plane: Labels) -> None:
    runs = RunLabels.of(plane)
    table = np.array([0, 30, 10, 20, 40])
    np.testing.assert_array_equal(runs.mapped(table), table[plane])
    boxes = runs.boxes(4)
    for number, box in enumerate(ndimage.find_objects(plane, max_label=4), start=1):
        top, bottom, left, right = boxes[number]
        found: Any = box  # None where there is no such object
        if found is None:
            assert top == len(plane)
        else:
            assert found == (slice(top, bottom), slice(left, right))


@given(labels, st.integers(1, 40), st.randoms(use_true_random=False))
def test_overlaps_of_runs_are_those_of_pixels(plane: Labels, at_once: int, random: Any) -> None:
    other = np.array([random.choice([0, 1, 2, 9]) for _ in plane.flat]).reshape(plane.shape)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiles, "_AT_ONCE", at_once)
        of_runs = count_run_overlaps(RunLabels.of(plane), RunLabels.of(other))
    of_pixels = count_overlaps(plane, other, (plane > 0) | (other > 0))
    for found, expected in ((of_runs, of_pixels),):
        pairs, wanted = (
            {
                (int(o.prediction_ids[p]), int(o.truth_ids[t])): int(n)
                for p, t, n in zip(o.prediction, o.truth, o.pixels, strict=True)
            }
            for o in (found, expected)
        )
        assert pairs == wanted


@given(st.tuples(st.integers(1, 30), st.integers(1, 30)), st.integers(1, 12), st.integers(0, 99))
def test_a_bitmap_holds_what_tiles_wrote(shape: tuple[int, int], tile: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) < 0.5
    bitmap = Bitmap(shape)
    tiles = cut_plane(shape, tile, 1)
    for at in rng.permutation(len(tiles)):
        y, x = tiles[at].y.as_slice, tiles[at].x.as_slice
        bitmap.write(y, x, mask[y, x])
    for rows in bands(shape):
        np.testing.assert_array_equal(bitmap.rows(rows), mask[rows])


@settings(max_examples=300)
@given(masks, st.integers(1, 6), st.sampled_from([None, 0, 1, 3]), st.integers(0, 6))
def test_objects_do_not_depend_on_the_bands(
    mask: Mask, rows: int, largest_hole: int | None, smallest: int
) -> None:
    shape = (mask.shape[0], mask.shape[1])
    find = partial(find_objects, fill_holes=True, smallest=smallest, largest_hole=largest_hole)
    found, count = find(in_bands(mask, rows), shape)
    whole, whole_count = find([mask], shape)
    np.testing.assert_array_equal(found, whole)
    assert count == whole_count


def test_a_hole_that_reaches_through_many_bands_is_filled() -> None:
    mask = np.zeros((40, 30), bool)
    mask[2:38, 2:28] = True
    mask[4:36, 4:10] = mask[4:36, 14:20] = mask[30:36, 4:20] = False  # two prongs that meet below
    mask[10:14, 5:8] = True  # an object in it
    found, count = find_objects(in_bands(mask, 3), (40, 30), fill_holes=True, smallest=0)
    plane = np.asarray(found)
    assert count == 2
    assert (plane[10:14, 5:8] == 2).all()
    assert (plane[2:38, 2:28] > 0).all()
    assert (plane == 1).sum() == 36 * 26 - 12


def blobs(shape: tuple[int, int], seed: int) -> Mask:
    """Return cells in pieces and bridges of all kinds."""
    rng = np.random.default_rng(seed)
    return ndimage.gaussian_filter(rng.normal(size=shape), 2.5) > 0.03


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("gap", [0, 1, 2])
def test_cutting_in_a_moving_window_is_cutting_at_once(
    seed: int, gap: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    mask = blobs((300, 70), seed)
    mask[::60] = False  # so that no object is taller than the window's step
    config = ObjectsConfig(min_size=12, gap=gap, neck=0.8)
    expected, count = cut_objects(mask, config)
    monkeypatch.setattr(finishing, "_WINDOW", 60 * 70)
    monkeypatch.setattr(finishing, "_BAND", 7 * 70)
    monkeypatch.setattr(tiles, "_AT_ONCE", 7 * 70)
    found, found_count = cut_objects(mask, config)
    np.testing.assert_array_equal(found, expected)
    assert found_count == count > 40
    uncut = cut_objects(mask, ObjectsConfig(min_size=12, gap=gap, neck=0))[1]
    assert uncut < count  # necks were cut


def test_objects_taller_than_the_window_stay_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    mask = np.zeros((200, 40), bool)
    mask[10:50, 5:35] = mask[52:95, 5:35] = mask[50:52, 18:22] = True  # two on a bridge
    config = ObjectsConfig(neck=0.6)
    assert cut_objects(mask, config)[1] == 2
    monkeypatch.setattr(finishing, "_WINDOW", 60 * 40)
    assert cut_objects(mask, config)[1] == 1


@pytest.mark.parametrize("has_field", [False, True])
def test_a_large_plane_of_objects_takes_little_memory(
    monkeypatch: pytest.MonkeyPatch, *, has_field: bool
) -> None:
    monkeypatch.setattr(finishing, "_WINDOW", 1 << 19)
    monkeypatch.setattr(finishing, "_BAND", 1 << 17)
    monkeypatch.setattr(basins, "_BAND", 1 << 17)
    monkeypatch.setattr(tiles, "_AT_ONCE", 1 << 18)
    height = width = 4000
    decoder = ObjectDecoder((height, width), ObjectsConfig(neck=0))
    y, x = np.mgrid[:500, :500]
    away = np.hypot(y % 50 - 25, x % 50 - 25)
    cells = [away < 20, np.clip(1 - away / 20, 0, 1)][: 1 + has_field]
    tracemalloc.start()
    for tile in cut_plane((height, width), 500, 1):
        decoder.add(tile, settle_objects(np.stack(cells).astype(np.float32), 0.5, 0))
    found, count = decoder.finish().cut().finish()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 80 * 80
    assert len(found.values) > 2 * count
    assert peak < (2 + has_field) * height * width  # bytes; a label image alone takes 4 per pixel


def test_runs_that_a_new_number_joins_are_one() -> None:
    labels = RunLabels.of(np.array([[1, 2, 2, 0], [3, 3, 1, 0]]))

    mapped = labels.mapped(np.array([0, 5, 5, 7]))

    np.testing.assert_array_equal(mapped, [[5, 5, 5, 0], [7, 7, 5, 0]])
    np.testing.assert_array_equal(mapped.values, [5, 0, 7, 5, 0])


def test_the_first_run_of_each_label_is_found_in_whatever_parts_it_is_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    labels = RunLabels.of(np.array([[1, 3, 1, 0], [3, 3, 1, 0]]))

    for at_once in (1, 2, 100):
        monkeypatch.setattr(run_labels, "_RUNS_AT_ONCE", at_once)
        np.testing.assert_array_equal(labels.firsts(5), [3, 0, 7, 1, 7])


@given(arrays(np.int32, (7, 9), elements=st.integers(0, 3)), st.integers(1, 20))
def test_labels_are_collected_in_blocks_of_any_size(labels: Labels, block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_labels, "_BLOCK", block)
        patch.setattr(run_labels, "_PIXELS_PER_RUN", 1)
        collected = RunLabels.of(labels)

    np.testing.assert_array_equal(collected, labels)
