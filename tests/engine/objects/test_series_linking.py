"""Cells that move through z and t keep their numbers, whatever the order of axes and planes."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from napari_unet.config import Along
from napari_unet.engine.events import PlaneDone, Resume
from napari_unet.engine.objects.linking import PlaneLinker
from napari_unet.engine.objects.series_linking import SeriesLinker, linker_for
from napari_unet.engine.stack.planes import ArrayPlanes
from napari_unet.engine.stack.run_labels import RunLabels

TIMES, DEPTHS, SIDE = 4, 6, 64
Stack = npt.NDArray[np.int32]


def ball(centre: tuple[float, float, float], radius: float = 9) -> npt.NDArray[np.bool_]:
    """Return a ball that is flat in z, (Z, Y, X)."""
    z, y, x = np.ogrid[:DEPTHS, :SIDE, :SIDE]
    squared = (4 * (z - centre[0])) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2
    return np.asarray(squared <= radius**2)


def movie() -> Stack:
    """Return cells with true numbers, (T, Z, Y, X).

    1 drifts in y, x and z; 2 stays low, 3 above it; 4 comes at the third time.
    """
    truth = np.zeros((TIMES, DEPTHS, SIDE, SIDE), np.int32)
    for t, volume in enumerate(truth):
        volume[ball((1 + 0.6 * t, 14 + 3 * t, 12 + 2 * t))] = 1
        volume[ball((0, 46, 20 - t), 7)] = 2
        volume[ball((5, 46, 20 + t), 7)] = 3
        if t >= 2:
            volume[ball((2, 20, 50))] = 4
    return truth


def outward(focus: int, planes: int) -> list[int]:
    return sorted(range(planes), key=lambda plane: abs(plane - focus))


def linked(
    truth: Stack,
    order: Iterable[int],
    *,
    resume: Resume | None = None,
    stop: int | None = None,
    axes: str = "TZ",
    along: Along = Along.BOTH,
) -> tuple[Stack, list[PlaneDone]]:
    """Number each plane anew, link the planes as they come, and return the stack and the planes."""
    order, used = list(order), resume.largest if resume else 0
    linker = linker_for(ArrayPlanes(truth, followed=axes), order, resume or Resume(), along)
    flat = truth.reshape(-1, *truth.shape[-2:])
    told: list[PlaneDone] = []
    for plane in order[:stop]:
        _, indices = np.unique(flat[plane], return_inverse=True)
        mixed = np.where(indices > 0, indices.max() + 1 - indices + used, 0)  # in another order
        labels = RunLabels.of(mixed.reshape(flat[plane].shape).astype(np.int32))
        final = linker.take(PlaneDone(plane, labels, int(indices.max())), used)
        told += final
        used += sum(done.objects for done in final)
    told += linker.rest(used)
    found = np.zeros_like(flat)
    for done in told:
        found[done.plane] = np.asarray(done.labels)
    return found.reshape(truth.shape), told


def pairs(found: Stack, truth: Stack) -> set[tuple[int, int]]:
    """Return each true number with the number that it has somewhere."""
    np.testing.assert_array_equal(found > 0, truth > 0)
    return {
        (int(a), int(b)) for a, b in np.unique(np.stack([truth, found]).reshape(2, -1).T, axis=0)
    }


@pytest.mark.parametrize("focus", [0, 7, 14, 23])
@pytest.mark.parametrize("axes", ["TZYX", "ZTYX"])
def test_a_cell_has_one_number_through_z_and_t(axes: str, focus: int) -> None:
    truth = movie()
    if axes == "ZTYX":
        truth = truth.swapaxes(0, 1)
    found, told = linked(truth, outward(focus, TIMES * DEPTHS))
    assert sorted(done.plane for done in told) == list(range(TIMES * DEPTHS))
    both = pairs(found, truth)
    assert len(both) == 5  # background, and four cells
    assert len({number for _, number in both}) == 5
    assert sum(done.objects for done in told) == 4 == found.max()


@pytest.mark.parametrize("focus", [0, 14])
@pytest.mark.parametrize("axes", ["TZ", "ZT"])
@pytest.mark.parametrize("along", [Along.Z, Along.T])
def test_linked_along_one_axis_a_cell_has_a_number_for_each_place_on_the_other(
    along: Along, axes: str, focus: int
) -> None:
    truth = movie()
    apart = 0 if along is Along.Z else 1  # times, or depths
    expected = sum(len(np.unique(part)) - 1 for part in np.moveaxis(truth, apart, 0))
    if axes == "ZT":
        truth, apart = truth.swapaxes(0, 1), 1 - apart
    found, told = linked(truth, outward(focus, TIMES * DEPTHS), axes=axes, along=along)
    assert sorted(done.plane for done in told) == list(range(TIMES * DEPTHS))
    for one, other in zip(np.moveaxis(found, apart, 0), np.moveaxis(truth, apart, 0), strict=True):
        both = pairs(one, other)
        assert len(both) == len({true for true, _ in both}) == len({number for _, number in both})
    assert found.max() == expected == len(np.unique(found)) - 1  # no number on two of them


def test_what_a_stack_does_not_have_links_nothing() -> None:
    planes = ArrayPlanes(np.zeros((3, 4, 4), np.uint8), followed="Z")
    linker = linker_for(planes, range(3), Resume(), Along.T)
    labels = RunLabels.of(np.ones((4, 4), np.int32))
    assert linker.take(PlaneDone(0, labels, 1), 0)[0].objects == 1
    [done] = linker.take(PlaneDone(1, RunLabels.of(np.full((4, 4), 2, np.int32)), 1), 1)
    assert done.objects == 1


def test_new_numbers_are_told_with_the_plane_that_has_them_first() -> None:
    _, told = linked(movie(), range(TIMES * DEPTHS))
    seen: set[int] = set()
    for done in told:
        new = set(np.unique(np.asarray(done.labels)).tolist()) - seen - {0}
        assert new == set(range(len(seen) + 1, len(seen) + 1 + done.objects))
        seen |= new
    assert len(seen) == 4


def test_the_larger_part_of_a_body_decides_where_its_planes_disagree() -> None:
    """Plane by plane it would be 1, 2, 2: it lies under another's place on its first plane."""
    truth = np.zeros((2, 3, 1, 40), np.int32)
    truth[0, 0, 0, :10], truth[0, 1:, 0, 20:32] = 1, 2
    truth[1, 0, 0, 5:32], truth[1, 1:, 0, 20:32] = 2, 2
    found, _ = linked(truth, range(6))
    assert np.unique(found[1]).tolist() == [0, 2]


