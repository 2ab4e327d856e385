"""Numbers that go on from plane to plane, on objects whose overlap is counted by hand."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_unet.engine.events import Resume
from napari_unet.engine.objects.linking import PlaneLinker, link
from napari_unet.engine.stack.planes import ArrayPlanes
from napari_unet.engine.stack.run_labels import RunLabels

Labels = npt.NDArray[np.int32]
runs = RunLabels.of


def bars(*spans: tuple[int, int, int], width: int = 100) -> Labels:
    """Return one row of pixels with (start, stop, number) on it."""
    row = np.zeros((1, width), np.int32)
    for start, stop, number in spans:
        row[0, start:stop] = number
    return row


def linked(
    labels: Labels, *neighbours: Labels, beyond: tuple[Labels, ...] = (), first_new: int = 50
) -> tuple[list[int], int]:
    """Return the numbers from left to right, and how many are new."""
    compact, count = link(
        runs(labels), [*map(runs, neighbours)], first_new, beyond=[*map(runs, beyond)]
    )
    found = np.asarray(compact)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found > 0, labels > 0)
    return [int(n) for n in dict.fromkeys(found[found > 0].tolist())], count


def test_without_a_neighbour_all_numbers_are_new() -> None:
    assert linked(bars((0, 5, 50), (8, 12, 51))) == ([50, 51], 2)


def test_an_object_keeps_the_number_of_what_it_overlaps() -> None:
    before = bars((0, 10, 7), (20, 30, 3))
    now = bars((2, 12, 50), (22, 32, 51), (60, 70, 52))
    assert linked(now, before) == ([7, 3, 50], 1)


def test_of_an_object_that_splits_the_larger_part_keeps_the_number() -> None:
    assert linked(bars((0, 8, 50), (9, 20, 51)), bars((0, 20, 7))) == ([50, 7], 1)


def test_where_objects_merge_the_number_of_the_larger_goes_on() -> None:
    assert linked(bars((0, 20, 50)), bars((0, 8, 7), (9, 20, 3))) == ([3], 0)


def test_the_largest_overlap_is_served_first() -> None:
    # 50 shares 6 of 14 with 7 and 4 of 16 with 3; 51 shares 6 of 14 with 3.
    now = bars((4, 14, 50), (14, 24, 51))
    assert linked(now, bars((0, 10, 7), (10, 20, 3))) == ([7, 3], 0)


def test_a_brush_of_borders_is_no_link() -> None:
    # 1 of 19 pixels: an IoU of 0.05, and a tenth of either object.
    assert linked(bars((9, 19, 50)), bars((0, 10, 7))) == ([50], 1)
    # 2 of 18 pixels: an IoU of 0.11.
    assert linked(bars((8, 18, 50)), bars((0, 10, 7))) == ([7], 0)


def test_the_cap_of_an_object_is_part_of_it_however_small_it_is() -> None:
    # IoU 0.02, but wholly inside: where a cell ends in z.
    assert linked(bars((40, 42, 50)), bars((0, 100, 7))) == ([7], 0)
    assert linked(bars((0, 100, 50)), bars((40, 42, 7))) == ([7], 0)


def test_the_better_of_two_neighbours_gives_the_number() -> None:
    now = bars((10, 20, 50))
    near, far = bars((11, 21, 7)), bars((14, 24, 3))
    assert linked(now, near, far) == linked(now, far, near) == ([7], 0)


def test_what_one_neighbour_lacks_comes_from_the_other() -> None:
    now = bars((0, 10, 50), (20, 30, 51))
    assert linked(now, bars((0, 10, 7)), bars((0, 10, 7), (20, 30, 3))) == ([7, 3], 0)


def test_an_object_that_one_plane_lacks_goes_on_behind_it() -> None:
    now = bars((0, 10, 50), (20, 30, 51))
    assert linked(now, bars((0, 10, 7)), beyond=(bars((1, 11, 7), (21, 31, 3)),)) == ([7, 3], 0)


def test_objects_that_one_plane_merges_part_again_with_their_numbers() -> None:
    apart, merged = bars((0, 10, 7), (11, 20, 3)), bars((0, 20, 7))
    assert linked(bars((0, 10, 50), (11, 20, 51)), merged, beyond=(apart,)) == ([7, 3], 0)


def test_an_object_that_one_plane_splits_is_whole_again_with_its_number() -> None:
    whole, split = bars((0, 20, 7)), bars((0, 9, 7), (10, 20, 9))
    assert linked(bars((0, 20, 50)), split, beyond=(whole,)) == ([7], 0)
    assert linked(bars((0, 20, 50)), split) == ([9], 0)  # the plane beyond decides


def test_the_neighbour_counts_for_more_than_the_plane_beyond() -> None:
    # IoU 0.67 with the neighbour; 0.82 · 0.8 = 0.65, then 0.8, with the plane beyond.
    now, near = bars((0, 10, 50)), bars((2, 12, 7))
    assert linked(now, near, beyond=(bars((1, 11, 3)),)) == ([7], 0)
    assert linked(now, near, beyond=(bars((0, 10, 3)),)) == ([3], 0)


def test_one_number_is_given_once_per_plane() -> None:
    # Both neighbours carry 7, each beneath another object; nothing can tell which is right.
    now = bars((0, 10, 50), (20, 30, 51))
    assert linked(now, bars((0, 10, 7)), bars((21, 31, 7))) == ([7, 50], 1)


def test_a_plane_without_background_is_linked() -> None:
    now = bars((0, 50, 50), (50, 100, 51))
    assert linked(now, bars((60, 100, 2), (0, 50, 9))) == ([9, 2], 0)


def test_an_empty_plane_stays_empty() -> None:
    assert linked(bars(), bars((0, 9, 4))) == ([], 0)


@given(
    arrays(np.int32, (6, 7), elements=st.integers(0, 4)),
    arrays(np.uint16, (6, 7), elements=st.integers(0, 5)),
)
def test_objects_stay_apart_and_numbers_unique(now: Labels, before: npt.NDArray[Any]) -> None:
    ids = np.unique(now[now > 0])
    numbers = np.zeros(5, np.int32)
    numbers[ids] = np.arange(6, 6 + len(ids))
    found, count = link(runs(numbers[now]), [runs(before)], 6)
    after = np.asarray(found)
    pairs = {(int(a), int(b)) for a, b in zip(now.flat, after.flat, strict=True)} - {(0, 0)}
    assert len(pairs) == len(ids) == len({number for _, number in pairs})
    new = sorted(number for _, number in pairs if number > 5)
    assert new == list(range(6, 6 + count))


def test_five_thousand_objects_are_linked_in_no_time() -> None:
    numbers = np.arange(1, 72 * 72 + 1, dtype=np.int32).reshape(72, 72)
    squares = np.zeros((72 * 20, 72 * 20), np.int32)
    for dy, dx in np.ndindex(15, 15):
        squares[dy::20, dx::20] = numbers
    moved = np.roll(squares, (3, 4), axis=(0, 1))
    now = np.where(moved > 0, 72 * 72 + 1 - moved + 9000, 0).astype(np.int32)
    before = runs(squares)
    begin = time.perf_counter()
    found, count = link(runs(now), [before, before], 9001)
    assert time.perf_counter() - begin < 5  # 0.5 s when nothing else runs
    assert count == 0
    np.testing.assert_array_equal(found, moved)


def test_planes_are_linked_outward_along_their_series_only() -> None:
    linker = PlaneLinker([2, 1, 3, 0, 4], 3, Resume())  # planes 0 to 2, and 3 to 5
    numbers = {}
    used = 0
    for plane in (2, 1, 3, 0, 4):
        labels, count = linker.link(plane, runs(bars((0, 9, used + 1))), used + 1)
        used += count
        numbers[plane] = int(labels.values.max())
    assert numbers == {2: 1, 1: 1, 0: 1, 3: 2, 4: 2}


def test_two_sides_that_meet_leave_two_numbers() -> None:
    linker = PlaneLinker([0, 3, 1, 2], 4, Resume())
    numbers = {}
    for used, plane in enumerate((0, 3, 1, 2)):
        labels, _ = linker.link(plane, runs(bars((plane, 10 + plane, used + 1))), used + 1)
        numbers[plane] = int(labels.values.max())
    assert numbers == {0: 1, 3: 2, 1: 1, 2: 1}  # 2 lies as near to 1 as to 3: the lower number


def test_a_missing_plane_is_bridged_in_both_directions_but_two_are_not() -> None:
    order = [4, 3, 5, 2, 6, 1, 7, 0, 8]
    linker = PlaneLinker(order, 9, Resume())
    numbers = {}
    used = 0
    for plane in order:
        empty = plane in {3, 6, 7}
        row = bars() if empty else bars((0, 9, used + 1))
        labels, count = linker.link(plane, runs(row), used + 1)
        used += count
        numbers[plane] = int(labels.values.max())
    assert numbers == {4: 1, 3: 0, 5: 1, 2: 1, 6: 0, 1: 1, 7: 0, 0: 1, 8: 2}


def test_only_finished_planes_are_read_again() -> None:
    labels = np.concatenate([bars((0, 9, 4)), bars((0, 9, 5)), bars((0, 9, 6))])[:, np.newaxis]
    linker = PlaneLinker([1, 2], 3, Resume(frozenset({0}), 4, ArrayPlanes(labels)))
    found, _ = linker.link(1, runs(bars((0, 9, 7))), 7)
    assert found.values.max() == 4