def test_a_cell_that_one_time_lacks_goes_on_after_it() -> None:
    truth = movie()
    truth[1][truth[1] == 2] = 0
    found, _ = linked(truth, range(TIMES * DEPTHS))
    assert len(pairs(found, truth)) == 5


def test_a_run_that_is_stopped_inside_a_volume_goes_on_with_its_numbers() -> None:
    truth = movie()
    order = outward(7, TIMES * DEPTHS)
    first, told = linked(truth, order, stop=8)
    assert sorted(done.plane for done in told) == sorted(order[:8])
    finished = frozenset(order[:8])
    resume = Resume(finished, int(first.max()), ArrayPlanes(first))
    left = [plane for plane in order if plane not in finished]
    second, told = linked(truth, left, resume=resume)
    assert {done.plane for done in told} == set(left)
    both = pairs(np.where(first > 0, first, second), truth)
    assert len(both) == len({number for _, number in both}) == 5


@pytest.mark.parametrize("focus", [0, 32])
def test_only_the_volumes_near_the_one_in_work_are_held(focus: int) -> None:
    truth = np.repeat(movie()[:1], 13, axis=0)
    seen: list[weakref.ref[Any]] = []
    order = outward(focus, 13 * DEPTHS)
    linker, used, most = linker_for(ArrayPlanes(truth), order, Resume()), 0, 0
    for plane in order:
        labels = RunLabels.of(
            truth[divmod(plane, DEPTHS)] + np.int32(used) * (truth[divmod(plane, DEPTHS)] > 0)
        )
        final = linker.take(PlaneDone(plane, labels, 3), used)
        used += sum(done.objects for done in final)
        seen += [weakref.ref(done.labels.values) for done in final if done.labels is not None]
        del final, labels
        most = max(most, sum(ref() is not None for ref in seen))
    assert len(seen) == 13 * DEPTHS
    assert most <= 4 * DEPTHS


def kinds(shape: Sequence[int], followed: str) -> Any:
    planes = ArrayPlanes(np.zeros((*shape, 4, 4), np.uint8), followed=followed)
    return type(linker_for(planes, range(planes.count), Resume())), planes.run, planes.runs


def test_what_follows_one_another_is_linked_and_nothing_else() -> None:
    assert kinds((3,), "TZ") == (PlaneLinker, 3, 1)
    assert kinds((2, 3), "TZ") == (SeriesLinker, 3, 2)
    assert kinds((5, 2, 3), "TZ") == (SeriesLinker, 3, 2)
    assert kinds((5, 3), "Z") == (PlaneLinker, 3, 1)  # positions of z stacks
    assert kinds((5, 3), "") == (PlaneLinker, 1, 1)


def test_positions_share_no_number() -> None:
    truth = np.repeat(movie()[np.newaxis], 2, axis=0)  # (P, T, Z, Y, X)
    found, _ = linked(truth, range(2 * TIMES * DEPTHS))
    assert not set(np.unique(found[0])) & set(np.unique(found[1])) - {0}
    for position in range(2):
        assert len(pairs(found[position], truth[position])) == 5
